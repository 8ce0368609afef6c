"""Walks a protobuf file and leaves its bulk behind [protobuf encoding, protobuf.dev].

A model file is a few hundred kilobytes of structure around gigabytes of tensors.  ``Slimmer``
copies the fields that it was told of and skips everything else by its length, so that what the
parser then sees is small whatever the file's size.  The walk bounds what the parser will make of
it: two bytes of protobuf can become two hundred of memory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from assay.errors import UnreadableModel

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
BLOCK = 2**16  # bytes that are read at once
MOST_DEPTH = 100  # messages inside messages; the parser takes no more
_LONGEST_HEAD = 20  # bytes of a field's number and length, ten each at most

Dropped = Sequence[tuple[int, int]]  # (field, bytes) of payloads that were left behind


class WireError(UnreadableModel):
    """The bytes are not a protobuf message, or pass a bound."""


@dataclass(frozen=True)
class Message:
    """Which fields of a message are kept; all others are dropped."""

    keep: frozenset[int] = frozenset()
    enter: Mapping[int, Message] = field(default_factory=dict)
    payloads: frozenset[int] = frozenset()  # kept where short
    longest: int = 0  # bytes of a payload that is kept
    counted: Mapping[int, str] = field(default_factory=dict)  # field → the limit that it counts for
    check: Callable[[bytes, Dropped], None] | None = None  # called where payloads were dropped
    place: int = 0  # a text field that then says where the message lies: "start,end" in bytes


@dataclass
class Limits:
    """What one walk may still do."""

    fields: int  # a message or a text, which cost the parser more than a number, count twice
    kept: int  # bytes
    unseen: int  # bytes of short messages that are copied without a look inside
    counted: dict[str, int]


def read_varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    """The number at ``at`` and where the next field begins.  Raises WireError past ``end``."""
    value = shift = 0
    while at < end:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            break
    raise WireError(f"a number at byte {at} does not end")


def write_varint(value: int) -> bytes:
    """The inverse of ``read_varint``."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def next_field(data: bytes, at: int, end: int) -> tuple[int, int, int, int]:
    """(number, wire type, start of the payload, end of it) of the field at ``at``.

    Only the field's head need be in ``data``; ``end`` is that of the message.
    """
    known = min(end, len(data))
    if at + 1 < known and 8 <= data[at] < 0x80 and data[at] & 7 == BYTES and data[at + 1] < 0x80:
        number, wire, start = data[at] >> 3, BYTES, at + 2  # most are so short
        stop = start + data[at + 1]
        if stop <= end:
            return number, wire, start, stop
    tag, start = read_varint(data, at, known)
    number, wire = tag >> 3, tag & 7
    if number == 0:
        raise WireError("a field has the number 0")
    if wire == BYTES:
        length, start = read_varint(data, start, known)
        stop = start + length
    elif wire == VARINT:
        _, stop = read_varint(data, start, known)
    elif wire in (FIXED32, FIXED64):
        stop = start + (4 if wire == FIXED32 else 8)
    else:
        raise WireError(f"a field has the unknown wire type {wire}")
    if stop > end:
        raise WireError(f"truncated: a field is {stop - end:,} bytes longer than its message")
    return number, wire, start, stop


class Slimmer:
    """One walk over one file.  Raises WireError where it is not protobuf or passes a limit."""

    def __init__(self, file: BinaryIO, limits: Limits) -> None:
        self.file = file
        self.limits = limits
        self.fields_left = limits.fields
        self.block, self.base = b"", 0  # the part of the file in memory, and where it begins

    def slim(self, message: Message, size: int) -> bytes:
        """The message that fills the file's first ``size`` bytes, without its bulk."""
        parts = self._walk(message, 0, size, MOST_DEPTH)
        return self._copy(0, size) if parts is None else b"".join(parts)

    def _walk(self, message: Message, start: int, end: int, depth: int) -> list[bytes] | None:
        """What is kept of a message, in pieces; None where that is all of it."""
        if depth == 0:
            raise WireError(f"it is nested more than {MOST_DEPTH} deep")
        parts: list[bytes] = []
        dropped: list[tuple[int, int]] = []
        at = kept = start
        while at < end:
            if not self.base <= at <= self.base + len(self.block) - _LONGEST_HEAD:
                self._load(at)
            base = self.base
            number, wire, begin, stop = next_field(self.block, at - base, end - base)
            begin, stop = begin + base, stop + base
            self.fields_left -= 2 if wire == BYTES else 1
            if self.fields_left < 0:
                raise WireError("it has too many fields")
            if number in message.counted:
                self._count(message.counted[number])
            if number not in message.keep:
                pieces = self._inner(message, number, wire, begin, stop, depth)
                if pieces is not None:
                    parts += [self._copy(kept, at), *pieces]
                    kept = stop
                    if number in message.payloads:
                        dropped.append((number, stop - begin))
            at = stop
        if kept == start:
            return None
        parts.append(self._copy(kept, end))
        if dropped and message.place:
            text = b"%d,%d" % (start, end)
            parts.append(write_varint(message.place << 3 | BYTES) + bytes([len(text)]) + text)
        if dropped and message.check is not None:
            message.check(b"".join(parts), dropped)
        return parts

    def _inner(
        self, message: Message, number: int, wire: int, begin: int, stop: int, depth: int
    ) -> list[bytes] | None:
        """What takes a field's place: nothing, a smaller message, or None for the field itself."""
        entered = message.enter.get(number)
        if entered is None or wire != BYTES:
            is_short = number in message.payloads and stop - begin <= message.longest
            return None if is_short else []
        if self._may_copy(entered, stop - begin):
            return None
        inner = self._walk(entered, begin, stop, depth - 1)
        if inner is None:
            return None
        size = sum(map(len, inner))
        return [write_varint(number << 3 | BYTES) + write_varint(size), *inner]

    def _may_copy(self, message: Message, length: int) -> bool:
        """Whether a short message is copied whole, which saves most of the walk."""
        if length > max(message.longest, 1) or length > self.limits.unseen:
            return False
        self.limits.unseen -= length
        return True

    def _count(self, name: str) -> None:
        self.limits.counted[name] -= 1
        if self.limits.counted[name] < 0:
            raise WireError(f"it has too many {name}")

    def _copy(self, start: int, end: int) -> bytes:
        if start == end:
            return b""
        self.limits.kept -= end - start
        if self.limits.kept < 0:
            raise WireError("it has too much structure")
        if self.base <= start and end <= self.base + len(self.block):
            return self.block[start - self.base : end - self.base]
        self.file.seek(start)
        piece = self.file.read(end - start)
        if len(piece) < end - start:
            raise WireError("the file became shorter while it was read")
        return piece

    def _load(self, at: int) -> None:
        self.file.seek(at)
        self.block, self.base = self.file.read(BLOCK), at
