"""Groups of many members in newer HDF5 files: a tree of places in a heap [HDF5, section III].

The tree (version 2) lists an identifier for each link; the identifier tells where in the heap's
address space the link lies; a table of blocks tells where in the file that is.  Trees of more than
two levels and heaps of more than one are refused: no model has so many layers in one group.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from assay.errors import UnreadableModel

if TYPE_CHECKING:
    from assay.containers.hdf5 import File

_KEYS = {5: 4, 6: 8}  # bytes before the identifier, by the tree's kind: by name, by creation


def dense_links(file: File, heap: int, tree: int) -> Iterator[bytes]:
    """The link messages of a group."""
    blocks = list(_blocks(file, heap))
    bits = file.number(heap + 128, 2)
    wide = -(-bits // 8)
    largest = min(file.number(heap + 120, 8), file.number(heap + 10, 4))
    long = -(-largest.bit_length() // 8)
    for place in _identifiers(file, tree):
        if file.number(place, 1) >> 4 & 3:
            raise UnreadableModel("an HDF5 link is stored in a way that is not read")
        offset, length = file.number(place + 1, wide), file.number(place + 1 + wide, long)
        block = next(((at, s, n) for at, s, n in blocks if s <= offset < s + n), None)
        if block is None or offset + length > block[1] + block[2]:
            raise UnreadableModel("an HDF5 link lies outside its heap")
        yield file.bytes(block[0] + offset - block[1], length)


def _blocks(file: File, heap: int) -> Iterator[tuple[int, int, int]]:
    """Address, first place and length of each block of the heap."""
    if file.bytes(heap, 4) != b"FRHP" or file.number(heap + 7, 2):
        raise UnreadableModel(f"no plain HDF5 heap is at byte {heap:,}")
    width, size = file.number(heap + 110, 2), file.number(heap + 112, 8)
    root, rows = file.number(heap + 132, 8), file.number(heap + 140, 2)
    if not rows:
        yield root, 0, size
        return
    wide = -(-file.number(heap + 128, 2) // 8)
    largest, start = file.number(heap + 120, 8), 0
    at = root + 13 + wide
    for row in range(rows):
        length = size << max(row - 1, 0)
        if length > largest:
            raise UnreadableModel("an HDF5 group has too many members")
        for _ in range(width):
            file.spend()
            address = file.number(at, 8)
            if address != 2**64 - 1:
                yield address, start, length
            start, at = start + length, at + 8


def _identifiers(file: File, tree: int) -> Iterator[int]:
    """Where the identifiers stand."""
    kind = file.number(tree + 5, 1)
    if file.bytes(tree, 4) != b"BTHD" or kind not in _KEYS:
        raise UnreadableModel(f"no HDF5 tree of links is at byte {tree:,}")
    node, record = file.number(tree + 6, 4), file.number(tree + 10, 2)
    depth, root, count = (file.number(tree + at, n) for at, n in ((12, 2), (16, 8), (24, 2)))
    if depth > 1 or record <= _KEYS[kind]:
        raise UnreadableModel("an HDF5 group has too many members")
    leaves = [(root, count)]
    if depth:
        most = max((node - 10) // record, 1)
        wide = -(-most.bit_length() // 8)
        yield from _records(file, root, count, record, _KEYS[kind])
        pointers = [root + 6 + count * record + i * (8 + wide) for i in range(count + 1)]
        leaves = [(file.number(at, 8), file.number(at + 8, wide)) for at in pointers]
    for address, records in leaves:
        yield from _records(file, address, records, record, _KEYS[kind])


def _records(file: File, address: int, count: int, size: int, key: int) -> Iterator[int]:
    for i in range(count):
        file.spend()
        yield address + 6 + i * size + key
