"""Walks a protobuf file and leaves its bulk behind [protobuf encoding, protobuf.dev].

A model file is a few hundred kilobytes of structure around gigabytes of tensors.  ``slim`` copies
the structure and skips every long payload by its length, so what the parser then sees is small
whatever the file's size.  The walk itself checks the wire format: a length past the end, a field
number 0 or an unknown wire type stops it at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


class Buffer(Protocol):
    """What the walker needs of ``bytes`` or ``mmap``."""

    def __len__(self) -> int: ...
    def __getitem__(self, key: int | slice, /) -> int | bytes: ...


class WireError(ValueError):
    """The bytes are not a protobuf message."""


@dataclass(frozen=True)
class Message:
    """Which fields of a message are entered, and which are dropped where they are long."""

    enter: Mapping[int, Message] = field(default_factory=dict)
    drop: frozenset[int] = frozenset()
    longest: int = 0  # bytes of a droppable payload that is still kept
    count: int | None = None  # the field whose occurrences in the whole file are bounded


def read_varint(data: Buffer, at: int, end: int) -> tuple[int, int]:
    """The number at ``at`` and where the next field begins.  Raises WireError past ``end``."""
    value = shift = 0
    while at < end:
        byte = data[at]
        assert isinstance(byte, int)
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


def next_field(data: Buffer, at: int, end: int) -> tuple[int, int, int, int]:
    """(number, wire type, start of the payload, end of it) of the field at ``at``."""
    tag, start = read_varint(data, at, end)
    number, wire = tag >> 3, tag & 7
    if number == 0:
        raise WireError(f"field number 0 at byte {at}")
    if wire == BYTES:
        length, start = read_varint(data, start, end)
        stop = start + length
    elif wire == VARINT:
        _, stop = read_varint(data, start, end)
    elif wire in (FIXED32, FIXED64):
        stop = start + (4 if wire == FIXED32 else 8)
    else:
        raise WireError(f"wire type {wire} at byte {at}")
    if stop > end:
        raise WireError(f"truncated: a field at byte {at} ends at {stop}, its message at {end}")
    return number, wire, start, stop


class Slimmer:
    """One walk over one file, with bounds on its work.

    Raises WireError where the bytes are not protobuf or a bound is passed.
    """

    def __init__(self, data: Buffer, max_fields: int, max_counted: int) -> None:
        self.data = data
        self.fields_left = max_fields
        self.counted_left = max_counted

    def slim(self, message: Message, start: int = 0, end: int | None = None) -> bytes:
        """The message's bytes without its bulk.

        Short messages are copied whole: only what is longer than ``longest`` is looked into.
        """
        end = len(self.data) if end is None else end
        parts: list[bytes] = []
        at = kept = start
        while at < end:
            number, wire, begin, stop = next_field(self.data, at, end)
            self._count(number == message.count)
            entered = message.enter.get(number) if wire == BYTES else None
            if entered is not None and stop - begin > entered.longest:
                inner = self.slim(entered, begin, stop)
                parts += [self._copy(kept, at), write_varint(number << 3 | BYTES)]
                parts += [write_varint(len(inner)), inner]
                kept = stop
            elif number in message.drop and stop - begin > message.longest:
                parts.append(self._copy(kept, at))
                kept = stop
            at = stop
        parts.append(self._copy(kept, end))
        return b"".join(parts)

    def _count(self, counted: bool) -> None:
        self.fields_left -= 1
        self.counted_left -= counted
        if self.fields_left < 0:
            raise WireError("too many fields")
        if self.counted_left < 0:
            raise WireError("too many operators")

    def _copy(self, start: int, end: int) -> bytes:
        piece = self.data[start:end]
        assert isinstance(piece, bytes)
        return piece
