"""HNN-Net: topology, category and quantization, learned together.

[Perceptual Hash of Neural Networks, Symmetry 2022, 14(4), 810, eqs. 6–9.]  Two readings of its
losses: as printed, and as resolved, where far pairs are free, the code has a topology loss of its
own and FC5 is batch-normalized.  Without the classification loss nothing printed trains the code,
and all models get the same one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from assay.hashers._arrays import DIGITS
from assay.trainers import NetworkTrainer
from assay.trainers._batches import Batch, GraphTensors
from assay.trainers._pairs import clipped, squared_distances
from assay.trainers._published import PublishedNetwork, tensors
from assay.values import LayerGraph

EXTRA = "torch"
TOPOLOGY = 10.0  # α
SPREAD = 3.0  # of the normalized logits: sigmoids neither flat nor saturated
CODE_BITS = 16  # distances of codes are counted as if codes had this length, whichever they have


@dataclass(frozen=True)
class HnnNet(NetworkTrainer):
    """L = α L_topo + β L_class + γ L_quant (eq. 6), α = 10."""

    bits: int = 64
    epochs: int = 200
    classification: float = 10.0  # β; 0 leaves the classifier out
    quantization: float = 0.2  # γ
    as_printed: bool = False

    @property
    def distances(self) -> Literal["capped", "whole", "none"]:
        return "capped" if self.as_printed else "whole"

    @property
    def classifies(self) -> bool:
        return self.classification > 0

    def network(self, vocabulary: tuple[str, ...], categories: tuple[str, ...]) -> nn.Module:
        return PublishedNetwork(
            len(vocabulary) + 1 + 2 * DIGITS,
            self.bits,
            len(categories) if self.classifies else 0,
            None if self.as_printed else SPREAD,
        )

    def tensors(self, graph: LayerGraph, vocabulary: tuple[str, ...]) -> GraphTensors:
        return tensors(graph, vocabulary, costs=True)

    def learning_rate(self, share: float) -> float:
        """1e-3 as printed; as resolved it falls to 0 in the second half."""
        return 1e-3 if self.as_printed else 1e-3 * min(1.0, 2 * (1 - share))

    def weights(self, network: nn.Module) -> dict[str, NDArray[np.float32]]:
        assert isinstance(network, PublishedNetwork)
        return network.folded()

    def losses(self, network: nn.Module, batch: Batch) -> dict[str, Tensor]:
        assert isinstance(network, PublishedNetwork)
        embeddings, logits = network(batch.graphs)
        codes = torch.sigmoid(logits)  # eq. 9's ½ asks for activations in 0 … 1
        # min(GED, R) of eq. 7, with R = 11 as GHashing's; the upper bound where GED is not known.
        labels = batch.upper.clamp(max=self.limit)
        if self.as_printed:
            terms = self._printed(embeddings, codes, labels)
        else:
            terms = self._resolved(embeddings, codes, labels, batch)
        if self.classifies:
            # Eq. 8 sums over the two of a pair: twice the mean of all.
            error = functional.cross_entropy(network.scores(codes), batch.categories)
            terms["classification"] = 2 * self.classification * error
        return terms

    def _printed(self, embeddings: Tensor, codes: Tensor, labels: Tensor) -> dict[str, Tensor]:
        pairs = torch.triu_indices(len(labels), len(labels), 1)
        errors = (squared_distances(embeddings) - labels)[pairs[0], pairs[1]]
        return {
            "topology": TOPOLOGY * errors.square().mean(),  # eq. 7
            "quantization": -2 * self.quantization * (codes - 0.5).abs().sum(1).mean(),  # eq. 9
        }

    def _resolved(
        self, embeddings: Tensor, codes: Tensor, labels: Tensor, batch: Batch
    ) -> dict[str, Tensor]:
        near = clipped(squared_distances(embeddings), self.limit)  # pairs past R are free
        return {
            "topology": TOPOLOGY * (near - labels).square().mean(),
            "code": self._code(codes, batch),
            "quantization": -2 * self.quantization * (codes - 0.5).abs().mean(),  # mean over bits
        }

    def _code(self, codes: Tensor, batch: Batch) -> Tensor:
        """The share of bits that differ follows the share of layers and edges that do, up to ½.

        Within a category codes may be nearer than that, so that it stays together; codes of
        different categories may be further apart.  Without categories neither is free.
        """
        apart = clipped(squared_distances(codes) / self.bits, 0.5)
        errors = apart - (batch.upper / batch.scale.clamp(min=1)).clamp(max=0.5)
        if self.classifies:
            alike = batch.categories[:, None] == batch.categories[None, :]
            errors = torch.where(alike, errors.clamp(min=0), errors.clamp(max=0))
        return (CODE_BITS * errors).square().mean()
