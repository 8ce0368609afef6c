"""Searches that start from a map between two graphs' layers and end with one that saves more.

Maps are those of ``_edit_maps``.  Both searches are deterministic and bounded in time.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.sparse import csr_array

from assay.graphs._edit_graph import Indices, PreparedGraph
from assay.graphs._edit_maps import cost

EXTRA = "torch"
Matrix = NDArray[np.float64]
PARTS = 4  # a step is so many quarters of the way: sums of them are exact on every machine
MOST_STEPS = 8
MOST_WORK = 2**19  # pairs of neighbors that a local search looks at


def projected(a: PreparedGraph, b: PreparedGraph, place: Indices) -> Indices:
    """Integer projected fixed point [Leordeanu et al. 2009; Bougleux et al. 2017].

    Frank–Wolfe on the relaxed map X (n1, n2): what X saves is ⟨S, X⟩ + ⟨A X B, X⟩, with S where
    operators are equal; the gradient's best assignment is the direction of the next step.  The
    best map met on the way is returned, ``place`` where none is better.
    """
    same = np.equal.outer(a.ops, b.ops).astype(np.float64)
    ours, theirs = _adjacency(a), _adjacency(b)
    relaxed = np.zeros(same.shape)
    relaxed[np.arange(len(a)), place] = 1
    moved = (theirs @ (ours @ relaxed).T).T
    maps = [place]
    for _ in range(MOST_STEPS):
        gradient = same + 2 * moved
        maps.append(_assigned(gradient))
        way = -relaxed
        way[np.arange(len(a)), maps[-1]] += 1
        way_moved = (theirs @ (ours @ way).T).T
        slope, bend = float((gradient * way).sum()), float((way_moved * way).sum())
        if slope <= 0:
            break
        share = 1.0 if 2 * bend >= -slope else slope / (-2 * bend)
        share = max(round(share * PARTS), 1) / PARTS
        relaxed += share * way
        moved += share * way_moved
    maps.append(_assigned(relaxed))
    return min(maps, key=lambda found: cost(a, b, found))


def _assigned(worth: Matrix) -> Indices:
    return np.asarray(linear_sum_assignment(worth, maximize=True)[1], np.intp)


def _adjacency(graph: PreparedGraph) -> csr_array:
    ends = np.concatenate([graph.edges, graph.edges[:, ::-1]]).T
    return csr_array((np.ones(ends.shape[1]), tuple(ends)), shape=(len(graph), len(graph)))


def improved(a: PreparedGraph, b: PreparedGraph, place: Indices) -> Indices:
    """Local search: a layer moves next to where its neighbors are, another takes its old place.

    Ends when no such move saves an edit, or after looking at MOST_WORK pairs of neighbors.
    """
    return _Swaps(a, b, place).searched()


class _Swaps:
    """A map under local search: ``onto`` (n1) the places, ``back`` (n2) who is there, or -1."""

    def __init__(self, a: PreparedGraph, b: PreparedGraph, place: Indices) -> None:
        self.onto: list[int] = place.tolist()
        self.back = [-1] * len(b)
        for layer, at in enumerate(self.onto):
            self.back[at] = layer
        self.ops: list[int] = a.ops.tolist()
        self.other_ops: list[int] = b.ops.tolist()
        self.neighbors, self.other_neighbors = a.neighbors, b.neighbors
        self.adjacent = [frozenset(others) for others in b.neighbors]
        self.work = 0

    def searched(self) -> Indices:
        waiting = list(range(len(self.onto)))[::-1]
        queued = [True] * len(waiting)
        while waiting and self.work < MOST_WORK:
            layer = waiting.pop()
            queued[layer] = False
            at = self._best_move(layer)
            if at is None:
                continue
            for moved in self._swapped(layer, at):
                for other in (moved, *self.neighbors[moved]):
                    if not queued[other]:
                        queued[other] = True
                        waiting.append(other)
        return np.array(self.onto, np.intp)

    def _best_move(self, layer: int) -> int | None:
        """The place whose swap with the layer's own saves most; None where none saves."""
        old = self.onto[layer]
        near: Counter[int] = Counter()
        for neighbor in self.neighbors[layer]:
            near.update(self.other_neighbors[self.onto[neighbor]])
        self.work += near.total() + 1
        now = self._saved(layer, old)
        most, best = 0, None
        for at, edges in near.items():
            # where the layer would lose two or more, only the other can gain: in its own turn
            if at == old or 2 * edges + (self.ops[layer] == self.other_ops[at]) <= now - 2:
                continue
            other = self.back[at]
            saves = self._saved(layer, at, other) - self._saved(layer, old, other)
            if other >= 0:
                saves += self._saved(other, old, layer) - self._saved(other, at, layer)
            if saves > most:
                most, best = saves, at
        return best

    def _saved(self, layer: int, at: int, without: int = -1) -> int:
        """What a layer saves at a place, but for its edge to the layer ``without``."""
        self.work += len(self.neighbors[layer])
        adjacent = self.adjacent[at]
        edges = sum(
            self.onto[other] in adjacent for other in self.neighbors[layer] if other != without
        )
        return 2 * edges + (self.ops[layer] == self.other_ops[at])

    def _swapped(self, layer: int, at: int) -> list[int]:
        """Swaps, and says which layers moved."""
        old, other = self.onto[layer], self.back[at]
        self.onto[layer], self.back[at], self.back[old] = at, layer, other
        if other < 0:
            return [layer]
        self.onto[other] = old
        return [layer, other]
