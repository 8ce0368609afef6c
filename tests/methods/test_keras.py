"""Keras files of several versions, against the values that Keras itself had, and other formats."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from keras_fixtures import fixture, values
from mutated_json import changed, outcome
from samples.keras import functional, h5, layer, source

from assay.errors import UnreadableModel
from assay.formats import FORMATS, Model, read
from assay.graphs import layer_graph
from assay.weights import Array

NETWORKS = ("image", "sequence", "nested", "attention")
WRITINGS = (".keras", ".h5", "-tf.h5", "-tf.keras")
UNKNOWN = {"layers/time_distributed/layer/vars/0"}  # nothing in the file tells its class
OPERATORS = {
    "image": "Conv+Relu Conv+Conv+Relu Add MaxPool ConvTranspose Conv Conv GlobalAveragePool Gemm"
    " Softmax",
    "sequence": "Gather LSTM Slice Slice Concat GRU RNN Gemm Gemm",
    "nested": "Gemm Tanh Gemm Tanh Gemm Gemm Gemm Gemm Gemm Tanh Concat Gemm",
    "attention": "Gemm Gemm Gemm Attention Gemm Add LayerNormalization Gemm Gelu"
    " BatchNormalization GroupNormalization PRelu Gemm",
}


def canonical(name: str, value: Array) -> Array:
    """What Keras' documentation says of its layouts, done by hand."""
    layer, variable = name.split("/")[-2:]
    if value.ndim == 4 and layer in ("deep", "apart") and variable != "pointwise_kernel":
        height, width, channels, _ = value.shape
        return np.array([value[:, :, c, 0] for c in range(channels)]).reshape(
            channels, 1, height, width
        )
    if value.ndim == 4 and layer == "up":  # height, width, output, input
        return np.einsum("hwoi->oihw", value)
    if value.ndim == 4:
        return np.einsum("hwio->oihw", value)
    if layer in ("query", "key", "value") and value.ndim == 3:
        return np.einsum("ihd->hdi", value).reshape(6, 8)
    if layer == "attention_output" and value.ndim == 3:
        return np.einsum("hdo->ohd", value).reshape(8, 6)
    if layer == "gru_cell" and variable.endswith("kernel"):
        update, reset, new = np.split(value, 3, axis=1)
        return np.concatenate([reset, update, new], axis=1).T
    if variable.endswith("kernel"):
        return value.T
    return value.reshape(8, 1, 1) if variable == "alpha" else value


def same(model: Model, network: str, leave: set[str] = frozenset()) -> None:  # type: ignore[assignment]
    """Each value of the network is in the model once, in the canonical layout, and no other."""
    found = [(name, weight.read()) for name, weight in model.weights.items() if name not in leave]
    for name, value in values(network).items():
        wanted = canonical(name, value)
        at = [
            i for i, (_, v) in enumerate(found) if v.shape == wanted.shape and (v == wanted).all()
        ]
        assert at or leave, name
        if at:
            del found[at[0]]
    assert not found


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("writing", WRITINGS)
def test_values_and_graph_are_those_of_keras_whichever_version_wrote_the_file(
    network: str, writing: str
) -> None:
    model = read(fixture(network + writing))
    assert model.layers is not None
    same(model, network)
    assert all(weight.canonical for weight in model.weights.values())
    graph = layer_graph(model.layers)
    assert [layer.op for layer in graph.layers] == OPERATORS[network].split()
    first = read(fixture(f"{network}.keras")).layers
    assert first is not None
    assert graph == layer_graph(first)


@pytest.mark.parametrize("network", NETWORKS)
def test_a_file_of_weights_alone_has_the_same_values_and_no_graph(network: str) -> None:
    model = read(fixture(f"{network}.weights.h5"))
    assert model.layers is None
    same(model, network, UNKNOWN & model.weights.keys())
    assert {name for name, w in model.weights.items() if not w.canonical} <= UNKNOWN


def test_the_edges_follow_calls_and_results_of_models_in_models() -> None:
    model = read(fixture("nested-tf.h5"))
    assert model.layers is not None
    graph = layer_graph(model.layers)
    joined = [layer.op for layer in graph.layers].index("Concat")
    assert {source for source, target in graph.edges if target == joined} == {3, 6, 9}
    assert {target for source, target in graph.edges if source == 1} == {2, 4}  # shared(x) is read


@pytest.mark.parametrize("network", NETWORKS)
def test_a_shared_layer_is_counted_once(network: str) -> None:
    model = read(fixture(f"{network}.keras"))
    assert model.layers is not None
    layers = layer_graph(model.layers, ()).layers
    trained = sum(
        value.size
        for name, value in values(network).items()
        if not name.endswith("moving_variance")
    )
    counted = sum(layer.parameters for layer in layers)
    second = {"sequence": 12 + 12 + 4}.get(network, 0)  # the other bias that ONNX has, all zeros
    unread = {"attention": 8}.get(network, 0)  # kept, no operands
    assert counted == trained + second - unread


def archive(path: Path, **replaced: bytes) -> Path:
    """The first fixture's archive, with other members; an empty one is left out."""
    names = {"config": "config.json", "weights": "model.weights.h5", "about": "metadata.json"}
    with zipfile.ZipFile(fixture("nested.keras")) as whole:
        members = {key: whole.read(name) for key, name in names.items()} | replaced
    method = zipfile.ZIP_DEFLATED if path.stem == "packed" else zipfile.ZIP_STORED
    with zipfile.ZipFile(path, "w", method) as changed:
        for key, content in members.items():
            if content:
                changed.writestr(names[key], content)
    return path


def test_weights_that_are_compressed_in_an_archive_are_read(tmp_path: Path) -> None:
    same(read(archive(tmp_path / "packed.keras")), "nested")


@pytest.mark.parametrize("missing", ["config", "weights"])
def test_an_archive_without_one_of_its_parts_is_refused(missing: str, tmp_path: Path) -> None:
    with pytest.raises(UnreadableModel, match="it has no"):
        FORMATS["keras"]().read(archive(tmp_path / "model.keras", **{missing: b""}), {})


def test_a_model_that_only_code_describes_has_weights_and_no_graph(tmp_path: Path) -> None:
    code = {"class_name": "MyModel", "config": {"units": 3}, "module": "os", "registered_name": "x"}
    model = read(archive(tmp_path / "model.keras", config=json.dumps(code).encode()))
    assert model.layers is None
    same(model, "nested")


def test_keras_1_has_other_names_for_layers_options_and_variables(tmp_path: Path) -> None:
    kernel = np.arange(2 * 3 * 1 * 4, dtype="f4").reshape(2, 3, 1, 4)
    layers = [
        {
            "class_name": "Convolution2D",
            "config": {
                "name": "conv", "batch_input_shape": [None, 8, 9, 1], "subsample": [2, 2],
                "border_mode": "same", "dim_ordering": "tf", "activation": "relu", "bias": True,
            },
        },
        {"class_name": "Flatten", "config": {"name": "flat"}},
        {"class_name": "Dense", "config": {"name": "dense", "output_dim": 2}},
    ]  # fmt: skip
    weights = {
        "model_weights/conv/conv_W": kernel,
        "model_weights/conv/conv_b": np.ones(4),
        "model_weights/dense/dense_W": np.arange(4 * 4 * 5 * 2.0).reshape(80, 2),
        "model_weights/dense/dense_b": np.zeros(2),
    }
    path = tmp_path / "model.h5"
    path.write_bytes(h5(weights, {"class_name": "Sequential", "config": layers}))
    model = read(path)
    assert model.layers is not None
    graph = layer_graph(model.layers)
    assert [layer.op for layer in graph.layers] == ["Conv+Relu", "Gemm"]
    assert graph.layers[0].shape == (1, 4, 4, 5)
    assert np.array_equal(
        model.weights["model_weights/conv/conv_W"].read(), np.einsum("hwio->oihw", kernel)
    )


def test_an_input_may_be_given_a_shape(tmp_path: Path) -> None:
    path = tmp_path / "model.h5"
    layers = [source([None, None, None, 3]), layer("GlobalMaxPooling2D", "it", ["x"])]
    path.write_bytes(h5({}, functional(layers, ["it"])))
    model = read(path, {"x": (2, 32, 24, 3)})
    assert model.layers is not None
    assert [found.macs for found in layer_graph(model.layers).layers] == [2 * 32 * 24 * 3]
    with pytest.raises(UnreadableModel, match="is \\?x\\?x\\?x3, not"):
        read(path, {"x": (2, 32, 24, 4)})


def test_a_name_hides_no_weight(tmp_path: Path) -> None:
    """States of random generators are left out: they are whole numbers."""
    path = tmp_path / "model.h5"
    path.write_bytes(h5({"model_weights/seed_generator_d/d/kernel:0": [[2.0]]}))
    assert list(read(path).weights) == ["model_weights/seed_generator_d/d/kernel:0"]


def test_what_training_needs_is_no_weight(tmp_path: Path) -> None:
    content = h5(
        {"optimizer_weights/adam/m/kernel:0": [1.0], "model_weights/d/d/kernel:0": [[2.0]]}
    )
    path = tmp_path / "model.h5"
    path.write_bytes(content)
    assert [*read(path).weights] == ["model_weights/d/d/kernel:0"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data(), name=st.sampled_from(["nested.keras", "nested-tf.h5", "image.weights.h5"]))
def test_changed_bytes_are_read_or_refused(name: str, data: Any, tmp_path: Path) -> None:
    content = bytearray(fixture(name).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(8, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "model.h5"
    path.write_bytes(content)
    assert "please report" not in outcome(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data(), network=st.sampled_from(NETWORKS))
def test_configurations_that_are_changed_anywhere_are_read_or_refused(
    network: str, data: Any, tmp_path: Path
) -> None:
    with zipfile.ZipFile(fixture(f"{network}.keras")) as whole:
        described = json.loads(whole.read("config.json"))
        weights = whole.read("model.weights.h5")
    changed(data, described)
    path = archive(tmp_path / "model.keras", config=json.dumps(described).encode(), weights=weights)
    assert "please report" not in outcome(path)
