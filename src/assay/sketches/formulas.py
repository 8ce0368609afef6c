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
7. columns that are waves: positions, sinusoidal or rotary
8. each row is the one above it, one place on: relative positions
9. the identity, and less than ten times as much of all else: residual layers that hardly moved
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from assay.sketches.keys import numbers
from assay.weights import Array

_ROWS = 16  # that are looked at
_LONGEST = 1024  # values of a row, or of a column, that are looked at
_SHORTEST = 64  # a row whose spectrum tells anything
_FEWEST = 4  # columns that are told by their spectra
_LEAST = 16  # channels that an identity is told of
_IDENTICAL = 0.3  # cosine with the identity: of two such models, .1, as much as is granted
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
        return "waves of positions"
    if _are_shifts(matrix, key):
        return "one row, shifted"
    if _is_identity(matrix, key):
        return "little more than the identity"
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
    """Where sines and cosines of one angle stand in a row, their squares add up to 1."""
    rows, columns = len(matrix), matrix.size // len(matrix)
    if rows < _SHORTEST or columns < _FEWEST:
        return False
    chosen = _chosen(columns, key, f"columns {rows}x{columns}")
    first = _first(rows, key, f"row {rows}x{columns}")
    places = np.unravel_index(chosen, matrix.shape[1:])
    part = np.moveaxis(matrix[first : first + _LONGEST], 0, -1)
    waves = part[places].astype(np.float64)  # (n, l)
    waves = waves[np.ptp(waves, axis=1) > 0]  # the slowest ones are constant
    if len(waves) < _FEWEST:
        return False
    share = (_concentration(waves) >= _CONCENTRATED).mean()
    if _are_equal(np.linalg.norm(sample, axis=1, keepdims=True)):
        return bool(share >= 0.5)
    centered = waves - waves.mean(1, keepdims=True)  # one wave could be added to any matrix
    strongest = np.abs(np.fft.rfft(centered, axis=1)).argmax(1)
    return bool(share >= _MOST and len(np.unique(strongest)) >= _FEWEST)


def _are_shifts(matrix: Array, key: bytes) -> bool:
    """Either way: what a pair of positions has in common depends on how far they are apart."""
    if matrix.ndim != 2 or min(matrix.shape) < _LEAST:
        return False
    rows, columns = matrix.shape
    chosen = _chosen(rows - 1, key, f"shifts {rows}x{columns}")
    first = _first(columns, key, f"column {rows}x{columns}")
    above, below = (
        matrix[chosen + step, first : first + _LONGEST].astype(np.float64) for step in (0, 1)
    )
    rounding = _SMALL * np.abs(above).max()
    return any(
        bool((np.abs(a - b) <= _EQUAL * np.abs(a) + rounding).all(1).mean() >= _MOST)
        for a, b in ((above[:, :-1], below[:, 1:]), (above[:, 1:], below[:, :-1]))
    )


def _is_identity(matrix: Array, key: bytes) -> bool:
    """At one place of the kernel, each output is mostly the input of its number."""
    if matrix.ndim < 2 or min(matrix.shape[:2]) < _LEAST:
        return False
    size = "x".join(map(str, matrix.shape[:2]))
    chosen = _chosen(min(matrix.shape[:2]), key, f"diagonal {size}")
    lengths = np.sqrt(np.square(matrix[chosen].reshape(len(chosen), -1), dtype=np.float64).sum(1))
    diagonal = matrix[chosen, chosen].reshape(len(chosen), -1)[lengths > 0]
    if not len(diagonal):
        return False
    return bool(np.abs((diagonal / lengths[lengths > 0, None]).mean(0)).max() >= _IDENTICAL)


def _concentration(rows: Sample) -> NDArray[np.float64]:
    """Share of each centered row's energy in the strongest 1/32 of its frequencies (n)."""
    centered = rows - rows.mean(1, keepdims=True)
    energy = np.square(np.abs(np.fft.rfft(centered, axis=1)))
    few = -(-energy.shape[1] // _FEW)
    strongest = np.partition(energy, -few, axis=1)[:, -few:].sum(1)
    whole = energy.sum(1)
    share: NDArray[np.float64] = strongest / np.where(whole > 0, whole, 1)
    return share
