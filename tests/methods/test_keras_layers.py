"""Keras' layers one by one: operators, shapes and attributes as Keras documents them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from samples.keras import functional, h5, layer, source

from assay.errors import UnreadableModel
from assay.formats import Model, read
from assay.graphs import layer_graph

RANDOM = np.random.default_rng(0)


def model_of(
    folder: Path, shape: Any, entries: Any, weights: Mapping[str, Any] | None = None
) -> Model:
    """A model of layers one after another, of which the last one is the output."""
    path = folder / "model.h5"
    layers = [source([None, *shape]), *entries]
    stored = {f"model_weights/{name}": values for name, values in (weights or {}).items()}
    path.write_bytes(h5(stored, functional(layers, [entries[-1]["name"]])))
    return read(path)


def only(model: Model) -> Any:
    """The merged graph's only layer."""
    assert model.layers is not None
    (found,) = layer_graph(model.layers).layers
    return found


@pytest.mark.parametrize(
    ("kind", "options", "shape", "op", "expected"),
    [
        ("Activation", {"activation": "relu"}, [4], "Relu", [4]),
        ("Activation", {"activation": "swish"}, [4], "Swish", [4]),
        ("Activation", {"activation": "hard_sigmoid"}, [4], "HardSigmoid", [4]),
        ("Activation", {"activation": "gelu"}, [4], "Gelu", [4]),
        ("Activation", {"activation": "softmax"}, [4], "Softmax", [4]),
        ("Activation", {"activation": "strange"}, [4], "keras::strange", None),
        ("ReLU", {"max_value": 6.0}, [4], "Clip", [4]),
        ("ReLU", {"max_value": None, "negative_slope": 0.1}, [4], "LeakyRelu", [4]),
        ("ReLU", {"threshold": 2.0}, [4], "keras::ReLU", None),
        ("LeakyReLU", {"alpha": 0.3}, [4], "LeakyRelu", [4]),
        ("ELU", {"alpha": 1.0}, [4], "Elu", [4]),
        ("Softmax", {"axis": -1}, [4], "Softmax", [4]),
        ("MaxPooling2D", {"pool_size": [2, 3]}, [8, 9, 2], "MaxPool", [2, 4, 3]),
        ("AveragePooling1D", {"pool_size": [2], "strides": [1]}, [8, 2], "AveragePool", [2, 7]),
        ("MaxPooling3D", {"padding": "same"}, [5, 5, 5, 1], "MaxPool", [1, 3, 3, 3]),
        ("GlobalAveragePooling2D", {}, [8, 9, 2], "GlobalAveragePool", [2, 1, 1]),
        ("GlobalMaxPooling1D", {"keepdims": True}, [8, 2], "GlobalMaxPool", [2, 1]),
        ("AdaptiveAveragePooling2D", {"output_size": [2, 4]}, [8, 8, 2], "AveragePool", [2, 2, 4]),
        ("Cropping2D", {"cropping": [[1, 2], [0, 3]]}, [8, 9, 2], "Slice", [2, 5, 6]),
        ("Cropping1D", {"cropping": [1, 2]}, [8, 2], "Slice", [2, 5]),
        ("ZeroPadding2D", {"padding": [[1, 2], [0, 3]]}, [8, 9, 2], "Pad", [2, 11, 12]),
        ("UpSampling2D", {"size": [2, 3]}, [4, 5, 2], "Resize", [2, 8, 15]),
        ("UpSampling1D", {"size": 2}, [4, 2], "Resize", [2, 8]),
        ("Resizing", {"height": 7, "width": 6}, [4, 5, 2], "Resize", [2, 7, 6]),
        ("LayerNormalization", {"epsilon": 1e-3, "axis": -1}, [4], "LayerNormalization", [4]),
        ("UnitNormalization", {"axis": -1}, [4], "LpNormalization", [4]),
        ("Lambda", {"function": "not read"}, [4], "keras::Lambda", None),
        ("my_package>Gate", {"depth": 3}, [4], "keras::my_package>Gate", None),
    ],
)
def test_a_layer_without_weights(
    kind: str, options: Any, shape: Any, op: str, expected: Any, tmp_path: Path
) -> None:
    found = only(model_of(tmp_path, shape, [layer(kind, "it", ["x"], **options)]))
    assert found.op == op
    assert found.shape == (None if expected is None else (1, *expected))


@pytest.mark.parametrize(
    "kind", ["Dropout", "SpatialDropout1D", "GaussianNoise", "Masking", "RandomFlip", "Identity"]
)
def test_what_computes_nothing_when_a_model_is_used_leaves_no_layer(
    kind: str, tmp_path: Path
) -> None:
    entries = [layer(kind, "it", ["x"]), layer("Activation", "a", ["it"], activation="relu")]
    assert only(model_of(tmp_path, [4, 4], entries)).op == "Relu"


CONVOLUTIONS = [
    ("Conv1D", {}, [9, 2], (3, 2, 4), (1, 4, 7), (4, 2, 3)),
    ("Conv1D", {"padding": "causal", "dilation_rate": [2]}, [9, 2], (3, 2, 4), (1, 4, 9), None),
    ("Conv2D", {"strides": [2, 2], "padding": "same"}, [9, 8, 2], (3, 5, 2, 4), (1, 4, 5, 4), None),
    ("Conv2D", {"groups": 2}, [9, 8, 4], (3, 3, 2, 6), (1, 6, 7, 6), (6, 2, 3, 3)),
    ("Conv3D", {}, [5, 5, 5, 2], (2, 2, 2, 2, 3), (1, 3, 4, 4, 4), (3, 2, 2, 2, 2)),
    ("Conv2DTranspose", {"strides": [2, 2]}, [4, 4, 3], (2, 2, 5, 3), (1, 5, 8, 8), (5, 3, 2, 2)),
    ("Conv1DTranspose", {"padding": "same"}, [4, 3], (2, 5, 3), (1, 5, 4), (5, 3, 2)),
]


@pytest.mark.parametrize(("kind", "options", "shape", "kernel", "expected", "stored"), CONVOLUTIONS)
def test_a_convolution(
    kind: str, options: Any, shape: Any, kernel: Any, expected: Any, stored: Any, tmp_path: Path
) -> None:
    values = RANDOM.normal(size=kernel).astype("f4")
    bias = np.ones(expected[1], "f4")
    weights = {"it/it/kernel:0": values, "it/it/bias:0": bias}
    model = model_of(tmp_path, shape, [layer(kind, "it", ["x"], **options)], weights)
    found = only(model)
    assert found.op == ("ConvTranspose" if "Transpose" in kind else "Conv")
    assert found.shape == expected
    assert found.parameters == values.size + bias.size
    weight = model.weights["model_weights/it/it/kernel:0"]
    order = (-2, -1) if "Transpose" in kind else (-1, -2)
    wanted = np.moveaxis(values, order, (0, 1))
    assert stored is None or weight.shape == stored
    assert weight.canonical
    assert np.array_equal(weight.read(), wanted)


def test_a_depthwise_convolution_makes_several_maps_of_each(tmp_path: Path) -> None:
    values = RANDOM.normal(size=(3, 3, 2, 4)).astype("f4")
    options = {"depth_multiplier": 4}
    entries = [layer("DepthwiseConv2D", "it", ["x"], **options)]
    model = model_of(tmp_path, [8, 8, 2], entries, {"it/it/depthwise_kernel:0": values})
    found = only(model)
    assert (found.op, dict(found.attributes)["group"]) == ("Conv", 2)
    assert found.shape == (1, 8, 6, 6)
    weight = model.weights["model_weights/it/it/depthwise_kernel:0"].read()
    assert np.array_equal(weight[5, 0], values[:, :, 1, 1])  # the second map of the second channel


def test_channels_may_come_first(tmp_path: Path) -> None:
    weights = {"it/it/kernel:0": np.ones((3, 3, 2, 5), "f4")}
    entries = [layer("Conv2D", "it", ["x"], data_format="channels_first")]
    found = only(model_of(tmp_path, [2, 8, 9], entries, weights))
    assert found.shape == (1, 5, 6, 7)


@pytest.mark.parametrize(("kind", "gates"), [("LSTM", 4), ("GRU", 3), ("SimpleRNN", 1)])
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, (1, 5)),
        ({"return_sequences": True}, (1, 7, 5)),
        ({"return_sequences": True, "go_backwards": True}, (1, 7, 5)),
    ],
)
def test_a_recurrent_layer(
    kind: str, gates: int, options: Any, expected: Any, tmp_path: Path
) -> None:
    kernels = [RANDOM.normal(size=(rows, 5 * gates)).astype("f4") for rows in (2, 5)]
    names = ("kernel", "recurrent_kernel")
    weights = {f"it/it/cell/{n}:0": k for n, k in zip(names, kernels, strict=True)}
    entries = [layer(kind, "it", ["x"], **options), layer("Activation", "a", ["it"])]
    model = model_of(tmp_path, [7, 2], entries, weights)
    assert model.layers is not None
    found = layer_graph(model.layers).layers[0]
    assert found.op == {"SimpleRNN": "RNN"}.get(kind, kind)
    assert model.layers.tensor(model.layers.outputs[0]).shape in (None, expected)
    assert dict(found.attributes).get("direction") == ("reverse" if len(options) > 1 else None)
    parts = np.split(kernels[0], gates, axis=1)
    parts = [parts[1], parts[0], parts[2]] if kind == "GRU" else parts  # reset, update, new
    wanted = np.concatenate(parts, axis=1).T
    assert np.array_equal(model.weights["model_weights/it/it/cell/kernel:0"].read(), wanted)


@pytest.mark.parametrize(
    ("kind", "count", "ops"),
    [
        ("Add", 3, ["Add", "Add"]),
        ("Multiply", 3, ["Mul", "Mul"]),
        ("Subtract", 2, ["Sub"]),
        ("Maximum", 2, ["Max"]),
        ("Average", 2, ["Add", "Mul"]),
        ("Concatenate", 3, ["Concat"]),
    ],
)
def test_joins(kind: str, count: int, ops: Any, tmp_path: Path) -> None:
    names = [f"x{i}" for i in range(count)]
    layers = [*(source([None, 4], name) for name in names), layer(kind, "it", names)]
    path = tmp_path / "model.h5"
    path.write_bytes(h5({}, functional(layers, ["it"])))
    model = read(path)
    assert model.layers is not None
    graph = layer_graph(model.layers)
    assert [found.op for found in graph.layers] == ops
    assert graph.layers[-1].shape == (1, 4 * count if kind == "Concatenate" else 4)


def test_a_layer_of_an_unknown_class_keeps_its_weights(tmp_path: Path) -> None:
    weights = {"it/it/kernel:0": np.ones((3, 4), "f4"), "it/it/inner/deep/kernel:0": np.ones(7)}
    model = model_of(tmp_path, [4], [layer("Custom", "it", ["x"])], weights)
    assert only(model).op == "keras::Custom"
    assert only(model).parameters == 12 + 7
    assert {weight.size for weight in model.weights.values()} == {12, 7}


def test_a_layer_whose_weights_are_missing_stays_opaque(tmp_path: Path) -> None:
    assert (
        only(model_of(tmp_path, [4], [layer("Dense", "it", ["x"], units=3)])).op == "keras::Dense"
    )


def operation(kind: str, name: str, *values: Any, **options: Any) -> dict[str, Any]:
    """A function that a model of Keras 3 calls; text names what it reads."""
    args = [
        {"class_name": "__keras_tensor__", "config": {"keras_history": [value, 0, 0]}}
        if isinstance(value, str)
        else value
        for value in values
    ]
    config = {"name": name, **options}
    nodes = [{"args": args, "kwargs": {}}]
    return {"class_name": kind, "name": name, "config": config, "inbound_nodes": nodes}


@pytest.mark.parametrize(
    ("entry", "op", "expected"),
    [
        (operation("Add", "it", "x", 1.5), "Add", (1, 6, 8)),
        (operation("Divide", "it", 2, "x"), "Div", (1, 6, 8)),
        (operation("Relu6", "it", "x"), "Clip", (1, 6, 8)),
        (operation("Mean", "it", "x", axis=[-1], keepdims=True), "ReduceMean", (1, 6, 1)),
        (operation("Reshape", "it", "x", newshape=[-1, 48]), "Reshape", (1, 48)),
        (operation("Transpose", "it", "x", axes=[0, 2, 1]), "Transpose", (1, 8, 6)),
        (operation("ExpandDims", "it", "x", axis=1), "Reshape", (1, 1, 6, 8)),
        (operation("Fold", "it", "x"), "keras::Fold", None),
    ],
)
def test_functions_are_operators(entry: Any, op: str, expected: Any, tmp_path: Path) -> None:
    model = model_of(tmp_path, [6, 8], [entry])
    assert model.layers is not None
    (found,) = layer_graph(model.layers, ()).layers
    assert found.op == op
    assert found.shape == expected


@pytest.mark.parametrize(
    ("function", "keywords", "op"),
    [
        ("math.multiply", {"y": 3.0}, "Mul"),
        ("nn.relu6", {}, "Clip"),
        ("math.reduce_mean", {"axis": [2], "keepdims": False}, "ReduceMean"),
        ("linalg.strange", {}, "keras::TFOpLambda.strange"),
    ],
)
def test_functions_of_tf_keras(function: str, keywords: Any, op: str, tmp_path: Path) -> None:
    entry = layer("TFOpLambda", "it", function=function)
    entry["inbound_nodes"] = [["x", 0, 0, keywords]]
    model = model_of(tmp_path, [6, 8], [entry])
    assert model.layers is not None
    assert [found.op for found in layer_graph(model.layers, ()).layers] == [op]


def test_layers_that_wait_for_each_other_are_refused(tmp_path: Path) -> None:
    entries = [layer("ReLU", "a", ["b"]), layer("ReLU", "b", ["a"])]
    with pytest.raises(UnreadableModel, match="reads what no layer gives"):
        model_of(tmp_path, [4], entries)


def test_a_layer_may_be_listed_after_what_reads_it(tmp_path: Path) -> None:
    entries = [layer("ReLU", "a", ["b"]), layer("ELU", "b", ["x"])]
    path = tmp_path / "model.h5"
    path.write_bytes(h5({}, functional([source([None, 4]), *entries], ["a"])))
    model = read(path)
    assert model.layers is not None
    assert [found.op for found in layer_graph(model.layers).layers] == ["Elu", "Relu"]


def test_two_layers_of_one_name_are_refused(tmp_path: Path) -> None:
    entries = [layer("ReLU", "a", ["x"]), layer("ELU", "a", ["x"])]
    with pytest.raises(UnreadableModel, match="two layers have the name 'a'"):
        model_of(tmp_path, [4], entries)


@pytest.mark.parametrize(
    ("kind", "options", "weights"),
    [
        ("Conv2D", {"padding": "causal", "dilation_rate": []}, {"kernel": 1.0}),
        ("DepthwiseConv2D", {"depth_multiplier": []}, {"depthwise_kernel": 1.0}),
        ("LayerNormalization", {"axis": [1, "two"]}, {"gamma": [1.0]}),
        ("MultiHeadAttention", {"num_heads": [], "key_dim": {}}, {"kernel": 1.0}),
        ("Bidirectional", {"merge_mode": {}, "layer": {"class_name": "LSTM"}}, {"kernel": [1.0]}),
        ("Merge", {"mode": [[]]}, {}),
        ("Dense", {"activation": 10**400}, {"kernel": 10.0}),
        ("LeakyReLU", {"negative_slope": 10**400}, {}),
    ],
)
def test_options_and_weights_of_other_kinds_do_no_harm(
    kind: str, options: Any, weights: Any, tmp_path: Path
) -> None:
    stored = {f"it/it/{name}:0": values for name, values in weights.items()}
    model = model_of(tmp_path, [6, 8, 2], [layer(kind, "it", ["x"], **options)], stored)
    assert model.layers is not None
    assert len(layer_graph(model.layers).layers) <= 2
