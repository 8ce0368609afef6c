"""How far apart arrays are: what distances are made of."""

from __future__ import annotations

import numpy as np

from assay.running.predictors.answers import Array


def cosine_distances(first: Array, second: Array) -> Array:  # (…, k), (…, k) -> (…,)
    """1 less the cosine, of rows; of two rows of zeros 0, of one 1."""
    lengths = np.linalg.norm(first, axis=-1) * np.linalg.norm(second, axis=-1)
    products = (first * second).sum(-1)
    neither = ~first.any(-1) & ~second.any(-1)
    cosines = np.divide(products, lengths, out=np.zeros_like(products), where=lengths > 0)
    distances: Array = np.where(neither, 0.0, 1 - np.clip(cosines, -1, 1))
    return distances


def cosine_distance(first: Array, second: Array) -> float:
    """1 less the cosine of two vectors; not a number where one is zero."""
    if not first.any() or not second.any():
        return float("nan")
    return float(cosine_distances(first.ravel(), second.ravel()))


def disagreement(first: Array, second: Array) -> float:
    """The share of entries that differ."""
    return float((first != second).mean())


def jensen_shannon(first: Array, second: Array) -> float:  # (n, c), (n, c) probabilities
    """The mean divergence of rows, in nats."""
    middle = (first + second) / 2
    return float((_divergences(first, middle) + _divergences(second, middle)).mean() / 2)


def _divergences(first: Array, second: Array) -> Array:
    ratio = np.divide(first, second, out=np.ones_like(first), where=first > 0)
    found: Array = (first * np.log(np.maximum(ratio, np.finfo(float).tiny))).sum(1)
    return found


def linear_cka(first: Array, second: Array) -> float:  # (n, f), (n, g)
    """Centered kernel alignment with linear kernels [Kornblith et al., 2019], 0 … 1."""
    first, second = first - first.mean(0), second - second.mean(0)
    own = np.linalg.norm(first.T @ first) * np.linalg.norm(second.T @ second)
    if not own:
        return float("nan")
    return float(np.linalg.norm(first.T @ second) ** 2 / own)
