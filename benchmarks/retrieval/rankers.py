"""What ranks a database of layer graphs by a query: hash codes, and rivals that are none."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from assay.graphs.neighborhoods import rounds
from assay.graphs.parts import part_graph, parts
from assay.hashers import HASHERS, Hasher
from assay.values import LayerGraph
from assay.zoo.retrieval import hamming

Distances = NDArray[Any]


class Ranker(ABC):
    """Distances of q queries to a database of d graphs: (q, d)."""

    bits: int | None = None  # of a code; None: it keeps more than that

    @abstractmethod
    def features(self, graphs: Sequence[LayerGraph]) -> Any:
        """What is kept of graphs."""

    @abstractmethod
    def distances(self, queries: Any, database: Any) -> Distances:
        """Of what is kept of them."""


@dataclass(frozen=True)
class Codes(Ranker):
    """Hamming distances of a hasher's codes."""

    hasher: Hasher
    bits: int

    def features(self, graphs: Sequence[LayerGraph]) -> NDArray[np.bool_]:
        codes = np.array([list(self.hasher.digest(graph)) for graph in graphs], np.uint8)
        return np.unpackbits(codes, axis=1).astype(bool)

    def distances(self, queries: Any, database: Any) -> Distances:
        return hamming(queries, database)


@dataclass(frozen=True)
class Parts(Ranker):
    """The least distance of any two parts, where a graph is kept as several."""

    whole: Ranker  # what keeps each part
    split: Callable[[LayerGraph], Sequence[LayerGraph]]  # one part at least; the graph may be one

    def features(self, graphs: Sequence[LayerGraph]) -> tuple[Any, NDArray[np.intp]]:
        """What is kept of all parts, and with which of them each graph begins."""
        parts = [self.split(graph) for graph in graphs]
        starts = np.cumsum([0, *map(len, parts)])[:-1]
        return self.whole.features([part for some in parts for part in some]), starts

    def distances(self, queries: Any, database: Any) -> Distances:
        (asked, asked_starts), (kept, kept_starts) = queries, database
        nearest = np.minimum.reduceat(self.whole.distances(asked, kept), kept_starts, axis=1)
        found: Distances = np.minimum.reduceat(nearest, asked_starts, axis=0)
        return found


@dataclass(frozen=True)
class LabelKernel(Ranker):
    """The Weisfeiler–Lehman kernel itself, nothing made binary [Shervashidze et al., JMLR 2011].

    The cosine of square roots of how often each label occurs, as the SimHash weighs them.
    """

    rounds: int = 2
    costs: bool = True  # labels have the digits of costs, not operators alone

    def features(self, graphs: Sequence[LayerGraph]) -> list[Counter[bytes]]:
        return [
            Counter(label for labels in rounds(graph, self.rounds, self.costs) for label in labels)
            for graph in graphs
        ]

    def distances(self, queries: Any, database: Any) -> Distances:
        index: dict[bytes, int] = {}
        for counts in (*queries, *database):
            for label in counts:
                index.setdefault(label, len(index))
        a, b = (_unit(rows, index) for rows in (queries, database))
        found: Distances = np.round(1 - (a @ b.T).toarray(), 9)  # equal ones shall be ties
        return found


@dataclass(frozen=True)
class Statistics(Ranker):
    """How large a graph is: logarithms of its multiply-adds, parameters, layers and depth."""

    def features(self, graphs: Sequence[LayerGraph]) -> NDArray[np.float64]:
        rows = [
            (graph.macs, graph.parameters, len(graph.layers), _depth(graph)) for graph in graphs
        ]
        return np.log1p(np.array(rows, np.float64).reshape(-1, 4))

    def distances(self, queries: Any, database: Any) -> Distances:
        squares = (np.asarray(queries)[:, None] - np.asarray(database)[None]) ** 2
        found: Distances = np.round(np.sqrt(squares.sum(2)), 9)
        return found


# Trained as the papers have it, on the 21 networks of HNN-Net's table, whichever side they are on.
PUBLISHED = [(name, HASHERS[name]) for name in ("hnn-net", "ghashing")]


def untrained() -> dict[str, Ranker]:
    """Those that nothing is learned for, by name."""
    simhash: Any = HASHERS["weisfeiler-lehman"]
    return {
        **{f"weisfeiler-lehman, {b} bits": Codes(simhash(bits=b), b) for b in (64, 128, 256)},
        "weisfeiler-lehman kernel": LabelKernel(),
        "weisfeiler-lehman kernel, operators alone": LabelKernel(costs=False),
        "shape statistics": Statistics(),
        **{f"{name}, as published": Codes(published(), 64) for name, published in PUBLISHED},
    }


def pieces(graph: LayerGraph) -> list[LayerGraph]:
    """A graph and its parts, for ``Parts``."""
    return [graph, *(part_graph(graph, part) for part in parts(graph))]


def _unit(rows: Sequence[Counter[bytes]], index: dict[bytes, int]) -> csr_array:
    places = [(i, index[label]) for i, counts in enumerate(rows) for label in counts]
    values = np.sqrt([count for counts in rows for count in counts.values()])
    norms = np.sqrt([max(counts.total(), 1) for counts in rows])
    where = np.array(places, np.intp).reshape(-1, 2).T
    return csr_array((values / norms[where[0]], tuple(where)), shape=(len(rows), len(index)))


def _depth(graph: LayerGraph) -> int:
    """Layers on the longest way; of graphs that are listed as they run."""
    depths = [1] * len(graph.layers)
    for source, target in sorted(graph.edges, key=lambda edge: edge[1]):
        depths[target] = max(depths[target], depths[source] + 1)
    return max(depths, default=0)
