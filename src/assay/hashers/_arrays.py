"""A layer graph as the arrays that a hash network reads, in an order that is the graph's own.

[HNN-Net, eqs. 1–3.]  Operators, digits of MACs and digits of parameters become indices; edges,
without direction, the normalized adjacency of a graph convolution [Kipf & Welling, ICLR 2017].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assay.graphs.neighborhoods import digits, places
from assay.values import LayerGraph

DIGITS = 11  # values of ``digits``: 0 … 10
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class GraphArrays:
    """n layers; Â = D^-½ (A + I) D^-½ in compressed rows, its entries ordered by row and column."""

    ops: Ints  # (n) index into the vocabulary; its length for an operator that is not in it
    macs: Ints  # (n) decimal digits, 0 … 10
    parameters: Ints  # (n) decimal digits, 0 … 10
    starts: Ints  # (n + 1) where each row begins
    columns: Ints  # (nnz)
    weights: Floats  # (nnz)

    def __len__(self) -> int:
        return len(self.ops)


def arrays(graph: LayerGraph, vocabulary: Sequence[str], *, as_listed: bool = False) -> GraphArrays:
    """``graph`` in canonical order: sums over its layers come out the same for any listing.

    ``as_listed`` leaves the order as it is, which is quicker, and good enough for training.
    """
    order, place = listing(graph, as_listed)
    index = {op: i for i, op in enumerate(vocabulary)}
    layers = [graph.layers[old] for old in order]
    edges = np.array([(place[a], place[b]) for a, b in graph.edges], np.int64).reshape(-1, 2)
    starts, columns, weights = adjacency(len(layers), edges)
    return GraphArrays(
        np.array([index.get(layer.op, len(index)) for layer in layers], np.int64),
        np.array([digits(layer.macs) for layer in layers], np.int64),
        np.array([digits(layer.parameters) for layer in layers], np.int64),
        starts,
        columns,
        weights,
    )


def listing(graph: LayerGraph, as_listed: bool) -> tuple[list[int], dict[int, int]]:
    """The layers in an order of their own, or as they are; and where each of them is in it."""
    order = list(range(len(graph.layers)))
    if not as_listed:
        order.sort(key=places(graph).__getitem__)
    return order, {old: new for new, old in enumerate(order)}


def softmax(scores: Floats) -> Floats:
    """Probabilities that rise with the scores."""
    likely = np.exp(scores - scores.max())
    result: Floats = likely / likely.sum()
    return result


def adjacency(n: int, edges: Ints) -> tuple[Ints, Ints, Floats]:
    """Â of an undirected simple graph with self loops: row starts, columns, weights.

    ``edges`` (e, 2) may list an edge twice or both ways; it counts once.
    """
    loops = np.repeat(np.arange(n), 2).reshape(-1, 2)
    both = np.concatenate([loops, edges, edges[:, ::-1]])
    flat = np.unique(both[:, 0] * n + both[:, 1])
    rows, columns = np.divmod(flat, max(n, 1))
    degrees = np.bincount(rows, minlength=n)  # with the self loop
    starts = np.concatenate([[0], np.cumsum(degrees)])
    return starts, columns, 1 / np.sqrt(degrees[rows] * degrees[columns])
