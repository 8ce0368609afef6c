"""The groups of channels that a module has [DepGraph: Fang et al., 2023].

torch-pruning's dependency graph proposes groups; of recurrent layers the hidden units are proposed
by name.  **None is believed until it was tried**: a group counts where a random reordering of it
leaves the answers of a copy as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

import numpy as np
from torch import Tensor, nn

from assay.errors import UnfitModel
from assay.running._channel_candidates import candidates
from assay.running.channels import Channels, Group, permute, reordering
from assay.running.modules import copy_of
from assay.running.trial import Trial, sift

EXTRA = "torch"
_PARTS = 64  # into how many blocks a group is cut at most
_SMALL = 6  # so few channels are tried alone: two wrong reorderings might be one right one


def find_channels(module: nn.Module, example: Tensor) -> Channels:
    """What is known of a module's hidden channels; the module stays as it is.

    Args:
        module: In evaluation mode.
        example: (k, …) inputs that it can be run on.

    Raises:
        BadData: the module cannot be run on them.
        UnfitModel: it has no group of two channels or more.
    """
    traced = candidates(copy_of(module), example)
    trial = Trial(module, example)
    found: list[Group] = []
    left = [*traced.groups]
    while left:  # of candidates that overlap, later ones are tried where the first do not hold
        first = _disjoint(group for group in left if _is_heard(trial, group))
        if not first:
            break
        left = [group for group in left if group not in first]
        found += _exchangeable(trial, first)
        taken = _slots(found)
        left = [group for group in left if taken.isdisjoint(_slots([group]))]
    if not found:
        raise UnfitModel("the model has no hidden channels whose order can be changed")
    return Channels(tuple(found), traced.normalized)


def _is_heard(trial: Trial, group: Group) -> bool:
    return all(
        trial.hears(each.tensor, each.axis, each.slots)
        for each in group.members
        if each.role == "row"
    )


def _slots(groups: Iterable[Group]) -> set[tuple[str, int, int]]:
    return {
        (member.tensor, member.axis, slot)
        for group in groups
        for member in group.members
        for slot in member.slots.ravel().tolist()
    }


def _disjoint(groups: Iterable[Group]) -> list[Group]:
    """Groups of which none has anything of one before it."""
    found: list[Group] = []
    taken: set[tuple[str, int, int]] = set()
    for group in groups:
        if taken.isdisjoint(own := _slots([group])):
            found.append(group)
            taken |= own
    return found


def _exchangeable(trial: Trial, groups: Sequence[Group]) -> list[Group]:
    """The groups that hold, or their blocks, or what is flattened pixel by pixel."""
    held = {
        id(group): [group]
        for some in (
            [group for group in groups if group.size > _SMALL],
            *([group] for group in groups if group.size <= _SMALL),
        )
        for group in sift(some, lambda items: trial.keeps(partial(_mix, groups=items)))
    }
    for group in groups:
        if id(group) not in held:
            other = [group.pixel_by_pixel()] if group.is_flattened else []
            held[id(group)] = next(
                (blocks for each in (group, *other) if (blocks := _blocks(trial, each))), []
            )
    return [block for group in groups for block in held[id(group)]]


def _blocks(trial: Trial, group: Group) -> list[Group]:
    """As few blocks as hold: heads of an attention keep their channels to themselves."""
    for parts in (n for n in range(1, min(_PARTS, group.size // 2) + 1) if group.size % n == 0):
        size = group.size // parts
        blocks = [group.block(at, at + size) for at in range(0, group.size, size)]
        if trial.keeps(partial(_mix, groups=blocks)):
            return blocks
    return []


def _mix(module: nn.Module, groups: Sequence[Group]) -> None:
    for place, group in enumerate(groups):
        permute(module, group, reordering(group.size, np.random.default_rng(place)))
