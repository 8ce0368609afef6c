"""Inputs of ONNX files: dynamic ones made concrete, and shapes that the caller gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hostile import building
from hostile.building import FLOAT, of_nodes, saved
from onnx import helper
from reading import Shapes, layers_of, names_of, operators_of

from assay.errors import UnreadableModel
from assay.formats import read
from assay.graphs.operators import Tensor


def input_of(path: Path, shapes: Shapes | None = None) -> Tensor:
    graph = operators_of(path, shapes)
    return graph.tensor(graph.inputs[0])


@pytest.mark.parametrize(
    ("dtype", "dims", "expected"),
    [
        ("float", "N, 3, H, W", (1, 3, 256, 256)),
        ("float", "batch, 3, 224, 224", (1, 3, 224, 224)),
        ("float", "N, C, H, W", (1, 3, 256, 256)),
        ("float", "N, 1, 28, 28", (1, 1, 28, 28)),
        ("float", "N, H, W, 3", (1, 256, 256, 3)),
        ("float", "N, 3, T, H, W", (1, 3, 16, 256, 256)),
        ("float", "3, H, W", (3, 256, 256)),
        ("int64", "batch, sequence", (1, 128)),
        ("int64", "N, M", (1, 128)),
        ("float", "N, sequence_length, 768", (1, 128, 768)),
        ("float", "sequence, batch, 64", (128, 1, 64)),
        ("float", "1, 80, time", (1, 80, 128)),
        ("float", "N, height, width, channels", (1, 256, 256, 3)),
        ("float", "5, 7", (5, 7)),
    ],
)
def test_dynamic_inputs_are_made_concrete(
    dtype: str, dims: str, expected: tuple[int, ...], tmp_path: Path
) -> None:
    path = saved(tmp_path, f"g ({dtype}[{dims}] x) => ({dtype}[{dims}] y) {{ y = Abs(x) }}")
    assert input_of(path).shape == expected


@pytest.mark.parametrize("dims", [[0, 3, 0, 0], [-1, 3, -1, -1], [None, 3, None, None]])
def test_zero_negative_and_absent_dimensions_are_dynamic(dims: list[Any], tmp_path: Path) -> None:
    node = [helper.make_node("Relu", ["x"], ["y"])]
    assert input_of(of_nodes(tmp_path, node, shape=dims)).shape == (1, 3, 256, 256)


DYNAMIC = "g (float[N, 3, H, W] x) => (float[N, 3, H, W] y) { y = Relu(x) }"
TWO = "g (float[N, 3, H, W] x, float[1, 3] z) => (float[N, 3, H, W] y) { a = Tanh(z)  y = Relu(x) }"


def test_a_shape_that_is_given_goes_before_the_usual(tmp_path: Path) -> None:
    path = saved(tmp_path, DYNAMIC)
    for name in ("x", ""):
        assert input_of(path, {name: (4, 3, 64, 32)}).shape == (4, 3, 64, 32)
        assert layers_of(path, {name: (4, 3, 64, 32)}).layers[0].shape == (4, 3, 64, 32)
    assert input_of(saved(tmp_path, TWO), {"x": (2, 3, 9, 9)}).shape == (2, 3, 9, 9)


@pytest.mark.parametrize(
    ("text", "given", "message"),
    [
        (DYNAMIC, {"x": (1, 4, 64, 64)}, "input 'x' is Nx3xHxW, not 1x4x64x64"),
        (DYNAMIC, {"x": (1, 3, 64)}, "not 1x3x64"),
        (DYNAMIC, {"image": (1, 3, 8, 8)}, "it has no input 'image': its inputs are 'x'"),
        (DYNAMIC, {"x": (1, 3, 0, 8)}, "input 'x' cannot be 1x3x0x8"),
        (DYNAMIC, {"x": (1, 3, 2**40, 8)}, "absurd shape"),
        (TWO, {"": (1, 3, 8, 8)}, "name the input that the shape is for: its inputs are 'x', 'z'"),
        (building.RELU, {"": (1, 3, 9, 8)}, "input 'x' is 1x3x8x8, not 1x3x9x8"),
    ],
)
def test_a_shape_that_contradicts_the_file_is_refused(
    text: str, given: dict[str, tuple[int, ...]], message: str, tmp_path: Path
) -> None:
    with pytest.raises(UnreadableModel) as caught:
        read(saved(tmp_path, text), given)
    assert message in str(caught.value)


def test_a_model_without_inputs_takes_no_shape(tmp_path: Path) -> None:
    node = helper.make_node("RandomNormal", [], ["y"], shape=[3])
    graph = helper.make_graph([node], "g", [], [helper.make_tensor_value_info("y", FLOAT, [3])])
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    path = building.write(tmp_path, proto.SerializeToString())
    assert names_of(path) == ["RandomNormal"]
    with pytest.raises(UnreadableModel, match="it has no inputs"):
        read(path, {"": (1, 3)})


def test_an_input_of_unknown_rank_takes_the_shape_that_is_given(tmp_path: Path) -> None:
    node = helper.make_node("Relu", ["x"], ["y"])
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info("x", FLOAT, None)],
        [helper.make_tensor_value_info("y", FLOAT, None)],
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    path = building.write(tmp_path, proto.SerializeToString())
    assert input_of(path).shape is None
    assert input_of(path, {"x": (2, 5)}).shape == (2, 5)


def test_initializers_among_the_inputs_are_no_inputs(tmp_path: Path) -> None:
    """IR version 3 lists them there."""
    proto = building.model(
        "g (float[1, 3, 8, 8] x, float[3, 1, 1] w) => (float[1, 3, 8, 8] y) { y = Mul(x, w) }"
    )
    proto.ir_version = 3
    proto.graph.initializer.append(helper.make_tensor("w", FLOAT, [3, 1, 1], [1, 2, 3]))
    path = building.write(tmp_path, proto.SerializeToString())
    assert operators_of(path).inputs == ("x",)
    assert layers_of(path).parameters == 3
    assert read(path).metadata["ir_version"] == 3


def test_sequences_and_optionals_are_read_without_shapes(tmp_path: Path) -> None:
    text = """g (seq(float[3]) x, optional(float[3]) o, int64 i) => (float[3] y) {
        a = SequenceAt(x, i)  b = OptionalGetElement(o)  y = Add(a, b) }"""
    path = saved(tmp_path, text)
    assert input_of(path).shape is None
    assert "Add" in names_of(path)
