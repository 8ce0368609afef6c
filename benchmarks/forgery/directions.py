"""Which change of a matrix moves the sums of its code, for who has the key.

Rows are centered, or folded into cells, scaled to unit norm and added with the key's signs; so each
of the 256 sums has a gradient.  A change of a given norm is bent, by a quasi-Newton method [Liu,
Nocedal 1989], until the cosine of the sums with those that are aimed at is as large as it gets.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from assay.sketches import projections
from assay.sketches.keys import signs

Matrix = NDArray[np.float64]
_STEPS = 100  # of the quasi-Newton method
_ASIDE = 0.3  # of the first direction that is noise: straight away from itself, a cosine stays 1


@dataclass(frozen=True, eq=False)
class Sums:
    """How the 256 sums of a matrix (r, c) are made: linear, but for the norm of rows."""

    made: Callable[[Matrix], Matrix]  # rows (r, c) to those (n, d) that are scaled
    unmade: Callable[[Matrix], Matrix]  # its transpose
    added: Callable[[Matrix], Matrix]  # unit rows (n, d) to sums (256)
    unadded: Callable[[Matrix], Matrix]  # its transpose

    def of(self, matrix: Matrix) -> Matrix:
        return self.added(_unit(self.made(matrix))[0])

    def gradient(self, matrix: Matrix, weights: Matrix) -> Matrix:
        """Of the sums (256), added with these weights: (r, c)."""
        unit, norms = _unit(self.made(matrix))
        wanted = self.unadded(weights)
        wanted -= unit * np.vecdot(unit, wanted)[:, None]
        return self.unmade(wanted / norms)


def sums_of(shape: tuple[int, int], key: bytes) -> Sums:
    """What the sketch of a matrix of this shape adds up with this key."""
    return (_dense if shape[0] * shape[1] <= projections.DENSE else _cells)(*shape, key)


@lru_cache(maxsize=8)
def _dense(rows: int, columns: int, key: bytes) -> Sums:
    drawn = signs(key, f"dense {rows}x{columns}", projections.BITS, rows * columns)
    linear = drawn.reshape(-1, rows, columns).astype(np.float64)
    linear = (linear - linear.mean(1, keepdims=True)).reshape(len(drawn), -1)

    def centered(matrix: Matrix) -> Matrix:
        return matrix - matrix.mean(1, keepdims=True)

    return Sums(
        centered,
        centered,
        lambda unit: linear @ unit.reshape(-1),
        lambda weights: (weights @ linear).reshape(rows, columns),
    )


@lru_cache(maxsize=8)
def _cells(rows: int, columns: int, key: bytes) -> Sums:
    """A value is in the cell of its pair of rows and its pair of columns."""
    a, b = projections.grid(rows, columns)
    half, blocks = (columns + 1) // 2, -(-rows // (2 * a))
    across = signs(key, f"columns {rows}x{columns}", a, half).astype(np.float64)
    down = signs(key, f"rows {rows}x{columns}", blocks, a, b).astype(np.float64)
    listed = np.append(np.arange(rows), 0) if rows % 2 else np.arange(rows)  # who has no partner
    pair, side = np.arange(len(listed)) // 2, 1 - 2 * (np.arange(len(listed)) % 2)
    group = pair % a
    turned = side[:, None] * down[pair // a, group]  # (n, b)
    filled = -half % b

    def folded(matrix: Matrix) -> Matrix:
        chosen = matrix[listed]
        pairs = (chosen[:, :half] - chosen[:, columns - half :]) * across[group]
        return np.pad(pairs, ((0, 0), (0, filled))).reshape(len(listed), -1, b).sum(1)

    def unfolded(wanted: Matrix) -> Matrix:
        pairs = np.tile(wanted, (half + filled) // b)[:, :half] * across[group]
        found = np.zeros((rows, columns))
        found[:, :half] += pairs[:rows]
        found[:, columns - half :] -= pairs[:rows]
        for one, other in zip(listed[rows:], pairs[rows:], strict=True):
            found[one, :half] += other
            found[one, columns - half :] -= other
        return found

    def added(unit: Matrix) -> Matrix:
        found = np.zeros((a, b))
        np.add.at(found, group, unit * turned)
        return found.reshape(-1)

    return Sums(folded, unfolded, added, lambda weights: weights.reshape(a, b)[group] * turned)


def _unit(rows: Matrix) -> tuple[Matrix, Matrix]:
    """Rows of unit norm, and their norms (n, 1); that of an empty one is none."""
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    norms = np.where(norms > 0, norms, np.inf)
    return rows / norms, norms


def steered(matrix: Matrix, linear: Sequence[Sums], aims: Sequence[Matrix], most: float) -> Matrix:
    """The matrix with sums as near the aims (256 each) as a change allows, all at once.

    The change's norm is ``most`` of the matrix's.
    """
    length = most * np.linalg.norm(matrix)
    random = np.random.default_rng(0)

    def loss(flat: Matrix) -> tuple[float, Matrix]:
        size = np.linalg.norm(flat)
        direction = flat.reshape(matrix.shape) / size
        moved = matrix + length * direction
        total, slope = 0.0, np.zeros_like(matrix)
        for sums, aim in zip(linear, aims, strict=True):
            own, wanted = sums.of(moved), aim / np.linalg.norm(aim)
            norm = np.linalg.norm(own)
            cosine = float(own @ wanted / norm)
            total -= cosine
            slope -= sums.gradient(moved, (wanted - cosine * own / norm) / norm)
        slope -= direction * np.vdot(direction, slope)
        return total, (slope * (length / size)).reshape(-1)

    start = np.zeros_like(matrix)
    for sums, aim in zip(linear, aims, strict=True):
        aside = random.normal(size=aim.shape) * _ASIDE * np.sqrt(np.mean(np.square(aim)))
        start += sums.gradient(matrix, aim + aside)
    start /= np.linalg.norm(start)
    found = minimize(
        loss, start.reshape(-1), jac=True, method="L-BFGS-B", options={"maxiter": _STEPS}
    )
    return matrix + length * (found.x / np.linalg.norm(found.x)).reshape(matrix.shape)
