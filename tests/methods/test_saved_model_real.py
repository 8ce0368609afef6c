"""What TensorFlow itself wrote, held against what it reads: see make_tensorflow_fixtures.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator

from assay.formats import FORMATS, Model, read
from assay.graphs import layer_graph
from assay.values import LayerGraph

FIXTURES = Path(__file__).parents[1] / "fixtures" / "tensorflow"
IMAGES = ["Conv+Clip", "Conv+Relu", "MaxPool", "GlobalAveragePool", "Gemm", "Softmax"]
SENTENCES = "Gather Loop Loop Gather Gemm Gemm Add Tanh Loop ReduceSum Greater Gemm Gemm Relu If"
NAMES = {  # of the objects' attributes, and what their variables are called
    "first": "first/kernel",
    "gamma": "norm/gamma",
    "beta": "norm/beta",
    "mean": "norm/mean",
    "variance": "norm/variance",
    "depthwise": "depthwise",
    "bias": "depthwise/bias",
    "last": "last/kernel",
    "last_bias": "last/bias",
}


def truth(network: str) -> dict[str, Any]:
    """The variables of a network, as TensorFlow has them."""
    with np.load(FIXTURES / "truth.npz") as stored:
        return {k.partition("|")[2]: stored[k] for k in stored if k.startswith(f"{network}|")}


def merged(model: Model) -> LayerGraph:
    assert model.layers is not None
    return layer_graph(model.layers)


def ops(model: Model) -> list[str]:
    return [layer.op for layer in merged(model).layers]


def canonical(name: str, value: Any) -> Any:
    """A variable of ``images`` as output, input, space."""
    if name == "first/kernel":
        return value.transpose(3, 2, 0, 1)
    if name == "depthwise":
        return value.transpose(2, 3, 0, 1)
    return value.T


def test_variables_have_their_values_in_the_canonical_layout() -> None:
    model, wanted = read(FIXTURES / "images"), truth("images")
    assert {name: NAMES[name] for name in model.weights} == NAMES
    for name, weight in model.weights.items():
        assert weight.canonical
        assert np.array_equal(weight.read(), canonical(NAMES[name], wanted[NAMES[name]])), name
    assert sum(weight.size for weight in model.weights.values()) == sum(
        value.size for value in wanted.values()
    )


def test_a_frozen_graph_holds_the_same_network() -> None:
    saved, frozen = read(FIXTURES / "images"), read(FIXTURES / "images-frozen.pb")
    assert merged(saved) == merged(frozen)
    assert ops(saved) == IMAGES
    assert len(saved.weights) == len(frozen.weights)
    for ours, theirs in zip(saved.weights.values(), frozen.weights.values(), strict=True):
        assert np.array_equal(ours.read(), theirs.read())


def test_tensorflow_lite_holds_the_same_network() -> None:
    saved, lite = read(FIXTURES / "images"), read(FIXTURES / "images.tflite")
    assert merged(saved) == merged(lite)
    kernels = {weight.shape: weight.read() for weight in saved.weights.values()}
    scale = kernels[8, 3, 3, 3]  # the converter has folded the normalization into the kernel
    values = truth("images")
    scale = (
        scale
        * (values["norm/gamma"] / np.sqrt(values["norm/variance"] + 1e-3))[:, None, None, None]
    )
    kernels[8, 3, 3, 3] = scale
    for weight in lite.weights.values():
        if len(weight.shape) > 1:
            assert np.allclose(weight.read(), kernels[weight.shape], atol=1e-6), weight.name


def test_written_as_onnx_it_computes_what_tensorflow_lite_does(tmp_path: Path) -> None:
    values = np.random.default_rng(0).standard_normal((1, 16, 16, 3)).astype(np.float32)
    results = []
    for name in ("images", "images-frozen.pb", "images.tflite"):
        path = tmp_path / f"{name}.onnx"
        FORMATS["onnx"]().write(read(FIXTURES / name), path)
        proto = onnx.load(str(path))
        (start,) = proto.graph.input  # TensorFlow Lite's is read with channels first
        is_last = start.type.tensor_type.shape.dim[3].dim_value == 3
        given = values if is_last else values.transpose(0, 3, 1, 2)
        results += ReferenceEvaluator(proto).run(None, {start.name: given})
    for result in results[1:]:
        np.testing.assert_allclose(result, results[0], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", ["sentences", "sentences-frozen.pb"])
def test_loops_and_branches_are_followed(name: str) -> None:
    model, wanted = read(FIXTURES / name), truth("sentences")
    assert ops(model) == SENTENCES.split()
    found = [weight.read() for weight in model.weights.values() if weight.size > 4]
    used = [value for key, value in wanted.items() if key != "never"]
    assert len(found) == len(used)
    for value in used:
        layout = value if value.shape == (20, 6) else value.T  # a table stays as it is
        assert any(np.array_equal(layout, each) for each in found)


def test_old_control_flow_says_the_same() -> None:
    """The converter copies one value through a Switch, which adds one If."""
    new, old = (
        read(FIXTURES / "sentences-frozen.pb"),
        read(FIXTURES / "sentences-frozen-lowered.pb"),
    )
    assert sorted([*ops(new), "If"]) == sorted([*ops(old)])
    ours, theirs = (
        sorted(weight.read().tobytes() for weight in model.weights.values()) for model in (new, old)
    )
    assert ours == theirs


def test_what_trained_is_no_weight() -> None:
    """References of TensorFlow 1, one of them in parts; the checkpoint also has Adam's slots."""
    model, wanted = read(FIXTURES / "old"), truth("old")
    assert ops(model) == ["Gemm", "Relu"]
    assert model.weights.keys() == wanted.keys() == {"w[0,2:0,3]", "w[2,2:0,3]", "b"}
    for name, value in wanted.items():
        assert np.array_equal(model.weights[name].read(), value), name
