"""How likely a distance of two codes is between independently trained tensors.

Two independent matrices have a cosine near 0, not 0: with n free values its variance is 1 / n.
Given the cosine c, each bit differs with probability arccos(c) / π.  The tail is that binomial,
mixed over c.  Trained tensors have fewer free values than places, since inputs are correlated, and
the larger the fewer: the exponent was measured on independently trained networks
(benchmarks/sketches).
"""

from __future__ import annotations

from functools import lru_cache
from math import lgamma, log

import numpy as np
from numpy.typing import NDArray

from assay.sketches.projections import BITS

_EXPONENT = 0.75  # of the places of a matrix, that gives its free values: below all measured
_FREE_OF_COLORS = 16  # free values of an invariant code for each place, below all measured
_NODES = 4001  # of the integral over the cosine
_STEPS = 4  # tables for each doubling of the free values


def free_values(rows: int, columns: int) -> float:
    """Effective degrees of freedom of a matrix whose rows and columns are centered."""
    return float(max((rows - 1) * (columns - 1), 1) ** _EXPONENT)


def log10_tail(distance: int, rows: int, columns: int) -> float:
    """log₁₀ of the probability that codes of independent matrices (r, c) are as near, or nearer."""
    return _tail(distance, free_values(rows, columns))


def log10_tail_invariant(distance: int, places: int) -> float:
    """The same for invariant codes of matrices whose kernels have so many places."""
    return _tail(distance, _FREE_OF_COLORS * places)


def _tail(distance: int, free: float) -> float:
    if not 0 <= distance <= BITS:
        raise ValueError(f"a distance of {distance} between codes of {BITS} bits")
    octave = int(np.floor(_STEPS * np.log2(free)))  # rounded down: that null is wider
    return float(_tails(octave)[distance])


@lru_cache(maxsize=256)
def _tails(octave: int) -> NDArray[np.float64]:
    """log₁₀ of the tail at every distance (257), for 2^(octave / 4) free values."""
    free = 2.0 ** (octave / _STEPS)
    cosine = np.cos((np.arange(_NODES) + 0.5) * np.pi / _NODES)  # (nodes), the angle evenly
    # the density of the angle between independent directions in n dimensions is sin^(n - 2)
    weight = max(free / 2 - 1, 0) * np.log1p(-np.square(cosine))
    weight -= _log_sum(weight, 0)
    differ = np.arccos(cosine) / np.pi
    count = np.arange(BITS + 1)[:, None]
    choose = np.array(
        [lgamma(BITS + 1) - lgamma(d + 1) - lgamma(BITS - d + 1) for d in range(BITS + 1)]
    )
    exact = (
        choose[:, None] + count * np.log(differ) + (BITS - count) * np.log1p(-differ)
    )  # (257, nodes)
    density = _log_sum(exact + weight, 1)
    tails: NDArray[np.float64] = np.logaddexp.accumulate(density) / log(10)
    return tails


def _log_sum(logarithms: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    largest = logarithms.max(axis=axis, keepdims=True)
    total = np.log(np.exp(logarithms - largest).sum(axis=axis, keepdims=True)) + largest
    squeezed: NDArray[np.float64] = total.squeeze(axis)
    return squeezed
