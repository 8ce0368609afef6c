"""Heaps of newer HDF5 files, where links and attributes lie that are many [HDF5, III.G].

A heap is one address space in blocks of growing size; a table of blocks, which may hold tables,
tells where in the file each lies.  What is too large for a block lies apart and has a tree.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from assay.containers.hdf5.messages import UNDEFINED
from assay.containers.hdf5.trees import records, width_of
from assay.errors import UnreadableModel

if TYPE_CHECKING:
    from assay.containers.hdf5.file import File

_MANAGED, _HUGE, _TINY = 0, 1, 2
_HUGE_RECORDS = (1,)
_MOST_TABLES = 8  # nested
_MOST_ROWS = 64
# Records of trees, by kind: bytes before the identifier of what lies in the heap.
LINKS = {5: 4, 6: 8}  # by name, by creation
ATTRIBUTES = {8: 0, 9: 0}


def listed(file: File, heap: int, tree: int, kinds: dict[int, int]) -> Iterator[bytes]:
    """The messages that a tree lists and a heap holds."""
    kind = file.number(tree + 5, 1)
    found = Heap.at(file, heap)
    before = kinds.get(kind, 0)
    for record in records(file, tree, tuple(kinds)):
        yield found.object(record[before : before + found.identifier])


@dataclass
class Heap:
    """A fractal heap."""

    file: File
    identifier: int  # bytes of an identifier
    offset: int  # bytes of a place in its address space
    length: int  # bytes of a length
    huge: int  # the address of the tree of large objects
    starts: list[int]
    blocks: list[tuple[int, int]]  # where in the file each block lies, and its length

    @classmethod
    def at(cls, file: File, heap: int) -> Heap:
        """The heap whose header lies at an address."""
        if file.piece(heap, 4) != b"FRHP" or file.number(heap + 7, 2):
            raise UnreadableModel(f"no plain HDF5 heap is at byte {heap:,}")
        offset = -(-file.number(heap + 128, 2) // 8)
        most = min(file.number(heap + 120, 8), file.number(heap + 10, 4))
        blocks = sorted(_blocks(file, heap, offset))
        return cls(
            file,
            file.number(heap + 5, 2),
            offset,
            width_of(most),
            file.number(heap + 22, 8),
            [start for start, _, _ in blocks],
            [(address, length) for _, address, length in blocks],
        )

    def object(self, identifier: bytes) -> bytes:
        """What an identifier stands for."""
        if not identifier:
            raise UnreadableModel("an HDF5 identifier is cut")
        kind = identifier[0] >> 4 & 3
        if kind == _TINY:
            return identifier[1 : 2 + (identifier[0] & 15)]
        if kind == _HUGE:
            return self._apart(identifier)
        place = int.from_bytes(identifier[1 : 1 + self.offset], "little")
        end = 1 + self.offset + self.length
        length = int.from_bytes(identifier[1 + self.offset : end], "little")
        which = bisect_right(self.starts, place) - 1
        if kind != _MANAGED or which < 0:
            raise UnreadableModel("an HDF5 object lies outside its heap")
        address, size = self.blocks[which]
        inside = place - self.starts[which]
        if inside + length > size:
            raise UnreadableModel("an HDF5 object lies outside its heap")
        return self.file.piece(address + inside, length)

    def _apart(self, identifier: bytes) -> bytes:
        """An object that is too large for a block."""
        wanted = int.from_bytes(identifier[1:9], "little")
        for record in records(self.file, self.huge, _HUGE_RECORDS):
            if int.from_bytes(record[16:24], "little") == wanted:
                address = int.from_bytes(record[:8], "little")
                return self.file.piece(address, int.from_bytes(record[8:16], "little"))
        raise UnreadableModel("an HDF5 object is not in its heap")


def _blocks(file: File, heap: int, offset: int) -> Iterator[tuple[int, int, int]]:
    """First place, address and length of each block."""
    columns, size = file.number(heap + 110, 2), file.number(heap + 112, 8)
    largest = file.number(heap + 120, 8)
    root, rows = file.number(heap + 132, 8), file.number(heap + 140, 2)
    if root == UNDEFINED:
        return
    if not 0 < size <= largest or not columns:
        raise UnreadableModel(f"no plain HDF5 heap is at byte {heap:,}")
    if not rows:
        yield 0, root, size
        return
    waiting = [(root, 0, rows, 0)]
    while waiting:
        table, start, rows, depth = waiting.pop()
        if depth > _MOST_TABLES or rows > _MOST_ROWS or file.piece(table, 4) != b"FHIB":
            raise UnreadableModel(f"no HDF5 table of blocks is at byte {table:,}")
        at = table + 13 + offset
        for row in range(rows):
            length = size << max(row - 1, 0)
            inner = (length // (size * columns)).bit_length()  # rows of a table of that length
            for _ in range(columns):
                file.spend()
                address = file.number(at, 8)
                if address != UNDEFINED and length <= largest:
                    yield start, address, length
                elif address != UNDEFINED:
                    waiting.append((address, start, inner, depth + 1))
                start, at = start + length, at + 8
