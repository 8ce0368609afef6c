"""The exact graph edit distance of small graphs, by A* with a branch bound at each state.

[Riesen, Fankhauser & Bunke 2007; a bound like BMa of Chang et al., ICDE 2020.]  As everywhere
here the layers of the smaller graph all stay.  A state has mapped the first few of them, in an
order that keeps neighbors together; the best assignment of the others bounds what they can save.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heappop, heappush

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from assay.graphs._edit_graph import PreparedGraph

EXTRA = "torch"
Matrix = NDArray[np.int64]


def narrowed(
    a: PreparedGraph, b: PreparedGraph, upper: int, enough: int, most_expansions: int
) -> tuple[int, int]:
    """Lower and upper bound, given one that is known and how high the lower one need get.

    They are equal where the search ended before ``most_expansions`` states and below ``enough``.
    """
    states = _States(a, b)
    waiting: list[tuple[int, int, int, tuple[int, ...]]] = [(0, 0, 0, ())]
    expansions = made = 0
    while waiting and waiting[0][0] < upper:
        if expansions == most_expansions or waiting[0][0] >= enough:
            return waiting[0][0], upper
        *_, onto = heappop(waiting)
        expansions += 1
        for bound, place in states.after(onto, upper):
            if len(onto) + 1 == len(a):
                upper = min(upper, bound)
            else:
                made += 1
                heappush(waiting, (bound, -len(onto), made, (*onto, place)))
    return upper, upper


class _States:
    """Maps of the first layers of ``a``; ``onto`` (k) are the places of the first k in ``b``."""

    def __init__(self, a: PreparedGraph, b: PreparedGraph) -> None:
        order = _connected_order(a)
        self.total = len(b) + len(a.edges) + len(b.edges)
        self.ours: Matrix = _adjacency(a)[np.ix_(order, order)]
        self.theirs = _adjacency(b)
        self.same: Matrix = np.equal.outer(a.ops[order], b.ops).astype(np.int64)

    def after(self, onto: tuple[int, ...], below: int) -> Iterator[tuple[int, int]]:
        """Places for the next layer with the bounds that follow, those ``below`` a bound.

        With r layers after the next one and f free places, ``rest`` (f, r, f) is what each of
        the r could save at each place, for each place of the next one.  An edge to a mapped layer
        is known to be kept or not; of an edge between two others each end counts half.
        """
        k, images = len(onto), np.array(onto, np.intp)
        free = np.setdiff1d(np.arange(len(self.theirs)), images)
        taken, left = self.theirs[images], self.theirs[free][:, free]
        common = self.ours[:k, :k] * taken[:, images]  # both ways: 2 for an edge
        saved = self.same[np.arange(k), images].sum() + common.sum()
        known: Matrix = self.same[k:, free] + 2 * (self.ours[k:, :k] @ taken[:, free])
        inner = self.ours[k + 1 :, k + 1 :].sum(axis=1)
        other_inner = left.sum(axis=1) - left
        rest = known[1:] + 2 * self.ours[k + 1 :, k, None] * left[:, None]
        rest += np.minimum(inner[:, None], other_inner[:, None])
        every = np.arange(len(free))
        rest[every, :, every] = -4 * self.total  # where the next one is none other may be
        done = self.total - saved - known[0]
        at_least = done - rest.max(axis=2).sum(axis=1)
        for i in np.flatnonzero(at_least < below).tolist():
            chosen = linear_sum_assignment(rest[i], maximize=True)
            bound = int(done[i] - rest[i][chosen].sum())
            if bound < below:
                yield bound, int(free[i])


def _adjacency(graph: PreparedGraph) -> Matrix:
    matrix = np.zeros((len(graph), len(graph)), np.int64)
    matrix[graph.edges[:, 0], graph.edges[:, 1]] = 1
    return matrix + matrix.T


def _connected_order(graph: PreparedGraph) -> list[int]:
    """The layer with most edges first, then ever the one with most edges to those before it."""
    order: list[int] = []
    links = [0] * len(graph)
    left = set(range(len(graph)))
    while left:
        layer = min(left, key=lambda i: (-links[i], -graph.degrees[i], i))
        left.remove(layer)
        order.append(layer)
        for other in graph.neighbors[layer]:
            links[other] += 1
    return order
