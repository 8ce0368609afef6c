"""Weights of ONNX files: wherever a tensor lies, its values are what the onnx package reads."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from hostile import building
from onnx import TensorProto, helper, numpy_helper

from assay.errors import UnreadableModel
from assay.formats import FORMATS, read

RNG = np.random.default_rng(0)
SIZES = [6, 40_000]  # kept by the walk over the file, and left where it lies
TYPES = [
    *("FLOAT", "DOUBLE", "FLOAT16", "BFLOAT16", "FLOAT8E4M3FN", "FLOAT8E4M3FNUZ"),
    *("FLOAT8E5M2", "FLOAT8E5M2FNUZ"),
]


def saved(folder: Path, *tensors: TensorProto) -> Path:
    """A model that adds all tensors to its input."""
    names = ["x", *(tensor.name for tensor in tensors)]
    nodes = [helper.make_node("my::Op", names, ["y"], domain="my")]
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    out = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "g", [value], [out], list(tensors))
    opsets = [helper.make_opsetid("", 19), helper.make_opsetid("my", 1)]
    path = folder / "m.onnx"
    path.write_bytes(helper.make_model(graph, opset_imports=opsets).SerializeToString())
    return path


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("raw", [True, False])
@pytest.mark.parametrize("name", TYPES)
def test_floats_of_all_types_are_read(name: str, raw: bool, size: int, tmp_path: Path) -> None:
    values = RNG.standard_normal(size).astype(np.float32)
    dtype = helper.tensor_dtype_to_np_dtype(getattr(TensorProto, name))
    tensor = numpy_helper.from_array(values.astype(dtype), "w")
    if not raw:
        held = values.astype(dtype)
        tensor = helper.make_tensor("w", getattr(TensorProto, name), [size], held)
    expected = numpy_helper.to_array(tensor).astype(np.float32)
    np.testing.assert_array_equal(read(saved(tmp_path, tensor)).weights["w"].read(), expected)


@pytest.mark.parametrize("size", SIZES)
def test_a_list_that_is_not_packed_is_read(size: int, tmp_path: Path) -> None:
    values = RNG.standard_normal(size).astype("<f4")
    path = saved(tmp_path, numpy_helper.from_array(values, "w"))
    packed = onnx.load(path).graph.initializer[0].SerializeToString()
    dims = building.varint(1 << 3) + building.varint(size)
    head = dims + building.varint(2 << 3) + b"\x01" + building.field(8, b"w")
    loose = head + b"".join(b"\x25" + value.tobytes() for value in values)
    content = path.read_bytes()
    graph = onnx.load(path).graph.SerializeToString()
    smaller = graph.replace(building.field(5, packed), building.field(5, loose))
    assert smaller != graph
    path.write_bytes(content.replace(building.field(7, graph), building.field(7, smaller)))
    np.testing.assert_array_equal(read(path).weights["w"].read(), values)


def test_external_data_are_read_from_their_place(tmp_path: Path) -> None:
    values = RNG.standard_normal((3, 5)).astype("<f4")
    tensor = TensorProto(name="w", data_type=1, dims=[3, 5], data_location=1)
    for key, value in (("location", "w.bin"), ("offset", "8"), ("length", "60")):
        tensor.external_data.add(key=key, value=value)
    (tmp_path / "w.bin").write_bytes(bytes(8) + values.tobytes() + b"more")
    weight = read(saved(tmp_path, tensor)).weights["w"]
    np.testing.assert_array_equal(weight.read(), values)
    (tmp_path / "w.bin").unlink()
    with pytest.raises(UnreadableModel, match=r"w\.bin"):
        weight.read()


def test_packed_quantized_weights_are_real(tmp_path: Path) -> None:
    codes = RNG.integers(-8, 8, (3, 5))
    model = building.model(
        """g (float[2, 3] x) => (float[?, ?] y) {
            t = DequantizeLinear<axis = 1>(w, s)
            y = MatMul(x, t)
        }""",
        21,
    )
    scale = np.abs(RNG.standard_normal(5)).astype(np.float32)
    model.graph.initializer.append(helper.make_tensor("w", TensorProto.INT4, [3, 5], codes))
    model.graph.initializer.append(numpy_helper.from_array(scale, "s"))
    path = tmp_path / "m.onnx"
    path.write_bytes(model.SerializeToString())
    weight = read(path).weights["w"]
    assert (weight.dtype, weight.shape, weight.canonical) == ("int4", (5, 3), True)
    np.testing.assert_allclose(weight.read(), (codes * scale).T, rtol=1e-6)


def test_sparse_tensors_are_read_with_their_zeros(tmp_path: Path) -> None:
    model = building.model("g (float[2, 3] x) => (float[?, ?] y) { y = MatMul(x, w) }")
    values = numpy_helper.from_array(np.array([5, 7], np.float32), "w")
    indices = numpy_helper.from_array(np.array([[0, 1], [2, 3]]), "")
    sparse = helper.make_sparse_tensor(values, indices, [3, 4])
    model.graph.sparse_initializer.append(sparse)
    path = tmp_path / "m.onnx"
    path.write_bytes(model.SerializeToString())
    found = read(path).weights["w"].read()
    expected = np.zeros((3, 4), np.float32)
    expected[0, 1], expected[2, 3] = 5, 7
    np.testing.assert_array_equal(found, expected.T)


def test_weights_of_bodies_and_functions_are_found(tmp_path: Path) -> None:
    text = """g (float[2, 3] x, bool c) => (float[?, ?] y) {
        y = If(c) <then_branch = t () => (float[?, ?] a) {
            w = Constant<value = float[3, 2] {1, 2, 3, 4, 5, 6}>()
            a = MatMul(x, w)
        }, else_branch = e () => (float[?, ?] b) {
            w = Constant<value = float[3, 2] {6, 5, 4, 3, 2, 1}>()
            b = MatMul(x, w)
        }>
    }"""
    weights = read(building.saved(tmp_path, text)).weights
    assert sorted(name.partition("/")[2] for name in weights) == ["w", "w"]
    assert sorted(weight.read()[0, 0] for weight in weights.values()) == [1, 6]


def test_replaced_weights_are_written_into_the_same_graph(tmp_path: Path) -> None:
    model = building.model(
        "g (float[2, 3] x) => (float[?, ?] y) { t = MatMul(x, w) y = Add(t, b) }"
    )
    arrays = {"w": np.ones((3, 4), np.float16), "b": np.ones(4, np.float32)}
    for name, array in arrays.items():
        model.graph.initializer.append(numpy_helper.from_array(array, name))
    path, other = tmp_path / "m.onnx", tmp_path / "n.onnx"
    path.write_bytes(model.SerializeToString())
    source = read(path)
    new = RNG.standard_normal((4, 3)).astype(np.float16).astype(np.float32)
    weights = {**source.weights, "w": replace(source.weights["w"], read=lambda: new)}
    FORMATS["onnx"]().write(replace(source, weights=weights), other)
    np.testing.assert_array_equal(read(other).weights["w"].read(), new)
    stored = {t.name: numpy_helper.to_array(t) for t in onnx.load(other).graph.initializer}
    np.testing.assert_array_equal(stored["w"], new.T.astype(np.float16))
    np.testing.assert_array_equal(stored["b"], arrays["b"])


def test_the_graph_is_read_without_the_weights(tmp_path: Path) -> None:
    values = RNG.standard_normal(40_000).astype(np.float32)
    path = saved(tmp_path, numpy_helper.from_array(values, "w"))
    model = read(path)
    content = path.read_bytes()
    at = content.index(values.tobytes())
    path.write_bytes(content[:at] + bytes(160_000) + content[at + 160_000 :])
    assert not model.weights["w"].read().any(), "the values were taken before they were asked for"
