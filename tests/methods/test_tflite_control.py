"""TensorFlow Lite: variables are states or weights, branches are ONNX's, MediaPipe's operator."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from samples import tflite as files
from samples.tflite import Design, i8, i32

from assay.errors import UnreadableModel
from assay.formats import Model, read
from assay.graphs import layer_graph
from assay.values import Layer

RANDOM = np.random.default_rng(0)
RESOURCE, BOOL = 13, 6


def floats(*shape: int) -> Any:
    return RANDOM.normal(size=shape).astype(np.float32)


def raw(model: Model) -> list[Layer]:
    assert model.layers is not None
    return list(layer_graph(model.layers, ()).layers)


def handle(design: Design, name: str) -> int:
    place = design.tensor((), RESOURCE)
    design.operator("VAR_HANDLE", [], [place], {0: "", 1: name})
    return place


def first_run(design: Design, name: str, value: Any) -> dict[int, Any]:
    """A graph that gives a variable its first value."""
    graph = design.another()
    graph.operator("ASSIGN_VARIABLE", [handle(graph, name), graph.constant(value)], [])
    return graph.graph([], [])


def streaming(folder: Path) -> Path:
    """A dense layer over what it has seen before and what comes in."""
    design = Design()
    x, state = design.tensor((1, 4), name="x"), handle(design, "s")
    before, both, after = (design.tensor((1, n), name=f"s{n}") for n in (8, 12, 3))
    y, weight = design.tensor((1, 3), name="y"), design.constant(floats(3, 12))
    begin, size = design.constant(files.ints([0, 4])), design.constant(files.ints([1, 8]))
    kept = design.tensor((1, 8), name="kept")
    design.operator("CALL_ONCE", [], [], {0: i32(1)})
    design.operator("READ_VARIABLE", [state], [before])
    design.operator("CONCATENATION", [before, x], [both], {0: i32(1)})
    design.operator("SLICE", [both, begin, size], [kept])
    design.operator("ASSIGN_VARIABLE", [state, kept], [])
    design.operator("FULLY_CONNECTED", [both, weight], [after], {})
    design.operator("READ_VARIABLE", [state], [design.tensor((1, 8))])
    design.operator("RELU", [after], [y])
    others = [first_run(design, "s", np.zeros((1, 8), np.float32))]
    return design.save(folder, [x], [y], others)


def test_a_state_enters_the_graph_and_leaves_it(tmp_path: Path) -> None:
    model = read(streaming(tmp_path))
    assert model.layers is not None
    assert model.layers.inputs == ("x", "s8")
    assert model.layers.outputs == ("y", "kept")
    assert model.layers.tensors["s8"].shape == (1, 8)
    assert "opaque_operators" not in model.metadata
    layers = raw(model)
    assert [layer.op for layer in layers] == ["Concat", "Slice", "Gemm", "Relu"]
    assert layers[0].shape == (1, 12)


def test_a_shape_is_still_for_the_only_input_that_is_no_state(tmp_path: Path) -> None:
    assert raw(read(streaming(tmp_path), {"": (1, 4)}))[0].shape == (1, 12)


def test_what_is_assigned_is_read_from_then_on(tmp_path: Path) -> None:
    design = Design()
    x, a, again, y = (design.tensor((1, 4), name=name) for name in ("x", "a", "again", "y"))
    one, two = handle(design, "s"), handle(design, "s")  # two ways to the same variable
    design.operator("TANH", [x], [a])
    design.operator("ASSIGN_VARIABLE", [one, a], [])
    design.operator("READ_VARIABLE", [two], [again])
    design.operator("RELU", [again], [y])
    model = read(design.save(tmp_path, [x], [y]))
    assert model.layers is not None
    assert model.layers.inputs == ("x",)
    assert [(n.op, n.inputs, n.outputs) for n in model.layers.operators] == [
        ("Tanh", ("x",), ("a",)),
        ("Relu", ("a",), ("y",)),
    ]


@pytest.mark.parametrize("changes", [False, True])
def test_a_variable_that_nothing_changes_is_a_weight(changes: bool, tmp_path: Path) -> None:
    design, weight = Design(), floats(5, 4)
    x, y = design.tensor((1, 4), name="x"), design.tensor((1, 5), name="y")
    variable, value = handle(design, "w"), design.tensor((5, 4), name="value")
    design.operator("CALL_ONCE", [], [], {0: i32(1)})
    design.operator("READ_VARIABLE", [variable], [value])
    design.operator("FULLY_CONNECTED", [x, value], [y], {})
    if changes:
        design.operator("ASSIGN_VARIABLE", [variable, value], [])
    model = read(design.save(tmp_path, [x], [y], [first_run(design, "w", weight)]))
    assert model.layers is not None
    assert ("value" in model.layers.inputs) is changes
    assert [layer.parameters for layer in raw(model)] == [0 if changes else 20]
    (found,) = model.weights.values()
    assert found.canonical is not changes
    np.testing.assert_array_equal(found.read(), weight)


def branching(folder: Path, weights: tuple[Any, Any]) -> Path:
    """A convolution, then another one or nothing; the second one's weight is handed on."""
    design = Design()
    x, a, y = (design.tensor((1, 8, 8, 3), name=name) for name in "xay")
    condition = design.tensor((), BOOL, name="condition")
    first, second = design.constant(weights[0]), design.constant(weights[1])
    conv = {0: i8(files.SAME), 1: i32(1), 2: i32(1), 3: i8(files.NONE)}
    design.operator("CONV_2D", [x, first], [a], conv)
    design.operator("IF", [condition, a, second], [y], {0: i32(2), 1: i32(1)})
    bodies = []
    for does in (False, True):
        body = design.another()
        inner, kernel, result = (body.tensor(s) for s in ((1, 8, 8, 3), (3, 3, 3, 3), (1, 8, 8, 3)))
        if does:
            body.operator("CONV_2D", [inner, kernel], [result], conv)
        bodies.append(body.graph([inner, kernel], [result if does else inner]))
    return design.save(folder, [condition, x], [y], bodies)


def twin(folder: Path, weights: tuple[Any, Any]) -> Path:
    """The same in ONNX."""
    image = ("N", 3, 8, 8)

    def body(name: str, node: Any) -> Any:
        result = helper.make_tensor_value_info(name, TensorProto.FLOAT, image)
        return helper.make_graph([node], name, [], [result])

    conv = {"auto_pad": "SAME_UPPER", "kernel_shape": (3, 3)}
    bodies = {
        "then_branch": body("p", helper.make_node("Conv", ["a", "w2"], ["p"], **conv)),
        "else_branch": body("q", helper.make_node("Identity", ["a"], ["q"])),
    }
    nodes = [
        helper.make_node("Conv", ["x", "w1"], ["a"], **conv),
        helper.make_node("If", ["condition"], ["y"], **bodies),
    ]
    info = helper.make_tensor_value_info
    inputs = [info("condition", TensorProto.BOOL, ()), info("x", TensorProto.FLOAT, image)]
    held = [
        numpy_helper.from_array(np.ascontiguousarray(weight.transpose(0, 3, 1, 2)), name)
        for weight, name in zip(weights, ("w1", "w2"), strict=True)
    ]
    outputs = [info("y", TensorProto.FLOAT, image)]
    graph = helper.make_graph(nodes, "g", inputs, outputs, held)
    path = folder / "twin.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), str(path))
    return path


def test_branches_are_those_of_onnx(tmp_path: Path) -> None:
    weights = (floats(3, 3, 3, 3), floats(3, 3, 3, 3))
    model, other = read(branching(tmp_path, weights)), read(twin(tmp_path, weights))
    assert model.layers is not None
    assert other.layers is not None
    assert layer_graph(model.layers) == layer_graph(other.layers)
    assert [layer.op for layer in raw(model)] == ["Conv", "Conv", "If"]
    assert [layer.parameters for layer in raw(model)] == [81, 81, 0]
    for mine, its in zip(model.weights.values(), other.weights.values(), strict=True):
        assert mine.canonical
        np.testing.assert_array_equal(mine.read(), its.read())


def test_one_body_may_be_called_twice_and_within_another(tmp_path: Path) -> None:
    design = Design()
    condition, x = design.tensor((), BOOL, name="c"), design.tensor((1, 4), name="x")
    a, y = design.tensor((1, 4)), design.tensor((1, 4))
    design.operator("IF", [condition, x, condition], [a], {0: i32(1), 1: i32(2)})
    design.operator("IF", [condition, a, condition], [y], {0: i32(2), 1: i32(1)})
    deep, flat = design.another(), design.another()
    inner, again = deep.tensor((1, 4)), deep.tensor((), BOOL)
    result = deep.tensor((1, 4))
    deep.operator("IF", [again, inner, again], [result], {0: i32(2), 1: i32(2)})
    inside, unread, made = flat.tensor((1, 4)), flat.tensor((), BOOL), flat.tensor((1, 4))
    flat.operator("ADD", [inside, flat.constant(floats(4), name="w")], [made], {})
    bodies = [deep.graph([inner, again], [result]), flat.graph([inside, unread], [made])]
    model = read(design.save(tmp_path, [condition, x], [y], bodies))
    ops = [layer.op for layer in raw(model)]
    assert (ops.count("Add"), ops.count("If")) == (6, 4)
    assert len(model.weights) == 1


def test_what_has_no_elements_is_handed_on_too(tmp_path: Path) -> None:
    design = Design()
    condition, x = design.tensor((), BOOL), design.tensor((0, 4))
    shape, y = design.tensor((0,), files.INT32), design.tensor(())
    condition_of_one = design.tensor((1, 1), BOOL, name="c")
    design.operator("RESHAPE", [condition_of_one, shape], [condition])
    design.operator("IF", [condition, x], [y], {0: i32(1), 1: i32(1)})
    body = design.another()
    a, b = body.tensor((0, 4)), body.tensor((0, 4))
    body.operator("RELU", [a], [b])
    model = read(design.save(tmp_path, [condition_of_one, x], [y], [body.graph([a], [b])]))
    assert [layer.op for layer in raw(model)].count("Relu") == 2
    assert model.layers is not None
    assert model.layers.tensors[f"t{shape}"].constant


def transposed(folder: Path, custom: bytes | None, size: int = 16) -> Model:
    """With MediaPipe's operator, or else with the schema's."""
    weight, bias = np.arange(6 * 9 * 4).reshape(6, 3, 3, 4).astype("f4"), np.ones(6, np.float32)
    design = Design()
    x, y = design.tensor((1, 8, 8, 4), name="x"), design.tensor((1, size, size, 6), name="y")
    kernel, added = design.constant(weight, name="w"), design.constant(bias, name="b")
    if custom is None:
        shape = design.constant(files.ints([1, 16, 16, 6]))
        options = {0: i8(files.SAME), 1: i32(2), 2: i32(2)}
        design.operator("TRANSPOSE_CONV", [shape, kernel, x, added], [y], options)
    else:
        design.operator("Convolution2DTransposeBias", [x, kernel, added], [y], {}, custom)
    return read(design.save(folder, [x], [y]))


def test_a_transposed_convolution_of_mediapipe_is_one_like_any_other(tmp_path: Path) -> None:
    model, other = transposed(tmp_path, struct.pack("<3i", 1, 2, 2)), transposed(tmp_path, None)
    (layer,) = raw(model)
    assert [layer] == raw(other)
    assert (layer.op, layer.shape, layer.parameters) == ("ConvTranspose", (1, 6, 16, 16), 222)
    assert all(weight.canonical for weight in model.weights.values())
    assert model.weights["w"].shape == other.weights["w"].shape == (6, 4, 3, 3)
    valid = transposed(tmp_path, struct.pack("<3i", 2, 2, 2), 17)
    assert raw(valid)[0].shape == (1, 6, 17, 17)


@pytest.mark.parametrize(
    "custom",
    [b"", bytes(12), struct.pack("<3i", 1, 3, 3), struct.pack("<3i", 1, -2, -2), bytes(16)],
)
def test_options_that_do_not_lead_to_its_size_are_not_followed(
    custom: bytes, tmp_path: Path
) -> None:
    layers = raw(transposed(tmp_path, custom))
    assert "tflite::Convolution2DTransposeBias" in {layer.op for layer in layers}
    assert layers[-1].shape == (1, 6, 16, 16)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(at=st.integers(8, 10**4), byte=st.integers(0, 255), stream=st.booleans())
def test_any_changed_byte_is_refused_as_foreseen_or_read(
    at: int, byte: int, stream: bool, tmp_path: Path
) -> None:
    ones = np.ones((3, 3, 3, 3), np.float32)
    path = streaming(tmp_path) if stream else branching(tmp_path, (ones, 2 * ones))
    content = bytearray(path.read_bytes())
    content[at % len(content)] = byte
    path.write_bytes(content)
    try:
        model = read(path)
        raw(model)
        for stored in model.weights.values():
            stored.read()
    except UnreadableModel as error:
        assert "please report" not in str(error)  # noqa: PT017 - reading it is right too
