"""How near to any other one a matrix is brought by changing a tenth of it, whatever the key.

Rows weigh alike in a code, but not in the norm of a change: a row of norm n gets a cosine of s to
another one by n · s.  Whoever may spend a tenth of a matrix's norm replaces its smallest rows, and
gives the others what is as 1 / n².  So much proves nothing, and the null is one about it.  Rows
and columns are a sample that is drawn from the key, where there are many.
"""

from __future__ import annotations

from math import sqrt

import numpy as np
from numpy.typing import NDArray

from assay.sketches.keys import numbers
from assay.weights import Array

TENTH = 0.1  # of a matrix's norm: what even rows are given is as much
_MOST = 0.99  # cosine
_VALUES, _ROWS = 2**16, 64  # that are looked at: so many values, or rows where these are more …
_COLUMNS = 512  # … in so many columns, side by side
_TINY = 1e-30


def given(matrix: Array, key: bytes) -> float:
    """The cosine that changing a tenth of a matrix (r, …) can give it: 0.1 … 0.99, in hundredths.

    Rows that are constant are left out; where all are, or a value is not finite, it is 0.99.
    """
    rows, columns = len(matrix), matrix.size // len(matrix)
    wide = min(columns, _COLUMNS)
    count = max(_VALUES // wide, _ROWS)
    chosen = np.arange(rows)
    if rows > count:
        drawn = numbers(key, f"given rows {rows}x{columns}", count)
        chosen = np.unique((drawn * rows).astype(np.intp))
    start = int(numbers(key, f"given columns {columns}", 1)[0] * (columns - wide + 1))
    if matrix.ndim == 2:  # which may lie column by column: rows are not copied whole
        part = matrix[chosen, start : start + wide]
    else:
        part = matrix[chosen].reshape(len(chosen), -1)[:, start : start + wide]
    values = part.astype(np.float64)
    if not np.isfinite(values).all():
        return _MOST
    values /= max(float(np.abs(values).max()), _TINY)
    energy = float(np.square(values).sum())
    values -= values.mean(1, keepdims=True)
    squares = np.square(values).sum(1)
    told = squares > _TINY
    if told.sum() < 2:
        return _MOST
    unit = values[told] / np.sqrt(squares[told])[:, None]
    # what all rows have in common is taken away with the columns' means: the rest is less
    rest = 1 - float(np.square(unit.mean(0)).sum())
    spent = _spent(np.sort(squares[told]), TENTH**2 * energy)
    found = spent / len(unit) / sqrt(max(rest, _TINY))
    return round(min(max(found, TENTH), _MOST), 2)


def _spent(squares: NDArray[np.float64], budget: float) -> float:
    """The sum of the cosines that rows with these squared norms (r), ascending, get at most.

    The first ones get 1, whose cost is below ``budget``; the others a level over their square.
    """
    before = np.cumsum(squares) - squares  # what it costs to replace those below
    rest = np.cumsum((1 / squares)[::-1])[::-1]
    level = np.sqrt(np.maximum(budget - before, 0) / rest)
    first = np.flatnonzero(level <= squares)
    if not len(first):
        return float(len(squares))
    return float(first[0] + level[first[0]] * rest[first[0]])
