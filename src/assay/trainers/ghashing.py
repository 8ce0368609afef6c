"""GHashing: codes whose Hamming distance follows the graph edit distance.

[Qin, Bai, Sun, GHashing: Semantic Graph Hashing for Approximate Similarity Search, KDD 2020.]
Edit distances are learned by the embedding and, less strictly, by the code itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from assay.graphs.mutations import edit_once
from assay.trainers import NetworkTrainer, Sample
from assay.trainers._batches import Batch, GraphTensors
from assay.trainers._pairs import clipped, rated_error, squared_distances
from assay.trainers._published import PublishedNetwork, tensors
from assay.values import LayerGraph

EXTRA = "torch"
EMBEDDING, QUANTIZATION = 10.0, 0.2
CODE_RATE = 0.05


@dataclass(frozen=True)
class GHashing(NetworkTrainer):
    """10 · MSE(embedding) + MSE(code) + 0.2 · mean |c² − ¼|, with codes in -½ … ½.

    Means are over the pairs; the authors divide the sum by all r² entries, of which they use 65 of
    100, so that quantization weighs 0.65 times as much here.
    """

    bits: int = 64
    epochs: int = 200  # as HNN-Net's, for equal footing; the authors stop when the loss does

    def network(self, vocabulary: tuple[str, ...], categories: tuple[str, ...]) -> nn.Module:
        return PublishedNetwork(len(vocabulary) + 1, self.bits)

    def tensors(self, graph: LayerGraph, vocabulary: tuple[str, ...]) -> GraphTensors:
        return tensors(graph, vocabulary, costs=False)

    def views(
        self, sample: Sample, vocabulary: tuple[str, ...], rng: np.random.Generator
    ) -> list[GraphTensors]:
        """A neighbor at one edit."""
        return [self.tensors(edit_once(sample.graph, vocabulary, rng), vocabulary)]

    def weights(self, network: nn.Module) -> dict[str, NDArray[np.float32]]:
        assert isinstance(network, PublishedNetwork)
        return network.folded()

    def losses(self, network: nn.Module, batch: Batch) -> dict[str, Tensor]:
        embeddings, logits = network(batch.graphs)
        codes = 0.5 * torch.tanh(logits)
        labels = torch.cat(
            [_triangle(batch.upper.clamp(max=self.limit)), torch.ones(len(batch.upper))]
        )
        return {
            "embedding": EMBEDDING * rated_error(_distances(embeddings, self.limit), labels, 0.0),
            "code": rated_error(_distances(codes, self.limit), labels, CODE_RATE),
            "quantization": QUANTIZATION * (codes.square() - 0.25).abs().mean(),
        }


def _distances(rows: Tensor, limit: float) -> Tensor:
    """Squared distances of all pairs of samples, each with itself too, and of sample and view."""
    samples, views = rows.chunk(2)
    apart = torch.cat([_triangle(squared_distances(samples)), (samples - views).square().sum(1)])
    return clipped(apart, limit)


def _triangle(square: Tensor) -> Tensor:
    """The upper triangle with the diagonal, as GHashing's code takes the pairs."""
    rows, columns = torch.triu_indices(len(square), len(square))
    return square[rows, columns]
