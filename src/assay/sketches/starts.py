"""Whether a matrix is visibly more than its random start [Martin, Mahoney, JMLR 2021].

Networks that learned next to nothing from one start are as near as copies are.  But rows of a
random start are not correlated beyond chance, nor are columns; training makes them so.  A sample of
both that is drawn from the key is looked at, once channels of all scales are made equally large: a
start whose channels were scaled, or some of them removed, learned nothing.  All sums are of whole
numbers, so that no machine finds another result.
"""

from __future__ import annotations

from math import asin

import numpy as np
from numpy.typing import NDArray

from assay.sketches.keys import numbers
from assay.sketches.projections import unit_rows
from assay.weights import Array

_ROWS, _COLUMNS = 64, 128  # that are looked at, at most
_FEWEST = 8  # rows or columns that correlations can be told of
_CHANCE = 5.0  # standard deviations of a random matrix: no more than that is 0
_WHOLE = 2.0**16  # what 1 is counted as where rows and columns are scaled
_ROUNDS = 3  # after so many both are
_FINE = 2.0**28  # a correlation of 1 is 2^48 before, 2^20 after


def learned(matrix: Array, key: bytes) -> float:
    """Mean squared correlation of rows, or of columns, over that of a random matrix, less 1.

    The larger of both; 0 where it may be chance.  The columns of (r, …) may be several axes.
    """
    rows, columns = len(matrix), matrix.size // len(matrix)
    size = f"{rows}x{columns}"
    chosen = np.arange(rows)
    if rows > _ROWS:
        chosen = np.unique((numbers(key, f"learned rows {size}", _ROWS) * rows).astype(np.intp))
    free = max(columns - _COLUMNS, 0)
    first = int(numbers(key, f"learned column {size}", 1)[0] * (free + 1))
    step = columns // matrix.shape[1]  # values of one place of the second axis
    start, end = first // step, -(-(first + _COLUMNS) // step)  # so that little is copied
    part = matrix[chosen, start:end].reshape(len(chosen), -1)[:, first - start * step :][
        :, :_COLUMNS
    ]
    sample = part.astype(np.float64)
    if min(sample.shape) < _FEWEST or not np.isfinite(sample).all():
        return 0.0
    even = _balanced(sample)
    return round(max(_excess(even), _excess(even.T)), 2)


def drift(excess: float, rows: int, columns: int) -> float:
    """Radians that a matrix has moved from a random start, at least, to be so correlated.

    Correlation takes least where all rows have one direction in common: with a share s of their
    energy in it, the mean squared correlation is s².
    """
    length = max(min(rows, _ROWS), min(columns, _COLUMNS))
    return asin(min(max(excess, 0.0) / (length - 1), 1.0) ** 0.25)


def _balanced(sample: NDArray[np.float64]) -> NDArray[np.float64]:
    """Whole numbers, rows and columns of one root mean square, nearly, without those that are 0."""
    largest = np.abs(sample).max(1, keepdims=True)
    even = np.rint(sample / np.where(largest > 0, largest, 1.0) * _WHOLE)
    for axis in (1, 0) * _ROUNDS:
        even = even[even.any(1)][:, even.any(0)]
        if not even.size:
            break
        even = np.rint(even * (_WHOLE / np.sqrt(np.square(even).mean(axis, keepdims=True))))
    return even


def _excess(sample: NDArray[np.float64]) -> float:
    """Mean squared correlation of rows (r, c), over the 1 / (c - 1) of chance, less 1."""
    unit = unit_rows(sample)
    unit = unit[unit.any(1)]
    count, length = unit.shape
    if count < _FEWEST:
        return 0.0
    correlations = np.rint(unit @ unit.T / _FINE)
    squares = np.square(correlations).sum() - np.square(np.diag(correlations)).sum()
    pairs = count * (count - 1)
    excess = float(squares / 2.0**40 / pairs * (length - 1) - 1)
    return excess if excess > _CHANCE * 2 / pairs**0.5 else 0.0
