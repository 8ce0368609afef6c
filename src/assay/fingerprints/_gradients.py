"""Queries made with gradients of the owner's model."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from assay.errors import BadData, UnfitModel
from assay.fingerprints import Model
from assay.running.modules import answer, copy_of, logits, on
from assay.running.predictors.answers import Array
from assay.running.predictors.of_module import OfModule

EXTRA = "torch"
BATCH = 256
Loss = Callable[[Tensor, slice], Tensor]  # inputs (b, …) and which rows they are -> (b,)


def opened(model: Model) -> nn.Module:
    """A copy of the module behind a model, whose weights need no gradients.

    Raises UnfitModel where there is none: the model can only be asked.
    """
    module = model.module if isinstance(model, OfModule) else model
    if not isinstance(module, nn.Module):
        raise UnfitModel(
            f"{getattr(model, 'name', model)} can only be asked, and gradients are needed:"
            " give a torch module"
        )
    return copy_of(module).requires_grad_(False)


def scores(module: nn.Module, inputs: Tensor) -> Tensor:  # (b, …) -> (b, c)
    """Logits, in float32.  Raises UnfitModel where there are no classes."""
    found = answer(module, inputs)
    found = found.flatten(1) if found.dim() > 2 else found
    if found.dim() != 2 or found.shape[1] < 2:
        raise UnfitModel(f"the owner's model gives {list(found.shape)}, not (n, classes)")
    return logits(found)


def ascend(
    module: nn.Module,
    inputs: Array,
    loss: Loss,
    *,
    epsilon: float,
    steps: int,
    rng: np.random.Generator,
) -> Array:
    """Inputs within ``epsilon`` of each value where ``loss`` is larger: projected gradient ascent.

    From a random start, by the gradient's sign, six of whose steps cross ``epsilon``; no value
    leaves the range that the inputs have.
    """
    if inputs.dtype.kind != "f":
        raise BadData("gradients are taken of real inputs, and these are whole numbers")
    low, high = float(inputs.min()), float(inputs.max())
    starts = np.clip(inputs + rng.uniform(-epsilon, epsilon, inputs.shape), low, high)
    found = []
    for first in range(0, len(inputs), BATCH):
        rows = slice(first, first + BATCH)
        center, moved = on(module, inputs[rows]), on(module, starts[rows].astype(np.float32))
        least, most = (center - epsilon).clamp(low, high), (center + epsilon).clamp(low, high)
        for _ in range(steps):
            moved = moved.detach().requires_grad_()
            (gradient,) = torch.autograd.grad(loss(moved, rows).sum(), moved)
            moved = (moved.detach() + epsilon / 6 * gradient.sign()).clamp(least, most)
        found.append(moved.detach().cpu().numpy())
    return np.concatenate(found)


def descend(
    inputs: Tensor, loss: Loss, *, rate: float, steps: int, low: float, high: float
) -> Tensor:
    """Inputs within a range where ``loss`` is smaller [Adam]; those that have none are left."""
    found = []
    for first in range(0, len(inputs), BATCH):
        rows = slice(first, first + BATCH)
        moved = inputs[rows].clone().requires_grad_()
        adam = torch.optim.Adam([moved], lr=rate)
        for _ in range(steps):
            losses = loss(moved, rows)
            todo = losses.detach() > 0
            if not bool(todo.any()):
                break
            kept = moved.detach().clone()
            (moved.grad,) = torch.autograd.grad(losses.sum(), moved)
            adam.step()
            with torch.no_grad():
                moved.clamp_(low, high)
                moved[~todo] = kept[~todo]
        found.append(moved.detach())
    return torch.cat(found)
