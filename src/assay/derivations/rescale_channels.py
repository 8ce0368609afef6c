"""Hidden channels scaled up or down [Neyshabur et al., 2015]: other tensors, the same function.

What a channel's row is multiplied by, the columns that read it are divided by; ReLU and pooling let
it through, and an attention does from value to output and between query and key.  A batch
normalization carries the factor, and hides another one before itself.  Where something else lies
between, such as ReLU6, the answers of a copy would change, and the channels are left.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations, product

import numpy as np
from torch import nn

from assay.derivations import Work
from assay.derivations._disguise import Disguise
from assay.errors import UnfitModel
from assay.running.channels import Group, absorb, others, scale
from assay.running.examples import Array
from assay.running.find_channels import find_channels
from assay.running.trial import Change, Trial, sift

EXTRA = "torch"
_TRIED = 16  # examples: an activation that has a bound is to reach it
_FEW = 4  # layers that give a group's channels: of more no pairs are tried


@dataclass(frozen=True)
class RescaleChannels(Disguise):
    """The parent with factors on its hidden channels that cancel out."""

    strength: float = 4.0  # factors are from 1 / strength to strength, evenly by logarithm

    def __post_init__(self) -> None:
        self.within("strength", 1, 1000)

    def disguise(self, child: nn.Module, work: Work) -> None:
        found = find_channels(child, work.example())
        example = work.example(_TRIED)
        trials = [Trial(child, example, "own"), Trial(child, example, "shaken")]

        def keeps(change: Change) -> bool:
            return all(trial.keeps(change) for trial in trials)

        random = np.random.default_rng(work.seed)

        def sifted(groups: Iterable[Group]) -> list[tuple[Group, Array]]:
            drawn = [(group, self._factors(random, group.size)) for group in groups]
            return sift(drawn, lambda some: keeps(partial(_scale, scaled=some)))

        whole = sifted(found.groups)
        done = [group for group, _ in whole]
        parts = sifted(
            part for group in found.groups if group not in done for part in _parts(group)
        )
        norms = [
            (layer, norm, self._factors(random, child.get_submodule(norm).num_features))
            for layer, norm in found.normalized
        ]
        hidden = sift(norms, lambda some: keeps(partial(_absorb, absorbed=some)))
        _scale(child, [*whole, *parts])
        _absorb(child, hidden)
        scaled = {name for group, _ in (*whole, *parts) for name in group.layers}
        scaled |= {layer for layer, _, _ in hidden}
        if not scaled:
            raise UnfitModel(
                "the model has no channels that can be scaled: nothing lets them through"
            )
        work.notes["scaled"] = sorted(scaled)
        work.notes["left"] = others(child, scaled)

    def _factors(self, random: np.random.Generator, size: int) -> Array:
        """(size,) one for each channel."""
        found: Array = np.exp(random.uniform(-1, 1, size) * np.log(self.strength))
        return found


def _scale(module: nn.Module, scaled: Sequence[tuple[Group, Array]]) -> None:
    for group, factors in scaled:
        scale(module, group, factors)


def _absorb(module: nn.Module, absorbed: Sequence[tuple[str, str, Array]]) -> None:
    for layer, norm, factors in absorbed:
        absorb(module, layer, norm, factors)


def _parts(group: Group) -> Iterator[Group]:
    """A layer with one that reads it, and two layers whose product takes a factor out."""
    rows = group.layers
    columns = [each for each in group.members if each.role == "column"]
    if len(rows) > _FEW or len(columns) > _FEW or len(rows) == 1:
        return
    own = {
        name: tuple(m for m in group.members if m.layer == name and m.role in ("row", "bias"))
        for name in rows
    }
    for name, column in product(rows, columns):
        yield Group((*own[name], column))
    for one, other in combinations(rows, 2):
        yield Group((*own[one], *(replace(each, role="column") for each in own[other])))
