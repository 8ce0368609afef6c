"""Which weights stay, and that the others stay zero while those are tuned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from assay.errors import UnfitModel
from assay.running.modules import CONVOLUTIONS, weights
from assay.training import Around, Objective
from assay.values import Json

EXTRA = "torch"

Layers = Literal["all", "convolutions"]


def prunable(module: nn.Module, layers: Layers = "all") -> dict[str, nn.Parameter]:
    """The weights of its layers by name, each once; biases and normalization are not among them.

    Raises UnfitModel where there are none.
    """
    known = weights(module)
    if layers == "convolutions":
        owners = {name: module.get_submodule(name.rpartition(".")[0]) for name in known}
        known = {n: w for n, w in known.items() if isinstance(owners[n], CONVOLUTIONS)}
        if not known:
            raise UnfitModel("the model has no convolution to prune: set layers=all")
    return {name: known[name] for name in {id(w): n for n, w in known.items()}.values()}


def left_of(module: nn.Module, masks: Mapping[str, Tensor]) -> Json:
    """Counts as papers give them, of weights alone; and of all parameters."""
    of = sum(mask.numel() for mask in masks.values())
    left = {name: int(mask.sum()) for name, mask in masks.items()}
    parameters = sum(parameter.numel() for parameter in module.parameters())
    stays = sum(left.values())
    return {
        "left": left,
        "of": of,
        "reduction": round(of / stays, 2) if stays else None,
        "parameters": {"left": parameters - (of - stays), "of": parameters},
    }


@dataclass(frozen=True, slots=True)
class Largest:
    """The nearest tensor of at most ``count`` nonzeros: the largest stay as they are."""

    count: int

    def __call__(self, weight: Tensor) -> Tensor:
        return weight * self.mask(weight)

    def mask(self, weight: Tensor) -> Tensor:
        """Where they are: exactly ``count`` places, whatever is equal; of equal ones the last."""
        flat = weight.detach().abs().flatten()
        mask = torch.ones_like(flat, dtype=torch.bool)
        mask[flat.argsort(stable=True)[: flat.numel() - self.count]] = False
        return mask.view_as(weight)


class Masked(Around):
    """A model some of whose weights stay zero."""

    def __init__(self, masks: Mapping[str, Tensor], objective: Objective | None = None) -> None:
        """``masks``: by parameter; False where it is zero."""
        super().__init__(objective)
        self.masks = masks

    def __repr__(self) -> str:
        left = {name: int(mask.sum()) for name, mask in self.masks.items()}
        return f"Masked(left={left}, {self.objective!r})"

    def after_step(self, module: nn.Module) -> None:
        """Momentum and weight decay move what is pruned, too: it is put back."""
        super().after_step(module)
        with torch.no_grad():
            for name, mask in self.masks.items():
                module.get_parameter(name).masked_fill_(~mask, 0.0)  # a product may be -0.0
