"""Every weight is found in the layer that holds it, whatever the passes made of its operator."""

from collections.abc import Callable
from pathlib import Path

import pytest

from assay.formats import read
from assay.graphs import layer_graph
from assay.graphs.layer_weights import layer_weights
from assay.graphs.operators import OperatorGraph

AGREE = Path(__file__).parents[1] / "fixtures" / "agree"
Read = Callable[..., OperatorGraph]


def held(graph: OperatorGraph, *names: str) -> dict[str, tuple[str, ...]]:
    """Operator of each layer → the weights that it holds; no operator occurs twice."""
    layers = layer_graph(graph).layers
    found = layer_weights(graph, names)
    assert len({layer.op for layer in layers}) == len(layers) == len(found)
    return {layer.op: names for layer, names in zip(layers, found, strict=True)}


def test_a_folded_batch_norm_is_in_the_layer_that_it_was_folded_into(graph: Read) -> None:
    text = """(float[1,8,4,4] x) => (float[1,8,2,2] z)
        <float[8,8,3,3] w, float[8] s, float[8] b, float[8] m, float[8] v>
        { c = Conv(x, w) n = BatchNormalization(c, s, b, m, v) z = Relu(n) }"""
    assert held(graph(text), "w", "s", "v") == {"Conv+Relu": ("w", "s", "v")}


def test_what_only_moves_or_casts_a_weight_is_passed(graph: Read) -> None:
    text = """(float[1,8] x) => (float[1,4] z) <float16[4,8] w, float[4] b>
        { f = Cast<to=1>(w) t = Transpose<perm=[1,0]>(f) p = MatMul(x, t) a = Add(p, b)
        z = Tanh(a) }"""
    found = held(graph(text), "w", "b")
    assert {name for names in found.values() for name in names} == {"w", "b"}
    assert found["Tanh"] == ()


def test_a_shared_weight_is_in_each_layer_and_an_unread_one_in_none(graph: Read) -> None:
    text = """(float[1,8] x) => (float[1,8] z) <float[8,8] w, float[8] s, float[8] unread>
        { p = MatMul(x, w) t = Tanh(p) y = Gemm(t, w) z = Mul(y, s) }"""
    found = layer_weights(graph(text), ("w", "s", "unread"))
    assert [names for names in found if "w" in names] == [found[0], found[-1]]
    assert not [names for names in found if "unread" in names]


def test_a_weight_of_both_branches_is_in_the_layer_that_stays(graph: Read) -> None:
    text = """(float[1,8] x, bool[1] c) => (float[1,8] z) <float[8,8] w>
        { z = If(c) <then_branch = g () => (float[1,8] t) { t = MatMul(x, w) },
        else_branch = h () => (float[1,8] e) { i = Identity(x) e = Tanh(i) }> }"""
    assert held(graph(text), "w")["Gemm"] == ("w",)


@pytest.mark.parametrize("suffix", ["onnx", "tflite", "torchscript"])
@pytest.mark.parametrize("network", ["cnn", "attention"])
def test_every_layer_with_parameters_holds_weights_in_each_format(
    network: str, suffix: str
) -> None:
    model = read(AGREE / f"{network}.{suffix}")
    assert model.layers is not None
    layers = layer_graph(model.layers).layers
    found = layer_weights(model.layers, model.weights)
    assert {name for names in found for name in names} == {*model.weights}
    sizes = [sum(model.weights[name].size for name in names) for names in found]
    assert all(size for layer, size in zip(layers, sizes, strict=True) if layer.parameters)


def test_layers_of_a_real_network_hold_their_own_weights() -> None:
    model = read(AGREE / "cnn.onnx")
    assert model.layers is not None
    layers = layer_graph(model.layers).layers
    found = layer_weights(model.layers, model.weights)
    for layer, names in zip(layers, found, strict=True):
        shapes = [model.weights[name].shape for name in names]
        kernels = [shape[2:] for shape in shapes if len(shape) == 4]
        assert kernels in ([], [dict(layer.attributes).get("kernel_shape")]), layer.op
