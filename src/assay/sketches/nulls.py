"""How likely a distance of two codes is between independently trained tensors.

Two independent matrices have a cosine near 0, not 0: with n free values its variance is 1 / n.
Given the cosine c, each bit differs with probability arccos(c) / π.  The tail is that binomial,
mixed over c.  Trained tensors have fewer free values than places, since inputs are correlated, and
the larger the fewer: the exponent was measured on independently trained networks
(benchmarks/sketches).

Codes that ignore the places of channels are another matter.  What a task makes of channels of one
kind is alike in strangers: in networks trained apart on one task, real ones, their cosines are .5
on average.  So theirs is a wide distribution about a higher mean, on Fisher's scale [1915].
"""

from __future__ import annotations

from functools import lru_cache
from math import lgamma, log

import numpy as np
from numpy.typing import NDArray

from assay.sketches.projections import BITS

_EXPONENT = 0.75  # of the places of a matrix, that gives its free values: below all measured
# Of invariant codes, artanh of the cosine: mean and deviation, both above all that was measured.
_MEAN_OF_COLORS, _DEVIATION_OF_COLORS = 0.85, 0.22
_NODES = 4001  # of the integral over the cosine
_STEPS = 4  # tables for each doubling of the free values


def free_values(rows: int, columns: int) -> float:
    """Effective degrees of freedom of a matrix whose rows and columns are centered."""
    return float(max((rows - 1) * (columns - 1), 1) ** _EXPONENT)


def log10_tail(distance: int, rows: int, columns: int) -> float:
    """log₁₀ of the probability that codes of independent matrices (r, c) are as near, or nearer."""
    octave = int(np.floor(_STEPS * np.log2(free_values(rows, columns))))  # rounded down: wider
    return float(_tails(octave)[_checked(distance)])


def log10_tail_invariant(distance: int) -> float:
    """The same for invariant codes."""
    return float(_tails_of_colors()[_checked(distance)])


def _checked(distance: int) -> int:
    if not 0 <= distance <= BITS:
        raise ValueError(f"a distance of {distance} between codes of {BITS} bits")
    return distance


@lru_cache(maxsize=256)
def _tails(octave: int) -> NDArray[np.float64]:
    """log₁₀ of the tail at every distance (257), for 2^(octave / 4) free values."""
    free = 2.0 ** (octave / _STEPS)
    # the density of the angle between independent directions in n dimensions is sin^(n - 2)
    return _mixture(max(free / 2 - 1, 0) * np.log1p(-np.square(_cosines())))


@lru_cache(maxsize=1)
def _tails_of_colors() -> NDArray[np.float64]:
    """log₁₀ of the tail at every distance (257), for invariant codes."""
    cosine = _cosines()
    apart = (np.arctanh(cosine) - _MEAN_OF_COLORS) / _DEVIATION_OF_COLORS
    return _mixture(-np.square(apart) / 2 - np.log1p(-np.square(cosine)) / 2)


def _cosines() -> NDArray[np.float64]:
    """Of angles that are evenly spread (nodes)."""
    cosines: NDArray[np.float64] = np.cos((np.arange(_NODES) + 0.5) * np.pi / _NODES)
    return cosines


def _mixture(weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """log₁₀ of the binomial tails (257), mixed with the density of the angle (nodes), a log."""
    cosine = _cosines()
    weight = weight - _log_sum(weight, 0)
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
