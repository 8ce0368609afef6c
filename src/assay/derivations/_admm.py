"""Weights that are drawn into a set while they learn: the alternating direction method.

[Boyd et al., 2011; for networks Zhang et al., ECCV 2018.]  A layer's weights W, a point Z of the
set (few nonzeros, a few levels, whole columns …) and their summed differences U alternate: W learns
under a loss with ρ/2·‖W − Z + U‖², then Z becomes the projection of W + U, and U grows by W − Z.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from assay.errors import BadOption
from assay.training import Around, Batch, Objective

EXTRA = "torch"

Projection = Callable[[Tensor], Tensor]  # the nearest point of a set; of the same shape


@dataclass(frozen=True, slots=True)
class Alternation:
    """How W, Z and U alternate."""

    rho: float = 1e-3  # of the penalty ρ/2·‖W − Z + U‖²
    growth: float = 1.0  # ρ is multiplied by this after every update of Z and U
    dual: Literal["rescaled", "kept"] = "rescaled"  # U where ρ grows; kept: as published code does
    every: int = 1  # epochs between two updates
    tolerance: float = 0.0  # ends once ‖W − Z‖/‖W‖ of every layer is below; 0: never

    def __post_init__(self) -> None:
        for name, least in (("rho", 0), ("growth", 1), ("every", 1), ("tolerance", 0)):
            value = getattr(self, name)
            if not (isfinite(value) and value >= least):
                raise BadOption(f"admm.{name} must be {least} or more, not {value}")
        if self.rho == 0:
            raise BadOption("admm.rho must be above 0")
        if self.dual not in ("rescaled", "kept"):
            raise BadOption(f"admm.dual must be rescaled or kept, not {self.dual!r}")


class Admm(Around):
    """A loss and the penalty of the distance to the sets; Z and U alternate with its epochs."""

    def __init__(
        self,
        module: nn.Module,
        projections: Mapping[str, Projection],
        alternation: Alternation,
        objective: Objective | None = None,
    ) -> None:
        """Begins with Z, the projection of the weights as they are, and U = 0.

        Args:
            module: What will be trained.
            projections: By parameter.  What decides them belongs into their ``repr``.
            alternation: Options.
            objective: The loss, and what it does beside, such as a mask; by default cross entropy.
        """
        super().__init__(objective)
        self.projections, self.alternation = dict(projections), alternation
        weights = {name: _weight(module, name) for name in self.projections}
        self.z = {name: self.projections[name](weight) for name, weight in weights.items()}
        self.u = {name: torch.zeros_like(weight) for name, weight in weights.items()}
        self.rho = torch.tensor(alternation.rho, dtype=torch.float64)
        self.residuals = torch.zeros(0, len(weights))  # (updates, layers) ‖W − Z‖/‖W‖

    def __repr__(self) -> str:
        return f"Admm({self.alternation!r}, {self.projections!r}, {self.objective!r})"

    def loss(self, module: nn.Module, batch: Batch) -> Tensor:
        """The objective's, and Σ ρ/2·‖W − Z + U‖²: the norm is squared."""
        rho, loss = float(self.rho), super().loss(module, batch)
        for name, z in self.z.items():
            distance = functional.mse_loss(
                module.get_parameter(name), z - self.u[name], reduction="sum"
            )
            loss = loss + rho / 2 * distance
        return loss

    def after_epoch(self, module: nn.Module, epoch: int) -> None:
        super().after_epoch(module, epoch)
        if epoch % self.alternation.every == 0:
            self._update(module)

    def finished(self) -> bool:
        below = self.residuals[-1:] < self.alternation.tolerance  # (0 or 1, layers)
        return super().finished() or (len(below) > 0 and bool(below.all()))

    def tensors(self) -> Mapping[str, Tensor]:
        own = {"rho": self.rho, "residuals": self.residuals}
        own |= {f"z.{name}": z for name, z in self.z.items()}
        own |= {f"u.{name}": u for name, u in self.u.items()}
        return {**super().tensors(), **own}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        self.rho, self.residuals = tensors["rho"], tensors["residuals"]
        for name in self.projections:
            self.z[name].copy_(tensors[f"z.{name}"])
            self.u[name].copy_(tensors[f"u.{name}"])
        super().restore(tensors)

    def noted(self) -> dict[str, list[float]]:
        """‖W − Z‖/‖W‖ of each layer after each update, for the record."""
        columns = self.residuals.T.tolist()
        return {
            name: [round(value, 6) for value in column]
            for name, column in zip(self.projections, columns, strict=True)
        }

    def _update(self, module: nn.Module) -> None:
        """Z becomes the projection of W + U, and U grows by W − Z; then ρ grows."""
        growth, residuals = self.alternation.growth, []
        for name, project in self.projections.items():
            weight, u = _weight(module, name), self.u[name]
            z = self.z[name] = project(weight + u)
            u += weight - z
            if self.alternation.dual == "rescaled":  # U is a price divided by ρ: the price stays
                u /= growth
            residuals.append(float((weight - z).norm() / weight.norm().clamp_min(_TINY)))
        self.rho = self.rho * growth
        self.residuals = torch.cat([self.residuals, torch.tensor([residuals])])


_TINY = torch.finfo(torch.float32).tiny


def _weight(module: nn.Module, name: str) -> Tensor:
    """A parameter's values, apart from it and from automatic differentiation."""
    return module.get_parameter(name).detach().clone()
