"""Pictures whose features are another picture's."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from assay.errors import BadData
from assay.fingerprints._layers import last_features, seen
from assay.running.modules import answer, on
from assay.running.predictors.answers import Array

EXTRA = "torch"
_INSIDE = 0.98  # of the range of values: at its ends tanh has no gradient


def alike(
    module: nn.Module, probes: Array, steps: int, rate: float, rng: np.random.Generator
) -> Array:
    """For each probe (n, …) a picture, made of another one, that has its features.

    Features are what goes into the last layer.  Values stay in the range of the probes, by a tanh.
    """
    if probes.dtype.kind != "f":
        raise BadData("gradients are taken of real inputs, and these are whole numbers")
    layer = last_features(module, probes[:2])
    low, high = float(probes.min()), float(probes.max())
    middle, half = (low + high) / 2, (high - low) / 2 or 1.0
    others = probes[np.roll(rng.permutation(len(probes)), 1)]  # from where each begins
    start = np.clip((others - middle) / half, -_INSIDE, _INSIDE)
    free = on(module, np.arctanh(start).astype(np.float32)).requires_grad_()
    adam = torch.optim.Adam([free], lr=rate)
    with seen(module, layer, "input") as held:
        with torch.no_grad():
            answer(module, on(module, probes))
            wanted = held[0].flatten(1)
        for _ in range(steps):
            answer(module, middle + half * free.tanh())
            loss = ((held[0].flatten(1) - wanted) ** 2).mean(1).sum()
            (free.grad,) = torch.autograd.grad(loss, free)
            adam.step()
    made: Array = (middle + half * free.detach().tanh()).cpu().numpy().astype(np.float32)
    return made
