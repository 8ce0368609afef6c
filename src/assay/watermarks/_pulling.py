"""Tuning under a constant-weight mark: put back after each step, or drawn there by a hinge.

Tuning lets weights grow, and with them the quantile that pruning takes.  So thresholds are told
anew after each epoch, and never fall.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from assay.training import Around, Batch, Progress, train
from assay.values import Json
from assay.watermarks import Work
from assay.watermarks._hosts import name_in
from assay.watermarks._key import Key
from assay.watermarks._levels import Levels, Spots, noted, spots
from assay.watermarks._marking import weights_of

if TYPE_CHECKING:
    from assay.watermarks.constant_weight import ConstantWeight

EXTRA = "torch"


class Pull(Around):
    """Another objective, and a mark that is kept while it is reached."""

    def __init__(self, method: ConstantWeight, module: nn.Module, key: Key) -> None:
        super().__init__(None)
        weights = weights_of(module)
        self.method, self.template = method, key.template
        hosts = method.checked(weights, key)
        self.name = key.digest + key.payload.hex()
        names = [name_in(weights, host) for host in hosts]
        held = dict(module.named_parameters())
        self.spots = [
            Spot(str(name), each, held[str(name)])
            for name, each in zip(names, spots(key), strict=True)
        ]
        self.thresholds = torch.zeros(len(hosts), 2, dtype=torch.float64)
        self.after_epoch(module, 0)

    def __repr__(self) -> str:
        return f"Pull({self.method!r}, {self.name})"

    def loss(self, module: nn.Module, batch: Batch) -> Tensor:
        found = super().loss(module, batch)
        if self.method.hinge == 0:
            return found
        known = dict(module.named_parameters())
        return found + self.method.hinge * sum(each.hinge(known[each.name]) for each in self.spots)

    def after_step(self, module: nn.Module) -> None:
        super().after_step(module)
        if self.method.hinge == 0:
            self.project(module)

    def after_epoch(self, module: nn.Module, epoch: int) -> None:
        if epoch:
            super().after_epoch(module, epoch)
        now = self.method.levels(weights_of(module), self.template)
        new = torch.tensor([(level.low, level.high) for level in now], dtype=torch.float64)
        new[:, 1] = torch.maximum(new[:, 1], self.thresholds[:, 1])
        self.thresholds.copy_(new)
        self._bound()

    def project(self, module: nn.Module) -> None:
        """Put the mark back where it is not."""
        known = dict(module.named_parameters())
        for each in self.spots:
            each.project(known[each.name])

    def levels(self) -> list[Levels]:
        """The thresholds of each host now."""
        return [Levels(low, high) for low, high in self.thresholds.tolist()]

    def tensors(self) -> Mapping[str, Tensor]:
        return {**super().tensors(), "thresholds": self.thresholds}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        super().restore(tensors)
        self.thresholds.copy_(tensors["thresholds"])
        self._bound()

    def _bound(self) -> None:
        for each, level in zip(self.spots, self.levels(), strict=True):
            each.bound(level)


class Spot:
    """Where a mark lies in one parameter."""

    def __init__(self, name: str, drawn: Spots, parameter: Tensor) -> None:
        self.name, self.drawn = name, drawn
        where = np.unravel_index(drawn.places.reshape(-1), tuple(parameter.shape))
        self.at = tuple(torch.from_numpy(index).to(parameter.device) for index in where)
        self.ones = torch.from_numpy(drawn.ones.reshape(-1)).to(parameter.device)
        self.bounds = torch.zeros(len(self.ones)).to(parameter)

    def bound(self, levels: Levels) -> None:
        """Take up other thresholds."""
        bounds = self.drawn.bounds(levels).reshape(-1)
        self.bounds = torch.from_numpy(bounds).to(self.bounds)

    def project(self, parameter: Tensor) -> None:
        """``weights.sites.projected`` of the parameter, in place."""
        with torch.no_grad():
            values = parameter[self.at]
            sizes = values.abs()
            ones, zeros = torch.maximum(sizes, self.bounds), torch.minimum(sizes, self.bounds)
            sizes = torch.where(self.ones, ones, zeros)
            parameter[self.at] = torch.where(values < 0, -sizes, sizes)

    def hinge(self, parameter: Tensor) -> Tensor:
        """The sum of squares by which magnitudes are on the wrong side of their bounds."""
        short = self.bounds - parameter[self.at].abs()
        return torch.where(self.ones, short, -short).clamp_min(0).square().sum()


def tuned(method: ConstantWeight, work: Work) -> nn.Module:
    """The model tuned under its mark, which is there exactly in the end."""
    pull = Pull(method, work.module, work.key)
    pull.project(work.module)

    def show(progress: Progress) -> None:
        if work.progress is not None:
            work.progress(progress)

    history = train(
        work.module,
        work.data,
        method.training,
        objective=pull,
        seed=work.seed,
        checkpoint=work.checkpoint,
        progress=show,
    )
    pull.after_epoch(work.module, 0)
    pull.project(work.module)
    work.notes |= {"training": history.to_json(), "hosts": _noted(work, pull.levels())}
    return work.module


def _noted(work: Work, levels: Sequence[Levels]) -> list[Json]:
    return noted(weights_of(work.module), work.key, levels)
