"""A weight as a matrix of kernels, and the form of it that no scale of a channel changes.

Factors on rows and columns are undone by dividing until all rows and all columns have mean square 1
[matrix scaling: Sinkhorn and Knopp, 1967]: of D₁WD₂ and W, the same is left.  So channels that were
rescaled, a batch normalization or a gain that was folded, and a scale of quantization are gone,
without knowing who reads a channel.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Index = NDArray[np.int64]  # (n) of the source's channels: the suspect's channel each became, or −1

_ROUNDS = 24  # of dividing rows, then columns, at most: until …
_SETTLED = 1e-5  # … no factor changes by more than this share
_TINY = 1e-30
_FAR = 1e6  # times the usual magnitude of a row or column


def kernels(values: Array) -> Array:
    """A weight in canonical layout as (r, c, k): rows, columns, places of a kernel.

    Where there is one input channel, its places are the columns: nobody changes their order.
    """
    matrix = np.asarray(values, np.float32)
    rows, columns = matrix.shape[:2]
    matrix = matrix.reshape(rows, columns, -1)
    return matrix.reshape(rows, -1, 1) if columns == 1 else matrix


def factors(matrix: Array) -> tuple[Array, Array]:
    """What rows (r) and columns (c) are to be multiplied by, so that all have mean square 1."""
    largest, own = _largest(matrix)
    scaled = matrix / largest[:, None, None] / own[:, None]  # whose squares are numbers
    energy = np.square(scaled).mean(2) if matrix.shape[2] > 1 else np.square(scaled[:, :, 0])
    energy = energy / max(float(energy.mean()), _TINY)  # (r, c)
    down = np.ones(len(energy), np.float32)
    across = np.ones(energy.shape[1], np.float32)
    for _ in range(_ROUNDS):
        before = across
        down = _inverse(energy @ across / len(across))
        across = _inverse(down @ energy / len(down))
        if np.abs(across - before).max(initial=0.0) <= _SETTLED * across.max(initial=0.0):
            break
    return _float32(np.sqrt(down) / largest), _float32(np.sqrt(across) / own)


def _largest(matrix: Array) -> tuple[Array, Array]:
    """Magnitudes of rows (r), then of columns (c) once rows are divided by theirs.

    All 1 where none is far from the others.  An idle channel may hold any numbers, and a scale may
    be any: their squares would be infinite.
    """
    sizes = np.abs(matrix).max(2, initial=0)  # (r, c)
    down = _not_zero(sizes.max(1, initial=0))
    across = _not_zero((sizes / down[:, None]).max(0, initial=0))
    if all(each.max() <= _FAR * float(np.median(each)) for each in (down, across)):
        return np.ones_like(down), np.ones_like(across)
    return down, across


def _not_zero(sizes: Array) -> Array:
    return _float32(np.where(sizes > 0, sizes, 1))


def _float32(values: NDArray[np.floating]) -> Array:
    return values.astype(np.float32, copy=False)


def equilibrated(matrix: Array) -> Array:
    """The matrix (r, c, k) with all rows and columns of one mean square; zeros stay."""
    down, across = factors(matrix)
    scaled = matrix * down[:, None, None]
    scaled *= across[:, None]
    size = float(np.sqrt(np.square(scaled).mean()))
    return scaled / np.float32(size) if size > 0 else scaled


def centered(matrix: Array) -> Array:
    """Without what all rows, or all columns, have in common at a place of the kernel."""
    found: Array = matrix - matrix.mean(0, keepdims=True)
    found -= found.mean(1, keepdims=True)
    return found


def taken(matrix: Array, rows: Index, columns: Index) -> Array:
    """Some rows and columns of a matrix (r, c, k), in an order."""
    return matrix[np.ix_(rows, columns)]


def canonical(matrix: Array) -> Array:
    """The matrix (r, c, k) without scales of rows and columns, centered, of norm 1 or 0."""
    return normalized(equilibrated(matrix))


def normalized(matrix: Array) -> Array:
    """The matrix (r, c, k) centered, of norm 1 or 0."""
    found = centered(matrix)
    size = float(np.sqrt(np.vdot(found, found)))
    return found / np.float32(size) if size > 0 else found


def _inverse(values: NDArray[np.floating]) -> Array:
    return _float32(np.where(values > _TINY, 1 / np.maximum(values, _TINY), 1))
