"""How many crossbars a layer's matrix takes: as a share of arrays, or in whole ones.

*Dense* is what the weights that are left would take if they were packed without a gap: papers
count like that.  *Tiled* is what has to be built: the matrix is cut into strips of as many filters
as there are bit lines, and a strip's columns, those with a weight in it, into whole arrays.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.errors import BadOption

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Crossbar:
    """The size of an array."""

    rows: int = 128  # word lines: inputs
    columns: int = 64  # bit lines: outputs

    def __post_init__(self) -> None:
        if self.rows < 1 or self.columns < 1:
            raise BadOption(f"a crossbar of {self.rows} x {self.columns} holds nothing")


@dataclass(frozen=True, slots=True)
class Counts:
    """What a matrix takes, before signs and magnitudes are spread over several arrays."""

    tiles: float = 0.0  # arrays
    rows: float = 0.0  # word lines in use, of all arrays
    columns: float = 0.0  # bit lines in use, of all arrays
    cells: float = 0.0  # crossings of lines in use

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.tiles + other.tiles,
            self.rows + other.rows,
            self.columns + other.columns,
            self.cells + other.cells,
        )


def matrix(weight: Array) -> Array:
    """A weight, output channel first, as (filters, columns); of one axis, a single column."""
    return weight.reshape(len(weight), prod(weight.shape[1:]))


def dense(weights: float, crossbar: Crossbar) -> Counts:
    """So many weights without a gap: no whole number of arrays."""
    tiles = weights / (crossbar.rows * crossbar.columns)
    return Counts(tiles, tiles * crossbar.rows, tiles * crossbar.columns, weights)


def tiled(filters: int, columns: int, crossbar: Crossbar) -> Counts:
    """A full matrix in whole arrays."""
    down, across = ceil(columns / crossbar.rows), ceil(filters / crossbar.columns)
    return Counts(down * across, columns * across, filters * down, filters * columns)


def strips(mask: Array, crossbar: Crossbar) -> list[tuple[Array, Array]]:
    """A matrix (filters, columns) whose weights are where ``mask`` is not zero, cut into strips.

    Each has as many filters as there are bit lines, but for the last; filters without a weight are
    left out, and of each strip the columns in which it has none.  By strip: the numbers of its
    filters, and those of its columns.
    """
    kept = np.flatnonzero((mask != 0).any(1))
    parts = [
        kept[start : start + crossbar.columns] for start in range(0, len(kept), crossbar.columns)
    ]
    return [(filters, np.flatnonzero((mask[filters] != 0).any(0))) for filters in parts]


def tiled_mask(mask: Array, crossbar: Crossbar) -> Counts:
    """What ``strips`` take in whole arrays."""
    return sum(
        (
            tiled(len(filters), len(columns), crossbar)
            for filters, columns in strips(mask, crossbar)
        ),
        Counts(),
    )
