"""Which numbers a tensor is made of: rounded to fewer bits, to few levels, or to clusters.

A tensor that was quantized and stored as real numbers again still lies on a grid: its values are
whole multiples of one step, for all of it, for each output, or for each group of inputs of an
output.  Clusters are few values that lie on no grid.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from assay.weights import Array

_OFF_GRID = 0.02  # of a step: what arithmetic in float32 leaves
_BITS = range(2, 9)
_MOST_CLUSTERS = 256
_FEWEST = 64  # values that a grid or clusters can be told of
_EACH = 8  # times that each cluster occurs, on average, or they are just values
_GROUPS = (32, 64, 128, 256)  # inputs with a step of their own, as language models are stored

Levels = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Numbers:
    """What values are stored in."""

    name: str  # "float32", "float16", "bfloat16", "int8", "16 clusters" …
    step: Levels | None = None  # (r, 1), (1, 1) or (r, c) between the levels of a grid
    group: int = 0  # inputs that share a step, where an output has several

    @property
    def per(self) -> str:
        """What has a step of its own."""
        if self.group:
            return f"group of {self.group}"
        return "" if self.step is None else "output" if len(self.step) > 1 else "tensor"

    def __str__(self) -> str:
        return f"{self.name} per {self.per}" if self.per else self.name


def stored_in(values: Array) -> Numbers:
    """Of a matrix (r, …), all finite: the fewest bits that hold every value as it is."""
    rows = values.reshape(len(values), -1)
    if rows.size >= _FEWEST:
        distinct = _few(rows)
        found = _grid(rows, distinct)
        if found is not None:
            return found
        if distinct is not None and _EACH * len(distinct) <= np.count_nonzero(rows):
            return Numbers(f"{len(distinct)} clusters")
    if np.array_equal(rows, to_bfloat16(rows)):  # fewer digits than float16
        return Numbers("bfloat16")
    if np.array_equal(rows, to_float16(rows)):
        return Numbers("float16")
    return Numbers("float32")


def to_float16(values: Array) -> Array:
    """Values rounded to 16 bits; what is too large becomes infinite."""
    with np.errstate(over="ignore"):
        rounded: Array = values.astype(np.float16).astype(np.float32)
    return rounded


def to_bfloat16(values: Array) -> Array:
    """Values rounded to the upper 16 bits of a float32, half to even."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    up = bits + (np.uint32(0x7FFF) + (bits >> np.uint32(16) & np.uint32(1)))
    return (up & np.uint32(0xFFFF0000)).view(np.float32)


def _few(rows: Array) -> Levels | None:
    """Its distinct values, ascending, where they are few."""
    flat = rows.reshape(-1)
    if len(np.unique(flat[: 4 * _MOST_CLUSTERS])) > _MOST_CLUSTERS:
        return None
    distinct = np.unique(flat)
    return distinct if len(distinct) <= _MOST_CLUSTERS else None


def _grid(rows: Array, distinct: Levels | None) -> Numbers | None:
    """The coarsest grid that all values lie on."""
    if distinct is not None and len(distinct) > 2:
        step = np.diff(distinct).min().reshape(1, 1)
        span = float((distinct[-1] - distinct[0]) / step[0, 0])
        if span < 2 ** max(_BITS) and _fits(distinct[None], step):
            return Numbers(_named(span), step)
    if rows.shape[1] < 4:  # too few for each output to have a grid
        return None
    for bits, step in _steps(rows):
        if _fits(rows[:64], step[:64]) and _fits(rows, step):
            return Numbers(f"int{bits}", step)
    return _grouped(rows)


def _grouped(rows: Array) -> Numbers | None:
    """A step for each group of inputs, and a level to count from: 0, or the smallest value."""
    for group in _GROUPS:
        if rows.shape[1] % group or rows.shape[1] == group:
            continue
        few, groups = (each.reshape(-1, group) for each in (rows[:64], rows))
        for bits, levels in product(_BITS, (_from_zero, _from_zero_short, _from_least)):
            if not _lies_on(few, *levels(few, bits)):
                continue
            step, start = levels(groups, bits)
            if _lies_on(groups, step, start):
                spread = np.repeat(step.reshape(len(rows), -1), group, axis=1)
                return Numbers(f"int{bits}", spread, group)
    return None


def _lies_on(groups: Array, step: Levels, start: Levels) -> bool:
    return _fits(groups - start, step)


def _from_zero(groups: Array, bits: int) -> tuple[Levels, Levels]:
    """Steps (g, 1) of −2ᵇ⁻¹ … 2ᵇ⁻¹, and where they begin."""
    largest = np.abs(groups).max(1, keepdims=True)
    return largest / 2 ** (bits - 1), np.zeros_like(largest)


def _from_zero_short(groups: Array, bits: int) -> tuple[Levels, Levels]:
    """As many levels above zero as below."""
    largest = np.abs(groups).max(1, keepdims=True)
    return largest / (2 ** (bits - 1) - 1), np.zeros_like(largest)


def _from_least(groups: Array, bits: int) -> tuple[Levels, Levels]:
    """2ᵇ levels from the smallest value to the largest."""
    low = groups.min(1, keepdims=True)
    return (groups.max(1, keepdims=True) - low) / (2**bits - 1), low


def _steps(rows: Array) -> Iterator[tuple[int, Levels]]:
    """Steps that quantizers choose for each output: by its largest value, or by its range."""
    largest = np.abs(rows).max(1, keepdims=True)
    span = np.maximum(rows.max(1, keepdims=True), 0) - np.minimum(rows.min(1, keepdims=True), 0)
    for bits in _BITS:
        for step in (largest / (2 ** (bits - 1) - 1), largest / 2 ** (bits - 1)):
            yield bits, step
        yield bits, span / (2**bits - 1)


def _fits(rows: Array, step: Levels) -> bool:
    """Whether every value is a whole number of steps, nearly."""
    counts = rows / np.where(step > 0, step, 1)
    return bool((np.abs(counts - np.rint(counts)) <= _OFF_GRID).all())


def _named(span: float) -> str:
    bits = next(bits for bits in _BITS if span < 2**bits)
    return f"int{bits}"
