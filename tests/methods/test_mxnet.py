"""MXNet networks: which files belong together, and what each operator becomes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from samples.mxnet import Design, params

from assay.errors import UnreadableModel
from assay.formats import FORMATS, Model, folder_format, read
from assay.graphs import layer_graph
from assay.graphs.shapes import fold_shapes

KERNEL = np.arange(54, dtype=np.float32).reshape(2, 3, 3, 3)
SETTINGS = {"kernel": "(3, 3)", "num_filter": 2, "no_bias": True}
IMAGE = (1, 4, 8, 8)


def ops(model: Model) -> list[str]:
    assert model.layers is not None
    return [layer.op for layer in layer_graph(model.layers).layers]


def shape_of(model: Model) -> tuple[int, ...] | None:
    assert model.layers is not None
    return fold_shapes(model.layers).tensor(model.layers.outputs[0]).shape


def convolution(key: str = "attrs") -> Design:
    design = Design(key)
    x = design.variable("data")
    design.layer("Convolution", "c", x, "weight", **SETTINGS)
    return design


def one(folder: Path, op: str, inputs: int = 1, **settings: Any) -> Model:
    """A network of one operator that reads an image, as often as is said."""
    design = Design()
    x = design.variable("data", __shape__=str(IMAGE))
    design.add(op, "y", [x] * inputs, **settings)
    path = folder / "net-symbol.json"
    path.write_text(design.json())
    return read(path)


@pytest.mark.parametrize("key", ["attrs", "attr", "param"])
def test_settings_are_under_any_of_three_keys(key: str, tmp_path: Path) -> None:
    model = read(convolution(key).save(tmp_path, {"arg:c_weight": KERNEL}))
    assert ops(model) == ["Conv"]
    assert np.array_equal(model.weights["c_weight"].read(), KERNEL)


def test_of_several_epochs_the_last_is_read(tmp_path: Path) -> None:
    path = convolution().save(tmp_path, {"arg:c_weight": KERNEL})
    for epoch in ("0012", "0003", "12345678901"):
        content = params({"arg:c_weight": KERNEL * int(epoch)})
        (tmp_path / f"model-{epoch}.params").write_bytes(content)
    (tmp_path / "model-best.params").write_bytes(b"no epoch")
    (tmp_path / "other-0099.params").write_bytes(b"no part of it")
    assert [file.name for file in read(path).files] == ["model-symbol.json", "model-0012.params"]


def test_arrays_are_read_with_the_graph_of_their_name(tmp_path: Path) -> None:
    convolution().save(tmp_path, {"arg:c_weight": KERNEL})
    model = read(tmp_path / "model-0000.params")
    assert (model.format, ops(model)) == ("mxnet", ["Conv"])
    (tmp_path / "model-symbol.json").unlink()
    model = read(tmp_path / "model-0000.params")
    assert model.layers is None
    assert not model.weights["c_weight"].canonical


def test_a_folder_of_one_symbol_is_a_model(tmp_path: Path) -> None:
    convolution().save(tmp_path, {"arg:c_weight": KERNEL})
    assert folder_format(tmp_path) is FORMATS["mxnet"]
    assert ops(read(tmp_path)) == ["Conv"]
    shutil.copy(tmp_path / "model-symbol.json", tmp_path / "other-symbol.json")
    assert folder_format(tmp_path) is None


def test_a_symbol_alone_takes_the_places_of_weights_for_weights(tmp_path: Path) -> None:
    path = tmp_path / "net-symbol.json"
    path.write_text(convolution().json())
    model = read(path, {"data": (1, 3, 8, 8)})
    assert model.layers is not None
    assert (model.layers.inputs, ops(model), dict(model.weights)) == (("data",), ["Conv"], {})


def test_labels_are_no_inputs(tmp_path: Path) -> None:
    design = convolution()
    label = design.variable("softmax_label")
    design.add("SoftmaxOutput", "softmax", [1 + 1, label], multi_output=True)
    model = read(design.save(tmp_path, {"arg:c_weight": KERNEL}))
    assert model.layers is not None
    assert model.layers.inputs == ("data",)
    assert ops(model) == ["Conv", "Softmax"]


def test_a_factor_that_is_fixed_is_read_as_ones(tmp_path: Path) -> None:
    names = ("gamma", "beta", "moving_mean", "moving_var")
    arrays = {f"arg:b_{name}": np.full(4, 3, np.float32) for name in names}
    for settings, wanted in (({}, 1), ({"fix_gamma": False}, 3)):
        design = Design()
        design.layer("BatchNorm", "b", design.variable("data"), " ".join(names), **settings)
        model = read(design.save(tmp_path, arrays), {"data": IMAGE})
        assert ops(model) == ["BatchNormalization"]
        assert model.weights["b_gamma"].read().tolist() == [wanted] * 4
        assert model.weights["b_beta"].read().tolist() == [3] * 4


def test_old_files_leave_auxiliary_inputs_out(tmp_path: Path) -> None:
    """Since 0.9, moving averages are listed as inputs."""
    design = Design("param")
    x = design.variable("data")
    design.layer("BatchNorm", "b", x, "gamma beta")
    names = ("arg:b_gamma", "arg:b_beta", "aux:b_moving_mean", "aux:b_moving_var")
    model = read(design.save(tmp_path, {name: np.ones(4, np.float32) for name in names}))
    assert ops(model) == ["BatchNormalization"]
    assert model.weights.keys() == {name[4:] for name in names}


@pytest.mark.parametrize(
    ("op", "settings", "becomes", "shape"),
    [
        ("Pooling", {"kernel": "(3, 3)", "stride": "(2, 2)", "pool_type": "max"},
         "MaxPool", (1, 4, 3, 3)),
        ("Pooling", {"kernel": "(3,3)", "stride": "(2,2)", "pooling_convention": "full"},
         "MaxPool", (1, 4, 4, 4)),
        ("Reshape", {"shape": "(0, -4, -1, 2, -3)"}, "Reshape", (1, 2, 2, 64)),
        ("Reshape", {"shape": "(0, -1)"}, "Reshape", (1, 256)),
        ("slice_axis", {"axis": 1, "begin": 1, "end": "None"}, "Slice", (1, 3, 8, 8)),
        ("slice", {"begin": "(None, 3)", "end": "(None, 0)", "step": "(None, -1)"},
         "Slice", (1, 3, 8, 8)),
        ("SwapAxis", {"dim1": 1, "dim2": 3}, "Transpose", (1, 8, 8, 4)),
        ("mean", {"axis": "(1,)", "exclude": True}, "ReduceMean", (4,)),
        ("_contrib_BilinearResize2D", {"height": 5, "width": 6}, "Resize", (1, 4, 5, 6)),
        ("UpSampling", {"scale": 2, "sample_type": "nearest"}, "Resize", (1, 4, 16, 16)),
        ("_contrib_MultiBoxPrior", {"sizes": "(0.1,)"}, "mxnet::_contrib_MultiBoxPrior", None),
    ],
)  # fmt: skip
def test_operators_become_onnxs_with_shapes(
    op: str, settings: dict[str, Any], becomes: str, shape: Any, tmp_path: Path
) -> None:
    model = one(tmp_path, op, **settings)
    assert model.layers is not None
    assert [node.op for node in model.layers.operators] == [becomes]
    assert shape_of(model) == shape


@pytest.mark.parametrize(
    ("op", "becomes"),
    [("_plus", "Add"), ("elemwise_sub", "Sub"), ("broadcast_mul", "Mul"), ("_Maximum", "Max"),
     ("broadcast_greater_equal", "GreaterOrEqual"), ("_rdiv_scalar", "Div"),
     ("_RMinusScalar", "mxnet::_RMinusScalar"), ("ElementWiseSum", "Add")],
)  # fmt: skip
def test_arithmetic_has_many_names(op: str, becomes: str, tmp_path: Path) -> None:
    model = one(tmp_path, op, inputs=1 if "calar" in op else 2, scalar=2)
    assert model.layers is not None
    assert [node.op for node in model.layers.operators] == [becomes]


def test_instances_are_normalized_with_an_epsilon_of_their_own(tmp_path: Path) -> None:
    found = {}
    for op in ("InstanceNorm", "LayerNorm"):
        design = Design()
        design.layer(op, "n", design.variable("data"), "gamma beta")
        path = tmp_path / "net-symbol.json"
        path.write_text(design.json())
        layers = read(path, {"data": (1, 4, 4)}).layers
        assert layers is not None
        found[op] = layers.operators[-1].attributes["epsilon"]
    assert found == {"InstanceNorm": 1e-3, "LayerNorm": 1e-5}


@pytest.mark.parametrize("mode", ["rnn_relu", "gru", "lstm"])
def test_recurrent_weights_are_in_the_canonical_order_of_gates(mode: str, tmp_path: Path) -> None:
    """As MXNet has them: reset, update, new; input, forget, cell, output."""
    gates = {"rnn_relu": 1, "gru": 3, "lstm": 4}[mode]
    first = np.arange(gates * 2 * 3, dtype=np.float32).reshape(gates * 2, 3)
    second = -np.arange(gates * 2 * 2, dtype=np.float32).reshape(gates * 2, 2)
    biases = np.arange(2 * gates * 2, dtype=np.float32)
    design = Design()
    x, long = design.variable("data"), design.variable("p")
    design.add("RNN", "r", [x, long], state_size=2, num_layers=1, mode=mode)
    flat = np.concatenate([first.ravel(), second.ravel(), biases])
    model = read(design.save(tmp_path, {"arg:p": flat}), {"data": (5, 1, 3)})
    assert np.array_equal(model.weights["p/l0_i2h_weight"].read(), first)
    assert np.array_equal(model.weights["p/l0_h2h_weight"].read(), second)


def test_json_of_others_is_not_taken_for_mxnets(tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    path.write_text(json.dumps({"nodes": [{"name": "x"}], "edges": []}))
    with pytest.raises(UnreadableModel):
        read(path)
    assert not FORMATS["mxnet"]().sniff(b'{"modelTopology": {"node": []}}')
