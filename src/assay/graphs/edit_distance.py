"""How many edits make one layer graph of another: bounds of the graph edit distance, often exact.

[Uniform costs, as in HNN-Net, Definition 2, and GHashing.]  To insert, delete or relabel a layer,
or to insert or delete an edge, is one edit; a layer's label is its operator; edges are undirected
and simple.  The distance is NP-hard, so it is bracketed: an assignment of layers bounds it from
below, maps of layers that were searched for bound it from above; small graphs are solved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from assay.graphs._edit_bounds import LARGEST, branch_bound, label_bound
from assay.graphs._edit_graph import Indices, PreparedGraph
from assay.graphs._edit_maps import aligned, completed, cost, grown, matched_in_order
from assay.graphs._edit_search import improved, projected
from assay.graphs._exact_distance import narrowed
from assay.values import LayerGraph

__all__ = ["CAP", "EditDistance", "PreparedGraph", "edit_distance"]

EXTRA = "torch"
CAP = 11  # R of HNN-Net's equation 7: not printed there, 11 in GHashing's code
MOST_EXPANSIONS = 5_000  # states of the exact search
MOST_PROJECTED = 2**19  # pairs of layers up to which the search by projection is worth its time


@dataclass(frozen=True, slots=True)
class EditDistance:
    """What is known of the distance of two graphs: lower ≤ distance ≤ upper."""

    lower: int  # edits that are surely needed
    upper: int  # edits that surely suffice
    size: int  # layers and edges of both graphs: as many edits always suffice

    @property
    def exact(self) -> bool:
        """Whether the distance is known."""
        return self.lower == self.upper

    @property
    def normalized(self) -> tuple[float, float]:
        """Both bounds as shares of the size, 0 … 1; 0 for two empty graphs."""
        return (self.lower / self.size, self.upper / self.size) if self.size else (0.0, 0.0)

    def capped(self, limit: int = CAP) -> int:
        """min(distance, R) [HNN-Net, eq. 7]; min(upper, R) where the bounds leave it open."""
        return min(self.upper, limit)

    def undecided(self, limit: int = CAP) -> bool:
        """Whether the bounds leave min(distance, R) open."""
        return min(self.lower, limit) != min(self.upper, limit)


def edit_distance(
    a: LayerGraph | PreparedGraph,
    b: LayerGraph | PreparedGraph,
    *,
    lineage: Sequence[int] | None = None,
    limit: int | None = None,
    exact_up_to: int = 10,
) -> EditDistance:
    """Bounds of the edit distance of two graphs; the same whichever of the two is named first.

    Args:
        a: A graph of n1 layers, prepared where it is compared more than once.
        b: A graph of n2 layers.
        lineage: (n1) the layer of ``b`` that each of ``a`` is known to be, or -1: one more map to
            start from.
        limit: It is enough to know that the distance is no less: the search ends there.
        exact_up_to: Layers of the larger graph up to which the distance is searched exactly.

    Raises:
        ValueError: ``lineage`` is no map from the layers of ``a`` to distinct layers of ``b``.
    """
    a, b = (g if isinstance(g, PreparedGraph) else PreparedGraph.of(g) for g in (a, b))
    known = np.full(len(a), -1) if lineage is None else _checked(lineage, len(a), len(b))
    if _rank(b) < _rank(a):  # maps lead from the smaller graph to the larger
        a, b, known = b, a, _inverse(known, len(b))
    size = a.size + b.size
    if not len(a):
        return EditDistance(size, size, size)
    lower = label_bound(a, b)
    if limit is None or lower < limit:
        lower = max(lower, branch_bound(a, b))
    if limit is not None and lower >= limit:
        return EditDistance(lower, cost(a, b, matched_in_order(a, b, known)), size)
    upper = _searched(a, b, known, lower)
    if lower < upper and len(b) <= exact_up_to:
        enough = upper if limit is None else limit
        found, upper = narrowed(a, b, upper, enough, MOST_EXPANSIONS)
        lower = max(lower, found)
    return EditDistance(lower, upper, size)


def _searched(a: PreparedGraph, b: PreparedGraph, known: Indices, lower: int) -> int:
    """The edits of the best map that is found; the search ends where they are ``lower``."""
    best = matched_in_order(a, b, known)
    upper = cost(a, b, best)
    for start in _starts(a, b, known):
        place = improved(a, b, start(best))
        edits = cost(a, b, place)
        if edits < upper:
            best, upper = place, edits
        if upper == lower:
            break
    return upper


def _starts(
    a: PreparedGraph, b: PreparedGraph, known: Indices
) -> Iterator[Callable[[Indices], Indices]]:
    """Maps to start a local search from, each made of the best map so far."""
    if len(a) * len(b) > LARGEST:
        yield lambda best: best
        return
    if (known >= 0).any():
        yield lambda _: completed(a, b, known)
    yield lambda _: aligned(a, b)
    yield lambda _: grown(a, b)
    if len(a) * len(b) <= MOST_PROJECTED:
        yield lambda best: projected(a, b, best)


def _checked(lineage: Sequence[int], n: int, others: int) -> Indices:
    place = np.asarray(lineage, np.intp)
    known = place[place >= 0]
    if place.shape != (n,) or len(set(known.tolist())) != len(known) or (known >= others).any():
        raise ValueError(f"lineage is no map of {n} layers to distinct ones of {others}")
    return place


def _rank(graph: PreparedGraph) -> tuple[int, int, bytes, bytes]:
    return len(graph), len(graph.edges), graph.ops.tobytes(), graph.edges.tobytes()


def _inverse(place: Indices, others: int) -> Indices:
    result = np.full(others, -1)
    known = np.flatnonzero(place >= 0)
    result[place[known]] = known
    return result
