"""Compressed constants of Core ML programs, read as the real values that they stand for.

[coremltools, constexpr operations] Scale and zero point of a tensor, an axis or blocks; tables of
values; masks of what is not zero; and one applied to the result of another.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import prod

import numpy as np

from assay.errors import UnreadableModel
from assay.vocabularies.coreml_blobs import Stored, Value
from assay.weights.shapes import shape_of

Values = Mapping[str, Value]  # an operation's arguments


def expanded(operation: str, values: Values) -> Value | None:
    """What a ``constexpr_`` operation stands for; None where it is another operation."""
    if operation == "constexpr_affine_dequantize":
        data = values["quantized_data"]
        return replace(data, read=lambda: _affine(data.read(), values), inline=False)
    if operation == "constexpr_blockwise_shift_scale":
        data = values["data"]
        return replace(data, read=lambda: _blockwise(data.read(), values), inline=False)
    if operation == "constexpr_cast":
        return values["source_val"]
    if operation == "constexpr_lut_to_dense":
        indices = values["indices"]
        shape = _shape(values) if "shape" in values else indices.shape
        return Value(indices.dtype, shape, lambda: _table(values, shape), inline=False)
    if operation == "constexpr_sparse_to_dense":
        data, mask = values["nonzero_data"], values["mask"]
        shape = _shape(values) if "shape" in values else mask.shape
        return Value(data.dtype, shape, lambda: _sparse(values, shape), inline=False)
    return None


def _shape(values: Values) -> tuple[int, ...]:
    return shape_of("a compressed tensor", (int(d) for d in values["shape"].read().reshape(-1)))


def _affine(data: Stored, values: Values) -> Stored:
    """(data − zero point) · scale, along one axis where they are vectors."""
    parts = []
    for name in ("zero_point", "scale"):
        part = values[name].read().astype(np.float32)
        if part.ndim == 1:
            axis = int(values["axis"].read().reshape(-1)[0]) % data.ndim
            part = part.reshape([-1 if i == axis else 1 for i in range(data.ndim)])
        parts.append(part)
    real: Stored = (data.astype(np.float32) - parts[0]) * parts[1]
    if real.shape != data.shape:
        raise UnreadableModel("a quantized tensor's scale does not fit its shape")
    return real


def _blockwise(data: Stored, values: Values) -> Stored:
    """(data − offset) · scale; each number of the scale is of one block."""
    real = data.astype(np.float32)
    if "offset" in values:
        real -= _spread(values["offset"].read(), data.shape)
    real *= _spread(values["scale"].read(), data.shape)
    return real


def _spread(part: Stored, shape: tuple[int, ...]) -> Stored:
    part = part.astype(np.float32)
    fits = part.ndim == len(shape) and all(
        small > 0 and whole % small == 0 for small, whole in zip(part.shape, shape, strict=True)
    )
    if not fits:
        raise UnreadableModel("a quantized tensor's blocks do not fit its shape")
    for axis, (small, whole) in enumerate(zip(part.shape, shape, strict=True)):
        if 1 < small < whole:
            part = np.repeat(part, whole // small, axis)
    return np.broadcast_to(part, shape)


def _table(values: Values, shape: tuple[int, ...]) -> Stored:
    """Each number is a place in the table, or in the table of its block."""
    indices, table = values["indices"].read(), values["lut"].read().astype(np.float32)
    if "shape" in values:  # packed: as many bits as the table has powers of two
        bits = max(1, (table.size - 1).bit_length())
        count = prod(shape)
        if bits > 8 or indices.size * 8 < count * bits:
            raise UnreadableModel("a tensor's places in its table are cut")
        packed = indices.reshape(-1).astype(np.uint8)
        places = np.unpackbits(packed, count=count * bits, bitorder="little").reshape(count, bits)
        indices = np.packbits(places, axis=1, bitorder="little").reshape(shape)
    if indices.size and int(indices.max()) >= (table.size if table.ndim < 3 else table.shape[-2]):
        raise UnreadableModel("a tensor's places lie outside its table")
    if table.ndim < 3:
        looked: Stored = table.reshape(-1)[indices]
        return looked
    return _blocks_of_table(indices, table)


def _blocks_of_table(indices: Stored, table: Stored) -> Stored:
    """A table for each block: its last axes are its entries and, of length one, their width."""
    *blocks, entries, width = table.shape
    if width != 1 or len(blocks) != indices.ndim:
        raise UnreadableModel("a tensor's table has entries that are vectors")
    if any(b < 1 or whole % b for b, whole in zip(blocks, indices.shape, strict=True)):
        raise UnreadableModel("a tensor's tables do not fit its shape")
    which = np.arange(prod(blocks)).reshape(blocks)
    for axis, (small, whole) in enumerate(zip(blocks, indices.shape, strict=True)):
        which = np.repeat(which, whole // small, axis)
    looked: Stored = table.reshape(-1, entries)[which, indices]
    return looked


def _sparse(values: Values, shape: tuple[int, ...]) -> Stored:
    """Zeros, but for the places of the mask."""
    mask, data = values["mask"].read(), values["nonzero_data"].read()
    count = prod(shape)
    bits = mask.reshape(-1)
    if "shape" in values:
        if mask.size * 8 < count:
            raise UnreadableModel("a sparse tensor's mask is cut")
        bits = np.unpackbits(bits.astype(np.uint8), count=count, bitorder="little")
    places = np.flatnonzero(bits)
    if places.size != data.size:
        raise UnreadableModel(f"a sparse tensor has {data.size:,} values, not {places.size:,}")
    dense = np.zeros(count, np.float32)
    dense[places] = data.reshape(-1)
    return dense.reshape(shape)
