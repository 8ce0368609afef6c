"""Protobuf messages of a mapped file, read field by field without a schema compiler.

[protobuf encoding, protobuf.dev]  A ``Message`` is a window on the bytes.  It lists its fields when
it is first asked, so a tensor of a gigabyte costs what its head costs.  Whatever is read counts
against one budget for the whole file.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from mmap import ACCESS_READ, mmap
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from assay.containers.protobuf import BYTES, FIXED32, FIXED64, VARINT, next_field, read_varint
from assay.containers.sources import opened
from assay.errors import UnreadableModel

MOST_FIELDS = 2_400_000
LONGEST_TEXT = 10_000  # bytes of a name
_FLOATS = {FIXED32: "<f", FIXED64: "<d"}

Span = tuple[int, int]  # where something begins and ends, in bytes of the file


@dataclass
class Source:
    """The file that messages are windows on, and how much of it may still be looked at."""

    data: bytes | mmap
    fields_left: int = MOST_FIELDS


def mapped(path: Path) -> mmap:
    """The file's bytes, none of them read yet.  Raises UnreadableModel where there are none."""
    with opened(path) as file:
        if file.seek(0, 2) == 0:
            raise UnreadableModel(f"{path.name} is empty")
        return mmap(file.fileno(), 0, access=ACCESS_READ)


@dataclass
class Message:
    """One message.  Raises WireError where its bytes are none."""

    source: Source
    start: int
    end: int
    _fields: dict[int, list[tuple[int, int, int]]] | None = field(default=None, repr=False)

    @classmethod
    def of(cls, data: bytes | mmap) -> Message:
        """The message that fills ``data``."""
        return cls(Source(data), 0, len(data))

    def listed(self, number: int) -> list[tuple[int, int, int]]:
        """(wire type, start, end) of each field of that number."""
        if self._fields is None:
            self._fields = {}
            at, data = self.start, self.source.data
            while at < self.end:
                found, wire, start, at = next_field(data, at, self.end)  # type: ignore[arg-type]
                self._fields.setdefault(found, []).append((wire, start, at))
                self.source.fields_left -= 1
                if self.source.fields_left < 0:
                    raise UnreadableModel("it has too many fields")
        return self._fields.get(number, [])

    def has(self, number: int) -> bool:
        """Whether the field is there."""
        return bool(self.listed(number))

    def numbers(self) -> Sequence[int]:
        """The fields that are there, in the file's order."""
        self.listed(0)
        return list(self._fields or ())

    def spans(self, number: int) -> list[Span]:
        """Where the field's payloads lie."""
        return [(start, end) for wire, start, end in self.listed(number) if wire == BYTES]

    def messages(self, number: int) -> list[Message]:
        """The field as messages."""
        return [Message(self.source, start, end) for start, end in self.spans(number)]

    def message(self, *numbers: int) -> Message:
        """The field's last message, or that of the field within it; an empty one where absent."""
        here = self
        for number in numbers:
            spans = here.spans(number)
            if len(spans) > 1:  # parsers of protobuf make one message of them
                raise UnreadableModel(f"field {number} is there {len(spans):,} times")
            start, end = spans[-1] if spans else (here.end, here.end)
            here = Message(here.source, start, end)
        return here

    def texts(self, number: int) -> list[str]:
        """The field as texts.  Raises UnreadableModel where one is none."""
        return [self._text(start, end) for start, end in self.spans(number)]

    def text(self, number: int) -> str:
        """The field as text; empty where absent."""
        spans = self.spans(number)
        return self._text(*spans[-1]) if spans else ""

    def _text(self, start: int, end: int) -> str:
        if end - start > LONGEST_TEXT:
            raise UnreadableModel(f"a name has {end - start:,} bytes")
        try:
            return bytes(self.source.data[start:end]).decode()
        except UnicodeDecodeError as error:
            raise UnreadableModel("a name is not UTF-8 text") from error

    def payload(self, number: int, longest: int) -> bytes:
        """The field's bytes; empty where absent.  Raises UnreadableModel where they are many."""
        spans = self.spans(number)
        start, end = spans[-1] if spans else (0, 0)
        if end - start > longest:
            raise UnreadableModel(f"a field has {end - start:,} bytes")
        return bytes(self.source.data[start:end])

    def integers(self, number: int) -> list[int]:
        """The field as signed integers, packed or not."""
        found: list[int] = []
        data = self.source.data
        for wire, start, end in self.listed(number):
            if wire not in (VARINT, BYTES):
                raise UnreadableModel(f"field {number} is no integer")
            at = start
            while at < end:
                value, at = read_varint(data, at, end)  # type: ignore[arg-type]
                found.append(value - (1 << 64) if value >> 63 else value)
                self.source.fields_left -= 1
                if self.source.fields_left < 0:
                    raise UnreadableModel("it has too many numbers")
        return found

    def integer(self, number: int, default: int = 0) -> int:
        """The field as a signed integer."""
        listed = self.listed(number)
        if not listed or listed[-1][0] != VARINT:
            return default
        value, _ = read_varint(self.source.data, *listed[-1][1:])  # type: ignore[arg-type]
        return value - (1 << 64) if value >> 63 else value

    def real(self, number: int, default: float = 0.0) -> float:
        """The field as a float or double."""
        listed = self.listed(number)
        if not listed or listed[-1][0] not in _FLOATS:
            return default
        wire, start, end = listed[-1]
        return float(struct.unpack(_FLOATS[wire], self.source.data[start:end])[0])

    def floats(self, number: int, dtype: str = "<f4") -> NDArray[np.float32]:
        """The field as floats, packed or not; reads the file."""
        parts = [self.source.data[start:end] for _, start, end in self.listed(number)]
        joined = b"".join(parts)
        if len(joined) % np.dtype(dtype).itemsize:
            raise UnreadableModel("a list of numbers is cut")
        return np.frombuffer(joined, dtype).astype(np.float32)
