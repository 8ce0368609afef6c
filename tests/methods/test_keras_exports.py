"""One network as Keras keeps it and as TFLite, ONNX and TF.js got it: one graph, or a reason."""

from __future__ import annotations

import numpy as np
import pytest
from keras_fixtures import fixture, values

from assay.formats import read
from assay.graphs import layer_graph
from assay.hashers.weisfeiler_lehman import WeisfeilerLehman
from assay.values import LayerGraph
from assay.weights import Array

NETWORKS = ("image", "sequence", "nested", "attention")
EXPORTS = (".tflite", ".onnx", "-layers", "-graph")
_LOOPS = "the exporter writes a recurrent layer as a loop, whose body tells no LSTM or GRU"
_SPELLED = "the exporter spells normalizations out, GELU or projections by head too"
REASONS = {
    "sequence.tflite": _LOOPS,
    "sequence.onnx": _LOOPS,
    "sequence-graph": _LOOPS,
    "nested.tflite": "the converter joins two layers without an activation between them",
    "nested-graph": "the converter writes the weights of a shared layer once for each call",
    "attention.tflite": _SPELLED,
    "attention.onnx": _SPELLED,
    "attention-graph": _SPELLED,
}


def graph(name: str) -> LayerGraph:
    model = read(fixture(name))
    assert model.layers is not None
    return layer_graph(model.layers)


def are_one(a: LayerGraph, b: LayerGraph) -> bool:
    """Whether two graphs are equal, in whatever order their layers are listed."""
    hasher = WeisfeilerLehman()
    return sorted(map(repr, a.layers)) == sorted(map(repr, b.layers)) and (
        hasher.digest(a) == hasher.digest(b)
    )


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("export", EXPORTS)
def test_an_export_has_the_graph_of_the_keras_file_or_a_reason(network: str, export: str) -> None:
    name = network + export
    assert are_one(graph(f"{network}.keras"), graph(name)) == (name not in REASONS)


def is_there(value: Array, found: Array) -> bool:
    """Whether the numbers are the same, in whatever order of axes and gates."""
    if found.size != value.size:
        return False
    return np.allclose(np.sort(found.reshape(-1)), np.sort(value.reshape(-1)), atol=1e-6)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("export", EXPORTS)
def test_every_kernel_is_in_every_export(network: str, export: str) -> None:
    weights = [weight.read() for weight in read(fixture(network + export)).weights.values()]
    kernels = {
        name: value
        for name, value in values(network).items()
        if name.endswith(("kernel", "embeddings"))
    }
    assert len(kernels) >= 5
    missing = [
        name for name, value in kernels.items() if not any(is_there(value, w) for w in weights)
    ]
    assert missing == []


@pytest.mark.parametrize("export", EXPORTS)
def test_the_network_of_images_has_the_same_values_in_the_same_layout(export: str) -> None:
    found = [weight.read() for weight in read(fixture(f"image{export}")).weights.values()]
    for name, weight in read(fixture("image.keras")).weights.items():
        value = weight.read()
        same = [v for v in found if v.shape == value.shape and np.allclose(v, value, atol=1e-6)]
        assert same, name
