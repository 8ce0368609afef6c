"""A graph isomorphism network, trained to tell what is left of one model from all others.

[Xu et al., GIN, ICLR 2019; Khosla et al., supervised contrastive learning, NeurIPS 2020; batch
normalization before the sign: Hoe et al., OrthoHash, NeurIPS 2021.]  Graphs of one model attract
each other, more weakly so do those of one category, and all others repel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from assay.graphs.merged_operators import merged_operators
from assay.graphs.mutations import delete_layers
from assay.hashers._layer_inputs import (
    CHANNELS,
    ELEMENTS,
    LAST,
    MACS,
    NUMBERS,
    PARAMETERS,
    SCALE,
    layer_inputs,
)
from assay.hashers.contrastive_gin import CONNECTED, EPSILON, ROUNDS, WHOLE, WIDTH
from assay.trainers import NetworkTrainer, Sample
from assay.trainers._batches import Batch, GraphTensors, Links, Packed
from assay.trainers._folding import folded
from assay.values import LayerGraph

EXTRA = "torch"
TEMPERATURE = 0.15
MOST_DELETED = 0.2  # share of a view's layers
RESIZED = 0.5  # most that a view's image sides are scaled, in powers of two


@dataclass(frozen=True)
class ContrastiveGin(NetworkTrainer):
    """Contrast of models + ``family`` · contrast of categories + ``classification`` · entropy."""

    bits: int = 64
    epochs: int = 100
    family: float = 0.3
    classification: float = 0.2  # 0 leaves the classifier out
    quantization: float = 0.1

    batch = 24

    @property
    def distances(self) -> Literal["capped", "whole", "none"]:
        return "none"

    @property
    def classifies(self) -> bool:
        return self.classification > 0

    def vocabulary(self, ops: set[str]) -> tuple[str, ...]:
        return tuple(sorted({part for op in ops for part in merged_operators(op)}))

    def network(self, vocabulary: tuple[str, ...], categories: tuple[str, ...]) -> nn.Module:
        inputs = len(vocabulary) + 1 + NUMBERS
        return Network(inputs, self.bits, len(categories) if self.classifies else 0)

    def tensors(self, graph: LayerGraph, vocabulary: tuple[str, ...]) -> GraphTensors:
        read = layer_inputs(graph, vocabulary, as_listed=True)
        ones = np.ones(len(read.sources))
        order = np.lexsort((read.targets, read.sources))
        return GraphTensors(
            torch.from_numpy(np.hstack([read.ops, read.numbers])).float(),
            (
                Links(read.targets, read.sources, ones),
                Links(read.sources[order], read.targets[order], ones),
            ),
        )

    def views(
        self, sample: Sample, vocabulary: tuple[str, ...], rng: np.random.Generator
    ) -> list[GraphTensors]:
        """What is left of the model when some layers are gone and its images have another size."""
        share = rng.uniform(0, MOST_DELETED)
        left, _ = delete_layers(sample.graph, share, rng, bridge=rng.random() < 0.5)
        return [_resized(self.tensors(left, vocabulary), rng)]

    def learning_rate(self, share: float) -> float:
        """Rises for a twentieth of the training, then falls to 0."""
        return 2e-3 * min(1.0, 20 * share + 0.05) * min(1.0, 1.25 * (1 - share))

    def weights(self, network: nn.Module) -> dict[str, NDArray[np.float32]]:
        assert isinstance(network, Network)
        return network.folded()

    def losses(self, network: nn.Module, batch: Batch) -> dict[str, Tensor]:
        assert isinstance(network, Network)
        embeddings, logits = network(batch.graphs)
        codes = torch.tanh(logits)
        models, categories = batch.models[batch.origins], batch.categories[batch.origins]
        terms = {
            "contrast": _contrast(codes, models),
            "family": self.family * _contrast(codes, categories),
            "quantization": self.quantization * (codes.abs() - 1).square().mean(),
        }
        if network.classifier is not None:
            scores = network.classifier(functional.relu(embeddings))
            error = functional.cross_entropy(scores, categories)
            terms["classification"] = self.classification * error
        return terms


class Network(nn.Module):
    """Three rounds of messages, pooled after each, then two connected layers and the code."""

    def __init__(self, inputs: int, bits: int, categories: int) -> None:
        super().__init__()
        self.inputs = nn.Linear(inputs, WIDTH)
        for number in range(ROUNDS):
            self.add_module(f"own{number}", nn.Linear(WIDTH, WIDTH))
            self.add_module(f"before{number}", nn.Linear(WIDTH, WIDTH, bias=False))
            self.add_module(f"behind{number}", nn.Linear(WIDTH, WIDTH, bias=False))
            self.add_module(f"out{number}", nn.Linear(WIDTH, WIDTH))
        self.fc1 = nn.Linear(2 * WIDTH * (ROUNDS + 1) + WHOLE, CONNECTED[0])
        self.fc2 = nn.Linear(*CONNECTED)
        self.code = nn.Linear(CONNECTED[-1], bits)
        self.normalization = nn.BatchNorm1d(bits, affine=False)
        self.classifier = nn.Linear(CONNECTED[-1], categories) if categories else None

    def forward(self, graphs: Packed) -> tuple[Tensor, Tensor]:
        """Embeddings (b, 128) and logits (b, bits)."""
        part = self.get_submodule
        state = self.inputs(graphs.inputs)
        pooled = [_pool(state, graphs.sizes)]
        for number in range(ROUNDS):
            heard = part(f"own{number}")(state)
            heard = heard + torch.sparse.mm(graphs.links[0], part(f"before{number}")(state))
            heard = heard + torch.sparse.mm(graphs.links[1], part(f"behind{number}")(state))
            normal = functional.layer_norm(heard, (WIDTH,), eps=EPSILON)
            state = state + part(f"out{number}")(functional.relu(normal))
            pooled.append(_pool(state, graphs.sizes))
        features = torch.cat([*pooled, _whole(graphs)], 1)
        embeddings = self.fc2(functional.relu(self.fc1(features)))
        return embeddings, self.normalization(self.code(functional.relu(embeddings)))

    def folded(self) -> dict[str, NDArray[np.float32]]:
        """The weights as the hasher runs them: the normalization is a part of the code's."""
        state = folded(self.state_dict(), "code", self.normalization.eps)
        return {name: value.float().numpy() for name, value in state.items()}


def _contrast(codes: Tensor, labels: Tensor) -> Tensor:
    """Supervised contrastive loss [Khosla et al., eq. 2] of codes (b, bits) with labels (b)."""
    codes = functional.normalize(codes)
    near = codes @ codes.T / TEMPERATURE
    itself = torch.eye(len(codes), dtype=torch.bool)
    near = near.masked_fill(itself, -torch.inf)
    chances = near - near.logsumexp(1, keepdim=True)
    alike = (labels[:, None] == labels[None, :]) & ~itself
    chances = chances.masked_fill(~alike, 0.0).sum(1) / alike.sum(1).clamp(min=1)
    return -chances[alike.any(1)].mean()


def _resized(graph: GraphTensors, rng: np.random.Generator) -> GraphTensors:
    """As if its images had another size: what grows with their sides is shifted."""
    step = SCALE * rng.uniform(-RESIZED, RESIZED)
    inputs = graph.inputs.clone()
    first = inputs.shape[1] - NUMBERS
    elements, last, channels = (inputs[:, first + c] for c in (ELEMENTS, LAST, CHANNELS))
    spatial = (last > 0) & (elements > last + channels + SCALE / 2)  # (1, c, h, w): h · w > w
    inputs[:, first + LAST] += step * spatial
    inputs[:, first + ELEMENTS] += 2 * step * spatial
    inputs[:, first + MACS] += 2 * step * (spatial & (inputs[:, first + MACS] > 0))
    return GraphTensors(inputs, graph.links)


def _pool(state: Tensor, sizes: list[int]) -> Tensor:
    parts = state.split(sizes)
    means = torch.stack([part.mean(0) for part in parts])
    sums = torch.stack([functional.relu(part).sum(0) for part in parts])
    return torch.cat([means, sums.log1p()], 1)


def _whole(graphs: Packed) -> Tensor:
    """How large each graph is: by layers, multiply-accumulates and parameters (b, 3)."""
    first = graphs.inputs.shape[1] - NUMBERS
    costs = 10 * graphs.inputs[:, [first + MACS, first + PARAMETERS]]
    totals = torch.stack([part.logsumexp(0) for part in costs.split(graphs.sizes)])
    layers = 10 / 3 * torch.tensor(graphs.sizes).log()
    return 0.1 * torch.cat([layers[:, None], totals], 1)
