"""Directions in which an ingrainer looks at inputs, and what answers say of each of them.

An input is looked at coarsely, on a grid: what every architecture learns alike.  Features are
projections to the principal components of inputs that the owner's model is in doubt about, turned
by a rotation that the key draws.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from assay.watermarks._key import Key

Array = NDArray[np.float64]
_GRID = 7  # fields along each axis of space
_EMPTY = 1e-6  # of the largest variance: directions with less say nothing
_STEPS = 40  # of conjugate gradients
_CLOSE = 1e-10  # residual at which they end, beside the first

# letters of shapes: n inputs, d coarse values, k directions, c classes


def coarse(inputs: NDArray[Any]) -> Array:
    """(n, …) inputs to (n, d): means over the fields of a grid; vectors stay as they are."""
    found = np.asarray(inputs, np.float64)
    for axis in range(2, found.ndim):
        size = found.shape[axis]
        if size > _GRID:
            starts = np.arange(_GRID) * size // _GRID
            counts = np.diff([*starts, size]).reshape(-1, *[1] * (found.ndim - axis - 1))
            found = np.add.reduceat(found, starts, axis) / counts
    return found.reshape(len(found), -1)


def directions_of(inputs: NDArray[Any], count: int, key: Key) -> tuple[Array, Array]:
    """A center (d,), and directions (d, k) along which coarse inputs have a variance of 1.

    So many, or as many as there are ways in which the inputs differ.
    """
    values = coarse(inputs)
    center = values.mean(0)
    variances, axes = np.linalg.eigh(np.cov((values - center).T).reshape(values.shape[1], -1))
    variances, axes = variances[::-1], axes[:, ::-1]
    count = min(count, int((variances > _EMPTY * max(variances[0], 0.0)).sum()))
    turned, _ = np.linalg.qr(key.normal("rotation", count, count))
    return center, (axes[:, :count] / np.sqrt(variances[:count])) @ turned


def features(inputs: NDArray[Any], center: NDArray[Any], directions: NDArray[Any]) -> Array:
    """(n, k) where inputs lie along the directions."""
    found: Array = (coarse(inputs) - center) @ directions.astype(np.float64)
    return found


def readings(looked: Array, expected: Array, given: Array, ridge: float) -> Array:
    """(k, c) for each direction and class, how far answers lean that way more than expected ones.

    One step of a penalized logistic regression of what is given on the features, from what is
    expected: of two directions or classes that say alike, one does not speak for the other.

    Args:
        looked: (n, k) features of the inputs.
        expected: (n, c) probabilities.
        given: (n, c) probabilities.
        ridge: Penalty, beside the largest curvature.
    """
    score = looked.T @ (given - expected)

    def curved(step: Array) -> Array:
        moved = expected * (looked @ step)
        return np.asarray(looked.T @ (moved - expected * moved.sum(1, keepdims=True)))

    penalty = ridge * _largest(curved, score.shape)
    if penalty == 0:  # nothing was in doubt
        return score
    return _solved(lambda step: curved(step) + penalty * step, score)


def _largest(curved: Any, shape: tuple[int, ...]) -> float:
    """The largest eigenvalue, near enough: powers of a start that no class is left out of."""
    step = np.cos(np.arange(float(np.prod(shape)))).reshape(shape)
    size = 0.0
    for _ in range(_STEPS // 2):
        step = curved(step)
        size = float(np.linalg.norm(step))
        if size == 0:
            return 0.0
        step = step / size
    return size


def _solved(applied: Any, wanted: Array) -> Array:
    """Conjugate gradients [Hestenes and Stiefel, 1952]."""
    found, rest = np.zeros_like(wanted), wanted.copy()
    way, size = rest.copy(), float((rest * rest).sum())
    enough = _CLOSE**2 * size
    for _ in range(_STEPS):
        if size <= enough:
            break
        turned = applied(way)
        length = size / float((way * turned).sum())
        found, rest = found + length * way, rest - length * turned
        before, size = size, float((rest * rest).sum())
        way = rest + (size / before) * way
    return found
