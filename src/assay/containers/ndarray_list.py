"""MXNet's lists of arrays, ``.params`` files [MXNet 1.9, ndarray.cc, NDArray::Save].

A list is arrays one after another, then their names.  Four generations of arrays are told apart by
a magic number; the oldest has none.  Only heads are read; the numbers stay in the file.  Sparse
arrays, by rows or compressed rows, are read dense.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np

from assay.errors import UnreadableModel
from assay.weights import Array
from assay.weights.numbers import buffer, bytes_of, decode, region
from assay.weights.shapes import shape_of

MAGIC = struct.pack("<QQ", 0x112, 0)
MOST_ARRAYS = 200_000
MOST_DENSE = 2**28  # numbers of a sparse array that is read dense
_V1, _V2, _V3 = 0xF993FAC8, 0xF993FAC9, 0xF993FACA
_DTYPES = {
    0: "float32", 1: "float64", 2: "float16", 3: "uint8", 4: "int32", 5: "int8", 6: "int64",
    7: "bool", 8: "int16", 9: "uint16", 10: "uint32", 11: "uint64", 12: "bfloat16",
}  # fmt: skip
_DENSE, _BY_ROWS, _COMPRESSED = 0, 1, 2
_MOST_AXES = 32
_LONGEST_NAME = 10_000
_BUFFER = 2**16


@dataclass(frozen=True)
class Part:
    """Numbers that lie in the file."""

    start: int
    shape: tuple[int, ...]
    dtype: str

    @property
    def end(self) -> int:
        """Where they end."""
        return self.start + bytes_of(self.dtype, prod(self.shape))


@dataclass(frozen=True)
class NdArray:
    """One array: its numbers, and of a sparse one where they belong."""

    path: Path
    name: str
    shape: tuple[int, ...]
    dtype: str
    numbers: Part
    places: tuple[Part, ...] = ()  # rows; or where each row begins, and columns

    def read(self) -> Array:
        """The numbers, dense.  Raises UnreadableModel where they are not there."""
        values = self._part(self.numbers)
        if not self.places:
            return values
        if prod(self.shape) > MOST_DENSE:
            raise UnreadableModel(f"the sparse array {self.name[:80]!r} is too large to be read")
        places = [self._part(part).astype(np.int64) for part in self.places]
        dense = np.zeros(self.shape, np.float32)
        rows = places[0]
        if len(places) == 2:
            counts = np.diff(rows)
            columns = places[1]
            if rows.size != self.shape[0] + 1 or counts.min(initial=0) < 0:
                raise UnreadableModel(f"the rows of the sparse array {self.name[:80]!r} are wrong")
            if rows[0] != 0 or rows[-1] != columns.size or columns.size != values.size:
                raise UnreadableModel(f"the rows of the sparse array {self.name[:80]!r} are wrong")
            self._check(columns, self.shape[1])
            dense[np.repeat(np.arange(self.shape[0]), counts), columns] = values
        else:
            self._check(rows, self.shape[0])
            dense[rows] = values
        return dense

    def cut(self, start: int, count: int) -> Array:
        """So many numbers of a dense array, in the file's order."""
        at = self.numbers.start + bytes_of(self.dtype, start)
        return self._part(Part(at, (count,), self.dtype))

    def _check(self, places: np.ndarray[tuple[int, ...], np.dtype[np.int64]], size: int) -> None:
        if places.size and not 0 <= int(places.min()) <= int(places.max()) < size:
            raise UnreadableModel(f"the sparse array {self.name[:80]!r} reaches outside its shape")

    def _part(self, part: Part) -> Array:
        content = buffer(self.path, part.start, part.end - part.start)
        return decode(content, part.dtype, prod(part.shape)).reshape(part.shape)


def arrays(path: Path) -> list[NdArray]:
    """The arrays of a file.  Raises UnreadableModel where it is cut or claims what it has not."""
    walk = _Walk(path)
    if walk.take(16) != MAGIC:
        raise UnreadableModel("not a list of MXNet arrays")
    count = walk.integer("<Q")
    if count > min(MOST_ARRAYS, walk.left // 4):
        raise UnreadableModel(f"it claims {count:,} arrays")
    found = [walk.array() for _ in range(count)]
    names = walk.names(count)
    if walk.left:
        raise UnreadableModel(f"its last {walk.left:,} bytes are no array's")
    return [
        NdArray(path, name, numbers_shape, part.dtype, part, places)
        for name, (numbers_shape, part, places) in zip(names, found, strict=True)
        if part is not None
    ]


_Found = tuple[tuple[int, ...], "Part | None", tuple[Part, ...]]


class _Walk:
    """Through the file from head to head."""

    def __init__(self, path: Path) -> None:
        self.path, self.size = path, path.stat().st_size
        self.at, self.base, self.buffer = 0, 0, b""

    @property
    def left(self) -> int:
        """Bytes that follow."""
        return self.size - self.at

    def take(self, length: int) -> bytes:
        """The next bytes."""
        if length > self.left:
            raise UnreadableModel("it is cut, or claims more bytes than it has")
        begin = self.at - self.base
        if begin < 0 or begin + length > len(self.buffer):
            self.buffer = region(self.path, self.at, min(max(length, _BUFFER), self.left))
            self.base, begin = self.at, 0
        self.at += length
        return self.buffer[begin : begin + length]

    def integer(self, form: str) -> int:
        return int(struct.unpack(form, self.take(struct.calcsize(form)))[0])

    def skip(self, part: Part) -> Part:
        if part.end > self.size:
            raise UnreadableModel(f"an array at byte {part.start:,} ends behind the file")
        self.at = part.end
        return part

    def array(self) -> _Found:
        """One array; None for its numbers where it is an empty place."""
        magic = self.integer("<I")
        kind = self.integer("<i") if magic in (_V2, _V3) else _DENSE
        if kind not in (_DENSE, _BY_ROWS, _COMPRESSED):
            raise UnreadableModel(f"an array of the unknown storage {kind}")
        stored = self._shape(magic) if kind != _DENSE else None
        shape = self._shape(magic)
        if shape is None or (not shape and magic != _V3):
            return (), None, ()
        self.take(8)  # on which device it was
        dtype = self._dtype()
        auxiliary = [self._auxiliary(magic) for _ in range(kind)]
        if kind and (stored is None or len(shape) < kind or any(s is None for _, s in auxiliary)):
            raise UnreadableModel("a sparse array without a shape")
        part = self.skip(Part(self.at, shape if stored is None else stored, dtype))
        places = []
        for kind_of, held in auxiliary:
            places.append(self.skip(Part(self.at, held or (0,), kind_of)))
        if kind == _BY_ROWS and part.shape != (*places[0].shape, *shape[1:]):
            raise UnreadableModel("the rows of a sparse array do not fit its shape")
        if kind == _COMPRESSED and (len(shape) != 2 or len(part.shape) != 1):
            raise UnreadableModel("a compressed array that is no matrix")
        return shape, part, tuple(places)

    def _auxiliary(self, magic: int) -> tuple[str, tuple[int, ...] | None]:
        return self._dtype(), self._shape(magic)

    def _dtype(self) -> str:
        code = self.integer("<i")
        if code not in _DTYPES:
            raise UnreadableModel(f"an array of the unknown type {code}")
        return _DTYPES[code]

    def _shape(self, magic: int) -> tuple[int, ...] | None:
        """None where it is not known; the oldest arrays begin with the count of their axes."""
        old = magic not in (_V1, _V2, _V3)
        rank = magic if old else self.integer("<i")
        if rank == -1:
            return None
        if not 0 <= rank <= _MOST_AXES:
            raise UnreadableModel(f"an array of {rank:,} axes")
        width = "I" if old else "q"
        dims: Sequence[int] = struct.unpack(f"<{rank}{width}", self.take(rank * (4 if old else 8)))
        return None if -1 in dims else shape_of("an array", dims)

    def names(self, count: int) -> list[str]:
        """One for each array; arrays that were saved without names are numbered."""
        held = self.integer("<Q")
        if held not in (0, count):
            raise UnreadableModel(f"it has {held:,} names for {count:,} arrays")
        names = []
        for _ in range(held):
            length = self.integer("<Q")
            if length > _LONGEST_NAME:
                raise UnreadableModel(f"a name of {length:,} bytes")
            try:
                names.append(self.take(length).decode())
            except UnicodeDecodeError as error:
                raise UnreadableModel("a name is not UTF-8 text") from error
        if len(set(names)) < len(names):
            twice = Counter(names).most_common(1)[0][0]
            raise UnreadableModel(f"it names {twice[:80]!r} twice")
        return names or [str(place) for place in range(count)]
