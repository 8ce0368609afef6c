"""What can happen to a weight between its file and its reader, one small step each.

A step knows the shape it makes, runs on values, and can be undone.  ``simple`` takes the detours
out of a way, so that two ways that do the same are equal.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import lcm, prod

import numpy as np

from assay.errors import UnreadableModel
from assay.graphs.operators import Shape
from assay.weights import Array

Lookup = Callable[[str], Array]  # a constant's values as stored


@dataclass(frozen=True)
class Transpose:
    """Axes in another order."""

    axes: tuple[int, ...]

    def shape(self, shape: Shape) -> Shape:
        return tuple(shape[axis] for axis in self.axes)

    def run(self, array: Array, lookup: Lookup) -> Array:
        return array.transpose(self.axes)

    def undo(self, array: Array, shape: Shape, lookup: Lookup) -> Array:
        return array.transpose(np.argsort(self.axes))


@dataclass(frozen=True)
class Reshape:
    """The same numbers in the same order."""

    to: Shape

    def shape(self, shape: Shape) -> Shape:
        return self.to

    def run(self, array: Array, lookup: Lookup) -> Array:
        return array.reshape(self.to)

    def undo(self, array: Array, shape: Shape, lookup: Lookup) -> Array:
        return array.reshape(shape)


@dataclass(frozen=True)
class Reorder:
    """Blocks of one axis in another order: the gates of a recurrent layer."""

    axis: int
    blocks: tuple[int, ...]

    def shape(self, shape: Shape) -> Shape:
        return shape

    def run(self, array: Array, lookup: Lookup) -> Array:
        parts = np.split(array, len(self.blocks), self.axis)
        return np.concatenate([parts[block] for block in self.blocks], self.axis)

    def then(self, other: Reorder) -> Reorder:
        """Both in one, of the same axis."""
        size = lcm(len(self.blocks), len(other.blocks))
        first, second = self._finer(size), other._finer(size)
        return Reorder(self.axis, tuple(first[block] for block in second))

    def _finer(self, count: int) -> list[int]:
        each = count // len(self.blocks)
        return [block * each + i for block in self.blocks for i in range(each)]

    def undo(self, array: Array, shape: Shape, lookup: Lookup) -> Array:
        back = tuple(int(block) for block in np.argsort(self.blocks))
        return Reorder(self.axis, back).run(array, lookup)


@dataclass(frozen=True)
class Unpack:
    """Numbers of fewer than eight bits out of bytes, the lowest bits first, row by row."""

    bits: int
    to: Shape  # rows, numbers of a row

    def shape(self, shape: Shape) -> Shape:
        return self.to

    def run(self, array: Array, lookup: Lookup) -> Array:
        rows = array.reshape(self.to[0], -1).astype(np.uint8)
        shifts = np.arange(0, 8, self.bits, dtype=np.uint8)
        parts = rows[:, :, None] >> shifts & np.uint8(2**self.bits - 1)  # (rows, bytes, in a byte)
        if parts.shape[1] * parts.shape[2] < self.to[1]:
            raise UnreadableModel(f"bytes of shape {list(array.shape)} do not hold {self.to}")
        numbers: Array = parts.reshape(self.to[0], -1)[:, : self.to[1]].astype(np.float32)
        return numbers

    def undo(self, array: Array, shape: Shape, lookup: Lookup) -> Array:
        each = 8 // self.bits
        rows = np.zeros((self.to[0], prod(shape) // max(self.to[0], 1) * each), np.uint8)
        rows[:, : self.to[1]] = np.clip(array, 0, 2**self.bits - 1)
        shifts = np.arange(0, 8, self.bits, dtype=np.uint8)
        packed = (rows.reshape(self.to[0], -1, each) << shifts).sum(-1, dtype=np.uint8)
        whole: Array = packed.reshape(shape).astype(np.float32)
        return whole


@dataclass(frozen=True)
class Dequantize:
    """(values − zero point) · scale, which is one for all, for a place of an axis, or a block."""

    scale: str
    zero_point: str  # "": none
    axis: int
    block: int  # numbers of ``axis`` that share a scale; 0: all or one, by the scale's shape
    middle: float = 0  # the zero point where there is none
    packed: int = 0  # bits of a zero point that is packed as what it is for; 0: it is not

    def shape(self, shape: Shape) -> Shape:
        return shape

    def run(self, array: Array, lookup: Lookup) -> Array:
        scale, zero_point = self._spread(array.shape, lookup)
        with np.errstate(all="ignore"):
            real: Array = ((array - zero_point) * scale).astype(np.float32, copy=False)
        return real

    def undo(self, array: Array, shape: Shape, lookup: Lookup) -> Array:
        scale, zero_point = self._spread(shape, lookup)
        with np.errstate(all="ignore"):
            codes: Array = (np.rint(array / scale) + zero_point).astype(np.float32, copy=False)
        return codes

    def _spread(self, shape: Shape, lookup: Lookup) -> tuple[Array, Array]:
        """Scale and zero point, ready to be broadcast."""
        scale, zero_point = lookup(self.scale), np.full(1, self.middle, np.float32)
        if self.zero_point:
            zero_point = lookup(self.zero_point)
        if self.zero_point and self.packed:
            blocks = -(-shape[1] // self.block)
            zero_point = Unpack(self.packed, (shape[0], blocks)).run(zero_point, lookup)
        return self._fit(scale, shape), self._fit(zero_point, shape)

    def _fit(self, array: Array, shape: Shape) -> Array:
        if array.size == 1:
            return array.reshape(())
        if self.block and len(shape) == 2 and array.size == shape[0] * -(-shape[1] // self.block):
            array = array.reshape(shape[0], -1) if self.axis == 1 else array
        if self.block and array.ndim == len(shape):
            wide = np.repeat(array, self.block, self.axis)
            return np.take(wide, np.arange(shape[self.axis]), self.axis)
        if array.ndim == 1 and self.axis < len(shape) and array.size == shape[self.axis]:
            return array.reshape([-1 if i == self.axis else 1 for i in range(len(shape))])
        if array.ndim == 2 and len(shape) == 3 and array.shape == (shape[0], shape[2]):
            return array[:, None, :]  # of each direction of a recurrent layer
        if array.ndim == 1 and array.size == shape[0] and len(shape) == 3:
            return array[:, None, None]
        raise UnreadableModel(f"scale {self.scale!r} does not fit what it scales, {list(shape)}")


Step = Transpose | Reshape | Reorder | Unpack | Dequantize


def simple(steps: tuple[Step, ...], shape: Shape) -> tuple[Step, ...]:
    """The same way without detours: neighbors joined, steps that change nothing left out."""
    kept: list[Step] = []
    shapes = [shape]  # before each step that is kept, and after the last
    for step in steps:
        joined = _joined(kept[-1], step) if kept else None
        if joined is not None:
            step = joined
            kept.pop()
            shapes.pop()
        after = step.shape(shapes[-1])
        if _is_nothing(step, shapes[-1], after):
            continue
        kept.append(step)
        shapes.append(after)
    return tuple(kept)


def _joined(first: Step, second: Step) -> Step | None:
    """One step for two, where there is one."""
    if isinstance(first, Transpose) and isinstance(second, Transpose):
        return Transpose(tuple(first.axes[axis] for axis in second.axes))
    if isinstance(first, Reshape) and isinstance(second, Reshape):
        return second
    if not isinstance(first, Reorder) or not isinstance(second, Reorder):
        return None
    return first.then(second) if first.axis == second.axis else None


def _is_nothing(step: Step, before: Shape, after: Shape) -> bool:
    if isinstance(step, Transpose):
        return step.axes == tuple(range(len(step.axes)))
    if isinstance(step, Reorder):
        return step.blocks == tuple(range(len(step.blocks)))
    return isinstance(step, Reshape) and before == after
