"""How likely codes are to be so near, where their tensors were trained independently.

Two independent matrices have a cosine near 0, not 0: with n free values its variance is 1 / n.
Given the cosine c, each bit differs with probability arccos(c) / π, and the cosine of 256 sums is
Fisher's [1915].  The tail is that one, mixed over c.  Trained tensors have fewer free values than
places, since inputs are correlated, and the larger the fewer: the exponent was measured on
independently trained networks (benchmarks/sketches).  All this is about a cosine of 0.1, or what
else changing a tenth of a matrix can give it (``given``), whatever the key.

Codes that ignore the places of channels are another matter.  What a task makes of channels of one
kind is alike in strangers: in networks trained apart on one task, real ones, their cosines are .5
on average.  So theirs is a wide distribution about a higher mean, on Fisher's scale.
"""

from __future__ import annotations

from functools import lru_cache
from math import lgamma, log

import numpy as np
from numpy.typing import NDArray

from assay.sketches.given import TENTH
from assay.sketches.projections import BITS

_EXPONENT = 0.75  # of the places of a matrix, that gives its free values: below all measured
# Of invariant codes, artanh of the cosine: mean and deviation, both above all that was measured.
_MEAN_OF_COLORS, _DEVIATION_OF_COLORS = 0.85, 0.22
_NODES = 4001  # of the integral over the cosine
_STEPS = 4  # tables for each doubling of the free values
_FINE_STEPS = 16  # … and of the sums that count
_MEASURED = 1001  # angles between sums, of which each has a tail
_LEAST = 60.0  # -ln of a density that is as good as none


def free_values(rows: int, columns: int) -> float:
    """Effective degrees of freedom of a matrix whose rows and columns are centered."""
    return float(max((rows - 1) * (columns - 1), 1) ** _EXPONENT)


def log10_tail(distance: int, rows: int, columns: int) -> float:
    """log₁₀ of the probability that codes of independent matrices (r, c) are as near, or nearer."""
    return float(_tails(_octave(free_values(rows, columns)))[_checked(distance)])


def log10_tail_of_cosine(
    cosine: float, sums: float, rows: int, columns: int, given: float = TENTH
) -> float:
    """The same for the cosine of their sums, of which as many count, about a ``given`` cosine."""
    fine = min(int(np.floor(_FINE_STEPS * np.log2(sums))), _FINE_STEPS * 8)
    angle = np.arccos(np.clip(cosine, -1, 1)) / np.pi
    place = int(np.ceil(angle * (_MEASURED - 1)))  # rounded up: likelier
    return float(_tails_of_cosines(_octave(free_values(rows, columns)), fine, given)[place])


def log10_tail_invariant(distance: int) -> float:
    """The same for invariant codes."""
    return float(_tails_of_colors()[_checked(distance)])


def _checked(distance: int) -> int:
    if not 0 <= distance <= BITS:
        raise ValueError(f"a distance of {distance} between codes of {BITS} bits")
    return distance


def _octave(free: float) -> int:
    return int(np.floor(_STEPS * np.log2(free)))  # rounded down: wider


@lru_cache(maxsize=256)
def _tails(octave: int) -> NDArray[np.float64]:
    """log₁₀ of the tail at every distance (257), for 2^(octave / 4) free values."""
    free = 2.0 ** (octave / _STEPS)
    # the density of the angle between independent directions in n dimensions is sin^(n - 2)
    apart = (_cosines() - TENTH) / (1 - TENTH * _cosines())
    return _mixture(max(free / 2 - 1, 0) * np.log1p(-np.square(apart)))


@lru_cache(maxsize=1024)
def _tails_of_cosines(octave: int, fine: int, given: float) -> NDArray[np.float64]:
    """log₁₀ of the tail at angles from 0 to π, of 2^(fine / 16) sums, about a given cosine."""
    free, sums = 2.0 ** (octave / _STEPS), 2.0 ** (fine / _FINE_STEPS)
    # artanh of the cosine, less that of what is given, has the density cosh^(1 - n)
    widest = np.arccosh(np.exp(min(_LEAST / max(free - 1, 1), 8.0)))
    beyond = np.linspace(-widest, widest, 129)
    cosine = np.tanh(np.arctanh(given) + beyond)[:, None]  # (129, 1)
    weight = -(free - 1) * np.log(np.cosh(beyond))[:, None]
    angle = np.linspace(0, np.pi, _MEASURED)[1:-1]  # (999)
    density = (sums - 2) * np.log(np.sin(angle)) - (sums - 0.5) * np.log1p(
        -cosine * np.cos(angle)
    )  # (129, 999)
    density -= _log_sum(density, 1)[:, None]
    mixed = _log_sum(density + weight - _log_sum(weight, 0), 0)
    tails = np.minimum(np.logaddexp.accumulate(mixed) / log(10), 0.0)
    return np.concatenate([tails[:1], tails, [0.0]])


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
