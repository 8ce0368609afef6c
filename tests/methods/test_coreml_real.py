"""Core ML files that coremltools wrote: the same weights and layers as in other formats."""

from __future__ import annotations

import numpy as np
import pytest
from coreml_fixtures import fixture

from assay.formats import Model, read
from assay.graphs import layer_graph
from assay.weights import Array

COMPRESSED = (
    *("affine_16", "palette6_16", "sparse_16", "int8_18", "blocks_uint4_18"),
    *(f"palette{bits}_18" for bits in (1, 2, 3, 4, 6, 8)),
    *("palette_groups_18", "palette_vectors_18", "palette_scaled_18"),
    *("sparse_18", "sparse_palette_18", "sparse_int8_18"),
)


def values(model: Model) -> list[Array]:
    """Every weight of more than one number, without axes of one."""
    read_all = [weight.read() for weight in model.weights.values() if weight.size > 1]
    return [np.squeeze(array) for array in read_all]


def without_counterpart(these: Model, those: Model) -> list[tuple[int, ...]]:
    """Shapes of the weights of ``these`` that ``those`` do not have, each counted once."""
    left, missing = values(those), []
    for array in values(these):
        same = [i for i, other in enumerate(left) if _is_same(array, other)]
        if same:
            left.pop(same[0])
        else:
            missing.append(array.shape)
    return missing


def _is_same(array: Array, other: Array) -> bool:
    return array.shape == other.shape and bool(np.allclose(array, other, rtol=1e-5, atol=1e-6))


@pytest.mark.parametrize("suffix", ["mlpackage", "mlmodel"])
def test_a_network_has_the_weights_that_it_has_in_onnx(suffix: str) -> None:
    onnx, model = read(fixture("mixed.onnx")), read(fixture(f"mixed.{suffix}"))
    assert without_counterpart(onnx, model) == []
    assert without_counterpart(model, onnx) == []
    assert all(weight.canonical for weight in model.weights.values())
    assert "opaque_operators" not in model.metadata


def test_a_program_has_the_layers_that_it_has_in_onnx() -> None:
    onnx, model = read(fixture("mixed.onnx")), read(fixture("mixed.mlpackage"))
    assert onnx.layers is not None
    assert model.layers is not None
    assert layer_graph(model.layers) == layer_graph(onnx.layers)


def test_an_older_network_has_them_too_but_for_an_axis_of_one_in_layer_normalization() -> None:
    onnx, model = read(fixture("mixed.onnx")), read(fixture("mixed.mlmodel"))
    assert onnx.layers is not None
    assert model.layers is not None
    wanted, found = layer_graph(onnx.layers), layer_graph(model.layers)
    assert found.edges == wanted.edges
    differ = [
        (a.op, a.shape, b.shape) for a, b in zip(found.layers, wanted.layers, strict=True) if a != b
    ]
    assert differ == [("LayerNormalization", (1, 16, 1, 8), (1, 16, 8))] * 2


@pytest.mark.parametrize("suffix", ["mlpackage", "mlmodel"])
def test_recurrent_layers_differ_from_onnx_in_their_biases_only(suffix: str) -> None:
    """Core ML has the sum of two biases that ONNX keeps apart; zero states may be weights."""
    onnx, model = read(fixture("recurrent.onnx")), read(fixture(f"recurrent.{suffix}"))
    assert onnx.layers is not None
    assert model.layers is not None
    assert layer_graph(model.layers) == layer_graph(onnx.layers)
    only = [shape for shape in without_counterpart(model, onnx) if shape != (5,)]
    assert sorted(only) == [(4,), (20,)]
    sums = [onnx.weights[name].read()[0] for name in onnx.weights if name.startswith("onnx::")]
    lstm = next(bias for bias in sums if bias.shape == (40,)).reshape(2, 4, 5).sum(0)
    bias = next(array for array in values(model) if array.shape == (20,))
    np.testing.assert_allclose(bias, lstm[[0, 2, 3, 1]].reshape(-1), rtol=1e-6)


@pytest.mark.parametrize("name", COMPRESSED)
def test_compressed_weights_are_read_as_coremltools_reads_them(name: str) -> None:
    model = read(fixture(f"compressed/{name}.mlpackage"))
    truth = np.load(fixture("compressed.npz"))
    wanted = [truth[key] for key in truth.files if key.startswith(f"{name}/")]
    found = [weight for weight in model.weights.values() if len(weight.shape) > 1]
    assert len(found) == len(wanted) == 3
    assert all(w.dtype.startswith("compressed ") and w.canonical for w in found)
    for weight in found:
        stored = weight.read()
        turned = [stored, stored.swapaxes(0, 1)]  # a transposed convolution has inputs first
        assert any(_is_same(a, b.squeeze()) for a in map(np.squeeze, turned) for b in wanted)


@pytest.mark.parametrize("bits", [16, 8, 3])
def test_quantized_layers_are_near_the_real_values(bits: int) -> None:
    whole, model = read(fixture("network_32.mlmodel")), read(fixture(f"network_{bits}.mlmodel"))
    assert model.weights.keys() == whole.weights.keys()
    dtypes = {weight.dtype for weight in model.weights.values() if len(weight.shape) > 1}
    assert dtypes == {"float16" if bits == 16 else f"uint{bits}"}
    for name, weight in whole.weights.items():
        error = np.abs(weight.read() - model.weights[name].read()).max()
        assert error <= (0.001 if bits == 16 else 1.01 / (2**bits - 1)), name
