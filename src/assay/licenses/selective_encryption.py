"""The most important slices of kernels become noise, and a level's key gives its own back
[probabilistic selection and distribution-preserving encryption: Tian, Zhou and Duan, CVPR 2021].

A slice w[o, i] is what leads from one input channel to one output channel.  Gates learn which ones
matter: while all weights stay, each slice of a layer is switched on and off at random, and how
often it should be on is trained.  Without a key, the first in rank of each layer are drawn anew,
normal with the mean and deviation that the others have at the same place of the kernel, so that the
file keeps looking like weights.  The paper's mask adds up to just such noise, and its key is
therefore the weights themselves; here sealed parts hold them.

What is encrypted without a key is what levels are made of: a level lacks the least important of it,
so that each has the first in rank, as in the paper, and lower levels lack ever more.  There it is
zero, not noise: who knows where noise is puts zeros there, and has a better model than his level.
For the same reason both are tried where it is searched what must be lacking without a key.

What is written into a file follows from nothing that it lacks: the noise is distributed as slices
that all may see, and running statistics are taken anew.  They would tell of what was there; and
else anybody takes them, from unlabeled inputs, and has much of the accuracy back.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from torch import nn

from assay.licenses import License, Work
from assay.licenses._gates import Gates
from assay.licenses._level_search import LevelSearch, Numbers, levels_of, near_chance
from assay.licenses._slices import Ranks, Select, Slices
from assay.values import Json

EXTRA = "torch"
_BUNDLES = 2_000  # of slices, that levels are searched among
_TOLERANCE = 0.01  # by how much a level's accuracy may differ


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
        self.falling("levels", "permissions")

    @property
    def targets(self) -> tuple[float, ...]:
        return () if self.permissions else self.levels

    def run(self, work: Work) -> Iterator[tuple[nn.Module, Json]]:
        slices = Slices(work, self.select, self.layers, self.gates)
        encrypted = np.arange(self._encrypted(slices, work))
        for lacking in self._levels(slices, encrypted, work):
            yield slices.without(lacking), slices.about(lacking)
        zeroed = {"zeroed": f"{slices.accuracy(encrypted):.4f}"}
        yield slices.without(encrypted, noise=True), slices.about(encrypted) | zeroed

    def _encrypted(self, slices: Slices, work: Work) -> int:
        """How many are lacking without a key: the first in rank."""
        if self.share is not None:
            return slices.first(self.share)
        work.say("searching what is lacking without a key")
        limit = near_chance(work.judge)
        bundles = _Bundles(np.arange(len(slices)))

        def best(numbers: Numbers) -> float:
            """Of zeros and noise; above the limit, zeros alone."""
            found = slices.accuracy(bundles[numbers])
            if found > limit:
                return found
            return max(found, slices.accuracy(bundles[numbers], noise=True))

        return len(bundles[LevelSearch(len(bundles), best).at_most(limit)])

    def _levels(self, slices: Slices, encrypted: Ranks, work: Work) -> Iterator[Ranks]:
        """What is lacking at each level: the last in rank of what is encrypted."""
        upwards = encrypted[::-1]
        if self.permissions:
            for share in self.permissions:
                yield upwards[: len(upwards) - int(share * len(upwards))]
            return
        bundles = _Bundles(upwards)
        search = LevelSearch(len(bundles), lambda n: slices.accuracy(bundles[n]))
        for taken in levels_of(self, work, search, self.levels, _TOLERANCE):
            yield bundles[taken]


class _Bundles:
    """Neighbors in rank that are taken together, so that no search takes long."""

    def __init__(self, ranks: Ranks) -> None:
        self.ranks, self.size = ranks, -(-len(ranks) // _BUNDLES)

    def __len__(self) -> int:
        return -(-len(self.ranks) // max(1, self.size))

    def __getitem__(self, numbers: Numbers) -> Ranks:
        """Those of some bundles."""
        chosen = np.zeros(len(self), np.bool_)
        chosen[list(numbers)] = True
        return self.ranks[chosen.repeat(self.size)[: len(self.ranks)]]
