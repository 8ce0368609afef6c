"""Sums of numbers with random signs: how likely one is to be as large, exactly.

The numbers become whole ones, which are what is summed; so nothing is rounded after that, and the
tail is that of the very sum that was read [Rademacher sums, by convolution].
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
_FINEST, _EACH = 2**17, 64  # the sum of all sizes: so much for each of them, and so much at most
_LEAST = -300.0  # log₁₀ of a tail that is told: below it float64 has no numbers


def sizes_of(readings: Array) -> NDArray[np.int64]:
    """(…) magnitudes as whole numbers; which ones, depends on nothing but these."""
    magnitudes = np.abs(readings)
    total = float(magnitudes.sum())
    if not (np.isfinite(total) and total > 0):
        return np.zeros(readings.shape, np.int64)
    whole = min(_FINEST, _EACH * readings.size)
    found: NDArray[np.int64] = np.floor(magnitudes * (whole / total)).astype(np.int64)
    return found


def log10_signed_tail(sizes: NDArray[np.int64], right: int) -> float:
    """log₁₀ of the probability that sizes whose signs are right by coins add up to so much."""
    tails = _tails(tuple(sorted(size for size in sizes.reshape(-1).tolist() if size)))
    return float(tails[right]) if right < len(tails) else _LEAST


@lru_cache(maxsize=8)
def _tails(sizes: tuple[int, ...]) -> Array:
    """(s) of each sum, that of as much or more.  Nothing negative is added: nothing cancels."""
    chances, reached = np.zeros(sum(sizes) + 1), 0
    chances[0] = 1.0
    for size in sizes:  # small ones first: what is reached grows late
        moved = chances[: reached + 1] / 2
        chances[: reached + 1] = moved
        chances[size : reached + size + 1] += moved
        reached += size
    tails = np.cumsum(chances[::-1])[::-1]
    with np.errstate(divide="ignore"):
        found: Array = np.clip(np.log10(tails), _LEAST, 0.0)
    return found
