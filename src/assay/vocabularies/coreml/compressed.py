"""Compressed constants of Core ML programs, read as the real values that they stand for.

[coremltools, constexpr operations of iOS 16 and 18] Scale and zero point of a tensor, an axis or
blocks; tables of values or of vectors; masks of what is not zero; and one applied to the result of
another.  Each operation is read from its arguments, and gives the constants that it writes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import prod

import numpy as np

from assay.errors import UnreadableModel
from assay.vocabularies.coreml.blobs import Stored, Value, small_numbers, whole_numbers
from assay.weights.shapes import shape_of

Arguments = Mapping[str, Value]  # of an operation, by name
USUAL_VECTOR, MOST_UNFOLDED = 8, 2**24
LONGEST_VECTOR = 64  # numbers of one entry of a table; coremltools makes 2 to 8


def expanded(operation: str, arguments: Arguments) -> list[Value]:
    """What a ``constexpr_`` operation writes; nothing where it is another operation.

    Raises UnreadableModel where an argument is missing, or they do not fit.
    """
    rule = _RULES.get(operation)
    if rule and sum(value.compressed for value in arguments.values()) > 1:  # 3 each: 3^n to read
        raise UnreadableModel(f"{operation} is made of several compressed constants")
    try:
        return [] if rule is None else rule(arguments)
    except KeyError as error:
        raise UnreadableModel(f"{operation} has no constant {error.args[0]!r}") from error


def _real(stored: Value, shape: tuple[int, ...], read: Callable[[], Stored]) -> Value:
    """A constant that is made of another."""
    return replace(stored, shape=shape, read=read, compressed=True)


def _affine(arguments: Arguments) -> list[Value]:
    """(data − zero point) · scale, along one axis where they are vectors."""
    data, scale, zero = (arguments[n] for n in ("quantized_data", "scale", "zero_point"))
    axis = _number(arguments, "axis") % max(len(data.shape), 1)
    along = tuple(-1 if i == axis else 1 for i in range(len(data.shape)))

    def read() -> Stored:
        real = data.read().astype(np.float32)
        real -= _spread(_upright(zero, along), real.shape)
        real *= _spread(_upright(scale, along), real.shape)
        return real

    return [_real(data, data.shape, read)]


def _upright(value: Value, along: tuple[int, ...]) -> Stored:
    """A number, or a vector that lies along an axis."""
    numbers = value.read().astype(np.float32)
    if numbers.ndim > 1 or (numbers.ndim == 0 and not along):
        return numbers
    return numbers.reshape(along if numbers.ndim == 1 else tuple(1 for _ in along))


def _blockwise(arguments: Arguments) -> list[Value]:
    """(data − offset) · scale; each number of the scale is of one block."""
    data, scale, offset = arguments["data"], arguments["scale"], arguments.get("offset")

    def read() -> Stored:
        real = data.read().astype(np.float32)
        if offset is not None:
            real -= _spread(offset.read().astype(np.float32), real.shape)
        real *= _spread(scale.read().astype(np.float32), real.shape)
        return real

    return [_real(data, data.shape, read)]


def _spread(part: Stored, shape: tuple[int, ...]) -> Stored:
    """Numbers of blocks, each repeated over its block."""
    _fits(part.shape, shape)
    for axis, (small, whole) in enumerate(zip(part.shape, shape, strict=True)):
        if 1 < small < whole:
            part = np.repeat(part, whole // small, axis)
    return np.broadcast_to(part, shape)


def _fits(blocks: tuple[int, ...], shape: tuple[int, ...]) -> None:
    """Raises UnreadableModel where a tensor cannot be cut into so many blocks."""
    if len(blocks) != len(shape) or any(
        not 1 <= small <= whole or whole % small for small, whole in zip(blocks, shape, strict=True)
    ):
        raise UnreadableModel("a compressed tensor's blocks do not fit its shape")


def _cast(arguments: Arguments) -> list[Value]:
    source = arguments["source_val"]
    return [_real(source, source.shape, source.read)]


def _table(arguments: Arguments) -> list[Value]:
    """Each number is a place in the table, or in the table of its block."""
    indices, table = arguments["indices"], arguments["lut"]
    if "shape" in arguments:
        shape = _shape(arguments)

        def read_packed() -> Stored:
            values = table.read().astype(np.float32).reshape(-1)
            bits = max(1, (values.size - 1).bit_length())
            return _looked_up(_packed(indices, bits, shape), values.reshape(-1, 1), 0)

        return [_real(indices, shape, read_packed)]
    width = table.shape[-1] if table.shape else 0
    axis = _number(arguments, "vector_axis") if width != 1 else 0
    wide = list(indices.shape)
    if not -len(wide) <= axis < len(wide) or len(table.shape) != len(wide) + 2:
        raise UnreadableModel("a tensor's table does not fit its shape")
    _fits(table.shape[:-2], indices.shape)
    if width > LONGEST_VECTOR:
        raise UnreadableModel(f"a tensor's table has vectors of {width:,} numbers")
    wide[axis] *= width
    shape = shape_of("a compressed tensor", wide)
    if width > USUAL_VECTOR and prod(shape) > MOST_UNFOLDED:
        raise UnreadableModel(f"a tensor's table unfolds it to {prod(shape):,} numbers")
    axis %= len(wide)
    return [
        _real(indices, shape, lambda: _looked_up(indices.read(), table.read(), axis).reshape(shape))
    ]


def _looked_up(indices: Stored, table: Stored, axis: int) -> Stored:
    """The entries; those of a table of vectors lie along ``axis``."""
    *blocks, entries, width = table.shape
    if indices.size and int(indices.max()) >= entries:
        raise UnreadableModel("a tensor's places lie outside its table")
    places = indices.astype(np.int32)
    if prod(blocks) > 1:
        which = np.arange(prod(blocks), dtype=np.int32).reshape(blocks) * entries
        places += _spread(which, places.shape)
    flat = table.astype(np.float32).reshape(-1, width)
    if width == 1:
        looked: Stored = flat[:, 0][places]
        return looked
    return np.moveaxis(flat[places], -1, axis + 1)


def _sparse(arguments: Arguments) -> list[Value]:
    """Zeros, but for the places of the mask."""
    data, mask = arguments["nonzero_data"], arguments["mask"]
    shape = _shape(arguments) if "shape" in arguments else mask.shape

    def read() -> Stored:
        bits = _packed(mask, 1, shape) if "shape" in arguments else mask.read()
        return _scattered(data.read(), bits)

    return [_real(data, shape, read)]


def _scattered(data: Stored, mask: Stored) -> Stored:
    places = np.flatnonzero(mask)
    if places.size != data.size:
        raise UnreadableModel(f"a sparse tensor has {data.size:,} values, not {places.size:,}")
    dense = np.zeros(mask.size, np.float32)
    dense[places] = data.reshape(-1)
    return dense.reshape(mask.shape)


def _sparse_table(arguments: Arguments) -> list[Value]:
    """The mask, and the values that are not zero, each a place in the table of its block."""
    mask, found = arguments["indices_mask"], arguments["indices_nonzero_data"]
    dense = Value("", mask.shape, lambda: _scattered(found.read(), mask.read()).astype(np.int32))
    if arguments["lut"].shape[-1:] != (1,):
        raise UnreadableModel("a sparse tensor's table holds vectors, which is not read")
    (whole,) = _table({"indices": dense, "lut": arguments["lut"]})
    return [mask, _real(found, found.shape, lambda: whole.read()[mask.read() != 0])]


def _sparse_blockwise(arguments: Arguments) -> list[Value]:
    """The mask, and the values that are not zero, scaled as their blocks are."""
    mask, found = arguments["data_mask"], arguments["nonzero_data"]
    dense = Value("", mask.shape, lambda: _scattered(found.read(), mask.read()))
    (whole,) = _blockwise({**arguments, "data": dense})
    return [mask, _real(found, found.shape, lambda: whole.read()[mask.read() != 0])]


def _packed(value: Value, bits: int, shape: tuple[int, ...]) -> Stored:
    """Numbers of a few bits, which an older operation keeps in bytes."""
    stored = value.read().reshape(-1).astype(np.uint8)
    if bits > 8 or stored.size * 8 < prod(shape) * bits:
        raise UnreadableModel("the packed numbers of a compressed tensor are cut")
    return small_numbers(stored, bits, shape)


def _shape(arguments: Arguments) -> tuple[int, ...]:
    return shape_of("a compressed tensor", whole_numbers(arguments["shape"].read()))


def _number(arguments: Arguments, name: str) -> int:
    return (whole_numbers(arguments[name].read()) or [0])[0]


_RULES: Mapping[str, Callable[[Arguments], list[Value]]] = {
    "constexpr_affine_dequantize": _affine,
    "constexpr_blockwise_shift_scale": _blockwise,
    "constexpr_cast": _cast,
    "constexpr_lut_to_dense": _table,
    "constexpr_sparse_to_dense": _sparse,
    "constexpr_lut_to_sparse": _sparse_table,
    "constexpr_sparse_blockwise_shift_scale": _sparse_blockwise,
}
