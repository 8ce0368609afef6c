"""Reads FlatBuffers in place, without a schema compiler [FlatBuffers internals, flatbuffers.dev].

A table is a place in the file whose offsets lead to its fields.  Every offset and every length is
held against the file's size before it is followed, and what one reading may follow is bounded: a
few bytes may point to the same large table from a million places.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MOST_TABLES = 600_000  # that are followed, each time anew
MOST_NUMBERS = 8_000_000  # elements of vectors
MOST_TEXT = 2**24  # bytes of strings
LONGEST_TEXT = 2**16  # of one string

_FORMATS = {
    "i8": struct.Struct("<b"),
    "u8": struct.Struct("<B"),
    "u16": struct.Struct("<H"),
    "i32": struct.Struct("<i"),
    "u32": struct.Struct("<I"),
    "u64": struct.Struct("<Q"),
    "f32": struct.Struct("<f"),
}
_U16, _I32, _U32 = _FORMATS["u16"], _FORMATS["i32"], _FORMATS["u32"]


class FlatBufferError(ValueError):
    """The bytes are not a FlatBuffer, or pass a bound."""


class FlatBuffer:
    """A file's bytes, and what may still be read of them."""

    def __init__(self, content: memoryview, identifier: bytes) -> None:
        self.content = content
        self.size = len(content)
        self.tables_left = MOST_TABLES
        self.numbers_left = MOST_NUMBERS
        self.text_left = MOST_TEXT
        if self.size < 8 or bytes(content[4:8]) != identifier:
            raise FlatBufferError(f"it has no identifier {identifier.decode('ascii')!r}")

    def root(self) -> Table:
        """The table that everything hangs from."""
        return self.table(self.offset(0))

    def number(self, kind: struct.Struct, at: int) -> int | float:
        """The number at a place.  Raises FlatBufferError outside the file."""
        if not 0 <= at <= self.size - kind.size:
            raise FlatBufferError(f"an offset leads to byte {at:,} of {self.size:,}")
        value: int | float = kind.unpack_from(self.content, at)[0]
        return value

    def offset(self, at: int) -> int:
        """The place that the offset stored at ``at`` leads to, always farther on."""
        distance = int(self.number(_U32, at))
        if distance == 0:
            raise FlatBufferError(f"the offset at byte {at:,} leads nowhere")
        return at + distance

    def vector(self, at: int, width: int) -> tuple[int, int]:
        """(start, elements) of the vector at a place, which lies within the file."""
        count, start = int(self.number(_U32, at)), at + 4
        if count * width > self.size - start:
            raise FlatBufferError(
                f"a vector of {count:,} elements at byte {at:,} is longer than the file"
            )
        return start, count

    def table(self, at: int) -> Table:
        """The table at a place.  Raises FlatBufferError where its list of fields is damaged."""
        self.tables_left -= 1
        if self.tables_left < 0:
            raise FlatBufferError(f"it has more than {MOST_TABLES:,} tables")
        fields = at - int(self.number(_I32, at))
        length, extent = int(self.number(_U16, fields)), int(self.number(_U16, fields + 2))
        if length < 4 or length % 2 or fields + length > self.size or at + extent > self.size:
            raise FlatBufferError(f"the table at byte {at:,} is damaged")
        return Table(self, at, fields, length, extent)


@dataclass(frozen=True, slots=True)
class Table:
    """One table; fields are known by their number, and absent ones have their default."""

    buffer: FlatBuffer
    at: int
    fields: int  # where the list of its fields begins
    length: int  # bytes of that list
    extent: int  # bytes of the table itself

    def place(self, field: int) -> int:
        """Where a field is stored, 0 where it is not."""
        entry = 4 + 2 * field
        if entry + 2 > self.length:
            return 0
        inside = int(self.buffer.number(_U16, self.fields + entry))
        if inside >= max(self.extent, 4):
            raise FlatBufferError(f"a field of the table at byte {self.at:,} lies outside it")
        return self.at + inside if inside else 0

    def integer(self, field: int, kind: str = "i32", default: int = 0) -> int:
        """A whole number, one of "i8", "u8", "i32", "u32", "u64"."""
        at = self.place(field)
        return int(self.buffer.number(_FORMATS[kind], at)) if at else default

    def flag(self, field: int) -> bool:
        """A truth value, false where absent."""
        return self.integer(field, "u8") != 0

    def real(self, field: int, default: float = 0.0) -> float:
        """A number of 32 bits."""
        at = self.place(field)
        return float(self.buffer.number(_FORMATS["f32"], at)) if at else default

    def text(self, field: int) -> str:
        """A string, "" where absent; what is not UTF-8 is replaced."""
        at = self.place(field)
        if not at:
            return ""
        start, count = self.buffer.vector(self.buffer.offset(at), 1)
        self.buffer.number(_FORMATS["u8"], start + count)  # the zero at its end
        if count > LONGEST_TEXT:
            raise FlatBufferError(f"a text has {count:,} characters")
        self.buffer.text_left -= count
        if self.buffer.text_left < 0:
            raise FlatBufferError(f"it has more than {MOST_TEXT // 2**20} MiB of text")
        return bytes(self.buffer.content[start : start + count]).decode("utf-8", "replace")

    def table(self, field: int) -> Table | None:
        """A table, or None where absent."""
        at = self.place(field)
        return self.buffer.table(self.buffer.offset(at)) if at else None

    def tables(self, field: int, most: int, what: str) -> list[Table]:
        """A vector of tables.  Raises FlatBufferError where there are more than ``most``."""
        at = self.place(field)
        if not at:
            return []
        start, count = self.buffer.vector(self.buffer.offset(at), 4)
        if count > most:
            raise FlatBufferError(f"it has more than {most:,} {what}")
        places = (start + 4 * i for i in range(count))
        return [self.buffer.table(self.buffer.offset(place)) for place in places]

    def numbers(self, field: int, dtype: str = "<i4") -> NDArray[np.generic] | None:
        """A vector of numbers, copied; None where absent."""
        at = self.place(field)
        if not at:
            return None
        width = np.dtype(dtype).itemsize
        start, count = self.buffer.vector(self.buffer.offset(at), width)
        self.buffer.numbers_left -= count
        if self.buffer.numbers_left < 0:
            raise FlatBufferError(f"its vectors have more than {MOST_NUMBERS:,} numbers")
        found = np.frombuffer(self.buffer.content, dtype, count, start)
        return found.copy()

    def integers(self, field: int) -> tuple[int, ...]:
        """A vector of whole numbers of 32 bits, () where absent."""
        found = self.numbers(field)
        return () if found is None else tuple(found.tolist())

    def span(self, field: int) -> tuple[int, int]:
        """(start, bytes) of a vector of bytes that is not read; (0, 0) where absent."""
        at = self.place(field)
        return self.buffer.vector(self.buffer.offset(at), 1) if at else (0, 0)
