"""Trees of records in newer HDF5 files: version 2 B-trees [HDF5 file format, III.A.2].

A node holds records in order, and inner nodes one child more than records.  How many bytes a count
takes follows from how many records fit below.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from assay.errors import UnreadableModel

if TYPE_CHECKING:
    from assay.containers.hdf5.file import File

MOST_LEVELS = 16
_EDGE = 10  # bytes of a node that hold no records
_PREFIX = 6


@dataclass(frozen=True)
class _Level:
    """Nodes of one height: how wide their pointers' counts are."""

    most: int  # records of a node
    within: int  # records of a node and all below it


def width_of(value: int) -> int:
    """Bytes that hold a number up to ``value``."""
    return max(-(-value.bit_length() // 8), 1)


def records(file: File, tree: int, kinds: tuple[int, ...]) -> Iterator[bytes]:
    """All records of a tree of one of these kinds, each as its bytes."""
    if file.piece(tree, 4) != b"BTHD" or file.number(tree + 5, 1) not in kinds:
        raise UnreadableModel(f"no HDF5 tree of the expected kind is at byte {tree:,}")
    node, record, depth = (file.number(tree + at, n) for at, n in ((6, 4), (10, 2), (12, 2)))
    root, count = file.number(tree + 16, 8), file.number(tree + 24, 2)
    if depth > MOST_LEVELS or not record or node < _EDGE + record:
        raise UnreadableModel("an HDF5 tree is damaged")
    levels = [_Level((node - _EDGE) // record, (node - _EDGE) // record)]
    for _ in range(depth):
        pointer = _pointer(levels)
        most = (node - _EDGE - pointer) // (record + pointer)
        levels.append(_Level(most, (most + 1) * levels[-1].within + most))
    waiting = [(root, count, depth)] if count else []
    while waiting:
        address, held, height = waiting.pop()
        file.spend()
        if held > levels[height].most or file.piece(address, 4) != (b"BTIN" if height else b"BTLF"):
            raise UnreadableModel(f"no HDF5 tree node is at byte {address:,}")
        body = file.piece(address + _PREFIX, held * record)
        for i in range(held):
            file.spend()
            yield body[i * record : (i + 1) * record]
        if height:
            below, wide = levels[:height], width_of(levels[0].most)
            step, first = _pointer(below), address + _PREFIX + held * record
            for place in range(first, first + (held + 1) * step, step):
                child = file.number(place, 8), file.number(place + 8, wide), height - 1
                waiting.append(child)


def _pointer(below: list[_Level]) -> int:
    """Bytes of a pointer to a node on the uppermost of these levels."""
    total = width_of(below[-1].within) if len(below) > 1 else 0
    return 8 + width_of(below[0].most) + total
