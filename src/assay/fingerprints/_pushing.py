"""ModelDiff's adversarial copies: what a model's outputs deviate from their mean is amplified."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from assay.fingerprints._gradients import ascend, scores
from assay.running.modules import on
from assay.running.predictors.answers import Array

EXTRA = "torch"
FAR = 1000.0  # how far behind the mean an output's target lies, in its own deviation from it
OTHERS = 0.1  # weight of all outputs but the first, together


def pushed_apart(
    module: nn.Module, inputs: Array, epsilon: float, steps: int, rng: np.random.Generator
) -> Array:
    """Copies of inputs (n, …) within ``epsilon``, answered as far from their targets as possible.

    The targets lie on the other side of the batch's mean: the authors' loss as it takes effect.
    """
    with torch.no_grad():
        own = scores(module, on(module, inputs))
    targets = FAR * (own.mean(0) - own)
    weights = torch.full((own.shape[1],), OTHERS / (own.shape[1] - 1), device=own.device)
    weights[0] = 1

    def loss(moved: Tensor, rows: slice) -> Tensor:
        squares: Tensor = (weights * (scores(module, moved) - targets[rows]) ** 2).sum(1)
        return squares

    return ascend(module, inputs, loss, epsilon=epsilon, steps=steps, rng=rng)
