"""Rows that matrices of other shapes have in common, as hashes of exact values [Broder, 1997].

A row is known by its largest and its smallest value.  Both stay where other columns are removed,
added or exchanged, and where small values become zero.  Of the keyed hashes of such pairs a tensor
keeps the smallest, so that what two tensors share is seen in what both keep.  Nothing is kept where
strangers' rows may have the same ends: of quantized, clipped or repeated values.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from assay.sketches.budgets import smallest
from assay.sketches.keys import numbers, stream
from assay.weights import Array, Weight
from assay.weights.shapes import has_one_axis

KEPT = 16  # hashes of a tensor, at most
ONE_IN = 10**7  # of so many pairs of strangers' tensors one shares a hash, at most

_DTYPES = ("float32", "float64")  # numbers of fewer bits are equal by chance
_FEWEST = 8  # rows whose ends can be told to be spread …
_SHORTEST = 8  # … and values of a row whose ends are not all there is of it
_COARSE = 2**8  # an end that is a multiple of so many units in the last place was rounded
_UNIT = 2**40  # a probability of 1, in whole numbers
_ROWS, _COLUMNS = 8, 128  # that are looked at for a lattice
_MOST = 0.9  # of the steps between a row's values are whole, on a lattice …
_STEPS = 2**16  # … of so many steps, at most, …
_MISSED = 6  # … of which no two values may be nearer than so many
_WHOLE = 0.01  # of a step: rounding

Ends = NDArray[np.uint32]  # (2, r) bits of the largest and the smallest value of each row


def fragments(matrix: Array, key: bytes) -> bytes | None:
    """The smallest hashes of a matrix's rows (r, …), ascending, 8 bytes each.

    None where strangers might have the same ones more often than ONE_IN says.  Neither the
    order of rows nor of columns plays a part, nor what the columns' axes are.
    """
    rows = len(matrix)
    if rows < _FEWEST or matrix.size // rows < _SHORTEST:
        return None
    ends = _ends(matrix)
    hashes, first = np.unique(_hashed(ends, key), return_index=True)
    if len(hashes) < _FEWEST or not _are_telling(ends[:, first]) or _is_lattice(matrix, key):
        return None
    return hashes[:KEPT].astype("<u8").tobytes()


def hashes_of(kept: bytes | None) -> list[int]:
    """What ``fragments`` gave, as numbers."""
    return [] if kept is None else np.frombuffer(kept, "<u8").tolist()


def chosen(weights: Sequence[Weight]) -> frozenset[int]:
    """Which weights are looked at: an eighth of all values, of few values all."""
    sizes = {
        place: weight.size
        for place, weight in enumerate(weights)
        if weight.dtype in _DTYPES and not has_one_axis(weight.shape)
    }
    return smallest(sizes, 2**22 + sum(weight.size for weight in weights) // 8)


def _ends(matrix: Array) -> Ends:
    """Of all rows but those with an end of zero, or that was rounded, or twice the same."""
    within = tuple(range(1, matrix.ndim))
    both = np.stack([matrix.max(within), matrix.min(within)])
    bits = both.view(np.uint32)
    fine = (np.isfinite(both) & (bits % _COARSE != 0)).all(0) & (np.abs(both[0]) != np.abs(both[1]))
    return bits[:, fine]


def _hashed(ends: Ends, key: bytes) -> NDArray[np.uint64]:
    """64 bits for each pair (r), which only who has the key can foretell [Steele et al., 2014]."""
    drawn = np.frombuffer(stream(key, "fragments", 16), "<u8")
    high, low = ends.astype(np.uint64)
    return _mixed(_mixed(high ^ drawn[0]) + (low ^ drawn[1]))


def _mixed(bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))


def _are_telling(ends: Ends) -> bool:
    """Whether such ends (2, r) are shared with tensors of the same spread no more than by chance.

    A pair of rows coincides as often as the densities of both ends say, and more often the more
    one end tells of the other.  Of r² such pairs, KEPT / r lie among those that are kept.  All is
    counted in whole numbers, so that every machine decides alike.
    """
    rows = ends.shape[1]
    places = np.where(ends >> 31, -(ends & 0x7FFFFFFF).astype(np.int64), ends.astype(np.int64))
    order = places.argsort(axis=1, kind="stable")
    ranks = order.argsort(axis=1, kind="stable")
    pair = _coincidence(places[0], ends[0]) * _coincidence(places[1], ends[1])
    whole = rows * (rows**2 - 1)  # Spearman's correlation is 1 - apart / whole
    apart = 6 * int(np.square(ranks[0] - ranks[1]).sum())
    free: int = whole**2 - (whole - apart) ** 2
    expected: int = pair * KEPT * rows * whole**2  # in units of 2^-80 and of whole², as free is
    return expected * ONE_IN <= _UNIT**2 * free


def _coincidence(places: NDArray[np.int64], bits: NDArray[np.uint32]) -> int:
    """How likely two rows' ends are equal, 1 is 2^40, from how near neighbors are [Vasicek, 1976].

    ``places`` (r) are the values' numbers among all floats.
    """
    rows = len(places)
    apart = max(2, int(rows**0.5) // 2)
    ordered = np.sort(places)
    gaps = np.maximum(ordered[apart:] - ordered[:-apart], 1)
    likely = int((apart * _UNIT // (rows * gaps)).sum()) // len(gaps) + 1
    units = np.sort(bits & -bits.astype(np.int64))  # most are multiples of one in the last place
    return likely * int(units[rows // 4])


def _is_lattice(matrix: Array, key: bytes) -> bool:
    """Whether values are whole numbers of steps, a step for each row: they were quantized.

    Looks at a sample of rows, and at as many columns as show it.
    """
    rows, columns = len(matrix), matrix.size // len(matrix)
    size = f"{rows}x{columns}"
    drawn = numbers(key, f"fragments {size}", _ROWS + 1)
    picked = (drawn[:_ROWS] * rows).astype(np.intp)
    first = int(drawn[_ROWS] * (max(columns - _COLUMNS, 0) + 1))
    sample = matrix[picked].reshape(_ROWS, columns)[:, first : first + _COLUMNS]
    values = np.sort(sample.astype(np.float64), axis=1)
    if not np.isfinite(values).all():
        return True
    gaps = np.diff(values, axis=1)
    distinct = (gaps > 0).sum(1) + 1
    least = np.where(gaps > 0, gaps, np.inf).min(1, keepdims=True)
    coarse = 2 * distinct < np.count_nonzero(values, axis=1)
    for parts in range(1, _MISSED + 1):
        steps = gaps * (parts / least)
        whole = np.abs(steps - np.rint(steps)) < _WHOLE
        coarse |= (whole.mean(1) >= _MOST) & (steps.sum(1) < _STEPS)
    return bool(2 * coarse.sum() >= _ROWS)
