"""TensorFlow Lite's tensors: where their bytes lie, and the real values that these stand for.

A quantized value q is scale·(q - zero point), with one scale for the whole tensor or one for each
slice along an axis.  A sparse tensor lists its values in the order of its levels, each dense or
compressed [Kjolstad et al., "The tensor algebra compiler"], the last ones within blocks.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from assay.errors import UnreadableModel
from assay.graphs.operators import MOST_VALUES, Shape, Tensor
from assay.weights import Array
from assay.weights.shapes import shape_of

Floats = NDArray[np.floating]
Indices = NDArray[np.int64]
# Code of the schema → its name, bits, how NumPy reads it, onnx.TensorProto.DataType.
TYPES: dict[int, tuple[str, int, str, int]] = {
    0: ("float32", 32, "<f4", 1), 1: ("float16", 16, "<f2", 10), 2: ("int32", 32, "<i4", 6),
    3: ("uint8", 8, "u1", 2), 4: ("int64", 64, "<i8", 7), 6: ("bool", 8, "?", 9),
    7: ("int16", 16, "<i2", 5), 9: ("int8", 8, "i1", 3), 10: ("float64", 64, "<f8", 11),
    12: ("uint64", 64, "<u8", 13), 15: ("uint32", 32, "<u4", 12), 16: ("uint16", 16, "<u2", 4),
    17: ("int4", 4, "u1", 3), 18: ("bfloat16", 16, "<u2", 16), 19: ("int2", 2, "u1", 3),
    20: ("uint4", 4, "u1", 2),
}  # fmt: skip
FLOATS = frozenset({"float32", "float16", "bfloat16", "float64"})
OTHER_TYPES = {5: 8, 8: 14, 11: 15}  # texts and complex numbers: known, never read
_SMALLEST_SPARSE = 2**24  # elements that a sparse tensor may have, however few are stored
_MOST_SPARSE = 64  # elements for each stored one


@dataclass(frozen=True, slots=True)
class Quantization:
    """Scales and zero points: one of each, or one for each place along ``axis``."""

    scale: Floats
    zero_point: Indices
    axis: int


@dataclass(frozen=True, slots=True)
class Level:
    """One level of a sparse tensor: dense, or compressed where it has segments."""

    size: int
    segments: Indices | None = None
    indices: Indices | None = None


@dataclass(frozen=True, slots=True)
class Sparsity:
    """The order in which the levels are traversed, and which dimensions their blocks divide."""

    order: Shape
    block_map: Shape
    levels: tuple[Level, ...]


@dataclass(frozen=True, slots=True, eq=False)
class StoredTensor:
    """One tensor of a subgraph; ``start`` and ``length`` are its bytes in the file."""

    name: str
    shape: Shape
    signature: Shape  # -1: a dynamic dimension
    type: int
    start: int = 0
    length: int = 0
    quantization: Quantization | None = None
    sparsity: Sparsity | None = None
    variable: bool = False  # a state that lives between two runs

    @property
    def constant(self) -> bool:
        """Whether the file holds its values."""
        return self.length > 0

    @property
    def dtype(self) -> str:
        """As stored."""
        return TYPES[self.type][0] if self.type in TYPES else f"type {self.type}"

    @property
    def identity(self) -> tuple[object, ...]:
        """Equal for two tensors of the same bytes and the same meaning."""
        scale, zero = b"", b""
        if self.quantization is not None:
            scale = self.quantization.scale.tobytes()
            zero = self.quantization.zero_point.tobytes()
        return (self.start, self.length, self.shape, self.type, scale, zero)

    @property
    def real(self) -> bool:
        """Whether its values stand for real numbers, unlike shapes and indices."""
        return self.dtype in FLOATS or self.quantization is not None

    def onnx_type(self) -> int:
        """The type in the graph, where what is quantized, or a half float, is a real number."""
        if self.real and self.dtype != "float64":
            return 1
        return TYPES[self.type][3] if self.type in TYPES else OTHER_TYPES.get(self.type, 0)

    def check(self) -> None:
        """Raises UnreadableModel where its bytes do not fit its type and shape."""
        shape_of(f"tensor {self.name!r}", self.shape)
        if not self.constant or self.type not in TYPES:
            return
        if self.sparsity is None:
            needed = -(-prod(self.shape) * TYPES[self.type][1] // 8)
            if needed != self.length:
                raise UnreadableModel(
                    f"tensor {self.name!r} has {self.length:,} bytes, not {needed:,}"
                )
        elif prod(self.shape) > max(_SMALLEST_SPARSE, _MOST_SPARSE * self.length):
            raise UnreadableModel(f"the sparse tensor {self.name!r} is absurdly large")
        quantization = self.quantization
        if quantization is not None and quantization.scale.size > 1:
            axis, scales = quantization.axis, quantization.scale.size
            if not 0 <= axis < len(self.shape) or self.shape[axis] != scales:
                raise UnreadableModel(
                    f"tensor {self.name!r} has {scales:,} scales, which do not fit"
                )

    def values(self, content: bytes | memoryview) -> NDArray[np.generic]:
        """Its values as stored, from its bytes, in its shape."""
        name, bits, kind, _ = TYPES[self.type]
        stored: NDArray[np.generic] = np.frombuffer(content, kind)
        if bits < 8:
            stored = _unpacked(stored, bits, signed=not name.startswith("u"))
        elif name == "bfloat16":
            stored = (stored.astype(np.uint32) << 16).view(np.float32)
        if self.sparsity is not None:
            return _dense(self, stored)
        return stored[: prod(self.shape)].reshape(self.shape)

    def reals(self, content: bytes | memoryview) -> Array:
        """The real values, float32, in the shape as stored."""
        stored = self.values(content)
        with np.errstate(over="ignore", invalid="ignore"):
            floats = stored.astype(np.float32)
            if self.quantization is None or self.dtype in FLOATS:
                return floats
            scale, zero = self.quantization.scale, self.quantization.zero_point
            if scale.size > 1:
                across = [1] * len(self.shape)
                across[self.quantization.axis] = scale.size
                scale = scale.reshape(across)
                zero = zero.reshape(across) if zero.size > 1 else zero.reshape(())
            else:
                scale, zero = scale.reshape(()), zero.reshape(())
            if stored.dtype.itemsize < 4:
                floats -= zero.astype(np.float32)
                floats *= scale.astype(np.float32)
                return floats
            exact = (stored.astype(np.float64) - zero) * scale
            return exact.astype(np.float32)

    def read(self, path: Path) -> Array:
        """The real values, from the file.  Raises UnreadableModel where that became shorter."""
        with path.open("rb") as file:
            file.seek(self.start)
            content = file.read(self.length)
        if len(content) < self.length:
            raise UnreadableModel("the file became shorter while it was read")
        return self.reals(content)

    def known(self, content: memoryview) -> Tensor:
        """What the passes need of a constant: its type, and its values where they are few."""
        small = self.type in TYPES and prod(self.shape) <= MOST_VALUES
        held = self.constant or 0 in self.shape
        if not small or not held or self.sparsity is not None:
            return Tensor(self.onnx_type(), self.shape, None, True)
        bytes_ = bytes(content[self.start : self.start + self.length])
        value = self.reals(bytes_) if self.real else self.values(bytes_)
        return Tensor(self.onnx_type(), self.shape, value, True)


def _unpacked(stored: NDArray[np.generic], bits: int, signed: bool) -> NDArray[np.generic]:
    """Numbers of less than a byte, the lowest bits first."""
    shifts = np.arange(0, 8, bits, dtype=np.uint8)
    packed = stored.view(np.uint8)
    parts = (packed[:, None] >> shifts & ((1 << bits) - 1)).reshape(-1)
    if not signed:
        return parts
    numbers = parts.view(np.int8)
    return np.where(numbers >= 1 << (bits - 1), numbers - np.int8(1 << bits), numbers)


def _dense(tensor: StoredTensor, stored: NDArray[np.generic]) -> NDArray[np.generic]:
    """A sparse tensor's values at their places, zeros elsewhere."""
    sparsity = tensor.sparsity
    assert sparsity is not None
    what = f"the sparse tensor {tensor.name!r}"
    blocks = _block_sizes(sparsity, tensor.shape, what)
    found = _places(sparsity, stored.size, max(prod(tensor.shape), 1), what)
    rank = len(tensor.shape)
    axes = list(found[: rank + len(blocks)])
    coordinates: list[Indices] = [np.zeros(0, np.int64)] * rank
    for place, axis in enumerate(sparsity.order):
        if axis < rank:
            coordinates[axis] = axes[place]
    for place, axis in enumerate(sparsity.order):
        if axis >= rank:
            split = sparsity.block_map[axis - rank]
            coordinates[split] = coordinates[split] * blocks[axis - rank] + axes[place]
    for places, size in zip(coordinates, tensor.shape, strict=True):
        if places.size and int(places.max()) >= size:
            raise UnreadableModel(f"{what} has values outside its shape")
    dense = np.zeros(tensor.shape, stored.dtype)
    if tensor.quantization is not None and tensor.quantization.zero_point.size == 1:
        dense += tensor.quantization.zero_point.astype(stored.dtype)  # which stands for zero
    dense[tuple(coordinates)] = stored
    return dense


def _block_sizes(sparsity: Sparsity, shape: Shape, what: str) -> list[int]:
    """Of each dimension that is divided into blocks.  Raises where the levels do not fit."""
    rank, divided = len(shape), len(sparsity.block_map)
    count = rank + divided
    fits = (
        rank > 0
        and sorted(sparsity.order) == list(range(count))
        and len(sparsity.levels) == count
        and all(0 <= axis < rank for axis in sparsity.block_map)
        and len(set(sparsity.block_map)) == divided
    )
    if not fits:
        raise UnreadableModel(f"{what} has levels that do not fit its shape")
    size = {axis: level.size for axis, level in zip(sparsity.order, sparsity.levels, strict=True)}
    return [size[rank + i] for i in range(divided)]


def _places(sparsity: Sparsity, stored: int, most: int, what: str) -> list[Indices]:
    """Along each level, the coordinate of each stored value."""
    found: list[Indices] = []
    count = 1  # entries of the level before
    for level in sparsity.levels:
        if level.segments is None or level.indices is None:
            if level.size < 0 or count * level.size > most:
                raise UnreadableModel(f"{what} has levels that are larger than its shape")
            found = [np.repeat(axis, level.size) for axis in found]
            found.append(np.tile(np.arange(level.size, dtype=np.int64), count))
            count *= level.size
            continue
        segments, indices = level.segments, level.indices
        lengths = np.diff(segments)
        sound = (
            segments.size == count + 1
            and segments[0] == 0
            and segments[-1] == indices.size <= most
            and bool((lengths >= 0).all())
            and not (indices.size and indices.min() < 0)
        )
        if not sound:
            raise UnreadableModel(f"{what} has segments that do not fit its indices")
        found = [np.repeat(axis, lengths) for axis in found]
        found.append(indices)
        count = indices.size
    if count != stored:
        raise UnreadableModel(f"{what} has {stored:,} values, not {count:,}")
    return found
