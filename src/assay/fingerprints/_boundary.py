"""Inputs near a model's decision boundary."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from assay.errors import BadData
from assay.fingerprints._gradients import descend, scores
from assay.running.modules import on
from assay.running.predictors.answers import Array

EXTRA = "torch"


def at_boundary(
    module: nn.Module,
    inputs: Array,
    margin: float,
    rate: float,
    steps: int,
    rng: np.random.Generator | None,
) -> Array:
    """Inputs (n, …) moved to where another class comes near their own, and no third is before it.

    ``relu(z_i − z_j + margin) + relu(max z_t − z_i)``, of the own class i, another one j, all
    others t, is brought to 0.  The other class is the least likely one, or drawn from ``rng``.
    """
    if inputs.dtype.kind != "f":
        raise BadData("gradients are taken of real inputs, and these are whole numbers")
    given = on(module, inputs)
    with torch.no_grad():
        own = scores(module, given)
    first, count = own.argmax(1), own.shape[1]
    if rng is None:
        second = own.argmin(1)
    else:
        steps_on = torch.from_numpy(rng.integers(1, count, len(inputs))).to(first.device)
        second = (first + steps_on) % count

    def loss(moved: Tensor, rows: slice) -> Tensor:
        outputs = scores(module, moved)
        i, j = first[rows, None], second[rows, None]
        lead, rival = outputs.gather(1, i)[:, 0], outputs.gather(1, j)[:, 0]
        barred = outputs.scatter(1, i, -torch.inf).scatter(1, j, -torch.inf).amax(1)
        third = torch.relu(barred - lead) if count > 2 else torch.zeros_like(lead)
        found: Tensor = torch.relu(lead - rival + margin) + third
        return found

    low, high = float(inputs.min()), float(inputs.max())
    moved = descend(given, loss, rate=rate, steps=steps, low=low, high=high)
    found: Array = moved.cpu().numpy()
    return found
