"""A layer graph made ready to be compared many times: arrays of what the edit distance looks at.

Edges are undirected and simple, as in [HNN-Net, Definition 2]; direction only serves to order
and to color the layers, so it may help to find a good map but cannot change the distance.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from assay.graphs.running_order import neighbors, running_order
from assay.values import LayerGraph

ROUNDS = 3
_FACTOR = np.uint64(0x9E3779B97F4A7C15)  # splitmix64's
_SHIFT = np.uint64(29)

Labels = NDArray[np.uint64]
Indices = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class PreparedGraph:
    """A layer graph's n layers and its m edges, undirected, without loops and parallels."""

    ops: Labels  # (n) equal where the operators are
    colors: Labels  # (2 · ROUNDS, n) of what a layer reads within 1, 2 … edges, and its readers
    order: Indices  # (n) sources first; on cycles as listed
    degrees: Indices  # (n)
    edges: Indices  # (m, 2) smaller end first, sorted
    neighbors: tuple[tuple[int, ...], ...]  # (n)

    @classmethod
    def of(cls, graph: LayerGraph) -> PreparedGraph:
        """Prepares a graph, in time linear in its size but for a sort."""
        n = len(graph.layers)
        hashes = {layer.op: _hash(layer.op) for layer in graph.layers}
        ops = np.array([hashes[layer.op] for layer in graph.layers], np.uint64)
        directed = sorted({(a, b) for a, b in graph.edges if a != b})
        simple = sorted({(min(edge), max(edge)) for edge in directed})
        around: list[list[int]] = [[] for _ in range(n)]
        for a, b in simple:
            around[a].append(b)
            around[b].append(a)
        ends = np.array(directed, np.intp).reshape(-1, 2)
        return cls(
            ops,
            np.concatenate([_colors(ops, ends), _colors(ops, ends[:, ::-1])]),
            np.array(running_order(*neighbors(graph)), np.intp),
            np.array([len(others) for others in around], np.intp),
            np.array(simple, np.intp).reshape(-1, 2),
            tuple(map(tuple, around)),
        )

    def __len__(self) -> int:
        """Layers."""
        return len(self.ops)

    @property
    def size(self) -> int:
        """Layers and edges: what it costs to make the graph from nothing."""
        return len(self.ops) + len(self.edges)


def _hash(op: str) -> int:
    return int.from_bytes(blake2b(op.encode(), digest_size=8).digest())


def _mixed(labels: Labels) -> Labels:
    labels = (labels ^ (labels >> _SHIFT)) * _FACTOR
    return labels ^ (labels >> _SHIFT)


def _colors(ops: Labels, ends: Indices) -> Labels:
    """Weisfeiler–Lehman labels (ROUNDS, n) that follow the edges one way only.

    So a changed layer spoils the colors on one side of it and leaves the others.
    """
    colors, rounds = ops, []
    for _ in range(ROUNDS):
        reached = np.zeros_like(colors)
        np.add.at(reached, ends[:, 1], _mixed(colors)[ends[:, 0]])  # a sum: in any order
        colors = _mixed(colors * _FACTOR + reached)
        rounds.append(colors)
    return np.array(rounds)
