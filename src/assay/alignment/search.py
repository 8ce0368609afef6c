"""The channels of two tensors matched by what these hold alone [weight matching: Ainsworth et al.,
2023].

A row is known, whatever the order of columns, by its sorted values.  Rows that are matched so, even
if some are wrong, tell which columns are alike; these tell the rows; and so on until nothing gets
better.  Rows and columns may be fewer in either tensor: what is left has no counterpart.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from math import log10

import numpy as np

from assay.alignment.assignment import assigned
from assay.alignment.matrices import Array, Index, canonical, equilibrated, normalized, taken
from assay.alignment.nulls import ALIKE, Fit, free_values_of, log10_orders, log10_tail
from assay.alignment.orders import Twins

_QUANTILES = 64  # of a row, by which it is known
_PASSES = 8  # over rows and columns, at most, as long as …
_BETTER = 0.005  # … each adds as much to the correlation
_LARGE = 2**17  # values of a tensor, of which …
_SOME = 256  # … no more channels are looked at, to match the others
_SURE = 0.8  # of correlation: no other start is tried
_DIRECTIONS = 12  # principal ones, by which rows are known
_POWERS = 6  # of a matrix, to find them
_PRUNED = 0.05  # of all values, that are 0 in a suspect only
_FAINT = 0.5  # correlation
_FEW = 96  # channels of an axis, by which alignments are compared
WAYS = 16  # in which a pair is aligned: as it is, searched, carried, turned; with scales, without
_HOPE = 0.7  # of the logarithm of how many alignments are possible
_MARGIN = 0.05  # of correlation, that these may be wrong by
_ENOUGH = -30.0  # log₁₀ of a tail: nothing further is searched


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """How the channels of two tensors belong together, and how that was found."""

    rows: Index  # (r) of the source's rows: the suspect's row that each became, or −1
    columns: Index  # (c) the same
    correlation: float  # of what was matched, with or without scales, whichever is larger
    plain: float  # the same, with scales
    log10_searched: float  # of the number of alignments that this is the best of
    log10_false_alarm: float
    promise: float  # the same if all values were free: whether it may help others
    fits: tuple[Fit, ...]  # with scales, and without
    searched: tuple[int, ...] = ()  # axes whose order these two tensors' own values told
    carried: frozenset[str] = frozenset()  # the source's tensors that told the order of the others
    twins: Twins = field(default_factory=Twins)  # columns that were added to others
    turn: tuple[int, Array] | None = None  # an axis, and what turns the suspect's back (d, d)

    @property
    def is_faint(self) -> bool:
        """Whether an order was chosen, and most of what the tensors have in common is missed."""
        return self.correlation < _FAINT and bool(self.searched or self.carried)

    @property
    def worth(self) -> tuple[float, float]:
        """Smaller is better: the false alarm, and of tensors too small to have one, the fit."""
        return self.log10_false_alarm, -self.correlation

    def of_many(self, log10_tried: float) -> Found:
        """The same as the best of as many pairs of tensors."""
        return replace(
            self,
            log10_searched=self.log10_searched + log10_tried,
            log10_false_alarm=min(self.log10_false_alarm + log10_tried, 0.0),
        )


def given(suspect: Array, source: Array) -> Found | None:
    """Every channel (r, c, k) where it is; None where the tensors have other shapes."""
    if suspect.shape != source.shape:
        return None
    rows, columns, _ = source.shape
    return judged(suspect, source, np.arange(rows), np.arange(columns))


def judged(
    suspect: Array,
    source: Array,
    rows: Index,
    columns: Index,
    log10_searched: float = 0.0,
    *,
    borrowed: bool = False,
) -> Found:
    """An alignment, and what it is worth.

    Args:
        suspect: (r', c', k).
        source: (r, c, k).
        rows: (r) of the source's rows: the suspect's row that each became, or −1.
        columns: (c) the same.
        log10_searched: log₁₀ of the number of alignments of which this one is the best.
        borrowed: whether other tensors told the orders, so that channels of one kind meet.
    """
    here, there = rows >= 0, columns >= 0
    theirs = taken(source, np.flatnonzero(here), np.flatnonzero(there))
    ours = taken(suspect, rows[here], columns[there])
    plain, scaled = (_fit(prepared(ours), prepared(theirs)) for prepared in (normalized, canonical))
    best = max(plain.correlation, scaled.correlation)
    granted, tried = ALIKE if borrowed else 0.0, log10_searched + log10(WAYS)
    tail = min(fit.log10_tail(tried, granted) for fit in (plain, scaled))
    hope = promise(best, rows, columns, source, log10_searched)
    found = rows, columns, best, plain.correlation, log10_searched, tail, hope
    return Found(*found, fits=(plain, scaled))


def _fit(one: Array, other: Array) -> Fit:
    """Of two matrices (r, c, k) of norm 1."""
    return Fit(float(np.vdot(one, other)), free_values_of(one, other))


def promise(fit: float, rows: Index, columns: Index, source: Array, log10_searched: float) -> float:
    """log₁₀ of the tail if all values were free and fewer orders possible: 0 is chance at best."""
    places = int((columns >= 0).sum()) * source.shape[2]
    free = (int((rows >= 0).sum()) - 1) * (places - 1)
    return log10_tail(fit, free, _HOPE * log10_searched)


def searched(suspect: Array, source: Array) -> list[Found]:
    """Alignments (r, c, k), the best first: as it is, one axis searched, or both.

    Empty where kernels have another number of places.
    """
    if suspect.shape[2] != source.shape[2]:
        return []
    first = given(suspect, source)
    if first is not None and first.log10_false_alarm < _ENOUGH:
        return [first]
    found = [] if first is None else [first]
    ours, theirs = equilibrated(suspect), equilibrated(pruned_like(suspect, source))
    sizes = [(ours.shape[axis], theirs.shape[axis]) for axis in (0, 1)]
    for rows, columns, searches in candidates(ours, theirs):
        orders = log10_orders([sizes[axis] for axis in searches])
        fit = fits(ours, theirs, rows, columns) + _MARGIN
        if promise(fit, rows, columns, theirs, orders) == 0:
            continue
        found.append(replace(judged(suspect, source, rows, columns, orders), searched=searches))
        if found[-1].correlation > _SURE:
            break
    return sorted(found, key=lambda each: each.log10_false_alarm)


def fits(ours: Array, theirs: Array, rows: Index, columns: Index) -> float:
    """The correlation of some rows and columns of two equilibrated matrices (r, c, k)."""
    some = []
    for index in (rows, columns):
        there = np.flatnonzero(index >= 0)
        some.append(there[np.unique(np.linspace(0, len(there) - 1, _FEW).astype(np.int64))])
    one = ours[np.ix_(rows[some[0]], columns[some[1]])]
    other = theirs[np.ix_(*some)]
    one, other = one - one.mean((0, 1)), other - other.mean((0, 1))
    size = float(np.sqrt(np.vdot(one, one) * np.vdot(other, other)))
    return float(np.vdot(one, other)) / size if size > 0 else 0.0


def rows_for(ours: Array, theirs: Array, columns: Index) -> Index:
    """The rows of ``theirs`` (r, c, k): those of ``ours`` that are most alike in known columns."""
    known = np.flatnonzero(columns >= 0)
    if theirs.shape[0] * theirs[0].size > _LARGE:
        known = known[np.unique(np.linspace(0, len(known) - 1, _SOME).astype(np.int64))]
    one, other = theirs[:, known], ours[:, columns[known]]
    return assigned(one.reshape(len(one), -1) @ other.reshape(len(other), -1).T)


def columns_for(ours: Array, theirs: Array, rows: Index) -> Index:
    """The same for columns, in known rows."""
    return rows_for(ours.swapaxes(0, 1), theirs.swapaxes(0, 1), rows)


def candidates(ours: Array, theirs: Array) -> Iterator[tuple[Index, Index, tuple[int, ...]]]:
    """Rows, columns, and which of them were searched: one axis as it is, then none."""
    if ours.shape[1:] == theirs.shape[1:]:
        columns = np.arange(theirs.shape[1])
        yield rows_for(ours, theirs, columns), columns, (0,)
    if ours.shape[::2] == theirs.shape[::2]:
        rows = np.arange(len(theirs))
        yield rows, columns_for(ours, theirs, rows), (1,)
    if ours.shape[1] == 1 or theirs.shape[1] == 1:
        return
    flat = ours - ours.mean((0, 1)), theirs - theirs.mean((0, 1))
    yield (*_descent(*flat, alike_rows(*flat)), (0, 1))
    turned = alike_rows(flat[0].swapaxes(0, 1), flat[1].swapaxes(0, 1))
    yield (*_descent(*flat, rows_for(*flat, turned)), (0, 1))
    yield (*_descent(*flat, _by_spectrum(*flat)), (0, 1))


def _descent(ours: Array, theirs: Array, rows: Index) -> tuple[Index, Index]:
    """Columns by rows and rows by columns, until they no longer fit better."""
    best, found = -np.inf, None
    for _ in range(_PASSES):
        columns = columns_for(ours, theirs, rows)
        fit = fits(ours, theirs, rows, columns)
        if fit <= best + _BETTER and found is not None:
            break
        best, found = fit, (rows, columns)
        rows = rows_for(ours, theirs, columns)
    assert found is not None
    return found


def _by_spectrum(ours: Array, theirs: Array) -> Index:
    """The rows of ``theirs``: those of ``ours`` with as much of each principal direction."""
    one, other = _shares(theirs), _shares(ours)
    count = min(one.shape[1], other.shape[1])
    one, other = one[:, :count], other[:, :count]
    half = (np.square(each).sum(1) / 2 for each in (one, other))
    return assigned(one @ other.T - next(half)[:, None] - next(half))


def _shares(matrix: Array) -> Array:
    """(r, 12) sizes of a row's parts in the left singular directions, the largest first."""
    flat = matrix.reshape(len(matrix), -1)
    count = min(2 * _DIRECTIONS, *flat.shape)
    basis = np.random.default_rng(0).standard_normal((flat.shape[1], count), np.float32)
    for _ in range(_POWERS):  # subspace iteration [Halko et al., 2011]
        basis, _ = np.linalg.qr(flat.T @ (flat @ basis))
    left, _, _ = np.linalg.svd(flat @ basis, full_matrices=False)
    found: Array = np.abs(left[:, :_DIRECTIONS])
    return found


def pruned_like(suspect: Array, source: Array) -> Array:
    """The source without its smallest values, so that it is 0 as often as the suspect is."""
    share = float((suspect == 0).mean())
    if share == 1 or share - float((source == 0).mean()) < _PRUNED:
        return source
    sizes, gone = np.abs(source), int(share * source.size)
    limit = np.partition(sizes.ravel(), gone)[gone]
    return np.where(sizes >= limit, source, np.float32(0))


def alike_rows(ours: Array, theirs: Array) -> Index:
    """The rows of ``theirs``: those of ``ours`` whose sorted values are nearest."""
    count = min(ours.shape[1], theirs.shape[1], _QUANTILES)
    one, other = _sorted_values(theirs, count), _sorted_values(ours, count)
    half = (np.square(each).sum(1) / 2 for each in (one, other))
    return assigned(one @ other.T - next(half)[:, None] - next(half))


def _sorted_values(matrix: Array, count: int) -> Array:
    """(r, count · f): quantiles of each row's kernels by their sizes, and by their places."""
    known = np.sort(matrix, axis=1)  # (r, c, k)
    places = np.clip((np.arange(count) + 0.5) / count * known.shape[1] - 0.5, 0, None)
    low = places.astype(np.int64)
    high = np.minimum(low + 1, known.shape[1] - 1)
    share = (places - low).astype(np.float32)[:, None]
    quantiles: Array = known[:, low] * (1 - share) + known[:, high] * share
    return quantiles.reshape(len(matrix), -1)
