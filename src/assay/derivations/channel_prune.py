"""Whole channels go, those that matter least [network slimming: Liu et al., 2017].

What a channel matters, the scale of its batch normalization says: a training with an L1 penalty on
these brings many near zero.  Where there is none, the L1 norm of its rows says it [Li et al.,
2017].  All layers are ranked together; a layer loses a share at most, and keeps a channel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
from torch import Tensor, nn

from assay.derivations import Derivation, Needs, Work
from assay.errors import BadOption, UnfitModel
from assay.running.channels import Group, Member, by_layer, narrow, others
from assay.running.examples import Array
from assay.running.find_channels import find_channels
from assay.running.removal import can_go, gammas, importance, removable, rows, size_of
from assay.running.trial import Trial, sift
from assay.training import Training
from assay.training.sparsity import Sparse

EXTRA = "torch"


@dataclass(frozen=True)
class ChannelPrune(Derivation):
    """The parent without a share of its channels."""

    rate: float = 0.5  # share of all hidden channels that go
    importance: Literal["auto", "gamma", "l1"] = "auto"  # auto: gamma, where a layer has one
    cap: float = 0.9  # share of one layer's channels that may go
    sparsity: float = 0.0  # of the penalty in a training before; 0: no such training
    training: Training | None = None  # of what is left, and with the penalty; by default none

    def __post_init__(self) -> None:
        self.within("rate", 0, 1)
        self.within("cap", 0, 1)
        self.one_of("importance", ("auto", "gamma", "l1"))
        self.at_least("sparsity", 0)
        if self.sparsity and self.training is None:
            raise BadOption(f"{self.method}: sparsity needs a training: set training")

    @property
    def needs(self) -> Needs:
        return "inputs" if self.training is None else "labels"

    def run(self, work: Work) -> nn.Module:
        (child,) = work.parents
        example = work.example()
        groups = self._groups(child, example)
        if self.sparsity and self.training is not None:
            names = sorted({m.tensor for group in groups for m in self._ranking(group, groups)})
            work.train(
                child,
                work.examples,
                self.training,
                objective=Sparse(self.sparsity, names),
                stage="making channels sparse",
            )
        before = size_of(child, example)
        importances = [importance(child, self._ranking(group, groups)) for group in groups]
        ranked = [*zip(groups, self._kept(importances), strict=True)]
        kept = sift(ranked, partial(can_go, Trial(child, example)))
        if all(len(numbers) == group.size for group, numbers in kept):
            raise UnfitModel(
                f"a rate of {self.rate:g} takes none of its channels: set a larger one"
            )
        narrow(child, kept)
        before["channels"] = by_layer((group, group.size) for group in groups)
        after = {"channels": by_layer((group, len(numbers)) for group, numbers in kept)}
        work.notes |= {"before": before, "after": size_of(child, example) | after}
        work.notes["left"] = others(child, (name for group in groups for name in group.between))
        if self.training is not None:
            work.train(child, work.examples, self.training, stage="tuning what is left")
        return child

    def _groups(self, child: nn.Module, example: Tensor) -> list[Group]:
        """Those that can be ranked, and whose channels can go one by one."""
        found = find_channels(child, example).groups
        ranked = [group for group in found if self._ranking(group, found)]
        if not ranked:
            raise UnfitModel("no hidden layer has a batch normalization: set importance=l1")
        return removable(child, example, ranked)

    def _ranking(self, group: Group, groups: Sequence[Group]) -> list[Member]:
        """Tensors that say how much a group's channels matter; none where it cannot be said."""
        none = not any(map(gammas, groups))
        if self.importance == "l1" or (self.importance == "auto" and none):
            return rows(group)
        return gammas(group)

    def _kept(self, importances: Sequence[Array]) -> list[Array]:
        """The numbers of the channels that stay, of each group."""
        most = [min(int(self.cap * len(each)), len(each) - 1) for each in importances]
        gone: list[set[int]] = [set() for _ in importances]
        ranking = sorted(
            (value, place, channel)
            for place, each in enumerate(importances)
            for channel, value in enumerate(each)
        )
        left = round(self.rate * len(ranking))
        for _, place, channel in ranking:
            if left and len(gone[place]) < most[place]:
                gone[place].add(channel)
                left -= 1
        return [
            np.setdiff1d(np.arange(len(each)), [*gone[place]])
            for place, each in enumerate(importances)
        ]
