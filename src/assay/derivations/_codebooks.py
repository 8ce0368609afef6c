"""A few values that many numbers share: means of clusters, or multiples of one step.

[Lloyd, 1982; levels: Ye et al., ADMM-NN, 2018.]  Levels are ±q, ±2q … ±mq: zero is none, for what
is zero was pruned.  The published search looks for q within a tenth of the largest number's; here
it is exact: as q falls, numbers go one by one from a level to the next, and between two such steps
the best q has a closed form.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil, log2
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from assay.values import Json

EXTRA = "torch"

Array = NDArray[np.float64]
_ROUNDS = 300  # of k-means, at most
_MOST_MOVES = 2**22  # of numbers between levels that are looked at; of more numbers only some


def nearest_means(values: Array, centers: Array) -> Array:
    """Lloyd's k-means of numbers (n,) from ``centers`` (k,), ascending; empty clusters are dropped.

    Clusters are intervals of the sorted numbers, and sums of intervals are differences of sums.
    """
    ordered = np.sort(values)
    sums = np.concatenate([[0.0], ordered.cumsum()])  # (n + 1,)
    for _ in range(_ROUNDS):
        inner = np.searchsorted(ordered, (centers[1:] + centers[:-1]) / 2)
        bounds = np.concatenate([[0], inner, [len(ordered)]])  # (k + 1,)
        counts = np.diff(bounds)
        centers = centers[counts > 0]
        means = np.diff(sums[bounds])[counts > 0] / counts[counts > 0]
        if np.array_equal(means, centers):
            break
        centers = means
    return centers


def start_of(values: Array, count: int, how: Literal["linear", "density"]) -> Array:
    """(k ≤ count,), ascending, where k-means may begin: some of ``values``, so that none is empty.

    Linear starts cover the few large numbers, too; those by density lie where most numbers are.
    """
    distinct = np.unique(values)
    if how == "linear":
        wanted = np.linspace(distinct[0], distinct[-1], count)
    else:
        wanted = np.quantile(values, (np.arange(count) + 0.5) / count)
    return np.unique(distinct[nearest(wanted, distinct)])


def best_means(values: Array, count: int) -> Array:
    """The better of k-means from both starts, (k ≤ count,) ascending; a zero where nothing is."""
    if not len(values):
        return np.zeros(1)
    found = [nearest_means(values, start_of(values, count, how)) for how in ("linear", "density")]
    return min(
        found, key=lambda means: float(((values - means[nearest(values, means)]) ** 2).sum())
    )


def nearest(values: Array, centers: Array) -> NDArray[np.int64]:
    """(n,): which of the ascending ``centers`` (k,) is nearest to each number."""
    middles = (centers[1:] + centers[:-1]) / 2
    return np.searchsorted(middles, values, side="right").astype(np.int64)


def storage(weights: Mapping[str, Tensor], *, keep_zeros: bool) -> Json:
    """Distinct values by layer, and bits that a weight takes: its index, and with the codebook.

    Zeros that are kept count neither as weights nor as a value; where they are is not counted.
    """
    distinct, count, data, books = {}, 0, 0, 0
    for path, weight in weights.items():
        stored = weight[weight != 0] if keep_zeros else weight
        distinct[path] = len(stored.unique())
        count += stored.numel()
        data += stored.numel() * ceil(log2(max(2, distinct[path])))
        books += 32 * distinct[path]
    return {
        "distinct_values": distinct,
        "weights": count,
        "bits_per_weight": round(data / max(1, count), 4),
        "bits_per_weight_with_codebooks": round((data + books) / max(1, count), 4),
    }


def step_of(values: Array, most: int) -> float:
    """The q whose levels ±q … ±``most``·q have the least squared distance to ``values`` (n,).

    Of more numbers than can be looked at, only every so many-th decides which level each is at.
    """
    sizes = np.sort(np.abs(values))
    if not sizes.any():
        return 1.0
    thinning = max(1, -(-len(sizes) * most // _MOST_MOVES))
    step = _best_step(sizes[thinning - 1 :: thinning], most)
    for _ in range(_ROUNDS if thinning > 1 else 0):
        levels = np.abs(levels_of(sizes, step, most))
        better = float(sizes @ levels / (levels @ levels))
        if better == step:
            break
        step = better
    return step


def levels_of(values: Array, step: float, most: int) -> NDArray[np.int64]:
    """(n,): which multiple of ``step`` is nearest, ±1 … ±``most``."""
    sizes = np.clip(np.rint(np.abs(values) / step), 1, most).astype(np.int64)
    return np.where(values < 0, -sizes, sizes)


def _best_step(sizes: Array, most: int) -> float:
    """Of ``sizes`` (n,), not negative: argmax of (Σ wl)² / Σ l² over all nearest levels l."""
    levels = np.arange(1, most)
    moves = (sizes[:, None] / (levels + 0.5)).reshape(-1)  # q at which w goes from l to l + 1
    order = np.argsort(-moves)
    products = np.repeat(sizes, len(levels))[order].cumsum()  # Σ wl grows by w
    squares = np.tile(2 * levels + 1, len(sizes))[order].cumsum()  # Σ l² by 2l + 1
    products = np.concatenate([[0.0], products]) + sizes.sum()
    squares = np.concatenate([[0], squares]) + len(sizes)
    best = int(np.argmax(products**2 / squares))
    return float(products[best] / squares[best])
