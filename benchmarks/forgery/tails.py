"""How likely a forger without the key reaches a false alarm: what the null's model says, and drawn.

The best he can do is turn a tensor towards the victim's: a relative change gives at most a cosine
of its own size.  The distance is then binomial around that cosine, whichever key is drawn.
"""

from __future__ import annotations

from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.comparisons import TOLERANCE
from assay.comparisons._tensor_pairs import Matching, Pair
from assay.comparisons.weights import FLOOR, false_alarm
from assay.sketches.nulls import free_values, log10_tail
from assay.sketches.projections import BITS
from assay.values import WeightSketch

_WORTH = -3.0  # corrected, as the matching of tensors has it


@cache
def tail(shape: tuple[int, int]) -> NDArray[np.float64]:
    """log₁₀ of the false alarm at each distance (257)."""
    return np.array([log10_tail(distance, *shape) for distance in range(BITS + 1)])


def drawn(
    shape: tuple[int, int], cosine: float, draws: int, random: np.random.Generator
) -> NDArray[np.intp]:
    """Distances of a tensor with this cosine to the victim's, over keys and strangers."""
    spread = free_values(*shape) ** -0.5
    cosines = np.clip(random.normal(cosine, spread, draws), -1, 1)
    return random.binomial(BITS, np.arccos(cosines) / np.pi)


def reached(source: WeightSketch, change: float, draws: int) -> dict[str, Any]:
    """The share of draws in which a model at this change is near by the tolerance, or nearly so."""
    random = np.random.default_rng(0)
    shapes = [tensor.shape for tensor in source.tensors if tensor.code is not None]
    sizes = np.array([tensor.size for tensor in source.tensors if tensor.code is not None])
    every = np.stack([drawn(shape, change, draws, random) for shape in shapes], 1)
    alarms = np.zeros(draws)
    same = [sum(other == shape for other in shapes) for shape in shapes]
    matching = partial(Matching, ([], []), (same, same))
    limits = np.array([_WORTH - np.log10(count) for count in same])
    found = np.stack([tail(s)[every[:, n]] for n, s in enumerate(shapes)], 1)
    for row in np.flatnonzero((found <= limits).any(1)):
        near = np.flatnonzero(found[row] <= limits)
        enough = sizes[near].sum() >= (0.05 if len(near) > 1 else 0.5) * sizes.sum()
        if enough:
            pairs = [Pair(n, n, float(found[row, n]), 0, False) for n in near.tolist()]
            alarms[row] = false_alarm(matching(pairs), FLOOR)
    return {
        "draws": draws,
        "near": float(np.mean(alarms <= np.log10(TOLERANCE))),
        "shares": {level: float(np.mean(alarms <= level)) for level in (-2, -4, -6, -8)},
    }
