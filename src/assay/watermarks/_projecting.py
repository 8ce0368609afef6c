"""Tuning with Uchida's regularizer: the cross entropy of a mean kernel's projections and bits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from assay.errors import UnfitModel
from assay.training import Around, Batch, Objective
from assay.watermarks import Work
from assay.watermarks._hosts import name_in
from assay.watermarks._key import Key
from assay.watermarks._marking import put, trained, weights_of

if TYPE_CHECKING:
    from assay.watermarks.uchida import Uchida

EXTRA = "torch"


class Regularized(Around):
    """Cross entropy of the labels, and λ times that of the bits."""

    def __init__(self, method: Uchida, module: nn.Module, key: Key) -> None:
        from assay.watermarks.uchida import bits, matrix

        super().__init__(None)
        name = name_in(weights_of(module), key.template["hosts"][0])
        if name is None:
            raise UnfitModel(f"no weight {key.template['hosts'][0]['name']!r} to be marked")
        self.method, self.host = method, name
        self.name = key.digest + key.payload.hex()
        held = dict(module.named_parameters())[name]
        self.matrix = torch.from_numpy(matrix(key)).to(held)  # (t, d)
        self.bits = torch.from_numpy(bits(key)).to(held)  # (t,)

    def __repr__(self) -> str:
        return f"Regularized({self.method!r}, {self.name})"

    def loss(self, module: nn.Module, batch: Batch) -> Tensor:
        mean = module.get_parameter(self.host).mean(0).flatten()
        wrong = nn.functional.binary_cross_entropy_with_logits(
            self.matrix @ mean, self.bits, reduction="sum"
        )
        return super().loss(module, batch) + self.method.strength * wrong


def tuned(method: Uchida, work: Work, objective: Objective | None = None) -> nn.Module:
    """The model tuned with the regularizer, or another objective; bits left wrong are turned."""
    objective = objective or Regularized(method, work.module, work.key)
    trained(work, method.training, objective)
    weights = weights_of(work.module)
    right, of = method.detect(weights, work.key).detail["bits"]
    work.notes["turned"] = of - right
    if right < of:
        put(work.module, method.embed(weights, work.key, work.notes))
    return work.module
