"""Which channels of a module can go, and which of them matter least.

A channel's importance is the scale of its batch normalization [Liu et al., 2017], or the mean
magnitude of its rows [Li et al., 2017].
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from assay.errors import UnfitModel
from assay.running.channels import Group, Member, narrow, silence
from assay.running.examples import Array
from assay.running.tensors import tensor_of
from assay.running.trial import Trial, sift

EXTRA = "torch"


def removable(module: nn.Module, example: Tensor, groups: Sequence[Group]) -> list[Group]:
    """Those of the groups whose channels can go one by one.  Raises UnfitModel where none is."""
    some = [(group, _without(group, place)) for place, group in enumerate(groups)]
    found = [group for group, _ in sift(some, partial(can_go, Trial(module, example)))]
    if not found:
        raise UnfitModel("the model has no hidden layer of which channels can be removed")
    return found


def can_go(trial: Trial, kept: Sequence[tuple[Group, Array]]) -> bool:
    """Whether channels that are removed and channels that nothing reads are the same."""
    return trial.agree(partial(narrow, kept=kept), partial(silence, kept=kept))


def gammas(group: Group) -> list[Member]:
    """The scales of the batch normalizations between."""
    return [m for m in group.members if m.role == "norm" and m.tensor.endswith("weight")]


def rows(group: Group) -> list[Member]:
    """The rows that give the channels."""
    return [each for each in group.members if each.role == "row"]


def importance(module: nn.Module, ranking: Sequence[Member]) -> Array:
    """(size,) by gamma as it is; by rows in shares of the group's mean, for fan-ins differ."""
    norms = []
    for member in ranking:
        tensor = tensor_of(module, member.tensor).detach().movedim(member.axis, 0)
        values = tensor[torch.from_numpy(member.slots)].flatten(1)  # (size, k · …)
        norms.append(values.abs().mean(1).double().cpu().numpy())
    found: Array = np.mean(norms, axis=0)
    return found if ranking[0].role == "norm" else found / found.mean()


def size_of(module: nn.Module, example: Tensor) -> dict[str, int | dict[str, int]]:
    """Parameters, and multiply-adds of one example; ``example`` has one or more."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        module(example[:1])
    return {
        "parameters": sum(parameter.numel() for parameter in module.parameters()),
        "multiply_adds": counter.get_total_flops() // 2,
    }


def _without(group: Group, place: int) -> Array:
    """All but some channels, of each group another number: no layer's size may tie two groups."""
    return np.arange(1 + place % (group.size - 1), group.size)
