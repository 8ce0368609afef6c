"""Channels that a license may take from a model, and models without some of them.

They are ranked by the scales of their batch normalizations, largest first: few of them carry most
of the accuracy [channel pruning for multiuser authorization: Wang et al., 2023].
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from assay.errors import BadOption, UnfitModel
from assay.licenses import Work
from assay.licenses._level_search import Numbers, near_chance
from assay.running.channels import Group, Member, hollow, narrow
from assay.running.examples import Array
from assay.running.find_channels import find_channels
from assay.running.modules import copy_of, on
from assay.running.normalization import recalibrate
from assay.running.removal import gammas, importance, removable, size_of
from assay.running.tensors import tensor_of, tensors
from assay.running.trial import Trial, sift
from assay.training import Around, Training, train
from assay.values import Json

EXTRA = "torch"
_STATISTICS = 1_024  # examples that running statistics are taken of

Kept = list[tuple[Group, Array]]


class RankedChannels:
    """The channels that may go, largest scale first."""

    def __init__(self, work: Work, cap: float, recalibrated: bool = True) -> None:
        """Rank them.

        Args:
            work: What levels are made of.
            cap: Share of one layer's channels that may go; one stays.
            recalibrated: Whether running statistics are taken anew where some are gone.

        Raises:
            UnfitModel: no channel can go, or none has a scale.
        """
        self.work, self.recalibrated = work, recalibrated
        self.example = on(work.module, work.data.inputs[:2])
        self.groups = _groups(work.module, self.example)
        self.total = sum(group.size for group in self.groups)
        ranked = []
        for place, group in enumerate(self.groups):
            scales = importance(work.module, gammas(group))
            most = min(int(cap * group.size), group.size - 1)
            largest = np.argsort(-scales, kind="stable")[:most]
            ranked += [(-float(scales[channel]), place, int(channel)) for channel in largest]
        self.ranking = sorted(ranked)

    @property
    def near_chance(self) -> float:
        """See ``_level_search.near_chance``."""
        return near_chance(self.work.judge)

    def count(self, rate: float) -> int:
        """How many channels a share of all are.  Raises BadOption where so many may not go."""
        most = len(self.ranking) / self.total
        if rate > most:
            raise BadOption(
                f"the cap leaves {most:.3f} of the channels to be taken, not {rate:g}: set a larger"
                " one, or a smaller rate"
            )
        return round(rate * self.total)

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
        self._take(made, taken)
        return made

    def _take(self, module: nn.Module, taken: Numbers) -> None:
        kept = self.kept(taken)
        hollow(module, kept)
        if self.recalibrated:
            settle(module, self.work.data.inputs)
            hollow(module, kept)

    def accuracy(self, taken: Numbers) -> float:
        """Of the model without them, 0 … 1."""
        return self.work.accuracy(self.without(taken))

    def tuned(self, taken: Numbers, training: Training) -> nn.Module:
        """The model without them after a training, in which what is zero stays so."""
        made, objective = self.without(taken), Hollow(self.kept(taken))
        if taken:
            train(made, self.work.data, training, objective=objective, seed=self.work.seed)
            self._take(made, taken)
        return made

    def first(self, rate: float) -> Numbers:
        """A share of all, the largest."""
        return tuple(range(self.count(rate)))

    def about(self, taken: Numbers) -> Json:
        """How much of the model is left: what is zero need not be stored or computed."""
        small = copy_of(self.work.module)
        narrow(small, self.kept(taken))
        found: Json = {"channels": f"{self.total - len(taken)} of {self.total}"}
        if taken == tuple(range(len(taken))):  # then the share says which
            found["rate"] = f"{len(taken) / self.total:.6g}"
        return found | size_of(small, self.example)


def lacking(module: nn.Module, example: Tensor) -> Kept:
    """What stays of each group of channels where some are zero: all their rows, biases and norms.

    Args:
        module: As ``RankedChannels.without`` or a file has it.
        example: (n, …) inputs to find the channels with.
    """
    found = []
    for group in find_channels(module, example).groups:
        own = [member for member in group.members if member.role != "column"]
        zero = np.all([_zero(module, member) for member in own], axis=0)
        found.append((group, np.flatnonzero(~zero)))
    return found


def _zero(module: nn.Module, member: Member) -> Array:
    """(size,) whether all that a tensor has of a channel is zero."""
    tensor = tensor_of(module, member.tensor).detach().movedim(member.axis, 0)
    each = tensor[torch.from_numpy(member.slots)].flatten(1)  # (size, k · …)
    found: Array = (each == 0).all(1).cpu().numpy()
    return found


def settle(module: nn.Module, inputs: Array) -> None:
    """Take running statistics anew; how many batches made them stays as it was."""
    counts = {n: t.clone() for n, t in module.named_buffers() if not t.is_floating_point()}
    recalibrate(module, inputs[:_STATISTICS])
    for name, tensor in module.named_buffers():
        if name in counts:
            tensor.copy_(counts[name])


class Hollow(Around):
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
