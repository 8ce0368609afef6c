"""Hard-concrete gates [Louizos, Welling and Kingma, ICLR 2018] on the slices of one layer.

A gate is between 0 and 1, and often just one of these.  The logit of each is all that is learned:
what a slice is worth to the loss, beside a penalty on every gate that may be open.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import log
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.func import functional_call

from assay.errors import BadOption
from assay.running.examples import Examples
from assay.running.modules import seeded
from assay.running.tensors import tensor_of
from assay.training import Batch, Objective, Optimizer, Training, train

EXTRA = "torch"
_STEEP, _LOW, _HIGH = 2 / 3, -0.1, 1.1  # β, γ, ζ
_EDGE = 1e-6  # ε: uniform numbers stay away from 0 and 1 by it
_START = (1.0, 1e-5)  # mean and deviation of the logits at first
_SHORT = Training(3, 64, Optimizer("sgd", 20.0, weight_decay=0.0))


@dataclass(frozen=True, slots=True)
class Gates:
    """How importance is learned."""

    penalty: float = 1e-4  # Λ: of each gate's probability to be open
    training: Training = field(default_factory=lambda: _SHORT)  # of one layer's gates

    def __post_init__(self) -> None:
        if not self.penalty >= 0:
            raise BadOption(f"gates.penalty must be 0 or more, not {self.penalty}")

    def learned(
        self, module: nn.Module, name: str, examples: Examples, seed: int
    ) -> NDArray[np.float32]:
        """The logits (o, i) of the slices of a weight (o, i, …), in evaluation mode."""
        module.requires_grad_(False)
        with seeded(seed):
            gated = _Gated(module, name)
        train(gated, examples, self.training, objective=_FewOpen(self.penalty), seed=seed)
        found: NDArray[np.float32] = gated.logits.detach().numpy(force=True)
        return found


class _Gated(nn.Module):
    """A module, itself frozen and never in training mode, with gates on one of its weights."""

    def __init__(self, module: nn.Module, name: str) -> None:
        super().__init__()
        self.frozen = (module,)  # in a tuple: no part, whose parameters would be trained
        self.name, self.weight = name, tensor_of(module, name).detach()
        mean, deviation = _START
        self.logits = nn.Parameter(mean + deviation * torch.randn(self.weight.shape[:2]))

    @classmethod
    def of(cls, module: nn.Module) -> Self:
        assert isinstance(module, cls)
        return module

    def gates(self) -> Tensor:  # (o, i)
        logits = self.logits
        if self.training:
            uniform = torch.empty_like(logits).uniform_(_EDGE, 1 - _EDGE)
            logits = (uniform.log() - (1 - uniform).log() + logits) / _STEEP
        return (torch.sigmoid(logits) * (_HIGH - _LOW) + _LOW).clamp(0, 1)

    def forward(self, inputs: Tensor) -> Tensor:
        gates = self.gates()
        weight = self.weight * gates.reshape(*gates.shape, *[1] * (self.weight.dim() - 2))
        found: Tensor = functional_call(self.frozen[0], {self.name: weight}, (inputs,))
        return found


class _FewOpen(Objective):
    """Cross entropy, and how many gates are likely to be open."""

    def __init__(self, penalty: float) -> None:
        self.penalty = penalty

    def __repr__(self) -> str:
        return f"FewOpen({self.penalty!r})"

    def loss(self, module: nn.Module, batch: Batch) -> Tensor:
        logits = _Gated.of(module).logits
        open_ = torch.sigmoid(logits - _STEEP * log(-_LOW / _HIGH)).sum()
        return super().loss(module, batch) + self.penalty * open_
