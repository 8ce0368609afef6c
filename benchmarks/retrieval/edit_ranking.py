"""Whether codes are apart as their graphs are: distances of codes against edit distances.

The edit distance is known within bounds only (``assay.graphs.edit_distance``).  So there are two
figures: Spearman's correlation with the middle of the bounds, and, of two pairs of graphs whose
bounds do not overlap, so that it is sure which of them is farther apart, how often the codes agree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from assay.graphs.edit_distance import edit_distance
from assay.graphs.variants import Change
from assay.values import Json, LayerGraph
from assay.zoo import Architecture

LARGEST = 150  # layers
NETWORKS = 80  # drawn of those that are asked


@dataclass(frozen=True)
class Pairs:
    """p pairs of graphs, and between which shares of their size their edit distance lies."""

    first: tuple[LayerGraph, ...]
    second: tuple[LayerGraph, ...]
    bounds: NDArray[np.float64]  # (p, 2) lower, upper


def edit_pairs(
    models: Sequence[Architecture],
    asked: Sequence[int],
    changes: Mapping[str, tuple[Change, float]],
    seed: int,
) -> Pairs:
    """Small networks that are asked, each with a variant, one of its family, and a stranger."""
    rng = np.random.default_rng(seed)
    small = [models[i] for i in asked if len(models[i].graph.layers) <= LARGEST]
    first, second, bounds = [], [], []
    for place in rng.permutation(len(small))[:NETWORKS].tolist():
        model = small[place]
        change, strength = changes[str(rng.choice([*changes]))]
        found: list[tuple[LayerGraph, tuple[int, ...] | None]] = []
        if (variant := change(model.graph, strength, rng)) is not None:
            found.append((variant.graph, variant.lineage))
        kin = [m for m in small if m.family == model.family and m is not model]
        strangers = [m for m in small if m.family != model.family]
        for others in (kin, strangers):
            if others:
                found.append((others[int(rng.integers(len(others)))].graph, None))
        for graph, lineage in found:
            first.append(graph)
            second.append(model.graph)
            bounds.append(edit_distance(graph, model.graph, lineage=lineage).normalized)
    return Pairs(tuple(first), tuple(second), np.array(bounds).reshape(-1, 2))


def agreement(distances: NDArray[np.float64], bounds: NDArray[np.float64]) -> Json:
    """How distances (p) agree with bounds (p, 2) of what they stand for.

    ``spearman`` is with the middles; ``decided`` is of all that the bounds decide the share that
    agrees less the share that does not, where equal distances do neither (Goodman and Kruskal's
    gamma counts them out, this does not).
    """
    lower, upper = bounds.T
    nearer = upper[:, None] < lower[None]  # (p, p) the first pair surely is the nearer one
    signs = np.sign(distances[None] - distances[:, None])[nearer]
    orders = len(distances) * (len(distances) - 1) / 2
    return {
        "pairs": len(distances),
        "spearman": round(float(spearmanr(distances, bounds.mean(1)).statistic), 4),
        "decided": round(float(signs.mean()), 4),
        "share_decided": round(float(nearer.sum() / orders), 4),
    }
