"""GGUF files [GGUF specification, ggml].

A header of counted entries: metadata, then name, shape, type and offset of each tensor; then the
tensors, aligned.  Shapes are listed fastest axis first, so that reversed they are canonical: a
matrix multiplies from the left (output, input).  Quantized tensors are decoded block by
block (``_gguf_blocks``).  Nothing is believed before it is held against the file's size.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from assay.errors import UnreadableModel
from assay.formats import Format, InputShapes, Model
from assay.weights import Array, Weight
from assay.weights.gguf_blocks import KINDS, Kind
from assay.weights.numbers import MOST_AT_ONCE, elements, region

MOST_TENSORS = 300_000
MOST_ENTRIES = 100_000  # of the metadata
LONGEST_TEXT = 2**20  # bytes of a name or a text
LONGEST_KEPT = 200  # characters of a text that is kept
MOST_ITEMS = 20_000_000  # of all lists together
_MOST_AXES = 8
_MAGIC = b"GGUF"
_TEXT, _LIST, _BOOL = 8, 9, 7
_NUMBERS = {
    0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "B", 10: "Q", 11: "q", 12: "d",
}  # fmt: skip


class Gguf(Format):
    """The tensors of a ``.gguf`` file, version 2 or 3; such a file has no graph."""

    suffixes = (".gguf",)

    def sniff(self, head: bytes) -> bool:
        return head.startswith(_MAGIC)

    def read(self, path: Path, input_shapes: InputShapes) -> Model:
        size = path.stat().st_size
        with path.open("rb") as file:
            cursor = _Cursor(file, size)
            count, entries = cursor.start()
            metadata = _metadata(cursor, entries)
            places = [_place(cursor) for _ in range(count)]
            begin = cursor.at
        alignment = metadata.get("general.alignment", 32)
        if type(alignment) is not int or not 0 < alignment <= 2**16 or alignment % 8:
            raise UnreadableModel(f"its tensors are aligned to {alignment!r} bytes")
        begin += -begin % alignment
        weights = _weights(places, path, begin, size)
        return Model("gguf", None, (path,), metadata, weights)


@dataclass(frozen=True, slots=True)
class _Place:
    name: str
    shape: tuple[int, ...]  # slowest axis first
    kind: Kind
    offset: int  # from where the tensors begin


class _Cursor:
    """Reads numbers and texts one after the other."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self.file, self.size, self.at = file, size, 0
        self.order = "<"
        self.items = MOST_ITEMS

    def take(self, length: int) -> bytes:
        if length > self.size - self.at:
            raise UnreadableModel("truncated: its header is longer than the file")
        content = self.file.read(length)
        if len(content) < length:
            raise UnreadableModel("the file became shorter while it was read")
        self.at += length
        return content

    def skip(self, length: int) -> None:
        if length > self.size - self.at:
            raise UnreadableModel("truncated: its header is longer than the file")
        self.at += length
        self.file.seek(self.at)

    def number(self, code: str) -> Any:
        return struct.unpack(self.order + code, self.take(struct.calcsize("<" + code)))[0]

    def text(self) -> str:
        length = self.number("Q")
        if length > LONGEST_TEXT:
            raise UnreadableModel(f"a text of its header has {length:,} bytes")
        return self.take(length).decode("utf-8", "replace")

    def start(self) -> tuple[int, int]:
        """The numbers of tensors and of metadata's entries."""
        if self.take(4) != _MAGIC:
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
    """Numbers and short texts; lists are told by their length, as the words of a tokenizer are."""
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
    if depth > 4:
        raise UnreadableModel("its header has lists in lists in lists")
    inner, length = cursor.number("I"), cursor.number("Q")
    cursor.items -= length
    if cursor.items < 0:
        raise UnreadableModel(f"its header has more than {MOST_ITEMS:,} values")
    if inner in _NUMBERS:
        cursor.skip(length * struct.calcsize("<" + _NUMBERS[inner]))
    elif inner == _TEXT:
        for _ in range(length):
            cursor.skip(cursor.number("Q"))
    else:
        for _ in range(length):
            _value(cursor, inner, depth + 1)
    return f"{length} values"


def _place(cursor: _Cursor) -> _Place:
    """What the header says of one tensor."""
    name = cursor.text()
    axes = cursor.number("I")
    if axes > _MOST_AXES:
        raise UnreadableModel(f"tensor {name[:80]!r} has {axes:,} axes")
    shape = tuple(cursor.number("Q") for _ in range(axes))[::-1]
    code, offset = cursor.number("I"), cursor.number("Q")
    kind = KINDS.get(code)
    if kind is None:
        raise UnreadableModel(f"tensor {name[:80]!r} has the unknown type {code:,}")
    if shape and shape[-1] % kind.block:
        raise UnreadableModel(f"rows of tensor {name[:80]!r} are no whole blocks of {kind.name}")
    return _Place(name, shape, kind, offset)


def _weights(places: list[_Place], path: Path, begin: int, size: int) -> dict[str, Weight]:
    """The tensors by name, once it is known that they are in the file and do not overlap."""
    weights: dict[str, Weight] = {}
    at = 0
    for place in sorted(places, key=lambda place: place.offset):
        length = elements(place.shape) // place.kind.block * place.kind.length
        if begin + place.offset + length > size:
            raise UnreadableModel(f"tensor {place.name[:80]!r} lies past the end of the file")
        if place.offset < at:
            raise UnreadableModel(f"tensor {place.name[:80]!r} overlaps another")
        at = place.offset + length
    for place in places:
        if place.name in weights:
            raise UnreadableModel(f"its header names {place.name[:80]!r} twice")
        read = partial(_read, path, begin + place.offset, place)
        weights[place.name] = Weight(place.name, place.shape, place.kind.name, read, True)
    return weights


def _read(path: Path, offset: int, place: _Place) -> Array:
    decode: Callable[[bytes, int], Array] | None = place.kind.decode
    count = elements(place.shape)
    if decode is None or count > MOST_AT_ONCE:
        raise UnreadableModel(f"tensor {place.name!r} of type {place.kind.name} is not read")
    content = region(path, offset, count // place.kind.block * place.kind.length)
    return decode(content, count).reshape(place.shape)
