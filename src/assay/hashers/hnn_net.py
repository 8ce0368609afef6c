"""HNN-Net: a graph network that hashes the operators of a model, their costs and their order.

[Perceptual Hash of Neural Networks, Symmetry 2022, 14(4), 810.]  Trained on topology, category and
quantization at once; it also names the category that it takes the model for.
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
class HnnNet(LearnedHasher):
    """64 bits, or those of a network of one's own of FC5; the embedding is FC3's, 256 numbers."""

    def shapes(self, network: HashNetwork) -> dict[str, tuple[int, ...]]:
        return shapes(network, costs=True)

    def run(self, graph: LayerGraph, network: HashNetwork, weights: Mapping[str, Floats]) -> Output:
        return run(weights, arrays(graph, network.vocabulary), costs=True)
