"""Maps between the layers of two graphs that save many edits, each an upper bound of the distance.

Of two graphs the first has at most as many layers as the second.  A map, (n1) indices of distinct
layers of the second, leaves none of its layers out: see ``_edit_bounds``.  While it is made, -1
stands for a layer that has no place yet.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from heapq import heappop, heappush

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from assay.graphs._edit_bounds import LARGEST
from assay.graphs._edit_graph import Indices, PreparedGraph

EXTRA = "torch"
MOST_PAIRS = 2**18  # of neighbors that a growing map looks at


def cost(a: PreparedGraph, b: PreparedGraph, place: Indices) -> int:
    """Edits that the map ``place`` (n1) asks for: n2 + m1 + m2 less what it saves."""
    kept = int(np.count_nonzero(a.ops == b.ops[place]))
    ends = np.sort(place[a.edges], axis=1)
    common = int(np.count_nonzero(np.isin(ends @ [len(b), 1], b.edges @ [len(b), 1])))
    return len(b) + len(a.edges) + len(b.edges) - kept - 2 * common


def likeness(a: PreparedGraph, b: PreparedGraph) -> NDArray[np.int32]:
    """Scores (n1, n2): 2 for equal operators and 1 for each equal color."""
    scores = 2 * np.equal.outer(a.ops, b.ops).astype(np.int32)
    for ours, theirs in zip(a.colors, b.colors, strict=True):
        scores += np.equal.outer(ours, theirs)
    return scores


def aligned(a: PreparedGraph, b: PreparedGraph) -> Indices:
    """Layers in topological order aligned as two sequences [Needleman & Wunsch 1970].

    A pair scores its likeness; gaps are free, so a row of the table is a running maximum.
    """
    scores = likeness(a, b)[np.ix_(a.order, b.order)]
    best = np.zeros((len(a) + 1, len(b) + 1), scores.dtype)
    for i, row in enumerate(scores):
        np.add(best[i, :-1], row, out=best[i + 1, 1:])
        np.maximum(best[i + 1, 1:], best[i, 1:], out=best[i + 1, 1:])
        np.maximum.accumulate(best[i + 1], out=best[i + 1])
    place = np.full(len(a), -1, np.intp)
    i, j = len(a), len(b)
    while i and j:
        here = best.item(i, j)
        if best.item(i - 1, j - 1) + scores.item(i - 1, j - 1) == here:
            i, j = i - 1, j - 1
            place[a.order[i]] = b.order[j]
        elif best.item(i - 1, j) == here:
            i -= 1
        else:
            j -= 1
    return completed(a, b, place)


def grown(a: PreparedGraph, b: PreparedGraph) -> Indices:
    """Pairs of layers taken greedily, those next to earlier ones first [neighbor-biased mapping].

    A pair's worth is its likeness, less how far apart the two stand in their graphs' order, and 2
    for each pair of neighbors already taken.  Needs no common order of the graphs' parts.
    """
    ours, theirs = (np.argsort(graph.order) / len(graph) for graph in (a, b))
    like = likeness(a, b)
    worth = like - np.abs(np.subtract.outer(ours, theirs))
    seeds = np.argsort(-worth, axis=None, kind="stable")
    place, taken = [-1] * len(a), [False] * len(b)
    near: list[tuple[float, int, int]] = []
    edges: Counter[tuple[int, int]] = Counter()
    left, seed, pairs = len(a), 0, 0
    while left:
        if near:
            _, layer, at = heappop(near)
        else:
            layer, at = divmod(seeds.item(seed), len(b))
            seed += 1
        if place[layer] >= 0 or taken[at]:
            continue
        place[layer], taken[at] = at, True
        left -= 1
        free = [y for y in b.neighbors[at] if not taken[y]]
        open_ones = [x for x in a.neighbors[layer] if place[x] < 0]
        pairs += len(free) * len(open_ones)
        if pairs > MOST_PAIRS:
            continue
        for x in open_ones:
            for y in free:
                if like.item(x, y) >= 2:  # the same operator
                    edges[x, y] += 1
                    heappush(near, (-worth.item(x, y) - 2 * edges[x, y], x, y))
    return np.array(place, np.intp)


def completed(a: PreparedGraph, b: PreparedGraph, place: Indices) -> Indices:
    """The map with its layers at -1 placed where, as the others stand, they save most."""
    rows = np.flatnonzero(place < 0)
    columns = np.setdiff1d(np.arange(len(b)), place)
    if not len(rows) or len(rows) * len(columns) > LARGEST:
        return matched_in_order(a, b, place)
    saves = np.equal.outer(a.ops[rows], b.ops[columns]).astype(np.int64)
    column_of = {column: k for k, column in enumerate(columns.tolist())}
    for row, saved in zip(rows.tolist(), saves, strict=True):
        for other in a.neighbors[row]:
            if place[other] >= 0:
                for column in b.neighbors[place[other]]:
                    if column in column_of:
                        saved[column_of[column]] += 2
    result = place.copy()
    chosen, onto = linear_sum_assignment(saves, maximize=True)
    result[rows[chosen]] = columns[onto]
    return result


def matched_in_order(a: PreparedGraph, b: PreparedGraph, place: Indices) -> Indices:
    """The map with its layers at -1 on the next free one of their operator, then on any left.

    In linear time, for graphs too large for a matrix.
    """
    result, taken = place.copy(), np.zeros(len(b), bool)
    taken[place[place >= 0]] = True
    free: defaultdict[int, list[int]] = defaultdict(list)
    for at in b.order[~taken[b.order]][::-1].tolist():
        free[b.ops.item(at)].append(at)
    for layer in a.order[place[a.order] < 0].tolist():
        if free[a.ops.item(layer)]:
            result[layer] = free[a.ops.item(layer)].pop()
            taken[result[layer]] = True
    rows = a.order[result[a.order] < 0]
    result[rows] = b.order[~taken[b.order]][: len(rows)]
    return result
