"""Gaussian noise on the weights, in proportion to each tensor's own size."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from assay.derivations import Derivation, Work
from assay.running.modules import weights

EXTRA = "torch"


@dataclass(frozen=True)
class Noise(Derivation):
    """The parent with noise on the weights of its layers."""

    strength: float = 0.05  # the noise's standard deviation over the tensor's root mean square

    def __post_init__(self) -> None:
        self.within("strength", 0, float("inf"))

    def run(self, work: Work) -> nn.Module:
        (child,) = work.parents
        generator = torch.Generator().manual_seed(work.seed)
        with torch.no_grad():
            for weight in {id(w): w for w in weights(child).values()}.values():  # a tied one once
                noise = torch.randn(weight.shape, generator=generator)
                weight.add_(noise.to(weight) * weight.square().mean().sqrt() * self.strength)
        return child
