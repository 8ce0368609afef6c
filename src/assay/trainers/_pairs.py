"""Losses of pairs of graphs that several trainers share."""

from __future__ import annotations

import torch
from torch import Tensor

EXTRA = "torch"


def squared_distances(rows: Tensor) -> Tensor:
    """‖a − b‖² for each pair of rows: (r, d) → (r, r)."""
    return (rows[:, None] - rows[None, :]).square().sum(2)


def clipped(distances: Tensor, limit: float) -> Tensor:
    """Distances with values past ``limit`` set to it, and gradients as if they were not.

    [GHashing's code.]  Where the label is ``limit`` too, a pair further apart costs nothing.
    """
    return distances - (distances - limit).clamp(min=0).detach()


def rated_error(distances: Tensor, labels: Tensor, rate: float) -> Tensor:
    """Mean exp(rate · (d − l)) (d − l)²: a rate above 0 weighs near pairs put far apart."""
    errors = distances - labels
    return (torch.exp(rate * errors) * errors.square()).mean()
