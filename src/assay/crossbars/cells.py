"""Weights as conductances: two arrays for the sign, and so many for the magnitude as it has cells.

A weight of b bits is a sign and a whole number up to 2^(b-1) - 1, times a step.  A cell has evenly
spread conductances, its states; a magnitude is written in cells as a number is in digits.  A
positive weight lies on the positive array, and its place on the negative one is at the lowest
state, so that what all cells have in common goes when the two are subtracted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.errors import BadOption

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Cell:
    """A device; the paper's by default."""

    on: float = 1e6  # ohms, of its highest state
    off: float = 1e7  # of its lowest
    bits: int = 4

    def __post_init__(self) -> None:
        if not 0 < self.on < self.off:
            raise BadOption(f"a cell's resistance must fall: on {self.on:g}, off {self.off:g}")
        if not 1 <= self.bits <= 8:
            raise BadOption(f"a cell holds 1 to 8 bits, not {self.bits}")

    @property
    def lowest(self) -> float:
        """Conductance of state 0, in siemens."""
        return 1 / self.off

    @property
    def step(self) -> float:
        """Siemens from one state to the next."""
        states = int(2**self.bits)
        return (1 / self.on - 1 / self.off) / (states - 1)


@dataclass(frozen=True, slots=True)
class Mapped:
    """A layer's matrix on its arrays."""

    positive: Array  # (s, n, k) siemens; the cell of the smallest digit first
    negative: Array  # (s, n, k)
    scale: float  # weight of one step of the smallest digit
    cell: Cell


def largest_level(bits: int) -> int:
    """The largest magnitude of a weight of so many bits.  Raises BadOption below two bits."""
    if bits < 2:
        raise BadOption(f"a weight has a sign and a magnitude: two bits or more, not {bits}")
    return int(2 ** (bits - 1) - 1)


def slices(bits: int, cell: Cell) -> int:
    """Cells of a weight's magnitude: 1 for 5 bits, 2 for 9, where cells have 4."""
    return -(-largest_level(bits).bit_length() // cell.bits)


def mapped(weights: Array, scale: float, bits: int, cell: Cell) -> Mapped:
    """A matrix (n, k) on its arrays: each weight at the state that is nearest.

    Args:
        weights: Multiples of ``scale``; what is larger than the largest level is cut.
        scale: Weight of level 1.
        bits: Of a weight, with its sign.
        cell: What stores them.
    """
    if not scale > 0:
        raise BadOption(f"the weight of a level must be above 0, not {scale}")
    most = largest_level(bits)
    whole = np.clip(np.rint(np.asarray(weights, np.float64) / scale), -most, most).astype(np.int64)
    shifts = cell.bits * np.arange(slices(bits, cell))[:, None, None]
    digits = (np.abs(whole) >> shifts) & (2**cell.bits - 1)  # (s, n, k)
    rise = digits * cell.step
    return Mapped(
        cell.lowest + np.where(whole > 0, rise, 0.0),
        cell.lowest + np.where(whole < 0, rise, 0.0),
        scale,
        cell,
    )


def effective(found: Mapped) -> Array:
    """(n, k): the weights that conductances stand for, whatever happened to these."""
    return (
        found.scale
        * digits_together(found.positive - found.negative, found.cell)
        / (found.cell.step)
    )


def digits_together(values: Array, cell: Cell) -> Array:
    """Σ 2^(bits·s)·value: (s, …) -> (…)."""
    factors = 2.0 ** (cell.bits * np.arange(len(values)))
    together: Array = values[0] if len(values) == 1 else np.tensordot(factors, values, 1)
    return together
