"""Tensors aligned by orders that others found: both axes, or one, and the other one searched."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import log10

from assay.alignment.candidates import completed, first_columns_for, first_rows_for, fits
from assay.alignment.matrices import Array, Index, equilibrated
from assay.alignment.nulls import log10_orders
from assay.alignment.orders import Order, Orders, Twins
from assay.alignment.search import Found, is_hopeful, judged

_SURE = 0.8  # of their correlation: no axis is searched


@dataclass(frozen=True, slots=True, eq=False)
class _Guess:
    """An alignment that is not judged yet."""

    ours: Array  # equilibrated, copies of channels folded
    rows: Index
    columns: Index
    fit: float  # correlation of some channels
    carried: frozenset[str]
    twins: Twins
    searched: tuple[int, ...]
    log10_tried: float


def carried(suspect: Array, source: Array, name: str, orders: Orders) -> list[Found]:
    """Alignments of two tensors (r, c, k) with orders from others, the best first.

    ``name`` is the source's tensor: an order that it had a part in is not for it.
    """
    if suspect.shape[2] != source.shape[2]:
        return []
    down, across = (
        orders.fitting(suspect.shape[axis], source.shape[axis], name) for axis in (0, 1)
    )
    if all(not order.sources for order in (*down, *across)):
        return []  # nothing that is not tried without help
    theirs = equilibrated(source)
    folds = [(order, equilibrated(order.twins.folded(suspect))) for order in across]
    guesses = [max(_whole(folds, theirs, down), key=_fit, default=None)]
    if guesses[0] is None or guesses[0].fit < _SURE or len(guesses[0].twins.copies):
        halves = [*_halves(equilibrated(suspect), folds, theirs, down)]
        guesses += [
            max((g for g in halves if g.searched == (a,)), key=_fit, default=None) for a in (0, 1)
        ]
    found = [
        _judged(guess, suspect, source, theirs)
        for guess in guesses
        if guess is not None and _is_hopeful(guess, theirs)
    ]
    return sorted(found, key=lambda each: each.log10_false_alarm)


def _is_hopeful(guess: _Guess, theirs: Array) -> bool:
    borrowed = not guess.searched
    return is_hopeful(guess.ours, theirs, guess.fit, guess.log10_tried, borrowed=borrowed)


def _judged(guess: _Guess, suspect: Array, source: Array, theirs: Array) -> Found:
    """What a guess is worth, once all channels of a searched axis are matched."""
    rows, columns, searched = completed(
        guess.ours, theirs, (guess.rows, guess.columns, guess.searched)
    )
    folded, borrowed = guess.twins.folded(suspect), not searched
    found = judged(folded, source, rows, columns, guess.log10_tried, borrowed=borrowed)
    return replace(found, carried=guess.carried, searched=searched, twins=guess.twins)


def _fit(guess: _Guess) -> float:
    return guess.fit


def _whole(folds: list[tuple[Order, Array]], theirs: Array, down: list[Order]) -> Iterator[_Guess]:
    """Both axes carried."""
    tried = log10(max(len(down) * len(folds), 1))
    for columns, ours in folds:
        for rows in down:
            yield _Guess(
                ours,
                rows.index,
                columns.index,
                fits(ours, theirs, rows.index, columns.index),
                rows.sources | columns.sources,
                columns.twins,
                (),
                tried,
            )


def _halves(
    ours: Array, folds: list[tuple[Order, Array]], theirs: Array, down: list[Order]
) -> Iterator[_Guess]:
    """One axis carried, the other one searched; what is in place needs no help for that."""
    searched = [log10_orders([(ours.shape[axis], theirs.shape[axis])]) for axis in (0, 1)]
    for rows in (order for order in down if order.sources):
        columns = first_columns_for(ours, theirs, rows.index)
        fit = fits(ours, theirs, rows.index, columns)
        tried = searched[1] + log10(len(down))
        yield _Guess(ours, rows.index, columns, fit, rows.sources, Twins(), (1,), tried)
    for order, folded in folds:
        if order.sources:
            index = first_rows_for(folded, theirs, order.index)
            fit = fits(folded, theirs, index, order.index)
            tried = searched[0] + log10(len(folds))
            yield _Guess(folded, index, order.index, fit, order.sources, order.twins, (0,), tried)
