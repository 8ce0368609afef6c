"""TensorFlow Lite files: offsets that lead astray, and small files that unfold."""

from __future__ import annotations

import struct
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from samples.tflite import Design, flatbuffer, i8, i32, ints, quantization, u32, u64

from hostile.building import attack, write

NAME = "hostile.tflite"
HUGE = 2**31 - 1


def _dense(design: Design, weight: int) -> tuple[int, int]:
    """A layer that uses a weight, so that the reader looks at it."""
    x, y = design.tensor((1, 4), name="x"), design.tensor((1, 4), name="y")
    design.operator("FULLY_CONNECTED", [x, weight], [y], {})
    return x, y


def _of_weight(folder: Path, value: Any, **more: Any) -> Path:
    design = Design()
    x, y = _dense(design, design.constant(value, **more))
    return write(folder, flatbuffer(design.root([x], [y])), NAME)


def _of_root(folder: Path, root: dict[int, Any]) -> Path:
    return write(folder, flatbuffer(root), NAME)


def _shared(table: bytes, count: int) -> bytes:
    """A vector of ``count`` offsets to one and the same table, the last four bytes of ``table``."""
    ahead = len(table) - 4
    places = (4 * (count - i) + ahead for i in range(count))
    return struct.pack("<I", count) + b"".join(struct.pack("<I", p) for p in places) + table


@attack("leads to byte")
def tflite_root_outside(folder: Path) -> Path:
    return write(folder, struct.pack("<I", 2**32 - 1) + b"TFL3" + bytes(64), NAME)


@attack("leads nowhere")
def tflite_root_nowhere(folder: Path) -> Path:
    return write(folder, bytes(4) + b"TFL3" + bytes(64), NAME)


@attack("is damaged")
def tflite_fields_of_itself(folder: Path) -> Path:
    return write(folder, struct.pack("<I", 8) + b"TFL3" + bytes(64), NAME)


@attack("more than 1,000 subgraphs")
def tflite_one_graph_a_million_times(folder: Path) -> Path:
    """The vector's offsets all lead to one table of no fields."""
    fields = struct.pack("<HHHHH", 10, 12, 8, 0, 4)
    head = struct.pack("<I", 20) + b"TFL3" + bytes(2) + fields
    table = struct.pack("<iII", 10, 8, 3)  # where its fields are listed, the vector, the version
    empty = struct.pack("<HHi", 4, 4, 4)
    content = head + table + _shared(empty, 10**6)
    return write(folder, content, NAME)


@attack("more than")
def tflite_tensors_shared_by_a_thousand_graphs(folder: Path) -> Path:
    graph = {0: [{0: ints([1]), 3: "x"} for _ in range(200)]}
    root = {0: u32(3), 2: [graph] * 900, 4: [{}]}
    return _of_root(folder, root)


@attack("outside the file")
def tflite_buffer_outside(folder: Path) -> Path:
    root = {0: u32(3), 2: [{}], 4: [{1: u64(2**63), 2: u64(2**63)}]}
    return _of_root(folder, root)


@attack("does not have")
def tflite_operator_reads_outside(folder: Path) -> Path:
    design = Design()
    x, y = design.tensor((1, 4)), design.tensor((1, 4))
    design.operator("ADD", [x, 10**9], [y])
    return _of_root(folder, design.root([x], [y]))


@attack("buffer that the file does not list")
def tflite_tensor_of_no_buffer(folder: Path) -> Path:
    graph = {0: [{0: ints([1]), 2: u32(7)}]}
    return _of_root(folder, {0: u32(3), 2: [graph], 4: [{}]})


@attack("code that the file does not list")
def tflite_operator_of_no_code(folder: Path) -> Path:
    return _of_root(folder, {0: u32(3), 2: [{3: [{0: u32(9)}]}], 4: [{}]})


@attack("absurd shape")
def tflite_shape_of_2_to_the_124(folder: Path) -> Path:
    return _of_weight(folder, np.ones(4, np.float32), shape=(HUGE,) * 4)


@attack("absurd shape")
def tflite_negative_shape(folder: Path) -> Path:
    return _of_weight(folder, np.ones(4, np.float32), shape=(-2, -2))


@attack("more than 64 dimensions")
def tflite_million_dimensions(folder: Path) -> Path:
    return _of_weight(folder, np.ones(1, np.float32), shape=(1,) * 10**6)


@attack("bytes, not")
def tflite_weight_shorter_than_its_shape(folder: Path) -> Path:
    return _of_weight(folder, np.ones(4, np.float32), shape=(4, 4))


@attack("do not fit")
def tflite_more_scales_than_channels(folder: Path) -> Path:
    scales = quantization([1.0] * 1000)
    return _of_weight(folder, np.ones((4, 4), np.int8), quantization=scales)


@attack("absurdly large")
def tflite_sparse_weight_of_4_terabytes(folder: Path) -> Path:
    levels = [{0: i8(0), 1: i32(2**20)}, {0: i8(0), 1: i32(2**20)}]
    sparse = {0: ints([0, 1]), 2: levels}
    return _of_weight(folder, np.ones(4, np.float32), shape=(2**20, 2**20), sparsity=sparse)


@attack("cycle")
def tflite_operators_in_a_circle(folder: Path) -> Path:
    design = Design()
    x, y, z = (design.tensor((1, 4), name=name) for name in "xyz")
    design.operator("ADD", [x, z], [y], {})
    design.operator("RELU", [y], [z])
    return _of_root(folder, design.root([x], [y]))


@attack("written twice")
def tflite_tensor_written_twice(folder: Path) -> Path:
    design = Design()
    x, y = design.tensor((1, 4)), design.tensor((1, 4))
    design.operator("RELU", [x], [y])
    design.operator("TANH", [x], [y])
    return _of_root(folder, design.root([x], [y]))


@attack("too few")
def tflite_convolution_of_nothing(folder: Path) -> Path:
    design = Design()
    x, y = design.tensor((1, 4, 4, 4)), design.tensor((1, 4, 4, 4))
    design.operator("CONV_2D", [x], [y], {})
    return _of_root(folder, design.root([x], [y]))


@attack("axes, not 4")
def tflite_convolution_of_a_vector(folder: Path) -> Path:
    design = Design()
    x, y = design.tensor((1, 4)), design.tensor((1, 4))
    weight = design.constant(np.ones((4, 1, 1, 4), np.float32))
    design.operator("CONV_2D", [x, weight], [y], {})
    return _of_root(folder, design.root([x], [y]))


@attack("characters")
def tflite_name_of_a_megabyte(folder: Path) -> Path:
    design = Design()
    x, y = design.tensor((1, 4), name="x" * 2**20), design.tensor((1, 4))
    design.operator("RELU", [x], [y])
    return _of_root(folder, design.root([x], [y]))


@attack("along axis")
def tflite_concatenation_along_axis_a_billion(folder: Path) -> Path:
    design = Design()
    x, y = design.tensor((1, 4)), design.tensor((1, 8))
    design.operator("CONCATENATION", [x, x], [y], {0: i32(10**9)})
    return _of_root(folder, design.root([x], [y]))


@attack("")
def tflite_tensors_and_operators_up_to_the_limit(folder: Path) -> Path:
    design = Design()
    places = [design.tensor((1, 4)) for _ in range(49_000)]
    design.operator("RELU", places[:1], places[1:2])
    code = design.operators.pop()[0]
    ends = pairwise(places)
    design.operators += [{0: code, 1: ints([a]), 2: ints([b])} for a, b in ends]
    return _of_root(folder, design.root(places[:1], places[-1:]))


@attack("")
def tflite_values_that_are_no_numbers(folder: Path) -> Path:
    value = np.full((4, 4), np.nan, np.float32)
    value[0] = np.inf
    return _of_weight(folder, value)
