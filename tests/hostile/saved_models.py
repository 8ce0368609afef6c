"""SavedModels and frozen graphs: small ones that unfold, and odd ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from samples import saved_model as files
from samples.protobuf import Fields, message
from samples.saved_model import (
    FLOAT,
    VALUE,
    End,
    const,
    function,
    function_name,
    graph,
    meta,
    node,
    placeholder,
    signature,
)

from hostile.building import attack

NAMES = ("_w/0" + VALUE, "_w/1" + VALUE)


def _frozen(folder: Path, *nodes: Fields, functions: Sequence[Fields] = ()) -> Path:
    return files.freeze(folder, placeholder("x", [1, 3]), *nodes, functions=functions)


def _calling(folder: Path, functions: Sequence[Fields]) -> Path:
    call = node("call", "PartitionedCall", ["x"], f=function_name("f0"))
    return _frozen(folder, call, functions=functions)


def _twice(number: int, following: int) -> dict[int, Any]:
    """A function that calls another one twice."""
    call = function_name(f"f{following}")
    nodes = [
        node("a", "PartitionedCall", ["x"], f=call),
        node("b", "PartitionedCall", ["a:output:0"], f=call),
    ]
    return function(f"f{number}", ["x"], nodes, {"y": "b:output:0"})


@attack("absurd shape")
def frozen_constant_of_2_60_elements(folder: Path) -> Path:
    value = {1: FLOAT, 2: files.shape([2**30, 2**30]), 5: 1.0}
    return _frozen(folder, node("c", "Const", value={8: value}), node("y", "Add", ["x", "c"]))


@attack("")
def frozen_constant_that_repeats_one_number(folder: Path) -> Path:
    """A tebibyte of zeros, which is no weight."""
    value = {1: FLOAT, 2: files.shape([2**19, 2**19]), 5: 0.0}
    return _frozen(folder, node("c", "Const", value={8: value}), node("y", "MatMul", ["x", "c"]))


@attack("does not fit its shape")
def frozen_constant_of_more_numbers_than_it_has(folder: Path) -> Path:
    value = {1: FLOAT, 2: files.shape([2]), 5: bytes(4 * 2**20)}
    return _frozen(folder, node("c", "Const", value={8: value}), node("y", "Add", ["x", "c"]))


@attack("too many operators")
def frozen_function_that_calls_itself(folder: Path) -> Path:
    return _calling(folder, [_twice(0, 0)])


@attack("too many operators")
def frozen_functions_that_double(folder: Path) -> Path:
    last = function("f28", ["x"], [node("r", "Relu", ["x"])], {"y": "r:activations:0"})
    return _calling(folder, [*(_twice(i, i + 1) for i in range(28)), last])


@attack("too many operators")
def frozen_functions_of_arguments_only(folder: Path) -> Path:
    """Nothing is computed, but each call binds ten thousand arguments."""
    names = [f"a{i}" for i in range(10_000)]
    calls = [
        node(f"c{i}", "PartitionedCall", [f"c{i - 1}" if i else "x"], f=function_name("wide"))
        for i in range(2000)
    ]
    return _frozen(folder, *calls, functions=[function("wide", names, [], {"y": "a0"})])


@attack("returns what it does not read")
def frozen_loop_of_odd_results(folder: Path) -> Path:
    body = function("body", ["a"], [], {})
    loop = node("loop", "While", ["x"], body=function_name("body"), cond=function_name("body"))
    return _frozen(folder, loop, functions=[body])


@attack("too many operators")
def frozen_loop_within_itself(folder: Path) -> Path:
    inner = node("loop", "While", ["a"], body=function_name("body"))
    body = function("body", ["a"], [inner], {"b": "loop:output:0"})
    loop = node("loop", "While", ["x"], body=function_name("body"))
    return _frozen(folder, loop, functions=[body])


@attack("cycle")
def frozen_cycle(folder: Path) -> Path:
    return _frozen(
        folder, node("a", "Relu", ["b"]), node("b", "Relu", ["a"]), node("y", "Relu", ["a"])
    )


@attack("more than 200,000 operators")
def frozen_million_nodes(folder: Path) -> Path:
    one = message({1: [node("n", "NoOp")]})
    path = _frozen(folder)
    path.write_bytes(path.read_bytes() + one * 1_000_000)
    return path


@attack("more than 50,000 operators")
def frozen_long_chain(folder: Path) -> Path:
    chain = [node(f"n{i}", "Relu", [f"n{i - 1}" if i else "x"]) for i in range(50_001)]
    return _frozen(folder, *chain)


@attack("too many fields")
def frozen_attributes_without_end(folder: Path) -> Path:
    path = _frozen(folder)
    attributes = message({5: {1: "a"}}) * 2_500_000
    path.write_bytes(path.read_bytes() + message({1: message({1: "z"}) + attributes}))
    return path


@attack("too many numbers")
def frozen_attribute_of_millions(folder: Path) -> Path:
    conv = node("y", "Conv2D", ["x", "w"], strides={1: {3: bytes(3_000_000)}})
    return _frozen(folder, const("w", np.zeros((1, 1, 3, 2))), conv)


@attack("a field has 1,000,000 bytes")
def frozen_attribute_of_a_megabyte(folder: Path) -> Path:
    conv = node("y", "Conv2D", ["x", "w"], padding={2: bytes(1_000_000)})
    return _frozen(folder, const("w", np.zeros((1, 1, 3, 2))), conv)


@attack("")
def frozen_odd_operators(folder: Path) -> Path:
    """Kernels of other ranks, strides of nothing, axes out of range, and too few dimensions."""
    zero, axis = const("zero", np.zeros(5)), const("axis", [77], "i4")
    nodes = [
        node("conv", "Conv2D", ["x", "zero"]),
        node("deep", "DepthwiseConv2dNative", ["conv", "zero"], strides=files.ints()),
        node("pool", "MaxPool", ["deep"], ksize=files.ints(0, 0, 0, 0, 0, 0)),
        node("cut", "StridedSlice", ["pool", "axis", "axis", "axis"], shrink_axis_mask={3: 2**62}),
        node("sum", "Mean", ["cut", "axis"]),
        node("turn", "Transpose", ["sum", "axis"]),
        node("parts", "Split", ["axis", "turn"], num_split={3: 2**40}),
        node("gone", "Squeeze", ["parts:999"], squeeze_dims=files.ints(9, 9, -9)),
        node("join", "ConcatV2", ["gone", "x", "axis"]),
        node("y", "Einsum", ["join"], equation={2: "->->,,"}),
    ]
    return _frozen(folder, zero, axis, *nodes)


@attack("fewer than 2 inputs")
def frozen_convolution_of_nothing(folder: Path) -> Path:
    return _frozen(folder, node("y", "Conv2D", ["x"]))


@attack("")
def saved_model_of_no_numbers(folder: Path) -> Path:
    """NaN, infinity, and a tensor of no elements."""
    path = files.small(folder)
    kernel = np.full((3, 2), np.nan, "<f4")
    empty = np.zeros((0, 4), "<f4")
    bias = np.array([np.inf, -np.inf], "<f4")
    files.checkpoint(path, [{NAMES[0]: kernel, NAMES[1]: bias, "empty": empty}])
    return path


@attack("has no operator")
def saved_model_signature_of_nothing(folder: Path) -> Path:
    ends = {"x": End("in:0", [1])}, {"y": End("ghost:0", [1])}
    content = graph([placeholder("in", [1])])
    return files.save(folder, meta(content, {"serving_default": signature(*ends)}))


@attack("without a signature, and without variables")
def saved_model_of_nothing(folder: Path) -> Path:
    return files.save(folder, meta(graph([placeholder("in", [1])]), {}))
