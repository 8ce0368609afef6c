"""Tensors that an ONNX file stores: their types, and the values of small ones [onnx.proto].

What a tensor says of its shape must fit what it holds, also where that was left in the file.
"""

from __future__ import annotations

from math import prod

import numpy as np
from onnx import TensorProto
from onnx.helper import tensor_dtype_to_np_dtype
from onnx.numpy_helper import to_array

from assay.containers.protobuf import Dropped
from assay.errors import UnreadableModel
from assay.graphs.operators import MOST_VALUES, Tensor, Values
from assay.weights.shapes import shape_of

RAW = 9  # the field that holds any type as little-endian bytes
# The fields of the typed lists → their names, and the bytes of one element, least and most.
LISTS = {
    4: ("float_data", 4, 4),
    5: ("int32_data", 1, 10),
    6: ("string_data", 1, 2**63),
    7: ("int64_data", 1, 10),
    10: ("double_data", 8, 8),
    11: ("uint64_data", 1, 10),
}
PAYLOADS = frozenset({RAW, *LISTS})
_COMPLEX = (TensorProto.COMPLEX64, TensorProto.COMPLEX128)
_BITS = {
    TensorProto.FLOAT: 32, TensorProto.UINT8: 8, TensorProto.INT8: 8, TensorProto.UINT16: 16,
    TensorProto.INT16: 16, TensorProto.INT32: 32, TensorProto.INT64: 64, TensorProto.BOOL: 8,
    TensorProto.FLOAT16: 16, TensorProto.DOUBLE: 64, TensorProto.UINT32: 32,
    TensorProto.UINT64: 64, TensorProto.COMPLEX64: 64, TensorProto.COMPLEX128: 128,
    TensorProto.BFLOAT16: 16, 17: 8, 18: 8, 19: 8, 20: 8, 21: 4, 22: 4, 23: 4, 24: 8, 25: 2, 26: 2,
}  # fmt: skip


def constant(proto: TensorProto) -> Tensor:
    """A stored tensor: its type, and its values where they are few and in the file.

    Raises UnreadableModel where the data do not fit the shape, or the shape is absurd.
    """
    shape = shape_of(f"tensor {proto.name!r}", proto.dims)
    size = prod(shape)
    held = [(field, n) for field, n in _held(proto).items() if n]
    if len(held) > 1:
        raise UnreadableModel(f"tensor {proto.name!r} has its data twice")
    if proto.data_location == TensorProto.EXTERNAL or (size and not held):
        return Tensor(proto.data_type, shape, None, True)
    if size > MOST_VALUES or proto.data_type in (TensorProto.STRING, *_COMPLEX):
        check(proto, ())
        return Tensor(proto.data_type, shape, None, True)
    return Tensor(proto.data_type, shape, _values(proto), True)


def check_slim(content: bytes, dropped: Dropped) -> None:
    """``check`` for a tensor whose payload the walk has left behind."""
    check(TensorProto.FromString(content), dropped)


def check(proto: TensorProto, dropped: Dropped) -> None:
    """Raises UnreadableModel where the payloads, held or dropped, are no data of its shape."""
    size = prod(shape_of(f"tensor {proto.name!r}", proto.dims))
    counts = {field: (n, n) for field, n in _held(proto).items() if n}
    for field, length in dropped:  # a list may be written in pieces
        _, least, most = LISTS.get(field, ("", 1, 1))
        before = counts.get(field, (0, 0))
        counts[field] = (before[0] + -(-length // most), before[1] + length // least)
    if len(counts) > 1:
        raise UnreadableModel(f"tensor {proto.name!r} has its data twice")
    for field, (fewest, most) in counts.items():
        wanted = _wanted(proto.data_type, size, field)
        if wanted is not None and not fewest <= wanted <= most:
            raise UnreadableModel(
                f"tensor {proto.name!r} does not hold its shape {list(proto.dims)}: its data are"
                " of another size"
            )


def _held(proto: TensorProto) -> dict[int, int]:
    """Payloads that are in memory: bytes of the raw one, elements of the others."""
    counts = {field: len(getattr(proto, name)) for field, (name, _, _) in LISTS.items()}
    return {RAW: len(proto.raw_data), **counts}


def _wanted(dtype: int, size: int, field: int) -> int | None:
    """Bytes or elements that ``size`` numbers take; None of text, or a type newer than this."""
    bits = _BITS.get(dtype)
    if bits is None:
        return None
    if field == RAW or bits < 8:
        return (size * bits + 7) // 8
    return size * 2 if dtype in _COMPLEX else size


def _values(proto: TensorProto) -> Values:
    try:
        dtype = tensor_dtype_to_np_dtype(proto.data_type)
        with np.errstate(all="ignore"):
            array = np.zeros(proto.dims, dtype) if 0 in proto.dims else to_array(proto)
            return array if array.dtype.kind in "biuf" else array.astype(np.float32)
    except (ArithmeticError, KeyError, NotImplementedError, TypeError, ValueError) as error:
        raise UnreadableModel(f"tensor {proto.name!r} does not hold its shape: {error}") from error


def bytes_needed(proto: TensorProto) -> int:
    """How long the file of an external tensor must at least be.

    Raises UnreadableModel where its offset or length are not numbers, or do not fit its shape.
    """
    entries = {entry.key: entry.value for entry in proto.external_data}
    size = prod(shape_of(f"tensor {proto.name!r}", proto.dims))
    expected = (size * _BITS.get(proto.data_type, 0) + 7) // 8
    texts = entries.get("offset", "0"), entries.get("length", str(expected))
    if not all(isinstance(t, str) and t.isdecimal() and len(t) < 20 for t in texts):
        raise UnreadableModel(f"tensor {proto.name!r} lies at no place of its external file")
    offset, length = (int(text) for text in texts)
    if proto.data_type in _BITS and length != expected:
        raise UnreadableModel(
            f"tensor {proto.name!r} does not hold its shape {list(proto.dims)}: its external data"
            f" are {length:,} bytes, not {expected:,}"
        )
    return offset + length
