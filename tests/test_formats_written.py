"""What was read from any format and written as ONNX, safetensors or packed is read the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from hostile import building
from onnx import TensorProto
from packed_fixtures import FIXTURES, packed_fixture
from samples import sample

from assay.errors import UnwritableModel
from assay.formats import FORMATS, Model, read
from assay.graphs import layer_graph
from assay.graphs.neighborhoods import fingerprint
from assay.graphs.operators import Operator, OperatorGraph, Tensor
from assay.weights import Weight

NEEDS_TORCH = {"torch-export"}
WRITTEN = {"onnx", "packed", "safetensors", "torch-export"}
ANY = [pytest.param(n, marks=pytest.mark.torch) if n in NEEDS_TORCH else n for n in FORMATS]
STORED = [
    *(f"agree/{name}" for name in ("attention.tflite", "cnn.keras", "cnn.h5", "cnn.torchscript")),
    *(f"caffe/{name}.caffemodel" for name in ("mixed", "residual")),
    *(f"mxnet/{name}-0003.params" for name in ("mixed", "residual")),
    *(f"tensorflow/{name}" for name in ("images", "old")),
    *(f"torchscript/{name}.pt" for name in ("blocks-scripted", "sequence-traced")),
]
REFUSED = {
    "coreml/recurrent.mlpackage": "what the constant '.*' holds is not known",
    "torchscript/decides-scripted.pt": "what its If has as '.*' is not known",
    "tensorflow/sentences": "what its Loop has as 'body' is not known",
}
PACKED = [
    *(f"keras/{name}" for name in ("attention.keras", "image.h5", "nested.keras", "sequence.h5")),
    *(f"coreml/{name}" for name in ("mixed.mlmodel", "mixed.mlpackage")),
]


def again(model: Model, name: str, folder: Path) -> Model:
    path = folder / f"again.{name}"
    FORMATS[name]().write(model, path)
    return read(path)


def keeps_the_weights(model: Model, second: Model) -> None:
    """All of them; axes of one place, and biases, are written as the operator reads them."""
    assert model.weights.keys() <= second.weights.keys()
    for name, weight in model.weights.items():
        found = second.weights[name].read()
        if found.ndim > 1:
            assert [d for d in found.shape if d != 1] == [d for d in weight.shape if d != 1], name
        np.testing.assert_array_equal(found.reshape(weight.shape), weight.read(), name)


def keeps_the_graph(model: Model, second: Model) -> None:
    assert model.layers is not None
    assert second.layers is not None
    first, found = layer_graph(model.layers), layer_graph(second.layers)
    assert sorted(first.layers, key=repr) == sorted(found.layers, key=repr)
    assert fingerprint(first) == fingerprint(found)


def opened(name: str) -> Model:
    if (FIXTURES / name).exists():
        return read(FIXTURES / name)
    kind, _, file = name.partition("/")
    return read(packed_fixture(f"{kind}/files.tar.xz", file))


@pytest.mark.parametrize("name", [*STORED, *PACKED])
def test_a_real_file_as_onnx(name: str, tmp_path: Path) -> None:
    second = again(opened(name), "onnx", tmp_path)
    keeps_the_weights(opened(name), second)
    keeps_the_graph(opened(name), second)


@pytest.mark.parametrize("name", [*STORED, *PACKED])
def test_a_real_file_as_safetensors(name: str, tmp_path: Path) -> None:
    second = again(opened(name), "safetensors", tmp_path)
    assert second.weights.keys() == opened(name).weights.keys()
    keeps_the_weights(opened(name), second)


@pytest.mark.parametrize("name", ANY)
def test_each_format_as_all(name: str, tmp_path: Path) -> None:
    model = read(sample(name).small(tmp_path))
    for kind in ("safetensors", "packed"):
        second = again(model, kind, tmp_path)
        assert second.weights.keys() == model.weights.keys()
        keeps_the_weights(model, second)
    if model.layers is None:
        with pytest.raises(UnwritableModel, match="no graph"):
            again(model, "onnx", tmp_path)
        assert not (tmp_path / "again.onnx").exists()
        return
    for other in (model, replace(model, format="any")):  # the file itself, and its operators alone
        second = again(other, "onnx", tmp_path)
        keeps_the_weights(model, second)
        keeps_the_graph(model, second)


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_reader_could_not_follow_is_not_written(name: str, tmp_path: Path) -> None:
    with pytest.raises(UnwritableModel, match=REFUSED[name]):
        again(opened(name), "onnx", tmp_path)
    assert not (tmp_path / "again.onnx").exists()


@pytest.mark.parametrize("name", sorted(set(FORMATS) - WRITTEN))
def test_other_formats_are_not_written(name: str, tmp_path: Path) -> None:
    with pytest.raises(UnwritableModel, match="are read, not written"):
        FORMATS[name]().write(Model("any", None, ()), tmp_path / "file")
    assert not any(tmp_path.iterdir())


def test_what_bodies_hold_keeps_its_name(tmp_path: Path) -> None:
    text = """g (bool c, float[2, 3] x) => (float[2, 4] y) {
        y = If(c) <
          then_branch = g1 () => (float[2, 4] a) <float[3, 4] w = {1,2,3,4,5,6,7,8,9,10,11,12}>
            { a = MatMul(x, w) },
          else_branch = g2 () => (float[2, 4] b) <float[3, 4] w = {9,8,7,6,5,4,3,2,1,0,1,2}>
            { b = MatMul(x, w) }
        >
    }"""
    path = tmp_path / "first.onnx"
    onnx.save(building.model(text), path)
    model = read(path)
    assert len(model.weights) == 2
    second = again(replace(model, format="any"), "onnx", tmp_path)
    assert second.weights.keys() == model.weights.keys()
    keeps_the_weights(model, second)


def quantized(dtype: int) -> Model:
    """A product with a matrix of whole numbers, scaled in the graph."""
    array = np.arange(-6, 6, dtype=np.float32).reshape(3, 4)
    graph = OperatorGraph(
        (
            Operator("DequantizeLinear", ("w", "s"), ("real",), {}),
            Operator("MatMul", ("x", "real"), ("y",), {}),
        ),
        ("x",),
        ("y",),
        {
            "x": Tensor(1, (2, 3)),
            "w": Tensor(dtype, (3, 4), None, True),
            "s": Tensor(1, (), np.array(0.5, np.float32), True),
        },
    )
    real = np.ascontiguousarray(0.5 * array.T)
    return Model("any", graph, (), {}, {"w": Weight("w", (4, 3), "int8", lambda: real, True)})


def test_whole_numbers_that_a_graph_scales_are_written_as_such(tmp_path: Path) -> None:
    model = quantized(TensorProto.INT8)
    keeps_the_weights(model, again(model, "onnx", tmp_path))
    (proto,) = (p for p in onnx.load(tmp_path / "again.onnx").graph.initializer if p.name == "w")
    assert proto.data_type == TensorProto.INT8


def test_packed_numbers_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(UnwritableModel, match="'w': numbers of type int4 are not written"):
        again(quantized(TensorProto.INT4), "onnx", tmp_path)


def test_a_weight_of_the_name_of_a_result_is_refused(tmp_path: Path) -> None:
    model = quantized(TensorProto.INT8)
    weights = {**model.weights, "y": replace(model.weights["w"], name="y")}
    with pytest.raises(UnwritableModel, match="'y' has the name of what is computed"):
        again(replace(model, weights=weights), "onnx", tmp_path)


def test_a_weight_that_no_operator_reads_stays(tmp_path: Path) -> None:
    model = quantized(TensorProto.INT8)
    weights = {**model.weights, "spare": replace(model.weights["w"], name="spare")}
    keeps_the_weights(
        replace(model, weights=weights),
        again(replace(model, weights=weights), "onnx", tmp_path),
    )
