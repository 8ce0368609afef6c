"""GGUF's container: counted metadata, the places of tensors, then the tensors [ggml, gguf.md].

Nothing is believed before it is held against the file's size.  Of the metadata, numbers and short
texts are kept; lists, such as the words of a tokenizer, are told by their length.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from assay.containers.sources import opened
from assay.errors import UnreadableModel
from assay.weights.gguf_types import KINDS, Kind
from assay.weights.numbers import elements
from assay.weights.shapes import shape_of

MAGIC = b"GGUF"
MOST_TENSORS = 100_000
MOST_ENTRIES = 100_000  # of the metadata
MOST_ITEMS = 1_000_000  # texts and lists in all lists together; a vocabulary has 256,000 words
LONGEST_TEXT = 2**20  # bytes of a name or a text
LONGEST_KEPT = 200  # characters of a text that is kept
_MOST_AXES = 4  # of ggml's tensors
_DEEPEST = 4  # lists in lists
_TEXT, _LIST, _BOOL = 8, 9, 7
_NUMBERS = {
    0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "B", 10: "Q", 11: "q", 12: "d",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Place:
    """A tensor of the file."""

    name: str
    shape: tuple[int, ...]  # slowest axis first
    kind: Kind
    offset: int  # from the beginning of the file

    @property
    def length(self) -> int:
        """In bytes."""
        return elements(self.shape) // self.kind.block * self.kind.length


@dataclass(frozen=True, slots=True)
class Contents:
    """What a file holds."""

    metadata: dict[str, Any]
    places: list[Place]


def contents(path: Path) -> Contents:
    """Metadata and places of a file.  Raises UnreadableModel where it is none, cut or lies."""
    size = path.stat().st_size
    with opened(path) as file:
        cursor = _Cursor(file, size)
        count, entries = cursor.start()
        metadata = _metadata(cursor, entries)
        alignment = metadata.get("general.alignment", 32)
        if type(alignment) is not int or not 0 < alignment <= 2**16 or alignment % 8:
            raise UnreadableModel(f"its tensors are aligned to {alignment!r:.40} bytes")
        places = [_place(cursor) for _ in range(count)]
        begin = cursor.at + -cursor.at % alignment
    placed = [Place(p.name, p.shape, p.kind, begin + p.offset) for p in places]
    _check(placed, begin, alignment, size)
    return Contents(metadata, placed)


class _Cursor:
    """Reads numbers and texts one after the other."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self.file, self.size, self.at = file, size, 0
        self.items = MOST_ITEMS

    def take(self, length: int) -> bytes:
        self.check(length)
        content = self.file.read(length)
        if len(content) < length:
            raise UnreadableModel("the file became shorter while it was read")
        self.at += length
        return content

    def skip(self, length: int) -> None:
        self.check(length)
        self.at += length
        self.file.seek(self.at)

    def check(self, length: int) -> None:
        if length > self.size - self.at:
            raise UnreadableModel("truncated: its header is longer than the file")

    def number(self, code: str) -> Any:
        return struct.unpack("<" + code, self.take(struct.calcsize("<" + code)))[0]

    def text(self) -> str:
        length = self.number("Q")
        if length > LONGEST_TEXT:
            raise UnreadableModel(f"a text of its header has {length:,} bytes")
        return self.take(length).decode("utf-8", "replace")

    def start(self) -> tuple[int, int]:
        """The numbers of tensors and of metadata's entries."""
        if self.take(4) != MAGIC:
            raise UnreadableModel("not a GGUF file")
        version = self.number("I")
        if version not in (2, 3):
            turned = version in (2 << 24, 3 << 24)
            text = "big-endian files are" if turned else f"version {version:,} is"
            raise UnreadableModel(f"{text} not read")
        count, entries = self.number("Q"), self.number("Q")
        if count > MOST_TENSORS or entries > MOST_ENTRIES:
            raise UnreadableModel(f"it claims {count:,} tensors and {entries:,} entries")
        return count, entries


def _metadata(cursor: _Cursor, entries: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for _ in range(entries):
        key = cursor.text()
        if key in found:
            raise UnreadableModel(f"its header names {key[:80]!r} twice")
        found[key] = _value(cursor, cursor.number("I"), 0)
    return found


def _value(cursor: _Cursor, code: int, depth: int) -> Any:
    if code == _TEXT:
        return cursor.text()[:LONGEST_KEPT]
    if code == _BOOL:
        return cursor.number("B") != 0
    if code in _NUMBERS:
        return cursor.number(_NUMBERS[code])
    if code != _LIST:
        raise UnreadableModel(f"its header has a value of the unknown type {code:,}")
    if depth > _DEEPEST:
        raise UnreadableModel("its header has lists in lists in lists")
    inner, length = cursor.number("I"), cursor.number("Q")
    if inner in _NUMBERS:
        cursor.skip(length * struct.calcsize("<" + _NUMBERS[inner]))
        return f"{length} values"
    cursor.items -= length
    if cursor.items < 0:
        raise UnreadableModel(f"its header has more than {MOST_ITEMS:,} texts and lists in lists")
    for _ in range(length):
        if inner == _TEXT:
            cursor.skip(cursor.number("Q"))
        else:
            _value(cursor, inner, depth + 1)
    return f"{length} values"


def _place(cursor: _Cursor) -> Place:
    """What the header says of one tensor; the offset is from where the tensors begin."""
    name = cursor.text()
    axes = cursor.number("I")
    if axes > _MOST_AXES:
        raise UnreadableModel(f"tensor {name[:80]!r} has {axes:,} axes")
    dims = [cursor.number("Q") for _ in range(axes)]
    code, offset = cursor.number("I"), cursor.number("Q")
    kind = KINDS.get(code)
    if kind is None:
        raise UnreadableModel(f"tensor {name[:80]!r} has the unknown type {code:,}")
    shape = shape_of(f"tensor {name[:80]!r}", reversed(dims))
    if (shape[-1] if shape else 1) % kind.block:
        raise UnreadableModel(f"rows of tensor {name[:80]!r} are no whole blocks of {kind.name}")
    return Place(name, shape, kind, offset)


def _check(places: list[Place], begin: int, alignment: int, size: int) -> None:
    """Tensors have names of their own, are in the file, aligned, and do not overlap."""
    names: set[str] = set()
    at = begin
    for place in sorted(places, key=lambda place: (place.offset, place.length)):
        if place.name in names:
            raise UnreadableModel(f"its header names {place.name[:80]!r} twice")
        names.add(place.name)
        if place.offset + place.length > size:
            raise UnreadableModel(f"tensor {place.name[:80]!r} lies past the end of the file")
        if place.offset < at:
            raise UnreadableModel(f"tensor {place.name[:80]!r} overlaps another")
        if (place.offset - begin) % alignment:
            raise UnreadableModel(f"tensor {place.name[:80]!r} is not aligned")
        at = place.offset + place.length
