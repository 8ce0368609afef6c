"""Where the chunks of an HDF5 data set lie: five kinds of lists [HDF5 file format, VII].

Older files have a tree.  Newer ones have one chunk, all chunks in a row, an array, which is fixed
or extensible, or a tree of version 2, whichever fits the shape and how it may grow.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from assay.containers.hdf5.arrays import Array
from assay.containers.hdf5.messages import UNDEFINED, number
from assay.containers.hdf5.trees import records
from assay.errors import UnreadableModel

if TYPE_CHECKING:
    from assay.containers.hdf5.file import File

MOST_CHUNKS = 200_000  # of one data set
MOST_PLACES = 1_000_000  # for chunks, most of them never written
_SINGLE, _ROW, _FIXED, _GROWING, _TREE = 1, 2, 3, 4, 5
_FIXED_SIGN, _GROWING_SIGN = b"FAHD", b"EAHD"
_PLAIN_RECORDS, _FILTERED_RECORDS = 10, 11


@dataclass(frozen=True)
class Chunk:
    """One chunk as it is stored."""

    offsets: tuple[int, ...]  # of its first element
    address: int
    size: int  # bytes
    mask: int  # bit i: filter i was left out


@dataclass(frozen=True)
class Chunks:
    """How a data set is cut, as its layout message says."""

    stored: bytes
    chunk: tuple[int, ...]
    grid: tuple[int, ...]  # chunks along each axis, as far as the data set may grow
    order: tuple[int, ...]  # axes, that along which the next chunk in a list lies last
    size: int  # bytes of a chunk without filters
    is_filtered: bool

    def listed(self, file: File) -> Iterator[Chunk]:
        """All chunks that were written."""
        if self.stored[0] == 3:
            found = self._old_tree(file, number(self.stored, 3, 8))
        else:
            found = self._newer(file)
        for count, chunk in enumerate(found):
            if count >= MOST_CHUNKS:
                raise UnreadableModel(f"a data set of more than {MOST_CHUNKS:,} chunks")
            if chunk.address != UNDEFINED:
                yield chunk

    def _newer(self, file: File) -> Iterator[Chunk]:
        rank, width = number(self.stored, 3, 1), number(self.stored, 4, 1)
        at = 5 + rank * width
        kind = number(self.stored, at, 1)
        zero = (0,) * len(self.chunk)
        if kind == _SINGLE:
            if number(self.stored, 2, 1) & 2:
                size, mask = number(self.stored, at + 1, 8), number(self.stored, at + 9, 4)
                return iter([Chunk(zero, number(self.stored, at + 13, 8), size, mask)])
            return iter([Chunk(zero, number(self.stored, at + 1, 8), self.size, 0)])
        if kind == _ROW:
            return self._row(number(self.stored, at + 1, 8))
        if kind == _FIXED:
            return self._array(file, number(self.stored, at + 2, 8), _FIXED_SIGN)
        if kind == _GROWING:
            return self._array(file, number(self.stored, at + 6, 8), _GROWING_SIGN)
        if kind == _TREE:
            return self._new_tree(file, number(self.stored, at + 7, 8))
        raise UnreadableModel(f"a data set whose chunks are listed in the unknown way {kind}")

    def _offsets(self, place: int) -> tuple[int, ...]:
        """The first element of a chunk, by its place among all."""
        found = [0] * len(self.grid)
        for axis in reversed(self.order):
            count = max(self.grid[axis], 1)
            found[axis] = place % count * self.chunk[axis]
            place //= count
        return tuple(found)

    def _row(self, address: int) -> Iterator[Chunk]:
        if address == UNDEFINED:
            return
        for place in range(prod(self.grid)):
            yield Chunk(self._offsets(place), address + place * self.size, self.size, 0)

    def _array(self, file: File, address: int, signature: bytes) -> Iterator[Chunk]:
        if address == UNDEFINED:
            return
        if prod(self.grid) > MOST_PLACES:
            raise UnreadableModel(f"a data set of {prod(self.grid):,} chunks")
        array = Array.at(file, address, signature, 13 if self.is_filtered else 8)
        places = array.fixed() if signature == _FIXED_SIGN else array.extensible()
        for place, at in zip(range(prod(self.grid)), places, strict=False):
            if at is None:
                continue
            size, mask = self.size, 0
            if self.is_filtered:
                size = file.number(at + 8, array.width - 12)
                mask = file.number(at + array.width - 4, 4)
            yield Chunk(self._offsets(place), file.number(at, 8), size, mask)

    def _new_tree(self, file: File, tree: int) -> Iterator[Chunk]:
        if tree == UNDEFINED:
            return
        kind, rank = (_FILTERED_RECORDS if self.is_filtered else _PLAIN_RECORDS), len(self.chunk)
        for record in records(file, tree, (kind,)):
            wide = len(record) - 8 * rank  # what stands before the places along each axis
            size = number(record, 8, wide - 12) if self.is_filtered else self.size
            mask = number(record, wide - 4, 4) if self.is_filtered else 0
            places = [number(record, wide + 8 * axis, 8) for axis in range(rank)]
            offsets = tuple(p * c for p, c in zip(places, self.chunk, strict=True))
            yield Chunk(offsets, number(record, 0, 8), size, mask)

    def _old_tree(self, file: File, tree: int) -> Iterator[Chunk]:
        rank = len(self.chunk)
        step = 8 + 8 * (rank + 1) + 8
        waiting = [tree] if tree != UNDEFINED else []
        while waiting:
            node = waiting.pop()
            file.spend()
            if file.piece(node, 5) != b"TREE\x01":
                raise UnreadableModel(f"no HDF5 chunk tree is at byte {node:,}")
            level, count = file.number(node + 5, 1), file.number(node + 6, 2)
            body = file.piece(node + 24, step * count)
            for key in range(0, step * count, step):
                file.spend()
                child = number(body, key + step - 8, 8)
                if level:
                    waiting.append(child)
                    continue
                offsets = tuple(number(body, key + 8 + 8 * axis, 8) for axis in range(rank))
                yield Chunk(offsets, child, number(body, key, 4), number(body, key + 4, 4))
