"""Tensors that are none."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

from onnx import TensorProto, helper

from hostile.building import (
    FLOAT,
    INT64,
    RELU,
    attack,
    field,
    model,
    of_nodes,
    raw_graph,
    varint,
    write,
)


def _tensor(dims: Sequence[int], dtype: int = FLOAT, **fields: object) -> TensorProto:
    return TensorProto(name="w", dims=dims, data_type=dtype, **fields)


def _with_tensor(folder: Path, tensor: TensorProto) -> Path:
    return of_nodes(folder, [helper.make_node("Mul", ["x", "w"], ["y"])], [tensor])


@attack("absurd shape")
def dimension_of_2_to_the_62(folder: Path) -> Path:
    return _with_tensor(folder, _tensor([2**62]))


@attack("absurd shape")
def negative_dimension(folder: Path) -> Path:
    return _with_tensor(folder, _tensor([-1], raw_data=b"\0" * 4))


@attack("absurd shape")
def million_dimensions(folder: Path) -> Path:
    return _with_tensor(folder, _tensor([1] * 10**6, raw_data=b"\0" * 4))


@attack("absurd shape")
def many_large_dimensions(folder: Path) -> Path:
    return _with_tensor(folder, _tensor([2**31 - 1] * 60))


@attack("absurd shape")
def input_of_2_to_the_62(folder: Path) -> Path:
    return of_nodes(folder, [helper.make_node("Relu", ["x"], ["y"])], shape=[1, 2**62])


@attack("absurd shape")
def input_with_a_thousand_axes(folder: Path) -> Path:
    return of_nodes(folder, [helper.make_node("Relu", ["x"], ["y"])], shape=[1] * 1000)


@attack("does not hold its shape")
def raw_data_that_are_too_short(folder: Path) -> Path:
    return _with_tensor(folder, _tensor([3], raw_data=b"\0" * 11))


@attack("does not hold its shape")
def short_raw_data_for_a_large_shape(folder: Path) -> Path:
    return _with_tensor(folder, _tensor([1000, 1000], raw_data=b"\0" * 12))


@attack("does not hold its shape")
def long_raw_data_that_are_too_short(folder: Path) -> Path:
    return _with_tensor(folder, _tensor([1000, 1000], raw_data=b"\0" * 2_000_000))


@attack("does not hold its shape")
def raw_data_that_are_too_long(folder: Path) -> Path:
    return _with_tensor(folder, _tensor([3], raw_data=b"\0" * 2_000_000))


@attack("does not hold its shape")
def numbers_that_are_too_few(folder: Path) -> Path:
    return _with_tensor(folder, _tensor([100, 100], float_data=[0.0] * 9_999))


@attack("does not hold its shape")
def unpacked_numbers_that_are_too_many(folder: Path) -> Path:
    number = varint(4 << 3 | 5) + struct.pack("<f", 1.0)
    tensor = varint(1 << 3) + varint(3) + varint(2 << 3) + varint(1) + field(8, b"w")
    return write(folder, raw_graph(field(5, tensor + number * 10**6)))


@attack("")
def unpacked_numbers(folder: Path) -> Path:
    number = varint(4 << 3 | 5) + struct.pack("<f", 1.0)
    tensor = varint(1 << 3) + varint(3) + varint(2 << 3) + varint(1) + field(8, b"w")
    return write(folder, raw_graph(field(5, tensor + number * 3)))


@attack("does not hold its shape")
def type_that_does_not_exist(folder: Path) -> Path:
    return _with_tensor(folder, _tensor([3], 77, raw_data=b"\0" * 12))


@attack("absurd shape")
def sparse_tensor_of_2_to_the_62(folder: Path) -> Path:
    proto = model(RELU)
    sparse = proto.graph.sparse_initializer.add()
    sparse.values.CopyFrom(_tensor([1], float_data=[1.0]))
    sparse.indices.CopyFrom(_tensor([1], INT64, int64_data=[0]))
    sparse.dims.extend([2**62])
    return write(folder, proto.SerializeToString())
