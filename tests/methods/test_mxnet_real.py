"""What MXNet wrote, held against what its exporter made of it: see make_mxnet_fixtures.py."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator

from assay.containers.ndarray_list import arrays
from assay.formats import FORMATS, Model, read
from assay.graphs import layer_graph
from assay.graphs.neighborhoods import fingerprint
from assay.values import LayerGraph

FOLDER = Path(__file__).parents[1] / "fixtures" / "mxnet"
SHAPES = {"residual": (1, 3, 16, 16), "mixed": (1, 3, 15, 15), "recurrent": (5, 1, 4)}
names = pytest.mark.parametrize("name", ["residual", "mixed"])


def opened(name: str) -> Model:
    """A symbol does not tell how large its inputs are."""
    return read(FOLDER / f"{name}-symbol.json", {"data": SHAPES[name]})


def merged(model: Model) -> LayerGraph:
    assert model.layers is not None
    return layer_graph(model.layers)


@names
def test_the_merged_graph_is_that_of_the_onnx_file(name: str) -> None:
    found, wanted = merged(opened(name)), merged(read(FOLDER / f"{name}.onnx"))
    assert sorted(found.layers, key=repr) == sorted(wanted.layers, key=repr)
    assert fingerprint(found) == fingerprint(wanted)


@names
def test_the_weights_are_those_of_the_onnx_file(name: str) -> None:
    """Of a factor that ``fix_gamma`` sets to one, the exporter writes ones only where it must."""
    theirs = read(FOLDER / f"{name}.onnx").weights
    for key, weight in opened(name).weights.items():
        assert weight.canonical
        assert weight.shape == theirs[key].shape
        values = weight.read()
        if key == "a_bn_gamma":
            assert np.array_equal(values, np.ones(16))
        else:
            assert np.array_equal(values, theirs[key].read()), key


def test_written_as_onnx_it_computes_what_the_onnx_file_does(tmp_path: Path) -> None:
    """But for the factors, which are written as ones here."""
    path = tmp_path / "model.onnx"
    FORMATS["onnx"]().write(opened("residual"), path)
    exported = onnx.load(str(FOLDER / "residual.onnx"))
    for tensor in exported.graph.initializer:
        if tensor.name == "a_bn_gamma":
            tensor.CopyFrom(onnx.numpy_helper.from_array(np.ones(16, np.float32), tensor.name))
    values = 1e-3 * np.random.default_rng(0).standard_normal(SHAPES["residual"]).astype(np.float32)
    wanted = ReferenceEvaluator(exported).run(None, {"data": values})
    found = ReferenceEvaluator(onnx.load(str(path))).run(None, {"data": values})
    np.testing.assert_allclose(found[0], wanted[0], rtol=1e-4, atol=1e-6)


def test_the_long_array_of_a_recurrent_network_is_read_in_parts() -> None:
    """Two layers of two directions: all weights first, each direction's together, then biases."""
    model = opened("recurrent")
    assert [layer.op for layer in merged(model).layers] == ["LSTM", "LSTM"]
    (long,) = arrays(FOLDER / "recurrent-0003.params")
    flat = long.read()
    gates, hidden, width = 12, 3, 4
    one = gates * (width + hidden)
    first = [flat[d * one : d * one + gates * width].reshape(gates, width) for d in (0, 1)]
    second = [flat[d * one + gates * width : (d + 1) * one].reshape(gates, hidden) for d in (0, 1)]
    found = {name: weight.read() for name, weight in model.weights.items()}
    assert np.array_equal(found["weights/l0_i2h_weight"], first)
    assert np.array_equal(found["weights/l0_h2h_weight"], second)
    bias = flat[-4 * 2 * gates :].reshape(2, 2, 2, 4, hidden)  # layer, direction, list, gate
    in_onnx_order = bias[1][:, :, [0, 3, 1, 2]].reshape(2, 2 * gates)
    assert np.array_equal(found["weights/l1_bias"], in_onnx_order)
    assert sum(values.size for values in found.values()) == flat.size


def test_the_width_of_what_a_recurrent_network_reads_follows_from_its_weights() -> None:
    layers = read(FOLDER / "recurrent-symbol.json").layers
    assert layers is not None
    assert (layers.tensor("data").shape or ())[2] == SHAPES["recurrent"][2]


def test_the_graph_lies_beside_the_arrays_whatever_their_epoch() -> None:
    model = read(FOLDER / "residual-0003.params")
    assert [file.name for file in model.files] == ["residual-symbol.json", "residual-0003.params"]
    assert model.metadata["mxnet_version"] == "1.9.1"
