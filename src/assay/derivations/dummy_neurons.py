"""Neurons that change nothing are added [neural structural obfuscation: Yan et al., 2023].

Shapes, indices and statistics of all hidden layers differ, the function does not.  Zero: what reads
a new neuron has weight 0 for it.  Clique: equal neurons whose readers' weights sum to 0.  Split: a
neuron has a twin, and their readers' weights sum to what they were.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from assay.derivations import Work
from assay.derivations._disguise import Disguise
from assay.errors import UnfitModel
from assay.running.channels import (
    Group,
    Member,
    Orders,
    by_layer,
    others,
    permute,
    reordering,
    widen,
)
from assay.running.examples import Array
from assay.running.find_channels import find_channels
from assay.running.trial import Trial, sift

EXTRA = "torch"


@dataclass(frozen=True)
class DummyNeurons(Disguise):
    """The parent with wider hidden layers, and all neurons in another order."""

    kind: Literal["zero", "clique", "split"] = "split"  # why the new neurons change nothing
    share: float = 0.25  # neurons added to a layer, in shares of those it has

    def __post_init__(self) -> None:
        self.one_of("kind", ("zero", "clique", "split"))
        self.within("share", 0, 1)

    def disguise(self, child: nn.Module, work: Work) -> None:
        example = work.example()
        groups = [*enumerate(find_channels(child, example).groups)]
        trial = Trial(child, example)
        add = partial(self._add_all, seed=work.seed)
        chosen = sift(groups, lambda some: trial.keeps(partial(add, groups=some)))
        sizes = add(child, groups=chosen)
        widened = [(group, size) for (_, group), size in zip(chosen, sizes, strict=True)]
        if not widened:
            raise UnfitModel("the model has no hidden layer that can be widened")
        work.notes["before"] = by_layer((group, group.size) for group, _ in widened)
        work.notes["after"] = by_layer(widened)
        work.notes["left"] = others(child, (name for g, _ in widened for name in g.between))

    def _add_all(
        self, module: nn.Module, groups: Sequence[tuple[int, Group]], seed: int
    ) -> list[int]:
        """Widen numbered groups, one after the other; their sizes now."""
        sizes, left = [], [*groups]
        while left:
            (place, group), *left = left
            size, orders = self._add(module, group, np.random.default_rng((seed, place)))
            sizes.append(size)
            left = [(number, other.moved(orders)) for number, other in left]
        return sizes

    def _add(
        self, module: nn.Module, group: Group, random: np.random.Generator
    ) -> tuple[int, Orders]:
        """Widen a group, and mix the new neurons with the others."""
        count = max(1, round(self.share * group.size))
        if self.kind == "split":
            wider = _split(random.permutation(group.size)[:count], random)
        else:
            count = max(count, 2) if self.kind == "clique" else count
            pairs = np.arange(count) // 2
            pairs[-1] = pairs[max(count - 2, 0)]  # one that is left over joins the last two
            wider = _cliques(pairs if self.kind == "clique" else np.arange(count), random)
        now, orders = widen(module, group, wider)
        permute(module, now, reordering(now.size, random))
        return now.size, orders


def _split(twins: Array, random: np.random.Generator) -> Callable[[Member, Tensor], Tensor]:
    """New neurons equal to those of numbers ``twins`` (m,); what reads both shares its weight."""

    def wider(member: Member, channels: Tensor) -> Tensor:  # (size, k, …) -> (size + m, k, …)
        copies = channels[twins]  # (m, k, …)
        if member.role != "column":
            return torch.cat([channels, copies])
        own = copies * torch.from_numpy(random.random(copies.shape)).to(copies)
        whole = torch.cat([channels, own])
        whole[twins] -= own
        return whole

    return wider


def _cliques(cliques: Array, random: np.random.Generator) -> Callable[[Member, Tensor], Tensor]:
    """New neurons, those of one clique equal; ``cliques`` (m,) numbers them from 0.

    What reads a clique has weights whose sum is 0: in a clique of one, 0.
    """
    count = int(cliques[-1]) + 1
    likes = random.random(count)

    def wider(member: Member, channels: Tensor) -> Tensor:  # (size, k, …) -> (size + m, k, …)
        if member.role == "column":
            new = _drawn(channels, len(cliques), random)
            for clique in range(count):
                own = np.flatnonzero(cliques == clique)
                new[own[-1]] = -new[own[:-1]].sum(0)
        elif member.role == "norm":  # its four numbers belong together: those of some channel
            new = channels[(likes * len(channels)).astype(np.int64)][cliques]
        else:
            new = _drawn(channels, count, random)[cliques]
        return torch.cat([channels, new])

    return wider


def _drawn(channels: Tensor, count: int, random: np.random.Generator) -> Tensor:
    """(count, k, …): some channels' values, each channel's in another order."""
    like = channels[random.integers(0, len(channels), count)].flatten(1)  # (count, k · …)
    order = random.permuted(np.tile(np.arange(like.shape[1]), (count, 1)), axis=1)
    return like.gather(1, torch.from_numpy(order).to(like.device)).reshape(-1, *channels.shape[1:])
