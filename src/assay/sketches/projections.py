"""The code of a matrix: 256 signs of keyed random projections [Charikar 2002; Achlioptas 2003].

Two codes differ in a share of their bits that estimates the angle between the matrices, after rows
are centered and scaled to unit norm, and columns are centered.  A large matrix is cut into 256
cells, and every cell gives a bit; the two rows of a pair, and the two columns of one, have opposite
signs, so that centering is free.  A small one is projected whole.  Sums are made in a fixed order,
or of whole numbers: no machine finds another bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import asin, prod
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from assay.sketches.keys import signs, stream
from assay.weights import Array

BITS = 256
DENSE = 2048  # values: up to here every bit sees all of them; above, no cell is empty
_CHUNK = 4096  # pairs of columns that are summed at once
_AT_ONCE = 1 << 19  # values that are worked on at once: they stay in a core's cache
_FEWEST = 64  # sums that are not 0: equal ones of strangers are as unlikely as a tail may say
_UNIT = 2.0**24  # what 1 is counted as where whole numbers are summed
_FEW = 32  # sums that are kept
_FULL = 2.0**15 - 1  # what 1 is counted as where they are

Counts = NDArray[np.int64]


def projected(matrix: Array, key: bytes) -> bytes | None:
    """The code of a matrix (r, c), both at least 2: 32 bytes.

    None where a value is not finite, or most sums are 0: rows or columns that are repeated leave
    nothing, and strangers' the same.

    The columns may be several axes; then only a block of them is copied at a time.
    """
    found = projected_finely(matrix, key)
    return None if found is None else found.code


@dataclass(frozen=True, slots=True)
class Projection:
    """What is kept of the projections of one matrix."""

    code: bytes  # 32: their signs
    cells: bytes  # 256: they themselves, in 8 bits each, whose ``cosine`` tells weak likeness
    sums: bytes  # 64: 32 sums of them, in 16 bits each, whose ``angle`` tells near from equal


def projected_finely(matrix: Array, key: bytes) -> Projection | None:
    """The code of a matrix, and what tells more finely how near it is to another."""
    with np.errstate(over="ignore", invalid="ignore"):
        found = _dense(matrix, key) if matrix.size <= DENSE else _cells(matrix, key)
    sums = None if found is None else found.reshape(-1)
    code = None if sums is None else _bits(sums, key)
    return None if sums is None or code is None else Projection(code, _coarse(sums), _few(sums))


def angle(a: bytes, b: bytes) -> float:
    """Radians between two matrices, from their sums: within a third of it, and finer than bits."""
    one, other = (np.frombuffer(sums, "<i2") / _FULL for sums in (a, b))
    return 2 * asin(min(float(np.linalg.norm(one - other)) / 2, 1.0))


def cosines(
    ours: NDArray[np.int8], theirs: NDArray[np.int8], shape: tuple[int, ...]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Cosines of cells (n, 256) and (m, 256) of matrices of one shape; how many cells count (n, m).

    Those that count are fewer where some columns have most of the energy of both.
    """
    groups = 1 if prod(shape) <= DENSE else grid(shape[0], shape[1])[1]
    x, y = (cells.astype(np.float64) for cells in (ours, theirs))  # whole: each sum is exact
    (of_x, all_x), (of_y, all_y) = (_energies(each, groups) for each in (x, y))
    total = np.maximum(all_x[:, None] * all_y, 1)  # (n, m)
    counting = BITS * total / np.maximum(of_x @ of_y.T * groups, total)
    return x @ y.T / np.sqrt(total), counting


def _energies(
    cells: NDArray[np.float64], groups: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Squares of cells (n, 256), added for each group of columns (n, b), and all of them (n).

    Groups of rows have the same, as rows are scaled, and so have the projections of a small matrix.
    """
    each = np.square(cells).reshape(len(cells), -1, groups).sum(1)
    return each, each.sum(1)


def distance(a: bytes, b: bytes) -> int:
    """Bits in which two codes differ."""
    return (int.from_bytes(a) ^ int.from_bytes(b)).bit_count()


def _few(sums: Counts) -> bytes:
    """Sums of eight sums each, as a vector (32) of unit norm, in whole numbers of 16 bits."""
    few = sums.reshape(-1, _FEW).sum(0).astype(np.float64)
    norm = np.sqrt(np.square(few).sum())
    counts: NDArray[np.int16] = np.rint(few * (_FULL / (norm or 1.0))).astype("<i2")
    return counts.tobytes()


def _coarse(sums: Counts) -> bytes:
    """All sums (256) in whole numbers of 8 bits, the largest one ±127."""
    largest = np.abs(sums).max()
    counts: NDArray[np.int8] = np.rint(sums * (127.0 / (largest or 1))).astype(np.int8)
    return counts.tobytes()


def _bits(sums: Counts, key: bytes) -> bytes | None:
    """One bit for a sign.  A sum of 0 says nothing: its bit is drawn by what the others say."""
    up, silent = sums > 0, sums == 0
    if silent.sum() > BITS - _FEWEST:
        return None
    if silent.any():
        others = np.packbits(up).tobytes() + np.packbits(silent).tobytes()
        drawn = np.unpackbits(np.frombuffer(stream(key + others, "silent", BITS // 8), np.uint8))
        up = np.where(silent, drawn.astype(bool), up)
    return np.packbits(up).tobytes()


def _dense(matrix: Array, key: bytes) -> Counts | None:
    """Projections (256) of all values at once; each sum is of whole numbers, so it is exact."""
    rows, columns = len(matrix), matrix.size // len(matrix)
    values = matrix.reshape(rows, columns).astype(np.float64)
    if not np.isfinite(values).all():
        return None
    unit = unit_rows(values)
    centered = unit * rows - unit.sum(0)  # below 2^36, and sums of 2,048 below 2^48
    sums: Counts = (_dense_signs(key, rows, columns) @ centered.reshape(-1)).astype(np.int64)
    return sums


def unit_rows(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows (r, c) centered and scaled to unit norm, in whole numbers: 1 is 2^24."""
    columns = values.shape[1]
    largest = np.abs(values).max(1, keepdims=True)
    counts = np.rint(values / np.where(largest > 0, largest, 1.0) * 2.0**19)
    total, squares = counts.sum(1, keepdims=True), (counts * counts).sum(1, keepdims=True)
    norm = np.sqrt(squares - total * total / columns)
    unit: NDArray[np.float64] = np.rint(
        (counts - total / columns) / np.where(norm > 0, norm, 1.0) * _UNIT
    )
    return unit


@lru_cache(maxsize=8)
def _dense_signs(key: bytes, rows: int, columns: int) -> NDArray[np.float64]:
    drawn = signs(key, f"dense {rows}x{columns}", BITS, rows * columns)
    return drawn.astype(np.float64)


def grid(rows: int, columns: int) -> tuple[int, int]:
    """Groups of pairs of rows and of columns, 256 cells; 16 × 16 where both are long enough."""
    across = min(16, _power_of_two((columns + 1) // 2))
    down = min(BITS // across, _power_of_two((rows + 1) // 2))
    return down, BITS // down


def _power_of_two(number: int) -> int:
    """The largest one that is not larger."""
    return 1 << (number.bit_length() - 1)


def _cells(matrix: Array, key: bytes) -> Counts | None:
    """Sums (a, b): pair of rows i belongs to group i mod a, pair of columns j to group j mod b.

    A matrix that lies column by column is worked on as it lies: that is as fast, turning it is not.
    """
    rows, columns = len(matrix), matrix.size // len(matrix)
    a, b = grid(rows, columns)
    across, down = _cell_signs(key, rows, columns)
    order: Literal["C", "F"] = "F" if _lies_by_columns(matrix) else "C"
    blocks = min(max(1, _AT_ONCE // (2 * a * columns)), len(down))  # of 2a rows each
    turns = across[None, :, None] if order == "C" else _by_columns(across, blocks)
    step = 2 * a * blocks
    sums = np.zeros((a, b), np.int64)
    for start in range(0, rows, step):
        part = matrix[start : start + step].reshape(-1, columns)
        if len(part) % (2 * a):
            part = _filled(part, matrix[:1].reshape(columns), 2 * a, order)
        folded = _folded(np.asarray(part, np.float32), turns, b)
        if not np.isfinite(folded).all():
            return None
        unit = _unit(folded)
        pairs = (unit[0::2] - unit[1::2]).reshape(-1, a, b)
        first = start // (2 * a)
        pairs *= down[first : first + len(pairs)]
        sums += pairs.sum(0, dtype=np.int64)
    return sums


def _lies_by_columns(matrix: Array) -> bool:
    """Whether the numbers of a column are neighbors, and those of a row are not."""
    return matrix.ndim == 2 and matrix.strides[0] == matrix.itemsize != matrix.strides[1]


def _by_columns(across: Array, blocks: int) -> Array:
    """Signs (a, c / 2) for each row of so many blocks (blocks, a, 2, c / 2), column by column."""
    of_rows = np.tile(np.repeat(across.T, 2, axis=1), blocks)  # (c / 2, blocks · 2a)
    return of_rows.T.reshape(blocks, len(across), 2, -1)


def _filled(part: Array, first: Array, multiple: int, order: Literal["C", "F"]) -> Array:
    """Empty rows to the end of a block.  An odd last row gets the first one as its partner."""
    rows = len(part)
    filled = np.zeros((rows + -rows % multiple, part.shape[1]), part.dtype, order)
    filled[:rows] = part
    if rows % 2:
        filled[rows] = first
    return filled


def _folded(part: Array, turns: Array, width: int) -> Array:
    """Rows (n, c) folded on themselves until b numbers remain of each; n is a multiple of 2a.

    ``turns`` are signs (blocks or 1, a, 2 or 1, c / 2).  What follows lies in memory as ``part``.
    """
    groups, half = turns.shape[1], turns.shape[3]
    shift = part.shape[1] - half
    total: Array | None = None
    chunk = max(_CHUNK // width, 1) * width
    for start in range(0, half, chunk):
        end = min(start + chunk, half)
        pairs = part[:, start:end] - part[:, shift + start : shift + end]
        grouped = pairs.reshape(-1, groups, 2, end - start)  # a view
        grouped *= turns[: len(grouped), :, :, start:end]
        wide = end - start
        while wide > width:
            kept = -(-wide // (2 * width)) * width
            pairs[:, : wide - kept] += pairs[:, kept:wide]
            wide = kept
        if total is None:
            total = pairs[:, :width].copy()
        else:
            total[:, :wide] += pairs[:, :wide]
    assert total is not None
    return total


def _unit(folded: Array) -> NDArray[np.int32]:
    """Rows (n, b) scaled to unit norm, in whole numbers; squares are added in one fixed order."""
    largest = np.abs(folded).max(1, keepdims=True)
    folded /= np.where(largest > 0, largest, 1)  # squares of very small weights would be 0
    squares = folded * folded
    while squares.shape[1] > 1:
        half = squares.shape[1] // 2  # b is a power of two
        squares = squares[:, :half] + squares[:, half:]
    folded *= np.float32(_UNIT) / np.sqrt(np.where(squares > 0, squares, 1))
    return np.rint(folded, out=folded).astype(np.int32)


@lru_cache(maxsize=8)
def _cell_signs(key: bytes, rows: int, columns: int) -> tuple[Array, NDArray[np.int8]]:
    """Signs of pairs of columns for each group of rows (a, c / 2), and of pairs of rows."""
    a, b = grid(rows, columns)
    blocks = -(-rows // (2 * a))
    shape = f"{rows}x{columns}"
    across = signs(key, f"columns {shape}", a, (columns + 1) // 2).astype(np.float32)
    return across, signs(key, f"rows {shape}", blocks, a, b)
