"""Evenly spaced levels without a zero, and their spacing [Ye et al., 2018].

Weights become ±q, ±2q … ±Mq.  The spacing q and which level each weight has are found in turn: the
nearest levels for a q, and the q of least squares for these, q = Σ|w|·l / Σl².
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

EXTRA = "torch"

Array = NDArray[Any]
_STARTS = (1.0, 0.8, 0.6, 0.45, 0.3, 0.2)  # q in parts of the largest weight over M
_ROUNDS = 100  # at most, of each start


@dataclass(frozen=True, slots=True)
class Levels:
    """The nearest tensor whose weights are levels; what is zero stays zero."""

    spacing: float  # q
    most: int  # M

    def __call__(self, weight: Tensor) -> Tensor:
        steps = (weight.abs() / self.spacing).round().clamp(1, self.most)
        return weight.sign() * steps * self.spacing  # the sign of a zero is zero


def fitted(weight: Tensor, most: int) -> Levels:
    """The levels that are nearest to a tensor's nonzero weights, in the sum of squares."""
    sizes = weight.detach().abs().double().flatten().cpu().numpy()
    sizes = sizes[sizes > 0]
    if not len(sizes):
        return Levels(1.0, most)
    found = [_alternated(sizes, start * sizes.max() / most, most) for start in _STARTS]
    return Levels(min(found)[1], most)


def _alternated(sizes: Array, spacing: float, most: int) -> tuple[float, float]:
    """The sum of squares and the spacing that one start leads to."""
    for _ in range(_ROUNDS):
        steps = np.clip(np.rint(sizes / spacing), 1, most)
        better = float(sizes @ steps / (steps @ steps))
        if better == spacing:
            break
        spacing = better
    steps = np.clip(np.rint(sizes / spacing), 1, most)
    return float(((sizes - steps * spacing) ** 2).sum()), spacing
