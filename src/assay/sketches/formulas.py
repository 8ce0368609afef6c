"""Tables that a formula gives, recognized by what they are: they tell nothing of descent.

Bases of a Fourier transform, mel filters, positions, interpolation kernels and masks are equal in
models that share no training.  Each is looked for in a sample of rows that is drawn from the key,
so nobody can dress up just the rows that will be looked at.  What is recognized, in this order:

1. constant rows
2. rows that are all alike: kernels of one blur, or of an upsampling that keeps channels apart
3. rows that hold the same values in different places: identity, permutation, interpolation
4. few distinct values in few runs: masks
5. bands without negative values: mel filters
6. rows with most of their energy in few frequencies: Fourier and constant-Q bases
7. rows of one norm whose columns are waves: sinusoidal positions
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from assay.sketches.keys import numbers
from assay.weights import Array

_ROWS = 16  # that are looked at
_LONGEST = 1024  # values of a row, or of a column, that are looked at
_SHORTEST = 64  # a row whose spectrum tells anything
_MOST = 0.9  # of the rows must be as the formula says
_CONCENTRATED = 0.8  # of a row's energy …
_FEW = 32  # … in one of so many frequencies
_EQUAL = 1e-3  # of a value: rounding, to 16 bits or in a conversion …
_SMALL = 1e-5  # … of the largest value
_ALIKE = 1e-4  # of the energy that is left once the mean row is taken away

Sample = NDArray[np.float64]


def formula(matrix: Array, key: bytes) -> str | None:
    """What a matrix (r, c) was computed from, in a few words; None where it may be trained.

    The columns may be several axes.
    """
    sample = _sample(matrix, key)
    if not np.isfinite(sample).all():
        return None
    spread = np.ptp(sample, axis=1)
    if (spread == 0).mean() >= _MOST:
        return "constant rows"
    sample = sample[spread > 0]
    if _are_alike(sample):
        return "rows all alike"
    if _hold_the_same(sample):
        return "the same values in every row"
    if _has_few_runs(sample):
        return "few values in few runs"
    if _are_bands(sample):
        return "bands, such as mel filters"
    if _are_waves(sample):
        return "waves, such as a Fourier basis"
    if _are_positions(matrix, sample, key):
        return "sinusoidal positions"
    return None


def _sample(matrix: Array, key: bytes) -> Sample:
    """Rows that only who has the key can foretell, (n, l)."""
    rows, columns = len(matrix), matrix.size // len(matrix)
    chosen = _chosen(rows, key, f"rows {rows}x{columns}")
    first = _first(columns, key, f"column {rows}x{columns}")
    whole = matrix[chosen].reshape(len(chosen), columns)
    return whole[:, first : first + _LONGEST].astype(np.float64, "C")


def _chosen(count: int, key: bytes, purpose: str) -> NDArray[np.intp]:
    """At most 16 places of ``count``, in order."""
    if count <= _ROWS:
        return np.arange(count)
    return np.unique((numbers(key, f"sampled {purpose}", _ROWS) * count).astype(np.intp))


def _first(count: int, key: bytes, purpose: str) -> int:
    """Where a stretch of at most 1,024 begins."""
    free = max(count - _LONGEST, 0)
    return int(numbers(key, f"sampled {purpose}", 1)[0] * (free + 1))


def _are_alike(sample: Sample) -> bool:
    """All rows are one row, scaled: nothing is left once columns are centered."""
    centered = sample - sample.mean(1, keepdims=True)
    unit = centered / np.linalg.norm(centered, axis=1, keepdims=True)
    left = np.square(unit - unit.mean(0)).sum()
    return len(unit) > 1 and bool(left < _ALIKE * len(unit))


def _hold_the_same(sample: Sample) -> bool:
    """Rows are permutations of one row; two or three values could be so by chance."""
    if min(sample.shape) < 4 or not _are_equal(sample.max(1, keepdims=True)):
        return False
    return _are_equal(np.sort(sample, axis=1))


def _are_equal(rows: Sample) -> bool:
    """Nearly all rows are the same, up to rounding."""
    middle = np.median(rows, axis=0)
    rounding = _EQUAL * np.abs(middle) + _SMALL * np.abs(rows).max()
    return bool((np.abs(rows - middle) <= rounding).all(1).mean() >= _MOST)


def _has_few_runs(sample: Sample) -> bool:
    if len(np.unique(sample[0])) > 4 or len(np.unique(sample)) > 4:
        return False
    changes = (np.diff(sample, axis=1) != 0).mean()
    return bool(changes <= 1 / 16)


def _are_bands(sample: Sample) -> bool:
    """No negative value, most are zero, and those that are not lie together."""
    if sample.shape[1] < 16 or sample.min() < 0:
        return False
    zero = sample <= 1e-9 * sample.max()
    if zero.mean() < 0.5:
        return False
    edges = np.diff(np.pad(~zero, ((0, 0), (1, 1))).astype(np.int8), axis=1) > 0
    return bool((edges.sum(1) <= 1).mean() >= _MOST)


def _are_waves(sample: Sample) -> bool:
    if sample.shape[1] < _SHORTEST:
        return False
    return bool((_concentration(sample) >= _CONCENTRATED).mean() >= _MOST)


def _are_positions(matrix: Array, sample: Sample, key: bytes) -> bool:
    """Sines and cosines of one angle have squares that add up to 1."""
    if matrix.ndim != 2 or len(matrix) < _SHORTEST or matrix.shape[1] < 4:
        return False
    rows, columns = matrix.shape
    if not _are_equal(np.linalg.norm(sample, axis=1, keepdims=True)):
        return False
    chosen = _chosen(columns, key, f"columns {rows}x{columns}")
    first = _first(rows, key, f"row {rows}x{columns}")
    waves = matrix[first : first + _LONGEST, chosen].T.astype(np.float64)
    return bool((_concentration(waves) >= _CONCENTRATED).mean() >= 0.5)


def _concentration(rows: Sample) -> NDArray[np.float64]:
    """Share of each centered row's energy in the strongest 1/32 of its frequencies (n)."""
    centered = rows - rows.mean(1, keepdims=True)
    energy = np.square(np.abs(np.fft.rfft(centered, axis=1)))
    few = -(-energy.shape[1] // _FEW)
    strongest = np.partition(energy, -few, axis=1)[:, -few:].sum(1)
    whole = energy.sum(1)
    share: NDArray[np.float64] = strongest / np.where(whole > 0, whole, 1)
    return share
