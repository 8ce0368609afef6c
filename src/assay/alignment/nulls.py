"""How likely a correlation is between independently trained weights, after what was searched.

Two independent directions in n dimensions have a correlation of at least ρ with probability at most
½(1 − ρ²)^((n−1)/2).  Trained weights have fewer free values than places, since their inputs are
correlated; how many fewer, channels that do not belong together tell, and a bound that was measured
(benchmarks/alignment).  An alignment takes the best of many orders of channels: so the probability
is multiplied by how many there are [union bound], which holds however good the search is, and
however dependent the orders are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import atanh, lgamma, log, log1p, tanh

import numpy as np

from assay.alignment.matrices import Array

_EXPONENT = 0.75  # of the places of a matrix, that gives its free values
ALIKE = 0.1  # correlation that strangers have where channels of one kind are matched
_SOME = 128  # channels of which all pairs are looked at
_FEW = 16  # values that tower over all others: where they stand is no evidence
_TINY = 1e-30
_MOST = 0.999999  # a correlation that float32 tells from 1


def free_values(rows: int, columns: int) -> float:
    """Effective degrees of freedom of a matrix whose rows and columns are centered."""
    return float(max((rows - 1) * (columns - 1), 1) ** _EXPONENT)


def free_values_of(one: Array, other: Array) -> float:
    """The same of two canonical matrices (r, c, k) whose channels are in one order.

    Rows of two matrices that do not belong together have a cosine whose mean square is 1 / d, if
    they lie in d dimensions evenly; columns too.  Few dimensions that both share give more, and so
    do few values that are much larger than all others, whose products are most of the correlation.
    """
    rows, columns = one.shape[0], one[0].size
    ours, theirs = one.reshape(rows, -1), other.reshape(rows, -1)
    shared = _likeness(ours, theirs) * _likeness(ours.T, theirs.T)
    products = one * other
    carrying = 1 / max(float(np.vdot(products, products)), _TINY)  # values, if all were as large
    known = min(free_values(rows, columns), 1 / shared)
    return min(known, carrying) if carrying < _FEW else known


@dataclass(frozen=True, slots=True)
class Fit:
    """How alike two matrices are, and over how many free values."""

    correlation: float
    free: float

    def log10_tail(self, log10_searched: float, granted: float = 0.0) -> float:
        """log₁₀ of the false alarm, where a correlation that is ``granted`` proves nothing."""
        return log10_tail(beyond(self.correlation, granted), self.free, log10_searched)


def beyond(correlation: float, granted: float = ALIKE) -> float:
    """What a correlation is beyond one that strangers may have, on Fisher's scale.

    By default that of strangers whose orders other tensors told.  Channels that are alike there are
    of one kind, such as a gate's, and may be alike here too.  How much, was measured
    (benchmarks/alignment).  Where all orders are counted, these are among them.
    """
    return tanh(atanh(min(max(correlation, 0.0), _MOST)) - atanh(granted))


def _likeness(one: Array, other: Array) -> float:
    """The mean square of the cosine of rows (r, c) that do not belong together."""
    some = np.unique(np.linspace(0, len(one) - 1, _SOME).astype(np.int64))
    ours, theirs = one[some], other[some]
    sizes = np.square(ours).sum(1)[:, None] * np.square(theirs).sum(1)
    squares = np.square(ours @ theirs.T) / np.maximum(sizes, _TINY)
    np.fill_diagonal(squares, 0)
    apart = squares.sum() / max(len(some) * (len(some) - 1), 1)
    return float(min(max(apart, 1 / one.shape[1]), 1.0))


def log10_orders(sizes: Sequence[tuple[int, int]]) -> float:
    """log₁₀ of how many ways there are to find m channels among n, for all pairs (n, m)."""
    return sum(lgamma(max(pair) + 1) - lgamma(abs(pair[0] - pair[1]) + 1) for pair in sizes) / log(
        10
    )


def log10_tail(correlation: float, free: float, log10_searched: float = 0.0) -> float:
    """log₁₀ of the false alarm of a correlation, at most 0.

    Args:
        correlation: of two canonical matrices.
        free: their free values.
        log10_searched: log₁₀ of the number of alignments of which this one is the best.
    """
    if correlation <= 0:
        return 0.0
    exponent = max(free - 1, 0) / 2
    single = (exponent * log1p(-(min(correlation, _MOST) ** 2)) - log(2)) / log(10)
    return min(single + log10_searched, 0.0)
