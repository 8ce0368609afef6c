"""Slices of a module's kernels: ranked, and replaced by zeros or by noise.

A slice w[o, i] of a weight (o, i, …) is what leads from one input channel to one output channel.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from assay.errors import BadOption, UnfitModel
from assay.licenses import Work
from assay.licenses._channels import settle
from assay.licenses._gates import Gates
from assay.running.modules import CONVOLUTIONS, copy_of, seed_of, untied, weighted
from assay.running.tensors import tensor_of
from assay.values import Json

EXTRA = "torch"
_STATISTICS = 512  # examples that running statistics are taken of
_LEARNED = 4_096  # examples that gates learn from
_SEEN = 2  # slices of a layer that stay, at the least: a deviation needs two

Scores = NDArray[np.float32]
Ranks = NDArray[np.intp]
Select = Literal["gates", "magnitude", "smallest", "average", "random"]


class Slices:
    """The slices of a model that may be encrypted, most important first, those of all layers alike.

    A slice is told by its number in rank.
    """

    def __init__(self, work: Work, select: Select, layers: tuple[int, ...], gates: Gates) -> None:
        """Rank them.  Raises UnfitModel, and BadOption where there is no such layer."""
        self.work, self.tried = work, copy_of(work.module)
        self.weights, self.noise = dict[str, Tensor](), dict[str, Tensor]()
        ranked = []
        for place, name in enumerate(_chosen(work.module, layers)):
            weight = tensor_of(work.module, name).detach()
            self.weights[name] = flat = weight.reshape(weight.shape[0] * weight.shape[1], -1)
            generator = torch.Generator().manual_seed(seed_of(work.seed, "noise", name))
            self.noise[name] = torch.randn(flat.shape, generator=generator)
            order = np.argsort(-self._scores(name, select, gates), kind="stable")
            first = order[: max(0, len(order) - _SEEN)]
            ranked.append((np.arange(len(first)) / len(order), np.full(len(first), place), first))
        shares, places, rows = map(np.concatenate, zip(*ranked, strict=True))
        order = np.lexsort((places, shares))
        self.share, self.place, self.row = shares[order], places[order], rows[order]
        self.total = sum(map(len, self.weights.values()))

    def _scores(self, name: str, select: Select, gates: Gates) -> Scores:
        """How important each slice of a layer is: the larger, the more."""
        flat, seed = self.weights[name].numpy(force=True), seed_of(self.work.seed, "gates", name)
        if select == "gates":
            self.work.say(f"learning which slices of {name} matter")
            examples = self.work.data.take(slice(_LEARNED))
            return gates.learned(self.work.module, name, examples, seed).ravel()
        if select == "random":
            return np.random.default_rng(seed).random(len(flat), np.float32)
        if select == "average":
            distances: Scores = np.linalg.norm(flat - flat.mean(0), axis=1)
            return -distances
        means: Scores = np.abs(flat.mean(1))
        return means if select == "magnitude" else -means

    def __len__(self) -> int:
        return len(self.share)

    def first(self, share: float) -> int:
        """How many the first of each layer are: of n slices, ⌊share · n⌋ + 1."""
        return int(np.count_nonzero(self.share <= share))

    def without(self, lacking: Ranks, *, noise: bool = False) -> nn.Module:
        """A copy with zeros, or noise that looks like the other slices, in place of ``lacking``."""
        made = copy_of(self.work.module)
        self._put(made, lacking, noise)
        return made

    def accuracy(self, lacking: Ranks, *, noise: bool = False) -> float:
        """0 … 1, of that copy."""
        self._put(self.tried, lacking, noise)
        return self.work.accuracy(self.tried)

    def _put(self, module: nn.Module, lacking: Ranks, noise: bool) -> None:
        """Gives a module the weights and the running statistics of that copy."""
        with torch.no_grad():
            for name, gone in self._rows(lacking).items():
                flat = self.weights[name].clone()
                mean, deviation = flat[~gone].mean(0), flat[~gone].std(0)
                flat[gone] = mean + deviation * self.noise[name][gone] if noise else 0.0
                weight = tensor_of(module, name)
                weight.copy_(flat.reshape(weight.shape))
        settle(module, self.work.data.inputs[:_STATISTICS])

    def about(self, lacking: Ranks) -> Json:
        """How much of the model a level has."""
        sizes = np.array([flat.shape[1] for flat in self.weights.values()])
        count = int(sizes[self.place[lacking]].sum())
        whole = sum(parameter.numel() for parameter in self.work.module.parameters())
        return {
            "slices": f"{self.total - len(lacking)} of {self.total}",
            "weights": f"{whole - count} of {whole}",
        }

    def _rows(self, numbers: Ranks) -> dict[str, Tensor]:
        """Which slices of each layer these are."""
        found = {}
        for place, (name, flat) in enumerate(self.weights.items()):
            found[name] = torch.zeros(len(flat), dtype=torch.bool)
            rows = self.row[numbers[self.place[numbers] == place]]
            found[name][torch.from_numpy(rows)] = True
        return found


def _chosen(module: nn.Module, layers: tuple[int, ...]) -> list[str]:
    """The names of the weights of the layers that the options mean."""
    untied(module)  # or one layer's noise would be another's, too
    names = [name for name, part in weighted(module).items() if isinstance(part, CONVOLUTIONS)]
    if not names:
        raise UnfitModel("the model has no convolution: there are no kernels to take slices of")
    for number in layers:
        if not 0 <= number < len(names):
            raise BadOption(
                f"selective-encryption: layers must be from 0 to {len(names) - 1}, not {number}"
            )
    chosen = [names[number] for number in layers] or names
    return [f"{name}.weight" if name else "weight" for name in dict.fromkeys(chosen)]
