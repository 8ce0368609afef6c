"""Strided views of stored numbers, as NumPy and PyTorch describe tensors [numpy.ndarray.strides].

A view says where its first number lies and how many numbers to go for the next one along each
axis.  Several may share one storage, and one may show a number often.  Only the part that a view
shows is read; a view that is much sparser than its part is read in halves.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from assay.containers.sources import Source
from assay.errors import UnreadableModel
from assay.weights import Array, Weight
from assay.weights.numbers import BITS, MOST_AT_ONCE, decode
from assay.weights.shapes import has_one_axis, is_shape

REPEATED = 2**24  # numbers that a view may show beyond those of its storage
_PART = 2**22  # numbers that are read at once though the view does not show them all


class Held(Protocol):
    """A tensor as a file holds it."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def weight(self, name: str) -> Weight: ...


@dataclass(frozen=True)
class Unread:
    """A tensor of which only the shape is known; reading it says why."""

    shape: tuple[int, ...]
    dtype: str
    reason: str

    def weight(self, name: str) -> Weight:
        return listed(name, self.shape, self.dtype, partial(_refused, self, name))


@dataclass(frozen=True)
class Affine:
    """What quantized numbers stand for: ``(number - zero point) · scale``, along an axis or all."""

    scales: Strided | float
    zero_points: Strided | int
    axis: int = 0


@dataclass(frozen=True)
class Strided:
    """A tensor in its storage.  Made by ``strided``, which checks it."""

    storage: Source
    dtype: str  # of ``_numbers``
    shape: tuple[int, ...]
    strides: tuple[int, ...]  # numbers, not bytes
    offset: int  # numbers
    is_big_endian: bool = False
    affine: Affine | None = None

    def build(self, state: Any, stream: object) -> None:
        """What a pickle sets of a tensor.  Raises UnreadableModel where that are other numbers."""
        if isinstance(state, tuple) and len(state) in (4, 5):  # torch.Tensor.__setstate__
            raise UnreadableModel("its pickle gives a tensor other numbers")

    def read(self) -> Array:
        """The values.  Raises UnreadableModel where they are no longer there."""
        if self.strides == contiguous(self.shape):
            values = self._run(self.offset, math.prod(self.shape), False).reshape(self.shape)
        else:
            values = np.empty(self.shape, np.float32)
            self._fill(values, self.shape, self.offset)
        return values if self.affine is None else self._dequantized(values, self.affine)

    def whole_numbers(self) -> NDArray[np.int64]:
        """The values of a tensor of int64 or int32, exact, which float32 is not."""
        if self.dtype not in ("int64", "int32"):
            raise UnreadableModel(f"indices are of type {self.dtype}")
        numbers = np.empty(self.shape, np.int64)
        self._fill(numbers, self.shape, self.offset)
        return numbers

    def weight(self, name: str) -> Weight:
        return listed(name, self.shape, self.dtype, partial(_read, self, name))

    def quantized(self, scales: Any, zero_points: Any, axis: Any) -> Strided:
        """The same numbers, which stand for others.  Raises UnreadableModel if nothing fits."""
        if isinstance(scales, Strided) and isinstance(zero_points, Strided):
            fits = type(axis) is int and 0 <= axis < len(self.shape)
            if not fits or {scales.shape, zero_points.shape} != {(self.shape[axis],)}:
                raise UnreadableModel("a quantized tensor has not one scale for each channel")
        elif not (isinstance(scales, float | int) and isinstance(zero_points, int)):
            raise UnreadableModel("a quantized tensor has no scale")
        return replace(self, affine=Affine(scales, zero_points, axis))

    def _fill(self, values: NDArray[Any], shape: tuple[int, ...], offset: int) -> None:
        """Reads the part of this shape that begins at ``offset``."""
        if 0 in shape:
            return
        steps = [(n - 1) * step for n, step in zip(shape, self.strides, strict=True)]
        extent = 1 + sum(steps)
        if extent > max(_PART, 4 * math.prod(shape)):
            axis = steps.index(max(steps))
            half = shape[axis] // 2
            before, after = shape[:axis], shape[axis + 1 :]
            first, second = np.split(values, [half], axis)
            self._fill(first, (*before, half, *after), offset)
            rest = (*before, shape[axis] - half, *after)
            self._fill(second, rest, offset + half * self.strides[axis])
            return
        numbers = self._run(offset, extent, values.dtype == np.int64)
        item = numbers.itemsize
        values[...] = as_strided(numbers, shape, [item * step for step in self.strides])

    def _run(self, offset: int, count: int, is_exact: bool) -> NDArray[Any]:
        """Numbers that follow each other; those of less than a byte are packed."""
        bits = BITS[self.dtype]
        start, before = offset * bits // 8, offset * bits % 8 // bits
        content = self.storage.numbers(start, -(-(offset + count) * bits // 8) - start)
        if self.is_big_endian and bits > 8:
            content = np.frombuffer(content, f"u{bits // 8}").byteswap().data.cast("B")
        if is_exact:
            return np.frombuffer(content, f"<i{bits // 8}")
        return decode(content, self.dtype, before + count)[before:]

    def _dequantized(self, values: Array, affine: Affine) -> Array:
        along = [1] * len(self.shape)
        if isinstance(affine.scales, Strided):
            along[affine.axis] = -1
        with np.errstate(all="ignore"):
            values -= _numbers(affine.zero_points).reshape(along)
            values *= _numbers(affine.scales).reshape(along)
        return values


def _numbers(value: Strided | float) -> Array:
    return value.read() if isinstance(value, Strided) else np.array(value, np.float32)


def strided(
    storage: Source,
    dtype: str,
    shape: Any,
    strides: Any,
    offset: Any = 0,
    is_big_endian: bool = False,
) -> Strided:
    """A checked view.  Complex numbers become pairs, along an axis of their own.

    Raises UnreadableModel where it shows what is not in its storage, or repeats too much.
    """
    shape, strides = _numbers_of(shape), _numbers_of(strides)
    if (
        len(shape) != len(strides)
        or type(offset) is not int
        or offset < 0
        or not is_shape([*shape])
    ):
        raise UnreadableModel("a tensor's shape or strides are none")
    if any(step < 0 or step >= 2**62 for step in strides):
        raise UnreadableModel("a tensor's strides are out of range")
    halves = {"complex64": "float32", "complex128": "float64", "complex32": "float16"}
    if dtype in halves:
        dtype = halves[dtype]
        shape, strides = (*shape, 2), (*(2 * step for step in strides), 1)
        offset *= 2
    stored = 8 * storage.size // BITS[dtype]
    count = math.prod(shape)
    if count and offset + sum((n - 1) * s for n, s in zip(shape, strides, strict=True)) >= stored:
        raise UnreadableModel("a tensor reaches beyond its storage")
    if count > stored + REPEATED or count > MOST_AT_ONCE:
        raise UnreadableModel(f"a tensor shows {count:,} numbers of {stored:,} stored ones")
    return Strided(storage, dtype, shape, strides, offset, is_big_endian)


def contiguous(shape: Any, is_fortran: bool = False) -> tuple[int, ...]:
    """The strides of an array without gaps, last axis first, or the first one."""
    sizes = _numbers_of(shape)
    ordered = sizes if is_fortran else sizes[::-1]
    steps, step = [], 1
    for size in ordered:
        steps.append(step)
        step *= max(size, 1)
        if step >= 2**62:
            raise UnreadableModel("an array's shape is absurd")
    return tuple(steps if is_fortran else steps[::-1])


def _numbers_of(sizes: Any) -> tuple[int, ...]:
    if not isinstance(sizes, tuple | list) or not all(type(n) is int for n in sizes):
        raise UnreadableModel("a tensor's shape or strides are no whole numbers")
    if len(sizes) > 64:
        raise UnreadableModel("a tensor has too many axes")
    return tuple(sizes)


def listed(name: str, shape: tuple[int, ...], dtype: str, read: Callable[[], Array]) -> Weight:
    """A weight whose layout is known only where it has but one axis."""
    return Weight(name, shape, dtype, read, canonical=has_one_axis(shape))


def sizes_of(shape: Any) -> tuple[int, ...]:
    """The shape that a file claims.  Raises UnreadableModel where no array could have it."""
    sizes = _numbers_of(shape)
    if not is_shape([*sizes]):
        raise UnreadableModel("a tensor's shape is none")
    return sizes


def _read(tensor: Strided, name: str) -> Array:
    try:
        return tensor.read()
    except UnreadableModel as error:
        raise UnreadableModel(f"tensor {name!r:.200}: {error}") from error


def _refused(tensor: Unread, name: str) -> Array:
    raise UnreadableModel(f"tensor {name!r:.200} {tensor.reason}")
