"""A code that stays when channels change places and outputs are scaled [Weisfeiler, Leman 1968].

Every row and every input channel gets a color from its own values: spread, kurtosis, the share of
each place of the kernel.  Colors do not know the order of channels.  Sixteen keyed waves of the
rows' colors and sixteen of the channels' take the place of random signs: their 256 products with
the centered matrix give the bits.  Colors ignore the signs of values, so between strangers a bit is
a coin.  All sums are of whole numbers: no machine finds another bit.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from assay.sketches.budgets import smallest
from assay.sketches.keys import signs, stream
from assay.weights import Array, Weight
from assay.weights.layout import row_major
from assay.weights.shapes import has_one_axis

SMALLEST, LARGEST = 1024, 2**23  # values of a matrix that may get such a code
FEWEST = 8  # rows and channels: with fewer, colors are what the bits are made of
MOST_PLACES = 64  # of a kernel
_AT_ONCE = 2**14  # values that are worked on at once: they stay in a core's cache
_WAVES = 16
_NOTHING = 1e-6  # of what a product could be: all that was added cancels out, or was 0 …
_FEW_NOTHING = 1 / 16  # … in more of them, colors or values have a pattern, and strangers the same
_STEPS = 255.0  # of a row's largest value
_DEVIATION = 16.0  # steps of a standard deviation
_FINE = 1024.0  # steps of a color's standard deviation
_FREQUENCY = 1.7  # radians for a standard deviation …
_FREQUENCY_OF_FEW = 2.7  # … where a color is of few numbers, since a kernel has but one place
_HEIGHT = 63  # of a wave

Numbers = NDArray[np.float64]
Counts = NDArray[np.int64]


def invariant(matrix: Array, places: int, key: bytes) -> bytes | None:
    """The code of a matrix (r, i · k), with k places for each of i channels: 32 bytes.

    None where its colors or products would tell nothing, or a value is not finite.
    """
    rows, columns = len(matrix), matrix.size // len(matrix)
    fits = SMALLEST <= matrix.size <= LARGEST and min(rows, columns // places) >= FEWEST
    if not fits or places > MOST_PLACES:
        return None
    step = max(_AT_ONCE // columns, 1)
    values = row_major(matrix).reshape(rows, columns)
    with np.errstate(over="ignore", invalid="ignore"):
        parts = [_rows(values[start : start + step], places) for start in range(0, rows, step)]
    counts = np.concatenate([part for part, _ in parts])
    of_rows = np.concatenate([colors for _, colors in parts])
    if not np.isfinite(of_rows).all():
        return None
    of_columns, weights = _columns(counts, places, step)
    frequency = _FREQUENCY if places > 1 else _FREQUENCY_OF_FEW
    down = _waves(of_rows, key, f"rows {places}", frequency)  # (r, 16)
    across = _waves(of_columns, key, f"columns {places}", frequency)  # (i, 16)
    turned = signs(key, "places", places, _WAVES)  # (k, 16)
    full = (across[:, None] * turned).reshape(columns, _WAVES) * weights[:, None]
    starts = range(0, rows, step)
    sums = np.concatenate([counts[s : s + step].astype(np.float64) @ full for s in starts])
    means = sums.sum(0) / rows
    products = down.T.astype(np.float64) @ sums - down.sum(0)[:, None] * means
    largest = np.abs(down).T.astype(np.float64) @ np.abs(sums)
    if (np.abs(products) <= _NOTHING * largest).mean() > _FEW_NOTHING:
        return None
    return np.packbits(products.reshape(-1) > 0).tobytes()


def chosen(weights: Sequence[Weight]) -> frozenset[int]:
    """Which weights get such a code: it takes long, so the smallest ones within a budget do."""
    sizes = [weight.size for weight in weights]
    fitting = {
        place: size
        for place, size in enumerate(sizes)
        if SMALLEST <= size <= LARGEST and not has_one_axis(weights[place].shape)
    }
    return smallest(fitting, 2**19 + sum(sizes) // 128)


def _rows(matrix: Array, places: int) -> tuple[NDArray[np.int8], Numbers]:
    """Rows centered and scaled, in steps of 1/16 deviation (r, c), and colors of rows (r, f)."""
    columns = matrix.shape[1]
    values = matrix.astype(np.float64)
    values *= _STEPS / _or_one(np.abs(values).max(1, keepdims=True))
    np.rint(values, out=values)
    squares = values * values
    mean, second = values.mean(1), np.vecdot(values, values) / columns
    third, fourth = np.vecdot(squares, values) / columns, np.vecdot(squares, squares) / columns
    variance = second - mean**2
    deviation = _or_one(np.sqrt(variance))
    kurtosis = fourth - 4 * mean * third + 6 * mean**2 * second - 3 * mean**4
    spread = np.abs(values).sum(1) / columns
    colors = [np.sqrt(np.sqrt(np.maximum(kurtosis, 0))) / deviation, spread / deviation]
    if places > 1:
        shape = (len(values), -1, places)
        colors += list((squares.reshape(shape).sum(1) / deviation[:, None] ** 2).T)
    values -= mean[:, None]
    values *= (_DEVIATION / deviation)[:, None]
    counts = np.clip(np.rint(values), -127, 127)
    return counts.astype(np.int8), np.stack(colors, 1)


def _columns(counts: NDArray[np.int8], places: int, step: int) -> tuple[Numbers, Numbers]:
    """Colors of input channels (i, f), which do not change where a channel's signs do."""
    rows, columns = counts.shape
    powers = np.zeros((5, columns))  # sums of first to fourth powers, and of sizes
    for start in range(0, rows, step):
        part = counts[start : start + step].astype(np.float64)
        squares = part * part
        powers[0] += part.sum(0)
        powers[1] += squares.sum(0)
        powers[2] += (squares * part).sum(0)
        powers[3] += np.square(squares, out=squares).sum(0)
        powers[4] += np.abs(part).sum(0)
    mean, second, third, fourth, size = powers / rows
    variance = (second - mean**2).reshape(-1, places)  # (i, k)
    kurtosis = fourth - 4 * mean * third + 6 * mean**2 * second - 3 * mean**4
    whole = _added(variance)
    of_channel = _added(kurtosis.reshape(-1, places))
    spread = _added(size.reshape(-1, places))
    deviation = np.sqrt(_or_one(whole))
    colors = [np.sqrt(whole), np.sqrt(np.sqrt(np.maximum(of_channel, 0))) / deviation]
    colors.append(spread / deviation)
    if places > 1:
        colors += list((variance / _or_one(whole)[:, None]).T)
    weights = np.rint(np.minimum(_DEVIATION / np.sqrt(_or_one(variance.reshape(-1))), 4) * 256)
    return np.stack(colors, 1), weights


def _added(values: Numbers) -> Numbers:
    """Sums of rows (n, k) in one order on every machine."""
    total = values[:, 0].copy()
    for column in range(1, values.shape[1]):
        total += values[:, column]
    return total


def _waves(colors: Numbers, key: bytes, purpose: str, frequency: float) -> Counts:
    """Sixteen triangular waves of each color (n, 16), between −63 and 63.

    Colors are standardized by their order, so a few odd channels do not move all others.
    """
    ordered = np.sort(colors, axis=0)
    low, middle, high = (ordered[len(colors) * part // 100] for part in (16, 50, 84))
    steps = np.rint((colors - middle) / _or_one((high - low) / 2) * _FINE)
    steps = np.clip(steps, -3 * _FINE, 3 * _FINE)
    drawn = np.frombuffer(
        stream(key, f"waves of {purpose}", 8 * _WAVES * colors.shape[1] + 2 * _WAVES), np.uint8
    )
    normal = drawn[: -2 * _WAVES].reshape(_WAVES, -1, 8).astype(np.int64).sum(2) - 1020
    # sums of eight bytes are nearly normal; all directions get one length
    length = np.sqrt((normal * normal).sum(1, keepdims=True))
    directions = np.rint(normal / length * frequency / (2 * np.pi) * 2**12).astype(np.int64)
    phases = drawn[-2 * _WAVES :].view("<u2").astype(np.int64)
    turns = (steps.astype(np.int64) @ directions.T + (phases << 6)) % 2**22  # one turn: 2^22
    wave: Counts = np.abs(turns - 2**21) * (2 * _HEIGHT) // 2**21 - _HEIGHT
    return wave


def _or_one(values: Numbers) -> Numbers:
    """What can be divided by."""
    return np.where(values > 0, values, 1.0)
