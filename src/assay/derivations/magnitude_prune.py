"""The smallest weights become zero [Han et al., 2015], and may be tuned under the mask.

Within each layer, or over the whole model.  Exactly as many weights go as the rate says: of equal
ones the first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from assay.derivations import Derivation, Needs, Work
from assay.derivations._masks import Largest, Layers, Masked, prunable
from assay.errors import UnfitModel
from assay.training import Training

EXTRA = "torch"


@dataclass(frozen=True)
class MagnitudePrune(Derivation):
    """The parent with a share of its weights at zero."""

    rate: float = 0.5  # share of the weights that go; biases and normalization stay
    scope: Literal["layer", "global"] = "layer"  # what the smallest are sought in
    layers: Layers = "all"  # which are pruned
    training: Training | None = None  # fine-tuning of what is left; by default none

    def __post_init__(self) -> None:
        self.within("rate", 0, 1)
        self.one_of("scope", ("layer", "global"))
        self.one_of("layers", ("all", "convolutions"))

    @property
    def needs(self) -> Needs:
        return "nothing" if self.training is None else "labels"

    def run(self, work: Work) -> nn.Module:
        (child,) = work.parents
        masked = Masked(kept(prunable(child, self.layers), self.rate, self.scope))
        if all(bool(mask.all()) for mask in masked.masks.values()):
            raise UnfitModel(f"a rate of {self.rate:g} takes none of its weights: set a larger one")
        masked.after_step(child)
        if self.training is not None:
            work.train(
                child, work.examples, self.training, objective=masked, stage="tuning what is left"
            )
        work.notes["left"] = {name: int(mask.sum()) for name, mask in masked.masks.items()}
        work.notes["of"] = sum(mask.numel() for mask in masked.masks.values())
        return child


def kept(weights: Mapping[str, Tensor], rate: float, scope: str) -> dict[str, Tensor]:
    """Masks without the ``rate`` of smallest magnitudes, of each tensor or of all together."""
    sizes = {name: weight.detach().abs() for name, weight in weights.items()}
    if scope == "layer":
        return {name: _largest(size, rate) for name, size in sizes.items()}
    flat = torch.cat([size.flatten() for size in sizes.values()])
    masks = _largest(flat, rate).split([weight.numel() for weight in weights.values()])
    return {
        name: mask.view_as(weight)
        for (name, weight), mask in zip(weights.items(), masks, strict=True)
    }


def _largest(magnitudes: Tensor, rate: float) -> Tensor:
    count = magnitudes.numel()
    return Largest(count - round(rate * count)).mask(magnitudes)
