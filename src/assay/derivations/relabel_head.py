"""The classes in another order: the same answers under other numbers.

What a thief does to a head who wants no answer to be equal, without any training.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from assay.derivations import FEW, Derivation, Needs, Work
from assay.errors import UnfitModel
from assay.running.modules import head

EXTRA = "torch"


@dataclass(frozen=True)
class RelabelHead(Derivation):
    """The parent with the outputs of its last layer permuted."""

    @property
    def needs(self) -> Needs:
        return "inputs"  # to find the head by running the model

    def run(self, work: Work) -> nn.Module:
        (child,) = work.parents
        name, last = head(child, work.examples.inputs[:FEW])
        classes = last.weight.shape[0]
        if classes < 2:
            raise UnfitModel(f"the last layer, {name}, has one output: there is nothing to permute")
        generator = torch.Generator().manual_seed(work.seed)
        order = torch.randperm(classes, generator=generator)
        if torch.equal(order, torch.arange(classes)):  # as it was: the next best one
            order = order.roll(1)
        with torch.no_grad():
            last.weight.copy_(last.weight[order])
            if last.bias is not None:
                last.bias.copy_(last.bias[order])
        work.notes["classes"] = order.tolist()  # output i is what was output classes[i]
        return child
