"""The channels of two tensors matched by what these hold alone, and what that is worth.

Rows and columns may be fewer in either tensor: what is left has no counterpart.  A candidate whose
correlation would be no evidence, were all values free, is not looked at further.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import log10

import numpy as np

from assay.alignment.candidates import candidates, completed, fits
from assay.alignment.matrices import Array, Index, canonical, equilibrated, normalized, taken
from assay.alignment.nulls import ALIKE, Fit, beyond, free_values_of, log10_orders, log10_tail
from assay.alignment.orders import Twins

_SURE = 0.8  # of correlation: no other start is tried
_PRUNED = 0.05  # of all values, that are 0 in a suspect only
_FAINT = 0.5  # correlation
WAYS = 16  # in which a pair is aligned: as it is, searched, carried, turned; with scales, without
_MANY = 250  # log₁₀ of how many alignments are possible, of which …
_HOPES = 0.7, 0.95  # … strangers' best one is as good as so much; and where there are more
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
    hope = promise(best, int(here.sum()), int(there.sum()) * source.shape[2], log10_searched)
    found = rows, columns, best, plain.correlation, log10_searched, tail, hope
    return Found(*found, fits=(plain, scaled))


def _fit(one: Array, other: Array) -> Fit:
    """Of two matrices (r, c, k) of norm 1."""
    return Fit(float(np.vdot(one, other)), free_values_of(one, other))


def promise(fit: float, rows: int, columns: int, log10_searched: float) -> float:
    """log₁₀ of the tail if all values were free and fewer orders possible: 0 is chance at best."""
    hope = _HOPES[log10_searched > _MANY] * log10_searched
    return log10_tail(fit, (rows - 1) * (columns - 1), hope)


def is_hopeful(
    ours: Array, theirs: Array, fit: float, log10_searched: float, *, borrowed: bool = False
) -> bool:
    """Whether orders of so many are worth a closer look, by the correlation of some channels."""
    rows, columns = (min(ours.shape[axis], theirs.shape[axis]) for axis in (0, 1))
    best = fit + _MARGIN
    best = beyond(best) if borrowed else best
    return promise(best, rows, columns * theirs.shape[2], log10_searched) < 0


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
    for candidate in candidates(ours, theirs):
        orders = log10_orders([sizes[axis] for axis in candidate[2]])
        if not is_hopeful(ours, theirs, fits(ours, theirs, *candidate[:2]), orders):
            continue
        rows, columns, axes = completed(ours, theirs, candidate)
        found.append(replace(judged(suspect, source, rows, columns, orders), searched=axes))
        if found[-1].correlation > _SURE:
            break
    return sorted(found, key=lambda each: each.log10_false_alarm)


def pruned_like(suspect: Array, source: Array) -> Array:
    """The source without its smallest values, so that it is 0 as often as the suspect is."""
    share = float((suspect == 0).mean())
    if share == 1 or share - float((source == 0).mean()) < _PRUNED:
        return source
    sizes, gone = np.abs(source), int(share * source.size)
    limit = np.partition(sizes.ravel(), gone)[gone]
    return np.where(sizes >= limit, source, np.float32(0))
