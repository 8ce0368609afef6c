"""The most important slices of kernels become noise, and a level's key gives its own back
[probabilistic selection and distribution-preserving encryption: Tian, Zhou and Duan, CVPR 2021].

A slice w[o, i] is what leads from one input channel to one output channel.  Gates learn which ones
matter: while all weights stay, each slice of a layer is switched on and off at random, and how
often it should be on is trained.  The first in rank of each layer are drawn anew, normal with the
mean and deviation that the others have at the same place of the kernel, so that the file keeps
looking like weights.  The paper's mask adds up to just such noise, and its key is therefore the
weights themselves; here sealed parts hold them.

What is encrypted without a key is what levels are made of: a level lacks the least important of it,
so that each has the first in rank, as in the paper, and lower levels lack ever more.

What is written into a file follows from nothing that it lacks: the noise is distributed as slices
that all may see, and running statistics are taken anew.  They would tell of what was there; and
else anybody takes them, from unlabeled inputs, and has much of the accuracy back.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from assay.errors import BadOption, UnfitModel
from assay.licenses import License, Work
from assay.licenses._gates import Gates
from assay.licenses._level_search import LevelSearch, Numbers
from assay.running.modules import CONVOLUTIONS, accuracy, copy_of, seed_of, untied, weighted
from assay.running.normalization import recalibrate
from assay.running.tensors import tensor_of
from assay.values import Json

EXTRA = "torch"
_MARGIN = 0.02  # above what one constant answer gets: near chance
_TOLERANCE = 0.01  # by how much a level's accuracy may differ
_STATISTICS = 1_024  # examples that running statistics are taken of
_LEARNED = 4_096  # examples that gates learn from
_SEEN = 2  # slices of a layer that stay, at the least: a deviation needs two

Scores = NDArray[np.float32]
Select = Literal["gates", "magnitude", "smallest", "average", "random"]


@dataclass(frozen=True)
class SelectiveEncryption(License):
    """Levels that lack slices of kernels; without a key the most important ones are noise."""

    levels: tuple[float, ...] = (0.92, 0.82, 0.72)  # accuracies of levels 1, 2 …
    permissions: tuple[float, ...] = ()  # or shares of what is encrypted that each level has
    share: float | None = None  # of each layer that is encrypted; by default as little as will do
    select: Select = "gates"  # or largest, smallest mean, the nearest to all, random: baselines
    layers: tuple[int, ...] = ()  # numbers of convolutions, from 0; by default all
    gates: Gates = field(default_factory=Gates)

    def __post_init__(self) -> None:
        for option in ("levels", "permissions", *(() if self.share is None else ("share",))):
            self.within(option, 0, 1)
        for option in ("levels", "permissions"):
            values = getattr(self, option)
            if any(one <= two for one, two in pairwise(values)):
                raise BadOption(f"{self.method}: {option} must be falling, not {values}")

    def run(self, work: Work) -> Iterator[tuple[nn.Module, Json]]:
        slices = _Slices(work, self)
        encrypted = self._encrypted(slices, work)
        for lacking in self._levels(slices, encrypted, work):
            yield slices.without(lacking, encrypted), slices.about(lacking)
        yield slices.without(encrypted, encrypted), slices.about(encrypted)

    def _encrypted(self, slices: _Slices, work: Work) -> Numbers:
        """What is lacking without a key, by its numbers in rank."""
        if self.share is not None:
            return slices.first(self.share)
        work.say("searching what is lacking without a key")
        labels = np.bincount(work.judge.known_labels)
        search = LevelSearch(len(slices.ranking), lambda taken: slices.accuracy(taken, taken))
        return search.at_most(float(labels.max() / labels.sum()) + _MARGIN)

    def _levels(self, slices: _Slices, encrypted: Numbers, work: Work) -> Iterator[Numbers]:
        """What is lacking at each level: the last in rank of what is encrypted."""
        upwards = encrypted[::-1]
        if self.permissions:
            for share in self.permissions:
                yield tuple(sorted(upwards[: len(upwards) - int(share * len(upwards))]))
            return
        search = LevelSearch(
            len(upwards), lambda taken: slices.accuracy([upwards[n] for n in taken], encrypted)
        )
        own, taken = accuracy(work.module, work.judge), Numbers()
        for number, target in enumerate(self.levels, 1):
            work.say(f"searching level {number}")
            if own < target:
                raise BadOption(
                    f"{self.method}: level {number} is to have {target:g}, and the model itself has"
                    f" {own:.4f}: set levels below that"
                )
            taken = search.near(target, _TOLERANCE, taken)
            yield tuple(sorted(upwards[n] for n in taken))


class _Slices:
    """The slices of a model that may be encrypted, most important first, those of all layers alike.

    What is in rank is told by a number, and a slice by its layer and its number in that.
    """

    def __init__(self, work: Work, method: SelectiveEncryption) -> None:
        self.work, self.weights, self.noise = work, dict[str, Tensor](), dict[str, Tensor]()
        ranked = []
        for name in _chosen(work.module, method):
            weight = tensor_of(work.module, name).detach()
            self.weights[name] = flat = weight.reshape(weight.shape[0] * weight.shape[1], -1)
            generator = torch.Generator().manual_seed(seed_of(work.seed, "noise", name))
            self.noise[name] = torch.randn(flat.shape, generator=generator)
            order = np.argsort(-self._scores(name, method), kind="stable")
            share = np.arange(len(order)) / len(order)
            ranked += [
                (float(share[rank]), name, int(order[rank])) for rank in range(len(order) - _SEEN)
            ]
        self.ranking = sorted(ranked)
        self.total = sum(map(len, self.weights.values()))

    def _scores(self, name: str, method: SelectiveEncryption) -> Scores:
        """How important each slice of a layer is: the larger, the more."""
        flat, seed = self.weights[name].numpy(force=True), seed_of(self.work.seed, "gates", name)
        if method.select == "gates":
            self.work.say(f"learning which slices of {name} matter")
            examples = self.work.data.take(slice(_LEARNED))
            return method.gates.learned(self.work.module, name, examples, seed).ravel()
        if method.select == "random":
            return np.random.default_rng(seed).random(len(flat), np.float32)
        if method.select == "average":
            distances: Scores = np.linalg.norm(flat - flat.mean(0), axis=1)
            return -distances
        means: Scores = np.abs(flat.mean(1))
        return means if method.select == "magnitude" else -means

    def first(self, share: float) -> Numbers:
        """The numbers of the first of each layer: of n slices, ⌊share · n⌋ + 1."""
        return tuple(n for n, (rank, _, _) in enumerate(self.ranking) if rank <= share)

    def without(self, lacking: Sequence[int], encrypted: Sequence[int]) -> nn.Module:
        """A copy with noise in place of ``lacking``, which are among ``encrypted``."""
        made = copy_of(self.work.module)
        gone, hidden = self._rows(lacking), self._rows(encrypted)
        with torch.no_grad():
            for name, rows in gone.items():
                flat, stays = self.weights[name].clone(), ~hidden[name]
                mean, deviation = flat[stays].mean(0), flat[stays].std(0)
                flat[rows] = mean + deviation * self.noise[name][rows]
                tensor_of(made, name).copy_(flat.reshape(tensor_of(made, name).shape))
        recalibrate(made, self.work.data.inputs[:_STATISTICS])
        for name, buffer in made.named_buffers():
            if not buffer.is_floating_point():  # how many batches there were
                buffer.copy_(tensor_of(self.work.module, name))
        return made

    def accuracy(self, lacking: Sequence[int], encrypted: Sequence[int]) -> float:
        return accuracy(self.without(lacking, encrypted), self.work.judge)

    def about(self, lacking: Sequence[int]) -> Json:
        """How much of the model a level lacks."""
        count = sum(self.weights[self.ranking[number][1]].shape[1] for number in lacking)
        whole = sum(parameter.numel() for parameter in self.work.module.parameters())
        return {
            "slices": f"{self.total - len(lacking)} of {self.total}",
            "weights": f"{whole - count} of {whole}",
        }

    def _rows(self, numbers: Sequence[int]) -> dict[str, Tensor]:
        """Which slices of each layer these are."""
        rows = {
            name: torch.zeros(len(flat), dtype=torch.bool) for name, flat in self.weights.items()
        }
        for number in numbers:
            _, name, row = self.ranking[number]
            rows[name][row] = True
        return rows


def _chosen(module: nn.Module, method: SelectiveEncryption) -> list[str]:
    """The names of the weights of the layers that the options mean."""
    untied(module)  # or one layer's noise would be another's, too
    layers = weighted(module)
    names = [name for name, part in layers.items() if isinstance(part, CONVOLUTIONS)]
    if not names:
        raise UnfitModel("the model has no convolution: there are no kernels to take slices of")
    for number in method.layers:
        if not 0 <= number < len(names):
            raise BadOption(
                f"{method.method}: layers must be from 0 to {len(names) - 1}, not {number}"
            )
    chosen = [names[number] for number in method.layers] or names
    return [f"{name}.weight" if name else "weight" for name in dict.fromkeys(chosen)]
