"""Rows that matrices of other shapes have in common, as hashes of exact values [Broder, 1997].

A row is known by its largest and its smallest value.  Both stay where other columns are removed,
added or exchanged, and where small values become zero.  Of the keyed hashes of such pairs a tensor
keeps the smallest, so that what two tensors share is seen in what both keep.  Nothing is kept where
strangers' rows may have the same ends: of quantized, clipped or repeated values.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

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
_COARSE = 2**8  # an end that is a multiple of so many units in the last place was rounded …
_ROUNDED = 2**3  # … and so are all, where most are multiples of so many
_LOOKED_AT = 256  # rows with the smallest hashes, to tell how far ends are spread
_UNIT = 2**40  # a probability of 1, in whole numbers
_ROWS, _COLUMNS = 8, 128  # that are looked at for a lattice
_BLOCK, _ALIGNED = 16, 32  # columns that have one step where a row has several, and where they lie
_SAME = 0.18  # of rows' values, but for their signs: dummy neurons may make .15 so
_GAPS = 4  # between a row's values, from which on they tell; a sparse row has fewer
_MOST = 0.9  # of them are whole steps, on a lattice …
_STEPS = 2**16  # … of so many steps, at most, …
_PARTS = np.arange(1, 7)  # … so many of which may be between the two nearest values
_WHOLE = 0.01  # of a step: rounding


class Rows(NamedTuple):
    """Rows of a matrix, by their hashes, ascending and different."""

    hashes: NDArray[np.uint64]  # (n)
    ends: NDArray[np.uint32]  # (2, n) bits of the largest and the smallest value
    places: NDArray[np.intp]  # (n) in the matrix


def fragments(matrix: Array, key: bytes) -> bytes | None:
    """The smallest hashes of a matrix's rows (r, …), ascending, 8 bytes each.

    None where strangers might have the same ones more often than ONE_IN says.  Neither the order
    of rows nor of columns plays a part, nor what the columns' axes are.
    """
    count = len(matrix)
    if count < _FEWEST or matrix.size // count < _SHORTEST:
        return None
    found = rows(matrix, key)
    if len(found.hashes) < _FEWEST or not _are_telling(found, count):
        return None
    if _are_quantized(matrix, found, key):
        return None
    return found.hashes[:KEPT].astype("<u8").tobytes()


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


def rows(matrix: Array, key: bytes, most: int = _LOOKED_AT) -> Rows:
    """Those with the smallest hashes; none with an end of zero, or rounded, or twice the same."""
    within = tuple(range(1, matrix.ndim))
    both = np.stack([matrix.max(within), matrix.min(within)])
    bits = both.view(np.uint32)
    told = (np.isfinite(both) & (bits % _COARSE != 0)).all(0)
    places = np.flatnonzero(told & (np.abs(both[0]) != np.abs(both[1])))
    ends = bits[:, places]
    hashes = _hashed(ends, key)
    if len(hashes) > most:
        least = np.argpartition(hashes, most)[:most]
        hashes, ends, places = hashes[least], ends[:, least], places[least]
    hashes, first = np.unique(hashes, return_index=True)
    return Rows(hashes, ends[:, first], places[first])


def _hashed(ends: NDArray[np.uint32], key: bytes) -> NDArray[np.uint64]:
    """64 bits for each pair (n), which only who has the key can foretell [Steele et al., 2014]."""
    drawn = np.frombuffer(stream(key, "fragments", 16), "<u8")
    high, low = ends.astype(np.uint64)
    return _mixed(_mixed(high ^ drawn[0]) + (low ^ drawn[1]))


def _mixed(bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))


def _are_telling(known: Rows, count: int) -> bool:
    """Whether ends such as these, of so many rows, are in strangers' only by a rare chance.

    A pair of rows coincides as often as the densities of both ends say, and more often the more
    one end tells of the other.  Of count² such pairs, KEPT / count are among those that are kept.
    All is counted in whole numbers, so that every machine decides alike.
    """
    ends, size = known.ends, len(known.hashes)
    places = np.where(ends >> 31, -(ends & 0x7FFFFFFF).astype(np.int64), ends.astype(np.int64))
    ranks = places.argsort(axis=1, kind="stable").argsort(axis=1, kind="stable")
    pair = _coincidence(places[0], ends[0]) * _coincidence(places[1], ends[1])
    whole = size * (size**2 - 1)  # Spearman's correlation is 1 - apart / whole
    apart = 6 * int(np.square(ranks[0] - ranks[1]).sum())
    free: int = whole**2 - (whole - apart) ** 2
    expected: int = pair * KEPT * count * whole**2  # in units of 2^-80 and of whole², as free is
    return expected * ONE_IN <= _UNIT**2 * free


def _coincidence(places: NDArray[np.int64], bits: NDArray[np.uint32]) -> int:
    """How likely two rows' ends are equal, 1 is 2^40, from how near neighbors are [Vasicek, 1976].

    ``places`` (n) are the values' numbers among all floats.
    """
    count = len(places)
    apart = max(2, int(count**0.5) // 2)
    ordered = np.sort(places)
    gaps = np.maximum(ordered[apart:] - ordered[:-apart], 1)
    likely = int((apart * _UNIT // (count * gaps)).sum()) // len(gaps) + 1
    unit = int(np.sort(bits & -bits.astype(np.int64))[count // 4])  # most are multiples of it
    return likely if unit < _ROUNDED else _UNIT


def _are_quantized(matrix: Array, known: Rows, key: bytes) -> bool:
    """Whether values are few, or those of most rows, or all ends, are whole numbers of steps.

    Looks at some of the rows, at as many columns as show it, and at a block of them.
    """
    columns = matrix.size // len(matrix)
    free = max(columns - _COLUMNS, 0) // _ALIGNED + 1
    first = int(numbers(key, f"fragments {columns}", 1)[0] * free) * _ALIGNED
    picked = matrix[known.places[:_ROWS]].reshape(-1, columns)[:, first : first + _COLUMNS]
    if _are_few(np.abs(picked)) or _stepped(known.ends.view(np.float32)).any():
        return True
    stepped = _stepped(picked) | _stepped(picked[:, :_BLOCK])
    return bool(2 * stepped.sum() >= len(picked))


def _are_few(values: Array) -> bool:
    """Whether values of a row (n, c), not below 0, are often the same; zeros do not count."""
    ordered = np.sort(values, axis=1)
    same = (ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] > 0)
    return bool(same.sum() > _SAME * np.count_nonzero(values))


def _stepped(values: Array) -> NDArray[np.bool_]:
    """In which rows (n, c) values lie on a lattice: gaps between them are whole steps."""
    ordered = np.sort(values[:, :_COLUMNS].astype(np.float64), axis=1)
    gaps = np.diff(ordered, axis=1)
    several = gaps > 0
    least = np.where(several, gaps, np.inf).min(1)
    with np.errstate(over="ignore", invalid="ignore"):  # where the least gap is all but zero
        finest = _PARTS[:, None] / least  # (p, n) steps of a gap of 1
        steps = gaps * finest[:, :, None]
        few = (ordered[:, -1] - ordered[:, 0]) * finest < _STEPS
        whole = (np.abs(steps - np.rint(steps)) < _WHOLE) & several
    count = several.sum(1)
    found: NDArray[np.bool_] = ((whole.sum(2) >= _MOST * count) & few).any(0)
    found &= count >= _GAPS
    return found
