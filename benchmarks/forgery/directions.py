"""Which change of a matrix moves which bit of its code, for who has the key.

While norms of rows stay, every number whose sign is a bit is a linear function of the matrix: its
gradients are the rows of a sparse matrix (bits, r * c).  The least change that moves a number of
bits is then a problem of least squares with bounds, and that is solved again where norms moved.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, vstack

from assay.sketches import projections
from assay.sketches.keys import signs

Matrix = NDArray[np.float64]


def of_code(matrix: Matrix, key: bytes) -> csr_matrix:
    """Gradients of the 256 projections of a matrix (r, c)."""
    make = _dense if matrix.size <= projections.DENSE else _cells
    return make(matrix, key)


def _dense(matrix: Matrix, key: bytes) -> csr_matrix:
    rows, columns = matrix.shape
    drawn = signs(key, f"dense {rows}x{columns}", projections.BITS, rows * columns)
    found = drawn.reshape(-1, rows, columns).astype(np.float64)
    found -= found.mean(1, keepdims=True)
    norms = np.linalg.norm(matrix - matrix.mean(1, keepdims=True), axis=1)
    found /= np.where(norms > 0, norms, np.inf)[:, None]
    found -= found.mean(2, keepdims=True)
    return csr_matrix(found.reshape(projections.BITS, -1))


def _cells(matrix: Matrix, key: bytes) -> csr_matrix:
    """A value is in the cell of its pair of rows and its pair of columns."""
    rows, columns = matrix.shape
    a, b = projections.grid(rows, columns)
    half, blocks = (columns + 1) // 2, -(-rows // (2 * a))
    across = signs(key, f"columns {rows}x{columns}", a, half)
    down = signs(key, f"rows {rows}x{columns}", blocks, a, b)
    listed = np.append(np.arange(rows), 0) if rows % 2 else np.arange(rows)  # who has no partner
    pair, side = np.arange(len(listed)) // 2, 1 - 2 * (np.arange(len(listed)) % 2)
    group = pair % a
    pairs = matrix[listed][:, :half] - matrix[listed][:, columns - half :]
    signed = pairs * across[group]
    folded = np.zeros((len(listed), b))
    np.add.at(folded.T, np.arange(half) % b, signed.T)
    norms = np.linalg.norm(folded, axis=1)
    place = np.arange(half) % b
    values = side[:, None] * across[group] * down[(pair // a)[:, None], group[:, None], place]
    values = values / np.where(norms > 0, norms, np.inf)[:, None]
    cell = np.broadcast_to(group[:, None] * b + place, values.shape).reshape(-1)
    first = (listed[:, None] * columns + np.arange(half)).reshape(-1)
    both = np.concatenate([first, first + columns - half])
    data = np.concatenate([values.reshape(-1), -values.reshape(-1)])
    shape = (projections.BITS, matrix.size)
    return csr_matrix((data, (np.tile(cell, 2), both)), shape)


def moved(matrix: Matrix, gradients: Sequence[csr_matrix], wanted: Matrix, most: float) -> Matrix:
    """The matrix with as many bits as ``wanted`` (±1 for each gradient) as a change allows.

    The cheapest bits first; the change's norm is at most ``most`` of the matrix's.
    """
    linear = _unit(gradients)
    sums = wanted * (linear @ matrix.reshape(-1))
    margin = 0.02 * np.sqrt(np.mean(sums**2))
    gram = (linear @ linear.T).toarray() * np.outer(wanted, wanted)
    order = np.argsort(-sums)
    first, last = int((sums >= 0).sum()), len(order)
    best, limit = np.zeros(len(order)), (most * np.linalg.norm(matrix)) ** 2
    while first + 2 < last:  # how many bits the budget buys
        count = (first + last + 1) // 2
        dual = _least(gram, sums, np.minimum(margin, np.maximum(sums, margin)), order[:count])
        if dual is not None and dual @ gram @ dual <= limit:
            best, first = dual, count
        else:
            last = count - 1
    change = linear.T @ (best * wanted)
    return matrix + change.reshape(matrix.shape)


def _unit(gradients: Sequence[csr_matrix]) -> Any:
    """All of them, each of length 1."""
    linear: Any = vstack(gradients).tocsr()
    lengths = np.sqrt(np.asarray(linear.multiply(linear).sum(1)))
    return linear.multiply(1 / np.where(lengths > 0, lengths, 1)).tocsr()


def _least(gram: Matrix, sums: Matrix, bounds: Matrix, asked: NDArray[np.intp]) -> Matrix | None:
    """Multipliers of the least change that brings sums to their bounds [Hildreth, 1957]."""
    dual, reached = np.zeros(len(sums)), sums.copy()
    for _ in range(20):
        before = dual.copy()
        for k in asked:
            step = max(-dual[k], (bounds[k] - reached[k]) / max(gram[k, k], 1e-12))
            if step:
                dual[k] += step
                reached += step * gram[:, k]
        if np.abs(dual - before).max() <= 1e-3 * bounds.max():
            break
    return dual if (reached[asked] >= 0).all() else None
