"""What a layer of an open model gives: its features, each channel averaged over space."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from assay.errors import BadData, UnfitModel
from assay.running.modules import answer, evaluating, head, on, weighted
from assay.running.predictors import Predictor
from assay.running.predictors.answers import Array
from assay.running.predictors.of_module import OfModule

EXTRA = "torch"
BATCH = 256


def last_features(module: nn.Module, example: Array) -> str:
    """The name of the layer behind which there is nothing but the classes: the head."""
    return head(module, example)[0]


def middle(module: nn.Module) -> str:
    """The name of the weighted layer in the middle, the last one not counted."""
    names = [*weighted(module)]
    if len(names) < 2:
        raise UnfitModel("the model has a single layer: none lies in the middle")
    return names[(len(names) - 1) // 2]


@contextmanager
def seen(module: nn.Module, layer: str, side: str) -> Iterator[list[Tensor]]:
    """A list that, while the module runs, holds what goes into a layer last, or comes out of it."""
    held: list[Tensor] = []

    def note(_: nn.Module, given: tuple[Tensor, ...], got: Tensor) -> None:
        held[:] = [given[0] if side == "input" else got]

    hook = module.get_submodule(layer).register_forward_hook(note)
    try:
        yield held
    finally:
        hook.remove()


def averaged(activations: Tensor, layer: nn.Module) -> Tensor:  # (b, f, …), (b, …, f) -> (b, f)
    """Each channel's mean.

    Channels are last before and behind a linear layer; else they follow the batch.
    """
    if activations.dim() < 3:
        return activations
    if isinstance(layer, nn.Linear):  # one row for each token
        return activations.flatten(1, -2).mean(1)
    return activations.flatten(2).mean(2)


def features(module: nn.Module, layer: str, inputs: Array, side: str = "output") -> Array:
    """(n, f) of a layer.  Raises BadData where the module does not take the inputs."""
    found, part = [], module.get_submodule(layer)
    with seen(module, layer, side) as held, evaluating(module), torch.no_grad():
        for first in range(0, len(inputs), BATCH):
            answer(module, on(module, inputs[first : first + BATCH]))
            found.append(averaged(held[0], part).cpu().double())
    array: Array = torch.cat(found).numpy()
    if len(array) != len(inputs):
        raise BadData(f"layer {layer} does not give one row of features for each input")
    return array


def module_of(model: Predictor) -> nn.Module | None:
    """The module behind a predictor, where there is one."""
    return model.module if isinstance(model, OfModule) else None
