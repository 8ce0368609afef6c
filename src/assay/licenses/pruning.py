"""The most important channels are taken out, and a level's key gives its own back
[channel pruning for multiuser authorization: Wang et al., 2023].

Channels whose batch normalizations have the largest scales matter most: without few of them a model
answers near chance.  Levels lack ever more of them, so that each level's are among those of the
next.  What a level lacks is zero in its file, in whole: rows, columns, scales, statistics.

With a ``training`` the owner tunes each level, as the paper has it: a level's key then gives back
the weights that were tuned, and all but level 0 and what needs no key differ everywhere.

Statistics of what stays are taken anew, or else anybody does that, with some unlabeled examples,
and has a good part of the accuracy back; and they would tell of what was there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from assay.errors import BadOption, UnfitModel
from assay.licenses import License, Work
from assay.licenses._level_search import LevelSearch, Numbers
from assay.running.channels import Group, hollow, narrow
from assay.running.examples import Array
from assay.running.find_channels import find_channels
from assay.running.modules import accuracy, copy_of, on
from assay.running.normalization import recalibrate
from assay.running.removal import gammas, importance, removable, size_of
from assay.running.tensors import tensor_of, tensors
from assay.running.trial import Trial, sift
from assay.training import Around, Training, train
from assay.values import Json

EXTRA = "torch"
_MARGIN = 0.02  # above what one constant answer gets: near chance
_TUNED = 12  # sets that are tuned beside those of the bisection, for one level
_STATISTICS = 1_024  # examples that running statistics are taken of

Kept = list[tuple[Group, Array]]


@dataclass(frozen=True)
class Pruning(License):
    """Levels that lack channels; without a key none of the largest is there."""

    levels: tuple[float, ...] = (0.92, 0.82, 0.72)  # accuracies of levels 1, 2 …
    rates: tuple[float, ...] = ()  # or shares of the channels that each lacks, at last without key
    cap: float = 0.9  # share of one layer's channels that may go
    tolerance: float = 0.01  # by how much a level's accuracy may differ
    recalibrate: bool = True  # whether running statistics are taken anew at each level
    training: Training | None = None  # by which the owner tunes each level; by default none

    def __post_init__(self) -> None:
        for option in ("levels", "rates", "cap", "tolerance"):
            self.within(option, 0, 1)
        for option, values, sign in (("levels", self.levels, -1), ("rates", self.rates, 1)):
            if any(sign * a >= sign * b for a, b in pairwise(values)):
                order = "falling" if sign < 0 else "rising"
                raise BadOption(f"{self.method}: {option} must be {order}, not {values}")

    def run(self, work: Work) -> Iterator[tuple[nn.Module, Json]]:
        channels = _Channels(work, self)
        bare = LevelSearch(len(channels.ranking), channels.accuracy)
        levels = bare
        if self.training is not None:
            levels = LevelSearch(len(channels.ranking), channels.tuned_accuracy, _TUNED, 1)
        *sets, last = self._sets(levels, bare, channels, work)
        for taken in sets:
            tuned = {} if self.training is None else {"untuned": f"{bare.accuracy(taken):.4f}"}
            yield channels.tuned(taken), channels.about(taken) | tuned
        yield channels.without(last), channels.about(last)

    def _sets(
        self, levels: LevelSearch, bare: LevelSearch, channels: _Channels, work: Work
    ) -> Iterator[Numbers]:
        """What is lacking at each level, and at last without a key."""
        if self.rates:
            most = len(channels.ranking) / channels.total
            if self.rates[-1] > most:
                raise BadOption(
                    f"{self.method}: the cap leaves {most:.3f} of the channels to be taken: set a"
                    " larger one, or smaller rates"
                )
            yield from (levels.first(round(rate * channels.total)) for rate in self.rates)
            return
        taken: Numbers = ()
        own = accuracy(work.module, work.judge)
        for number, target in enumerate(self.levels, 1):
            work.say(f"searching level {number}")
            if own < target:
                raise BadOption(
                    f"{self.method}: level {number} is to have {target:g}, and the model itself has"
                    f" {own:.4f}: set levels below that"
                )
            taken = levels.near(target, self.tolerance, taken)
            yield taken
        work.say("searching what is lacking without a key")
        labels = np.bincount(work.judge.known_labels)
        yield bare.at_most(float(labels.max() / labels.sum()) + _MARGIN, taken)


class _Channels:
    """The channels that may go, largest scale first."""

    def __init__(self, work: Work, method: Pruning) -> None:
        self.work, self.method = work, method
        self.example = on(work.module, work.data.inputs[:2])
        self.groups = _groups(work.module, self.example)
        self.total = sum(group.size for group in self.groups)
        ranked = []
        for place, group in enumerate(self.groups):
            scales = importance(work.module, gammas(group))
            most = min(int(method.cap * group.size), group.size - 1)
            largest = np.argsort(-scales, kind="stable")[:most]
            ranked += [(-float(scales[channel]), place, int(channel)) for channel in largest]
        self.ranking = sorted(ranked)

    def kept(self, taken: Sequence[int]) -> Kept:
        """What stays of each group."""
        gone: list[list[int]] = [[] for _ in self.groups]
        for number in taken:
            _, place, channel = self.ranking[number]
            gone[place].append(channel)
        return [
            (group, np.setdiff1d(np.arange(group.size), each))
            for group, each in zip(self.groups, gone, strict=True)
        ]

    def without(self, taken: Numbers) -> nn.Module:
        """A copy of the model in which those of ``taken`` are zero."""
        made = copy_of(self.work.module)
        hollow(made, self.kept(taken))
        if self.method.recalibrate:
            counts = {n: t.clone() for n, t in made.named_buffers() if not t.is_floating_point()}
            recalibrate(made, self.work.data.inputs[:_STATISTICS])
            for name, tensor in made.named_buffers():
                if name in counts:
                    tensor.copy_(counts[name])
            hollow(made, self.kept(taken))
        return made

    def accuracy(self, taken: Numbers) -> float:
        return accuracy(self.without(taken), self.work.judge)

    def tuned(self, taken: Numbers) -> nn.Module:
        """The same after the owner's training, if there is one."""
        made = self.without(taken)
        if self.method.training is not None and taken:
            objective, seed = _Hollow(self.kept(taken)), self.work.seed
            train(made, self.work.data, self.method.training, objective=objective, seed=seed)
        return made

    def tuned_accuracy(self, taken: Numbers) -> float:
        return accuracy(self.tuned(taken), self.work.judge)

    def about(self, taken: Numbers) -> Json:
        """How much of the model a level has: what is zero need not be stored or computed."""
        small = copy_of(self.work.module)
        narrow(small, self.kept(taken))
        return {"channels": f"{self.total - len(taken)} of {self.total}"} | size_of(
            small, self.example
        )


class _Hollow(Around):
    """Cross entropy; what is lacking stays zero."""

    def __init__(self, kept: Kept) -> None:
        super().__init__(None)
        self.places = [
            (member.tensor, member.axis, torch.from_numpy(member.slots[gone].ravel()))
            for group, numbers in kept
            if len(gone := np.setdiff1d(np.arange(group.size), numbers))
            for member in group.members
        ]

    def __repr__(self) -> str:
        return f"Hollow({[(name, axis, places.tolist()) for name, axis, places in self.places]})"

    def after_step(self, module: nn.Module) -> None:
        super().after_step(module)
        with torch.no_grad():
            for name, axis, places in self.places:
                tensor_of(module, name).index_fill_(axis, places, 0)


def _groups(module: nn.Module, example: Tensor) -> list[Group]:
    """Those with batch normalizations, whose channels are gone once all of theirs is zero."""
    names: dict[int, list[str]] = {}
    for name, tensor in tensors(module):
        names.setdefault(id(tensor), []).append(name)
    shared = {name for known in names.values() if len(known) > 1 for name in known}
    ranked = [
        group
        for group in find_channels(module, example).groups
        if gammas(group) and shared.isdisjoint(member.tensor for member in group.members)
    ]
    if not ranked:
        raise UnfitModel("no hidden layer has a batch normalization: its channels have no scales")
    trial = Trial(module, example)

    def vanish(kept: Sequence[tuple[Group, Array]]) -> bool:
        return trial.agree(partial(narrow, kept=kept), partial(hollow, kept=kept))

    found = removable(module, example, ranked)
    half = [(group, np.arange(group.size // 2, group.size)) for group in found]
    groups = [group for group, _ in sift(half, vanish)]
    if not groups:
        raise UnfitModel("the model has no hidden layer of which channels can be zero")
    return groups
