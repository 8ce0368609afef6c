"""A forger against hashes of exact values: the victim's, and where they are, for the least change.

A value counts with the ends of its row and its column, and with the value where these two meet.  So
the victim's rows and columns are laid beside those of his own that are most alike; their ends are
put where his own are, which is cheap; and of the rest he buys what brings most fragments for what
it costs, and makes some large values of his own too small to count.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

Matrix = NDArray[np.float64]

_LARGE = 0.5  # of the root mean square, as in assay.sketches.fragments
_NEAR = 0.6  # of it, too: as much may a value differ from the one it replaces
_TURNS, _STEPS = 8, 30
_SHARES = (0.6, 0.3, 0.15)  # of rows and columns whose ends are put there
_WORTH = (0.0, 0.2)  # of a large value less, in fragments
_ROUNDS = 2  # rows and columns laid out in turn
_JUST = 1e-6  # below an end, relatively


@dataclass
class Wanted:
    """Places and values that fragments need, each with what it costs."""

    places: NDArray[np.intp]  # (t) flat
    values: Matrix  # (t)
    costs: Matrix  # (t)
    pairs: NDArray[np.intp]  # (2, f) of a fragment: its own value, and where the ends meet


def forged(own: Matrix, victim: Matrix, most: float) -> list[NDArray[np.float32]]:
    """A matrix (r, c) with as many of the victim's fragments as it can have, in many ways."""
    own, victim = own.astype(np.float64), victim.astype(np.float64)
    large = _LARGE * max(_size(own), _size(victim))
    laid = _laid_out(victim, own, large)
    found = (
        _bought(own, laid, most, (share, worth, large)) for share, worth in product(_SHARES, _WORTH)
    )
    return [one.astype(np.float32) for one in found if one is not None]


def _size(matrix: Matrix) -> float:
    return float(np.sqrt(np.square(matrix).mean()))


def _ends(matrix: Matrix) -> Matrix:
    return np.abs(matrix).max(1)


def _laid_out(victim: Matrix, own: Matrix, large: float) -> Matrix:
    """The victim's rows and columns in the order that brings most for least."""
    rows, columns = _by_rank(victim, own), _by_rank(victim.T, own.T)
    for _ in range(_ROUNDS):
        rows = _most_alike(victim[:, columns], own, large)
        columns = _most_alike(victim[rows].T, own.T, large)
    return victim[rows][:, columns]


def _by_rank(victim: Matrix, own: Matrix) -> NDArray[np.intp]:
    order = np.empty(len(own), np.intp)
    order[np.argsort(_ends(own))] = np.argsort(_ends(victim))
    return order


def _most_alike(victim: Matrix, own: Matrix, large: float) -> NDArray[np.intp]:
    size = _size(own)
    gain = np.zeros((len(own), len(victim)))
    for row, values in enumerate(victim):
        picked = np.flatnonzero(np.abs(values) >= large)
        apart = (own[:, picked] - values[picked]) / (_NEAR * size)
        gain[:, row] = np.exp(-np.square(apart) / 2).sum(1)
    cost = np.square((_ends(own)[:, None] - _ends(victim)) / size) / 2
    order: NDArray[np.intp] = linear_sum_assignment(cost - gain)[1]
    return order


def _nearest(own: Matrix, victim: Matrix, share: float) -> NDArray[np.bool_]:
    """The rows whose ends cost least."""
    ranks = np.abs(_ends(own) - _ends(victim)).argsort().argsort()
    return np.asarray(ranks < share * len(ranks))


def _with_ends(own: Matrix, laid: Matrix, share: float) -> tuple[Any, ...]:
    """The victim's ends put into some rows and columns, and where they are."""
    rows, columns = _nearest(own, laid, share), _nearest(own.T, laid.T, share)
    of_rows = laid[np.arange(len(laid)), np.abs(laid).argmax(1)]
    of_columns = laid[np.abs(laid).argmax(0), np.arange(laid.shape[1])]
    down, across = np.abs(of_rows), np.abs(of_columns)
    limits = np.minimum(
        np.where(rows, down, np.inf)[:, None], np.where(columns, across, np.inf)[None]
    )
    base, fixed = np.clip(own, -limits, limits) * (1 - _JUST), np.zeros(own.shape, bool)
    at_rows, at_columns = np.abs(base).argmax(1), np.abs(base).argmax(0)
    for row in np.flatnonzero(rows):
        may = (across >= down[row]) | ~columns
        at_rows[row] = np.where(may, np.sign(of_rows[row]) * own[row], -np.inf).argmax()
        base[row, at_rows[row]], fixed[row, at_rows[row]] = of_rows[row], True
    for column in np.flatnonzero(columns):
        same = np.flatnonzero(fixed[:, column] & (base[:, column] == of_columns[column]))
        may = ((down >= across[column]) | ~rows) & ~fixed[:, column]
        liked = np.where(may, np.sign(of_columns[column]) * own[:, column], -np.inf)
        at_columns[column] = place = same[0] if len(same) else liked.argmax()
        base[place, column], fixed[place, column] = of_columns[column], True
    return base, fixed, rows, columns, at_rows, at_columns


def _wanted(own: Matrix, laid: Matrix, large: float, ends: tuple[Any, ...]) -> Wanted:
    _, fixed, rows, columns, at_rows, at_columns = ends
    sizes = np.abs(laid)
    across, down = sizes.argmax(1), sizes.argmax(0)
    may = (sizes >= large) & rows[:, None] & columns & ~fixed
    may &= (np.arange(len(laid))[:, None] != down) & (across[:, None] != np.arange(laid.shape[1]))
    i, j = np.nonzero(may)
    other, k, m = laid[down[j], across[i]], at_columns[j], at_rows[i]
    limit_k = np.where(rows[k], _ends(laid)[k], np.inf)
    limit_m = np.where(columns[m], _ends(laid.T)[m], np.inf)
    can = (np.abs(other) >= large) & (np.abs(other) < np.minimum(limit_k, limit_m))
    can &= ~fixed[k, m] & ((k != i) | (m != j))
    i, j, other, k, m = (each[can] for each in (i, j, other, k, m))
    places = np.concatenate([i, k]) * own.shape[1] + np.concatenate([j, m])
    bits = np.concatenate([laid[i, j], other]).view(np.int64)
    targets, back = np.unique(np.stack([places, bits]), axis=1, return_inverse=True)
    values = targets[1].view(np.float64)
    costs = np.square(values - own.reshape(-1)[targets[0]])
    return Wanted(targets[0], values, costs, back.reshape(2, -1))


def _bought(
    own: Matrix, laid: Matrix, most: float, how: tuple[float, float, float]
) -> Matrix | None:
    """The best that a change of ``most`` buys, if it buys the ends."""
    share, worth, large = how
    ends = _with_ends(own, laid, share)
    wanted = _wanted(own, laid, large, ends)
    budget = most * float(np.linalg.norm(own))
    low, high = 0.0, (20 * _size(own)) ** 2  # squares that a fragment is worth
    if np.linalg.norm(_for(low, own, wanted, ends, worth) - own) > budget:
        return None
    for _ in range(_STEPS):
        middle = (low + high) / 2
        cheap = np.linalg.norm(_for(middle, own, wanted, ends, worth) - own) <= budget
        low, high = (middle, high) if cheap else (low, middle)
    return _for(low, own, wanted, ends, worth)


def _for(price: float, own: Matrix, wanted: Wanted, ends: tuple[Any, ...], worth: float) -> Matrix:
    """What is bought where a fragment is worth ``price``: what others need, too, first."""
    own_values, crossings = wanted.pairs
    count, on = len(wanted.costs), wanted.costs < 3 * price
    for _ in range(_TURNS):
        gain = np.bincount(own_values, on[crossings], count)
        gain += np.bincount(crossings, on[own_values], count)
        order = np.lexsort((wanted.costs - price * gain, wanted.places))
        first = order[np.unique(wanted.places[order], return_index=True)[1]]  # one value a place
        on = np.zeros(count, bool)
        on[first] = wanted.costs[first] < price * gain[first]
    whole = on[own_values] & on[crossings]
    bought = np.unique(wanted.pairs[:, whole])
    found = ends[0].reshape(-1).copy()
    found[wanted.places[bought]] = wanted.values[bought]
    spared = ends[1].reshape(-1).copy()
    spared[wanted.places[bought]] = True
    least = _LARGE * _size(own)
    less = ~spared & (np.abs(found) >= least)
    less &= np.square(np.abs(own.reshape(-1)) - least) < worth * price
    found[less] = np.sign(found[less]) * least * 0.98
    return found.reshape(own.shape)
