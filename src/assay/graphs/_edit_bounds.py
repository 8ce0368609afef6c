"""Lower bounds of the graph edit distance, at uniform costs.

With n1 ≤ n2 layers some cheapest edit path keeps all n1: to relabel costs less than to delete and
insert.  So the distance is n2 + m1 + m2 less the most that a one-to-one map of the n1 layers into
the n2 can save: 1 for a layer on its own operator, 2 for an edge on an edge.  A bound is what no
map can save more than.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from assay.graphs._edit_graph import PreparedGraph

EXTRA = "torch"
LARGEST = 2**22  # pairs of layers that are held in a matrix


def label_bound(a: PreparedGraph, b: PreparedGraph) -> int:
    """Edits that the counts of operators and edges alone ask for, in time n1 + n2."""
    same = (Counter(a.ops.tolist()) & Counter(b.ops.tolist())).total()
    return max(len(a), len(b)) - same + abs(len(a.edges) - len(b.edges))


def branch_bound(a: PreparedGraph, b: PreparedGraph) -> int:
    """The assignment bound on layers with their degrees [BRANCH; Blumenthal & Gamper 2018].

    A layer of degree d on one of degree e keeps at most min(d, e) edges, each of which has two
    ends: the best assignment of [same operator] + min(d, e) is the most that a map can save.
    Layers alike in both are first matched with each other, which some best assignment does too
    (swap partners: neither term can lose by it); few are left for the cubic step.  The label
    bound where they are too many.
    """
    ours = Counter(zip(a.ops.tolist(), a.degrees.tolist(), strict=True))
    theirs = Counter(zip(b.ops.tolist(), b.degrees.tolist(), strict=True))
    alike = ours & theirs
    saved: int = sum((1 + degree) * count for (_, degree), count in alike.items())
    rest, others = list((ours - alike).elements()), list((theirs - alike).elements())
    if len(rest) * len(others) > LARGEST:
        return label_bound(a, b)
    if rest and others:
        (ops, degrees), (other_ops, other_degrees) = map(_columns, (rest, others))
        saves = np.minimum.outer(degrees, other_degrees) + np.equal.outer(ops, other_ops)
        saved += int(saves[linear_sum_assignment(saves, maximize=True)].sum())
    return max(len(a), len(b)) + len(a.edges) + len(b.edges) - saved


def _columns(pairs: list[tuple[int, int]]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    return np.array([op for op, _ in pairs], np.uint64), np.array([d for _, d in pairs], np.int64)
