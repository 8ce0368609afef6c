"""Pruning by magnitude while a network learns: at once, or step by step.

[Zhu and Gupta, 2017: from all weights to few along a cubic.  Lee et al., LAMP, ICLR 2021: a
weight's square over the sum of those of its layer that are no smaller, so that layers can be
ranked together.]  Pruned weights that are large again when the mask is drawn anew come back.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from scope import EVERY, SHARE
from torch import Tensor, nn

from assay.derivations._masks import Largest
from assay.running.modules import weights
from assay.training import Batch, Objective

Counts = Mapping[str, int]


class Gradual(Objective):
    """A loss under a mask that leaves fewer weights, until ``end`` of the steps are done.

    At ``end`` 0 it is one-shot pruning.
    """

    def __init__(
        self, objective: Objective, left: int | Counts, steps: int, end: float = SHARE
    ) -> None:
        """``left``: weights of all layers together, which LAMP splits, or of each by name."""
        self.objective, self.left, self.steps, self.end = objective, left, steps, end
        self.state: dict[str, Tensor] = {"step": torch.zeros((), dtype=torch.int64)}

    def __repr__(self) -> str:
        return f"Gradual({self.objective!r}, {self.left}, {self.steps}, {self.end}, {EVERY})"

    def loss(self, module: nn.Module, batch: Batch) -> Tensor:
        return self.objective.loss(module, batch)

    def before(self, module: nn.Module) -> None:
        """One-shot pruning begins with its mask."""
        if self.end == 0:
            self._draw(module, 1.0)
            self._apply(module)

    def after_step(self, module: nn.Module) -> None:
        self.state["step"] += 1
        step, last = int(self.state["step"]), round(self.end * self.steps)
        if step == last or (step < last and step % EVERY == 0):
            self._draw(module, step / last)
        self._apply(module)

    def tensors(self) -> Mapping[str, Tensor]:
        return self.state

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        self.state = dict(tensors)

    def _draw(self, module: nn.Module, share: float) -> None:
        """A mask that leaves as many as the cubic says, (1 - share)³ of what goes in the end."""
        known = weights(module)
        of = {name: weight.numel() for name, weight in known.items()}
        goes = 1 - (1 - share) ** 3
        if isinstance(self.left, int):
            total = sum(of.values())
            left = round(total - goes * (total - self.left))
            masks = lamp(known, left)
        else:
            left_of = {name: round(n - goes * (n - self.left[name])) for name, n in of.items()}
            masks = {name: Largest(n).mask(known[name]) for name, n in left_of.items()}
        self.state |= {f"mask.{name}": mask for name, mask in masks.items()}

    def _apply(self, module: nn.Module) -> None:
        with torch.no_grad():
            for name, mask in self.state.items():
                if name != "step":
                    module.get_parameter(name.removeprefix("mask.")).mul_(mask)


def lamp(known: Mapping[str, Tensor], count: int) -> dict[str, Tensor]:
    """Masks by name that leave ``count`` weights in all."""
    scores = {}
    for name, weight in known.items():
        squares = weight.detach().flatten().double() ** 2
        ordered, order = squares.sort(stable=True)
        sums = ordered.flip(0).cumsum(0).flip(0)  # of itself and what is larger
        score = torch.zeros_like(squares)
        score[order] = ordered / sums.clamp_min(torch.finfo(torch.float64).tiny)
        scores[name] = score
    together = Largest(count).mask(torch.cat([*scores.values()]))
    parts = together.split([weight.numel() for weight in known.values()])
    return {
        name: part.view_as(weight)
        for (name, weight), part in zip(known.items(), parts, strict=True)
    }


class Projected(Objective):
    """A loss; after each epoch the weights are projected to the largest, and go on from it.

    Plain projected training, beside which ADMM is seen to converge.
    """

    def __init__(self, objective: Objective, left: Counts) -> None:
        """``left``: weights of each layer."""
        self.objective, self.left = objective, left
        self.residuals: dict[str, list[float]] = {name: [] for name in left}

    def __repr__(self) -> str:
        return f"Projected({self.objective!r}, {self.left})"

    def loss(self, module: nn.Module, batch: Batch) -> Tensor:
        return self.objective.loss(module, batch)

    def after_epoch(self, module: nn.Module, epoch: int) -> None:
        with torch.no_grad():
            for name, count in self.left.items():
                weight = module.get_parameter(name)
                mask = Largest(count).mask(weight)
                self.residuals[name].append(float((weight * ~mask).norm() / weight.norm()))
                weight.mul_(mask)

    def tensors(self) -> Mapping[str, Tensor]:
        return {
            name: torch.tensor(found, dtype=torch.float64) for name, found in self.residuals.items()
        }

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        self.residuals = {name: found.tolist() for name, found in tensors.items()}

    def noted(self) -> dict[str, list[float]]:
        """‖W − Π(W)‖/‖W‖ of each layer before each projection."""
        return {name: [round(x, 6) for x in found] for name, found in self.residuals.items()}
