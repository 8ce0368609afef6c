"""Weights that lead nowhere are not kept: those of channels that no later layer reads.

[Unused paths: Ma et al., ASP-DAC 2020.]  Among a layer's largest weights are many that go into
neurons of which the next layer keeps none.  They cost as much as others and do nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from assay.derivations._masks import Largest
from assay.running.channels import Group

EXTRA = "torch"


class Paths:
    """Which channels are read, as far as layers behind them have been projected."""

    def __init__(self, groups: Iterable[Group]) -> None:
        """``groups``: the hidden channels of the module."""
        self.groups = [*groups]
        self.masks: dict[str, Tensor] = {}  # by parameter, of its last projection

    def projections(self, largest: Mapping[str, Largest]) -> dict[str, Read]:
        """Those of some parameters, the last one first: it says what is read of those before."""
        return {name: Read(largest[name], name, self) for name in reversed([*largest])}

    def read(self, name: str, weight: Tensor) -> Tensor:
        """1 where a weight's channel is read, 0 where it is not; of the shape (out, 1, …)."""
        live = weight.new_ones(len(weight))
        for group in self.groups:
            columns = [member for member in group.members if member.role == "column"]
            if not columns or not all(member.tensor in self.masks for member in columns):
                continue
            heard = torch.zeros(group.size, dtype=torch.bool, device=weight.device)
            for member in columns:
                kept = self.masks[member.tensor].movedim(member.axis, 0).flatten(1).any(1)
                heard |= kept[torch.from_numpy(member.slots)].any(1)
            for member in group.members:
                if member.tensor == name and member.role == "row" and member.axis == 0:
                    live[torch.from_numpy(member.slots)] = heard[:, None].to(live)
        return live.view(-1, *[1] * (weight.dim() - 1))


@dataclass(frozen=True, slots=True)
class Read:
    """The largest weights of channels that are read; of others where these do not suffice."""

    largest: Largest
    name: str  # of the parameter
    paths: Paths = field(repr=False)

    def __call__(self, weight: Tensor) -> Tensor:
        return weight * self.mask(weight)

    def mask(self, weight: Tensor) -> Tensor:
        """Exactly as many places as ``largest`` has."""
        mask = self.largest.mask(weight.detach() * self.paths.read(self.name, weight))
        self.paths.masks[self.name] = mask
        return mask
