"""Weights that share a few values in each layer, found by k-means in one dimension.

[Han et al., Deep Compression, ICLR 2016.]  A layer keeps a codebook and for each weight an index
into it.  Tuning moves the codebook: which weight has which value stays, and a value's gradient is
the sum over its weights.  Zeros of a pruned model stay zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from assay.derivations import Derivation, Needs, Work
from assay.derivations._codebooks import Array, nearest, nearest_means, start_of, storage
from assay.running.modules import copy_of, matrices, untied
from assay.running.quantized import compute
from assay.training import Training

EXTRA = "torch"


@dataclass(frozen=True)
class Cluster(Derivation):
    """Replaces each layer's weights by a few shared values."""

    clusters: int = 16  # values of a layer, at most: 16 take 4 bits a weight
    start: Literal["linear", "density", "random"] = "linear"  # where k-means begins
    keep_zeros: bool = True  # weights that are zero stay zero, beside the clusters
    training: Training | None = None  # of values, biases and norms; adam: gradients add up

    def __post_init__(self) -> None:
        self.at_least("clusters", 2)
        self.one_of("start", ("linear", "density", "random"))

    @property
    def needs(self) -> Needs:
        return "nothing" if self.training is None else "labels"

    def run(self, work: Work) -> nn.Module:
        (child,) = work.parents
        found = untied(child)
        shared = copy_of(child)
        random = np.random.default_rng(work.seed)
        layers = matrices(shared)
        for layer, name in layers.values():
            self._share(layer, name, random)
        if self.training is not None:
            work.train(shared, work.examples, self.training, stage="tuning shared values")
        child.load_state_dict(shared.state_dict(), strict=False)  # biases and normalization
        weights = {path: getattr(layer, name).detach() for path, (layer, name) in layers.items()}
        for path, (layer, name) in found.items():
            getattr(layer, name).data.copy_(weights[path])
        work.notes |= storage(weights, keep_zeros=self.keep_zeros)
        return child

    def _share(self, layer: nn.Module, name: str, random: np.random.Generator) -> None:
        """From now on the layer holds its codebook, and its weight is looked up in that."""
        weight = getattr(layer, name).detach()
        flat = weight.double().flatten().numpy(force=True)
        is_free = flat != 0 if self.keep_zeros else np.ones(len(flat), bool)
        values = flat[is_free]
        centers = nearest_means(values, self._begin(values, random)) if len(values) else values
        indices = np.zeros(len(flat), np.int64)  # 0: a zero that stays
        indices[is_free] = 1 + nearest(values, centers)
        codebook = nn.Parameter(torch.from_numpy(centers).to(weight))
        shared = Shared(torch.from_numpy(indices).to(weight.device).view(weight.shape))
        compute(layer, name, codebook, shared)

    def _begin(self, values: Array, random: np.random.Generator) -> Array:
        """(k ≤ clusters,), ascending; some of the values, so that no cluster begins empty."""
        if self.start != "random":
            return start_of(values, self.clusters, self.start)
        distinct = np.unique(values)
        return np.sort(random.choice(distinct, min(self.clusters, len(distinct)), replace=False))


class Shared(nn.Module):
    """A codebook's values (k,) by index (…): 0 is zero, 1 its first."""

    def __init__(self, indices: Tensor) -> None:
        super().__init__()
        self.register_buffer("indices", indices)

    def forward(self, codebook: Tensor) -> Tensor:
        values = torch.cat([codebook.new_zeros(1), codebook])
        return values.index_select(0, self.indices.flatten()).view(self.indices.shape)
