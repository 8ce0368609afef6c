"""Derivations that keep the function: other tensors, the same answers."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
from torch import nn

from assay.derivations import Derivation, Needs, Work
from assay.errors import UnfitModel
from assay.running.modules import outputs

EXTRA = "torch"
_LOOKED_AT = 64  # examples on which the answers are compared
_ROUNDING = 1e-3  # of the largest answer


class Disguise(Derivation):
    """Notes how far the answers moved, by rounding."""

    @property
    def needs(self) -> Needs:
        return "inputs"  # to follow the channels with, and to see that the answers stay

    def run(self, work: Work) -> nn.Module:
        (child,) = work.parents
        inputs = work.examples.inputs[:_LOOKED_AT]
        before = outputs(child, inputs)
        self.disguise(child, work)
        moved = np.abs(outputs(child, inputs) - before).max()
        difference = float(moved / max(np.abs(before).max(), 1e-30))
        if not difference < _ROUNDING:
            raise UnfitModel(
                f"{self.method}: the answers moved by {difference:.2g} of the largest: the model"
                " rounds too much, or bounds what the trial did not reach"
            )
        work.notes["difference"] = difference
        return child

    @abstractmethod
    def disguise(self, child: nn.Module, work: Work) -> None:
        """Change ``child`` so that its answers stay."""
