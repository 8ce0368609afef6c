"""GHashing: a graph network whose Hamming distances follow the graph edit distance.

[Qin, Bai, Sun, GHashing: Semantic Graph Hashing for Approximate Similarity Search, KDD 2020.]
It sees the operators and how they are connected, not what they cost.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from assay.hashers._arrays import Floats, arrays
from assay.hashers._learned import LearnedHasher, Output
from assay.hashers._network_file import HashNetwork
from assay.hashers._published import run, shapes
from assay.values import LayerGraph


@dataclass(frozen=True)
class GHashing(LearnedHasher):
    """64 bits, or those of a network of one's own.

    Squared distances of embeddings follow the edit distance too.
    """

    def shapes(self, network: HashNetwork) -> dict[str, tuple[int, ...]]:
        return shapes(network, costs=False)

    def run(self, graph: LayerGraph, network: HashNetwork, weights: Mapping[str, Floats]) -> Output:
        return run(weights, arrays(graph, network.vocabulary), costs=False)
