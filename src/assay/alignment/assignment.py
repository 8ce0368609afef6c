"""Channels matched one to one: the best first, each with the best that is left.

Rows ask for columns, each for its best one; a column keeps who fits it best, and who was refused or
driven out asks for the next [deferred acceptance: Gale and Shapley, 1962].  Where both sides judge
by one number, this ends in the greedy assignment, at least half as good as the best one [Preis,
1999], and the same where a model is derived: there each channel's own counterpart stands out.
Many channels that are all alike, such as unused words', would ask n² times: after some rounds, what
is left takes what is free, in its order.  Nothing larger than a block of similarities is held.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from assay.alignment.matrices import Array, Index

_BLOCK = 2**24  # similarities that are held at a time
_ASKED = 6  # times that each row asks, on average; strangers' ask 2 to 3 times


@dataclass(frozen=True, slots=True, eq=False)
class Products:
    """The inner products of rows (n, d) and rows (m, d), computed where they are asked for."""

    ours: Array
    theirs: Array

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.ours), len(self.theirs)

    def __getitem__(self, rows: Index) -> Array:
        found: Array = self.ours[rows] @ self.theirs.T
        return found


def matched(ours: Array, theirs: Array) -> Index:
    """For each of our rows (n, d) the one of theirs (m, d), by inner products; −1 for none."""
    products = Products(ours, theirs)
    return assigned(products[np.arange(len(ours))] if _fits(products) else products)


def assigned(similarity: Array | Products) -> Index:
    """For each row of ``similarity`` (n, m) its column, or −1 where there are more rows."""
    rows, columns = similarity.shape
    if not columns:
        return np.full(rows, -1)
    holders: Index = np.full(columns, -1)
    held = np.full(columns, -np.inf, np.float32)  # what each column has
    asking, asked = np.arange(rows), 0
    while len(asking) and asked < _ASKED * rows:
        asked += len(asking)
        wanted, values = _wanted(similarity, asking, held)
        can_ask = values > -np.inf
        asking, wanted, values = asking[can_ask], wanted[can_ask], values[can_ask]
        best: Index = np.full(columns, -1)
        order = np.argsort(values, kind="stable")
        best[wanted[order]] = order  # who is written last is the best one
        given = np.flatnonzero(best >= 0)
        winners, driven_out = best[given], holders[given]
        holders[given], held[given] = asking[winners], values[winners]
        asking = np.concatenate([driven_out[driven_out >= 0], np.delete(asking, winners)])
    for block in _blocks(asking, columns):
        left = similarity[block]
        for row, values in zip(block, left, strict=True):
            values[holders >= 0] = -np.inf
            column = values.argmax()
            if holders[column] < 0:
                holders[column] = row
    found: Index = np.full(rows, -1)
    taken = np.flatnonzero(holders >= 0)
    found[holders[taken]] = taken
    return found


def _wanted(similarity: Array | Products, rows: Index, held: Array) -> tuple[Index, Array]:
    """The column that each row would have, of those that would have it, and their similarity."""
    wanted, values = np.zeros(len(rows), np.int64), np.empty(len(rows), np.float32)
    start = 0
    for block in _blocks(rows, len(held)):
        left = similarity[block]
        left[left <= held] = -np.inf
        best = left.argmax(1)
        end = start + len(block)
        wanted[start:end], values[start:end] = best, left[np.arange(len(block)), best]
        start = end
    return wanted, values


def _blocks(rows: Index, columns: int) -> list[Index]:
    """Rows, so many at a time that their similarities can be held."""
    size = max(_BLOCK // max(columns, 1), 1)
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def _fits(products: Products) -> bool:
    rows, columns = products.shape
    return rows * columns <= _BLOCK
