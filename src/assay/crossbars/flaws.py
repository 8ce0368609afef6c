"""What is wrong with real cells: they miss the state they are programmed to, or are stuck.

Programming misses by a normal error in parts of the wanted conductance, or by a factor whose
logarithm is normal.  Some cells stay at the highest conductance (stuck on), some at the lowest.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from assay.crossbars.cells import Array, Cell, Mapped
from assay.errors import BadOption


@dataclass(frozen=True, slots=True)
class Flaws:
    """How often, and how much; none by default."""

    spread: float = 0.0  # standard deviation of programming, in parts of the conductance
    shape: Literal["normal", "lognormal"] = "normal"
    stuck_on: float = 0.0  # share of cells
    stuck_off: float = 0.0

    def __post_init__(self) -> None:
        if self.shape not in ("normal", "lognormal"):
            raise BadOption(f"flaws.shape must be normal or lognormal, not {self.shape!r}")
        if not 0 <= self.spread < float("inf"):
            raise BadOption(f"flaws.spread must be 0 or more, not {self.spread}")
        if min(self.stuck_on, self.stuck_off) < 0 or not self.stuck_on + self.stuck_off <= 1:
            raise BadOption("flaws.stuck_on and flaws.stuck_off are shares: 1 together at most")


def flawed(found: Mapped, flaws: Flaws, random: np.random.Generator) -> Mapped:
    """The same matrix on arrays with flaws, drawn by ``random``: the positive ones first."""
    positive, negative = (
        _programmed(wanted, found.cell, flaws, random)
        for wanted in (found.positive, found.negative)
    )
    return replace(found, positive=positive, negative=negative)


def _programmed(wanted: Array, cell: Cell, flaws: Flaws, random: np.random.Generator) -> Array:
    errors = flaws.spread * random.standard_normal(wanted.shape)
    factors = 1 + errors if flaws.shape == "normal" else np.exp(errors)
    reached = np.maximum(wanted * factors, 0.0)  # no conductance is negative
    draws = random.random(wanted.shape)
    reached[draws < flaws.stuck_on] = 1 / cell.on
    reached[draws >= 1 - flaws.stuck_off] = cell.lowest
    return reached
