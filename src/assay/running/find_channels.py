"""The groups of channels that a module has [DepGraph: Fang et al., 2023].

torch-pruning's dependency graph proposes groups; of recurrent layers the hidden units are proposed
by name.  **None is believed until it was tried**: a group counts where a random reordering of it
leaves the answers of a copy as they are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor, nn

from assay.errors import UnfitModel
from assay.running._channel_candidates import candidates
from assay.running.channels import Group, permute
from assay.running.examples import Array
from assay.running.modules import copy_of
from assay.running.trial import Trial

EXTRA = "torch"
_PARTS = 64  # into how many blocks a group is cut at most


@dataclass(frozen=True, slots=True, eq=False)
class Channels:
    """The groups of a module, and layers that nothing but a batch normalization reads."""

    groups: tuple[Group, ...]
    normalized: tuple[tuple[str, str], ...]  # (layer, its batch normalization)


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
    claimed: set[tuple[str, int, int]] = set()
    for candidate in traced.groups:
        slots = {
            (each.tensor, each.axis, int(slot))
            for each in candidate.members
            for slot in each.slots.flat
        }
        if claimed.isdisjoint(slots) and (blocks := _exchangeable(trial, candidate)):
            found += blocks
            claimed |= slots
    if not found:
        raise UnfitModel("the model has no hidden channels whose order can be changed")
    return Channels(tuple(found), traced.normalized)


def _exchangeable(trial: Trial, group: Group) -> list[Group]:
    """The group, or its blocks: heads of an attention keep their channels to themselves."""
    for parts in (n for n in range(1, min(_PARTS, group.size // 2) + 1) if group.size % n == 0):
        size = group.size // parts
        blocks = [group.block(at, at + size) for at in range(0, group.size, size)]

        def mix(module: nn.Module, blocks: list[Group] = blocks) -> None:
            for place, block in enumerate(blocks):
                permute(module, block, reordering(block.size, np.random.default_rng(place)))

        if trial.keeps(mix):
            return blocks
    return []


def reordering(size: int, random: np.random.Generator) -> Array:
    """(size,) a random order in which no channel stays where it was: one cycle."""
    cycle = random.permutation(size)
    order = np.empty(size, np.int64)
    order[cycle] = np.roll(cycle, 1)
    return order
