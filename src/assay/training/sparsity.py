"""Penalties that press scales of batch normalizations towards zero, all of them or some.

``l1`` presses all [network slimming: Liu et al., ICCV 2017].  ``polarization`` presses some to zero
and draws the others to the bound, so that there is a gap between them [Zhuang et al., NeurIPS
2020].
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from assay.errors import BadOption, UnfitModel
from assay.training import Around, Batch, Objective

EXTRA = "torch"
Kind = Literal["l1", "polarization"]
_ZERO = 0.01  # of the largest scale: as good as zero


@dataclass(frozen=True, slots=True)
class Penalty:
    """What presses the scales of a model, and how much."""

    kind: Kind = "polarization"  # or l1, which presses all
    strength: float = 0.001  # λ
    balance: float = 1.2  # t, of polarization: a share of ½ - t/4 is drawn to the bound
    bound: float = 1.0  # a, of polarization: scales are brought into [0, a]

    def __post_init__(self) -> None:
        if self.kind not in ("l1", "polarization"):
            raise BadOption(f"penalty.kind must be l1 or polarization, not {self.kind!r}")
        if not 0 <= self.strength < float("inf") or not 0 < self.bound < float("inf"):
            raise BadOption("penalty.strength must be 0 or more, and penalty.bound above 0")
        if not -2 <= self.balance <= 2:
            raise BadOption(f"penalty.balance must be from -2 to 2, not {self.balance}")

    def on(self, module: nn.Module, trained: Collection[str] | None = None) -> Sparse:
        """An objective: cross entropy, and the penalty on the scales that are ``trained``.

        Raises UnfitModel where there is none.
        """
        names = [name for name in scales(module) if trained is None or name in trained]
        return Sparse(self.strength, names, kind=self.kind, balance=self.balance, bound=self.bound)


class Sparse(Around):
    """An objective, and a penalty on the scales of batch normalizations, γ."""

    def __init__(
        self,
        strength: float,
        names: Sequence[str],
        *,
        kind: Kind = "l1",
        balance: float = 1.2,
        bound: float = 1.0,
        objective: Objective | None = None,
    ) -> None:
        """Press parameters.

        Args:
            strength: λ of eq. 1.
            names: Of the parameters, each of one axis.
            kind: l1: Σ|γ|; polarization: t·Σ|γ| − Σ|γ − mean of all γ| (eq. 2).
            balance: t, from -2 to 2: a share of ½ - t/4 is drawn to the bound, the rest to zero.
            bound: a: after each step γ is brought into [0, a]; for polarization alone.
            objective: By default cross entropy.

        Raises:
            BadOption: there is no such kind.
            UnfitModel: there are no parameters to be pressed.
        """
        super().__init__(objective)
        if kind not in ("l1", "polarization"):
            raise BadOption(f"a penalty of kind {kind!r}: there are l1 and polarization")
        if not names:
            raise UnfitModel("the model has no scales that could be made sparse")
        self.strength, self.names, self.kind = strength, [*names], kind
        self.balance, self.bound = balance, bound

    def __repr__(self) -> str:
        more = f", t={self.balance}, a={self.bound}" if self.kind == "polarization" else ""
        return f"Sparse({self.objective!r}, {self.kind}, {self.strength}, {self.names}{more})"

    def loss(self, module: nn.Module, batch: Batch) -> Tensor:
        return super().loss(module, batch) + self.strength * self.penalty(module)

    def penalty(self, module: nn.Module) -> Tensor:
        """The norm, without its strength."""
        gamma = torch.cat([module.get_parameter(name).flatten() for name in self.names])  # (n,)
        if self.kind == "l1":
            return gamma.abs().sum()
        return (self.balance * gamma.abs() - (gamma - gamma.mean()).abs()).sum()

    def after_step(self, module: nn.Module) -> None:
        super().after_step(module)
        if self.kind == "polarization":
            with torch.no_grad():
                for name in self.names:
                    module.get_parameter(name).clamp_(0, self.bound)


def scales(module: nn.Module) -> list[str]:
    """The names of the scales of all batch normalizations."""
    return [
        f"{name}.weight" if name else "weight"
        for name, part in module.named_modules()
        if isinstance(part, nn.modules.batchnorm._BatchNorm) and part.weight is not None
    ]


def near_zero(module: nn.Module) -> float:
    """The share of a model's scales that are as good as zero, beside the largest; it has some."""
    found = [module.get_parameter(name).detach().abs() for name in scales(module)]
    if not found:
        raise UnfitModel("the model has no scales that could be made sparse")
    gamma = torch.cat(found)  # (n,)
    return round(float((gamma <= _ZERO * gamma.max()).float().mean()), 4)
