"""Ways in which weights become few values, or values with few bits."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from assay.weights import Array

Change = Callable[[Array], Array]


def steps(bits: int, by_rows: bool, lowest: bool) -> Change:
    """Whole numbers of steps, counted from 0 or from the lowest value."""

    def change(values: Array) -> Array:
        axis = 1 if by_rows else None
        low = values.min(axis, keepdims=True) if lowest else np.float32(0)
        large = np.abs(values - low).max(axis, keepdims=True)
        step = (large / (2**bits - 1 if lowest else 2 ** (bits - 1) - 1)).astype(np.float32)
        zero = np.rint(low / step)
        found: Array = ((np.rint(values / step - zero) + zero) * step).astype(np.float32)
        return found

    return change


def blocks(bits: int, scale: str, length: int = 32) -> Change:
    """Blocks of values with a scale of their own, as in llama.cpp."""

    def change(values: Array) -> Array:
        rows, columns = values.shape
        parts = np.pad(values, ((0, 0), (0, -columns % length))).reshape(rows, -1, length)
        step = (np.abs(parts).max(2, keepdims=True) / (2 ** (bits - 1) - 1)).astype(scale)
        step = np.where(step == 0, 1, step).astype(np.float32)
        whole: Array = (np.rint(parts / step) * step).reshape(rows, -1)[:, :columns]
        return whole

    return change


def scaled_blocks(values: Array) -> Array:
    """Six bits in blocks of 16, whose scales have 8 bits and a common scale of 16 (q6_K)."""
    rows, columns = values.shape
    parts = np.pad(values, ((0, 0), (0, -columns % 256))).reshape(rows, -1, 16, 16)
    step = np.abs(parts).max(3, keepdims=True) / 31
    common = (step.max(2, keepdims=True) / 127).astype(np.float16).astype(np.float32)
    common = np.where(common == 0, 1, common)
    step = np.maximum(np.rint(step / common), 1) * common
    whole: Array = (np.rint(parts / step) * step).reshape(rows, -1)[:, :columns]
    return whole


def clusters(count: int) -> Change:
    """The nearest of so many values, which lie as densely as the weights do."""

    def change(values: Array) -> Array:
        centers = np.quantile(values, (np.arange(count) + 0.5) / count).astype(np.float32)
        found: Array = centers[np.searchsorted((centers[1:] + centers[:-1]) / 2, values)]
        return found

    return change


def ternary(values: Array) -> Array:
    """Two values for each row, and 0."""
    large = np.abs(values) > 0.7 * np.abs(values).mean(1, keepdims=True)
    up, down = large & (values > 0), large & (values < 0)
    means = [
        (values * side).sum(1, keepdims=True) / np.maximum(side.sum(1, keepdims=True), 1)
        for side in (up, down)
    ]
    return (up * means[0] + down * means[1]).astype(np.float32)


KINDS: dict[str, Change] = {
    "as they are": lambda x: x,
    "float16": lambda x: x.astype(np.float16).astype(np.float32),
    "bfloat16": lambda x: (x.view(np.uint32) >> 16 << 16).view(np.float32),
    **{
        f"{bits} bits, a scale for each {'row' if by_rows else 'tensor'}"
        f"{', from the lowest value' if lowest else ''}": steps(bits, by_rows, lowest)
        for bits in (2, 4, 8, 12, 16)
        for by_rows in (False, True)
        for lowest in (False, True)
    },
    "4 bits in blocks, scales of 16": blocks(4, "float16"),
    "8 bits in blocks, scales of 16": blocks(8, "float16"),
    "6 bits in blocks, scales of scales": scaled_blocks,
    "8 bits in blocks, scales of 32": blocks(8, "float32"),
    "ternary": ternary,
    "16 clusters": clusters(16),
    "256 clusters": clusters(256),
    "three decimals": lambda x: np.round(x, 3),
    "clipped at a deviation": lambda x: np.clip(x, -x.std(), x.std()),
    "rows scaled to a largest value of 1": lambda x: x / np.abs(x).max(1, keepdims=True),
}
