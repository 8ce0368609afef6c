"""TF.js graph models: functions, branches and loops, as in the frozen graph of the same network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from samples import keras as layers_model
from samples.tfjs import (
    called,
    converted,
    entry,
    function,
    group,
    node,
    placeholder,
    save,
)

from assay.errors import UnreadableModel
from assay.formats import Model, read
from assay.graphs import layer_graph

FROZEN = Path(__file__).parents[1] / "fixtures" / "tensorflow"
RANDOM = np.random.default_rng(0)
KERNEL = np.arange(12, dtype="<f4").reshape(4, 3)


def merged(model: Model) -> Any:
    assert model.layers is not None
    return layer_graph(model.layers)


def operators(model: Model) -> list[str]:
    return [layer.op for layer in merged(model).layers]


def constant(name: str, values: Any) -> tuple[Any, Any]:
    return entry(name, np.asarray(values)), np.asarray(values)


def saved(folder: Path, nodes: Any, constants: Any = (), **more: Any) -> Path:
    """A graph of these nodes that reads ``x`` of 1×4; constants in shards."""
    nodes = [
        placeholder("x", [1, 4]),
        *nodes,
        *(node(name, "Const") for name in more.pop("main", ())),
    ]
    topology = {"node": nodes, "library": {"function": more.pop("functions", [])}}
    return save(folder, topology, [group(constants)], **more)


@pytest.mark.parametrize("name", ["images", "sentences", "sentences-frozen-lowered"])
def test_a_graph_is_that_of_the_frozen_graph(name: str, tmp_path: Path) -> None:
    """``sentences`` has loops and branches: as functions, and as TensorFlow 1 spelled them."""
    frozen = FROZEN / (f"{name}.pb" if "-" in name else f"{name}-frozen.pb")
    web, proto = read(converted(tmp_path, frozen)), read(frozen)
    assert merged(web) == merged(proto)
    ours, theirs = (
        sorted((w.canonical, w.shape, w.read().tobytes()) for w in model.weights.values())
        for model in (web, proto)
    )
    assert ours == theirs


def loop(folder: Path) -> Path:
    """``while … { x = relu(x · w) }`` as TensorFlow 1 spells it."""
    nodes = [
        node("enter", "Enter", ["x"]),
        node("kernel", "Enter", ["w"], is_constant={"b": True}),
        node("merge", "Merge", ["enter", "next"]),
        node("sum", "Sum", ["merge", "axes"]),
        node("less", "Less", ["sum", "limit"]),
        node("go", "LoopCond", ["less"]),
        node("switch", "Switch", ["merge", "go"]),
        node("product", "MatMul", ["switch:1", "kernel"]),
        node("relu", "Relu", ["product"]),
        node("next", "NextIteration", ["relu"]),
        node("y", "Exit", ["switch"]),
    ]
    square = np.arange(16, dtype="<f4").reshape(4, 4)
    constants = [constant("w", square), constant("axes", np.array([0, 1], "<i4"))]
    constants.append(constant("limit", np.array(9, "<f4")))
    return saved(folder, nodes, constants, main=["w", "axes", "limit"],
                 signature={"outputs": {"y": {"name": "y:0"}}})  # fmt: skip


def test_a_loop_of_old_is_followed_and_its_kernel_too(tmp_path: Path) -> None:
    model = read(loop(tmp_path))
    assert operators(model) == ["Loop", "Gemm", "Relu", "Loop"]
    assert all(layer.shape == (1, 4) for layer in merged(model).layers)
    weight = model.weights["w"]
    assert weight.canonical
    assert np.array_equal(weight.read(), np.arange(16).reshape(4, 4).T)


def test_a_new_loop_and_its_functions_are_followed(tmp_path: Path) -> None:
    body = [node("body/w", "Const"), node("m", "MatMul", ["a", "body/w:output:0"])]
    functions = [
        function("go", ["a"], [node("l", "Less", ["a", "a"])], {"r": "l:z:0"}),
        function("body", ["a"], body, {"r": "m:product:0"}),
    ]
    attributes = {"cond": called("go"), "body": called("body")}
    nodes = [node("y", "StatelessWhile", ["x"], **attributes)]
    square = np.arange(16, dtype="<f4").reshape(4, 4)
    model = read(saved(tmp_path, nodes, [constant("body/w", square)], functions=functions))
    assert operators(model) == ["Loop", "Gemm", "Loop"]
    assert np.array_equal(model.weights["body/w"].read(), square.T)


def test_a_branch_of_a_known_condition_is_the_one_that_is_taken(tmp_path: Path) -> None:
    functions = [
        function("yes", ["a"], [node("r", "Relu", ["a"])], {"r": "r:activations:0"}),
        function("no", ["a"], [node("r", "Tanh", ["a"])], {"r": "r:y:0"}),
    ]
    attributes = {"then_branch": called("yes"), "else_branch": called("no")}
    nodes = [node("y", "If", ["c", "x"], **attributes)]
    path = saved(tmp_path, nodes, [constant("c", np.array(False))], main="c", functions=functions)
    assert operators(read(path)) == ["Tanh"]


def test_a_function_s_constant_is_one_weight_however_often_it_is_called(tmp_path: Path) -> None:
    body = [node("f/w", "Const"), node("m", "Mul", ["a", "f/w:output:0"])]
    functions = [function("f", ["a"], body, {"r": "m:z:0"})]
    nodes = [
        node("one", "PartitionedCall", ["x"], f=called("f")),
        node("two", "StatefulPartitionedCall", ["one"], f=called("f")),
    ]
    value = np.arange(4, dtype="<f4")
    model = read(saved(tmp_path, nodes, [constant("f/w", value)], functions=functions))
    assert operators(model) == ["Mul", "Mul"]
    assert [*model.weights] == ["f/w"]


def test_outputs_in_functions_are_known_by_name_without_a_list(tmp_path: Path) -> None:
    body = [
        node("f/k", "Const"),
        node("top", "TopKV2", ["a", "f/k:output:0"]),
        node("cast", "Cast", ["top:indices:0"], DstT={"type": "DT_FLOAT"}),
    ]
    functions = [function("f", ["a"], body, {"r": "cast:y:0"})]
    nodes = [node("y", "PartitionedCall", ["x"], f=called("f"))]
    k = constant("f/k", np.array(2, "<i4"))
    layers = read(saved(tmp_path, nodes, [k], functions=functions)).layers
    assert layers is not None
    cast = next(each for each in layers.operators if each.op == "Cast")
    top = next(each for each in layers.operators if each.op == "TopK")
    assert cast.inputs == (top.outputs[1],)


def test_outputs_of_unknown_operators_are_counted_by_what_reads_them(tmp_path: Path) -> None:
    nodes = [node("odd", "Odd", ["x"]), node("y", "Mul", ["odd:2", "odd"])]
    layers = read(saved(tmp_path, nodes)).layers
    assert layers is not None
    odd, product = layers.operators
    assert odd.outputs == ("odd", "odd:1", "odd:2")
    assert product.inputs == ("odd:2", "odd")


def test_texts_are_no_weights(tmp_path: Path) -> None:
    text = node("words", "Const", dtype={"type": "DT_STRING"})
    nodes = [text, node("found", "LookUp", ["words", "x"]), node("y", "Relu", ["found"])]
    model = read(saved(tmp_path, nodes))
    assert operators(model) == ["tensorflow::LookUp", "Relu"]
    assert not model.weights


def test_numbers_are_spelled_as_protobuf_spells_them(tmp_path: Path) -> None:
    """Whole ones may be texts, and those that are none are."""
    relu = node("r", "LeakyRelu", ["x"], alpha={"f": 0.25})
    attributes: dict[str, Any] = {"odd": {"f": "NaN"}, "large": {"f": 1e300}, "i": {"i": "-3"}}
    layers = read(saved(tmp_path, [relu, node("y", "Relu", ["r"], **attributes)])).layers
    assert layers is not None
    assert layers.operators[0].attributes["alpha"] == 0.25


ODD_TYPES = [{"list": {"i": ["1"]}}, {"s": "eA=="}, {"f": 1.5}, {}]


@pytest.mark.parametrize("odd", ODD_TYPES)
def test_an_input_of_an_odd_type_is_one_of_floats(odd: Any, tmp_path: Path) -> None:
    start = placeholder("x", [1, 4])
    start["attr"]["dtype"] = odd
    model = read(save(tmp_path, {"node": [start, node("y", "Relu", ["x"])]}, [group([])]))
    assert operators(model) == ["Relu"]


IMAGES, MATRIX = (1, 8, 8, 3), (1, 6)
SLOPES = [  # of what, as TF.js has them, as Keras does, and the axes that Keras shares
    (IMAGES, (3,), (1, 1, 3), [1, 2]),
    (IMAGES, (1, 1, 3), (1, 1, 3), [1, 2]),
    (MATRIX, (6,), (6,), None),
]


def with_prelu(folder: Path, shape: Any, values: Any, is_fused: bool) -> Path:
    """A convolution or a product with bias, and Prelu."""
    op = "Conv2D" if len(shape) == 4 else "MatMul"
    attributes: dict[str, Any] = {"padding": {"s": "U0FNRQ=="}}
    attributes["strides"] = attributes["dilations"] = {"list": {"i": ["1"] * 4}}
    if is_fused:
        fused = {"list": {"s": ["Qmlhc0FkZA==", "UHJlbHU="]}}
        nodes = [node("y", f"_Fused{op}", ["x", *values], fused_ops=fused, **attributes)]
    else:
        nodes = [
            node("product", op, ["x", "w"], **attributes),
            node("sum", "BiasAdd", ["product", "b"]),
            node("y", "Prelu", ["sum", "a"]),
        ]
    nodes += [placeholder("x", shape), *(node(name, "Const") for name in values)]
    parts = [constant(name, value) for name, value in values.items()]
    return save(folder, {"node": nodes}, [group(parts)])


def with_keras_s(folder: Path, shape: Any, values: Any, shared: Any) -> Path:
    """The same as a layers model."""
    first = layers_model.layer("Dense", "c", ["x"], units=6)
    if len(shape) == 4:
        sizes = {"filters": 3, "kernel_size": [3, 3], "padding": "same"}
        first = layers_model.layer("Conv2D", "c", ["x"], **sizes)
    last = layers_model.layer("PReLU", "p", ["c"], shared_axes=shared)
    parts = [constant(name, value) for name, value in values.items()]
    network = layers_model.functional([layers_model.source(shape), first, last], ["p"])
    folder.mkdir()
    return save(folder, {"model_config": network}, [group(parts)])


@pytest.mark.parametrize(("shape", "ours", "theirs", "shared"), SLOPES)
@pytest.mark.parametrize("is_fused", [False, True])
def test_prelu_is_the_layer_of_keras(
    shape: Any, ours: Any, theirs: Any, shared: Any, is_fused: bool, tmp_path: Path
) -> None:
    sizes = {"w": (3, 3, 3, 3) if len(shape) == 4 else (6, 6), "b": shape[-1:], "a": ours}
    values = {name: RANDOM.normal(size=size).astype("<f4") for name, size in sizes.items()}
    web = read(with_prelu(tmp_path, shape, values, is_fused))
    layers = dict(zip(("c/kernel", "c/bias", "p/alpha"), values.values(), strict=True))
    layers["p/alpha"] = layers["p/alpha"].reshape(theirs)
    keras = read(with_keras_s(tmp_path / "keras", shape, layers, shared))
    assert merged(web) == merged(keras)
    for name, other in (("w", "c/kernel"), ("b", "c/bias")):
        assert np.array_equal(web.weights[name].read(), keras.weights[other].read())
    slope, layer = web.weights["a"].read(), keras.weights["p/alpha"].read()
    assert np.array_equal(np.squeeze(slope), np.squeeze(layer))


@pytest.mark.parametrize("is_fused", [False, True])
def test_slopes_of_each_place_are_left_as_they_are(is_fused: bool, tmp_path: Path) -> None:
    sizes = {"w": (3, 3, 3, 3), "b": (3,), "a": (8, 8, 3)}
    values = {name: RANDOM.normal(size=size).astype("<f4") for name, size in sizes.items()}
    web = read(with_prelu(tmp_path, IMAGES, values, is_fused))
    layers = dict(zip(("c/kernel", "c/bias", "p/alpha"), values.values(), strict=True))
    keras = read(with_keras_s(tmp_path / "keras", IMAGES, layers, None))
    assert merged(web) == merged(keras)
    assert not web.weights["a"].canonical
    assert np.array_equal(web.weights["a"].read(), values["a"])


REFUSED = [
    ([node("y", "PartitionedCall", ["x"], f=called("none"))], {}, "is called, but not there"),
    ([node("y", "Relu", ["nothing"])], {}, "has no operator 'nothing'"),
    ([node("y", "Relu", ["x"])], {"signature": {"outputs": {"y": {"name": "z"}}}}, "operator 'z'"),
    ([node("y", "Prelu", ["x"])], {}, "fewer than 2 inputs"),
    ([{"name": "y", "op": 7}], {}, "is no name"),
    (["y"], {}, "is no object"),
    ([node("y", "Relu", ["x"], n={"i": "1.5"})], {}, "no whole number"),
    ([node("y", "Relu", ["x"], n={"f": "x"})], {}, "no number"),
]


@pytest.mark.parametrize(("nodes", "more", "error"), REFUSED)
def test_a_graph_that_cannot_be_is_refused(
    nodes: Any, more: Any, error: str, tmp_path: Path
) -> None:
    with pytest.raises(UnreadableModel, match=error):
        read(saved(tmp_path, nodes, **more))
