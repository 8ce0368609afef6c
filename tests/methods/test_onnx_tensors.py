"""Tensors of ONNX files, in the file and beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hostile import building
from hostile.building import FLOAT, INT64, of_nodes
from onnx import TensorProto, helper
from reading import layers_of, operators_of

from assay.errors import UnreadableModel
from assay.formats import read


@pytest.mark.parametrize(
    ("dtype", "values"),
    [
        (TensorProto.FLOAT, [1.5, -2.0]),
        (TensorProto.DOUBLE, [1.5, -2.0]),
        (TensorProto.FLOAT16, [1.5, -2.0]),
        (TensorProto.BFLOAT16, [1.5, -2.0]),
        (TensorProto.FLOAT8E4M3FN, [1.5, -2.0]),
        (TensorProto.INT64, [1, -2]),
        (TensorProto.INT8, [1, -2]),
        (TensorProto.UINT64, [1, 2]),
        (TensorProto.UINT16, [1, 2]),
        (TensorProto.BOOL, [True, False]),
        (TensorProto.INT4, [1, -2]),
        (TensorProto.UINT4, [1, 2]),
    ],
)
@pytest.mark.parametrize("raw", [False, True])
def test_small_tensors_keep_their_values(
    dtype: int, values: list[Any], raw: bool, tmp_path: Path
) -> None:
    tensor = helper.make_tensor("w", dtype, [2], values)
    if raw:
        tensor = onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(tensor), "w")
    nodes = [helper.make_node("Mul", ["x", "w"], ["y"])]
    kept = operators_of(of_nodes(tmp_path, nodes, [tensor])).tensor("w")
    assert kept.constant
    assert kept.dtype == dtype
    assert kept.value is not None
    np.testing.assert_array_equal(kept.value.astype(np.float64), np.array(values, np.float64))


@pytest.mark.parametrize("dtype", [TensorProto.STRING, TensorProto.COMPLEX64])
def test_text_and_complex_numbers_keep_their_shape_only(dtype: int, tmp_path: Path) -> None:
    values = ["a", "b"] if dtype == TensorProto.STRING else [1j, 2j]
    tensor = helper.make_tensor("w", dtype, [2], values)
    nodes = [helper.make_node("Op", ["x", "w"], ["y"], domain="acme")]
    kept = operators_of(of_nodes(tmp_path, nodes, [tensor])).tensor("w")
    assert (kept.shape, kept.value) == ((2,), None)


@pytest.mark.parametrize(
    ("dtype", "dims", "field", "size"),
    [
        (TensorProto.FLOAT, [3000], "raw_data", 12_000),
        (TensorProto.FLOAT16, [3000], "raw_data", 6_000),
        (TensorProto.INT4, [3001], "raw_data", 1_501),
        (TensorProto.UINT2, [3001], "raw_data", 751),
        (TensorProto.FLOAT8E8M0, [3000], "raw_data", 3_000),
        (TensorProto.COMPLEX64, [3000], "raw_data", 24_000),
        (TensorProto.FLOAT, [3000], "float_data", 3000),
        (TensorProto.COMPLEX64, [3000], "float_data", 6000),
        (TensorProto.INT8, [3000], "int32_data", 3000),
        (TensorProto.INT4, [3001], "int32_data", 1501),
        (TensorProto.INT64, [30_000], "int64_data", 30_000),
        (TensorProto.DOUBLE, [30_000], "double_data", 30_000),
        (TensorProto.UINT64, [30_000], "uint64_data", 30_000),
        (99, [3000], "raw_data", 17),
    ],
)
def test_long_tensors_must_hold_their_shape(
    dtype: int, dims: list[int], field: str, size: int, tmp_path: Path
) -> None:
    def path_of(held: int) -> Path:
        content: Any = b"\0" * held if field == "raw_data" else [1] * held
        tensor = TensorProto(name="w", data_type=dtype, dims=dims, **{field: content})
        return of_nodes(tmp_path, [helper.make_node("Op", ["x", "w"], ["y"], domain="a")], [tensor])

    assert operators_of(path_of(size)).tensor("w").shape == tuple(dims)
    if dtype == 99:
        return  # a type of the future, whose size nobody knows
    with pytest.raises(UnreadableModel, match="does not hold its shape"):
        read(path_of(size - 1 if field != "int64_data" else size // 20))


def test_a_list_in_several_pieces_is_one(tmp_path: Path) -> None:
    piece = building.field(4, b"\0" * 40_000)
    tensor = building.varint(1 << 3) + building.varint(30_000) + building.varint(2 << 3)
    tensor += building.varint(1) + building.field(8, b"w")
    path = building.write(tmp_path, building.raw_graph(building.field(5, tensor + piece * 3)))
    assert operators_of(path).tensor("w").shape == (30_000,)
    path.write_bytes(building.raw_graph(building.field(5, tensor + piece * 2)))
    with pytest.raises(UnreadableModel, match="does not hold its shape"):
        read(path)


def test_weights_that_were_taken_out_leave_their_shape(tmp_path: Path) -> None:
    tensor = TensorProto(name="w", data_type=FLOAT, dims=[3, 1, 1])
    path = of_nodes(tmp_path, [helper.make_node("Mul", ["x", "w"], ["y"])], [tensor])
    assert layers_of(path).parameters == 3


def test_empty_tensors_have_no_values_and_do_no_harm(tmp_path: Path) -> None:
    tensor = TensorProto(name="w", data_type=FLOAT, dims=[0, 5])
    path = of_nodes(tmp_path, [helper.make_node("Op", ["x", "w"], ["y"], domain="a")], [tensor])
    value = operators_of(path).tensor("w").value
    assert value is not None
    assert value.shape == (0, 5)


def test_sparse_initializers_are_constants_of_their_shape(tmp_path: Path) -> None:
    proto = building.model("g (float[1, 8] x) => (float[1, 4] y) { y = MatMul(x, w) }")
    values = helper.make_tensor("w", FLOAT, [2], [1.0, 2.0])
    places = helper.make_tensor("i", INT64, [2], [0, 9])
    proto.graph.sparse_initializer.append(helper.make_sparse_tensor(values, places, [8, 4]))
    path = building.write(tmp_path, proto.SerializeToString())
    assert layers_of(path).layers[0].shape == (1, 4)


def test_sparse_constants_are_constants_of_their_shape(tmp_path: Path) -> None:
    values = helper.make_tensor("v", FLOAT, [1], [1.0])
    sparse = helper.make_sparse_tensor(values, helper.make_tensor("i", INT64, [1], [3]), [8, 4])
    nodes = [
        helper.make_node("Constant", [], ["w"], sparse_value=sparse),
        helper.make_node("MatMul", ["x", "w"], ["y"]),
    ]
    assert layers_of(of_nodes(tmp_path, nodes, shape=(1, 8))).layers[0].shape == (1, 4)


def _external(folder: Path, count: int = 2) -> Path:
    proto = building.model(building.RELU)
    for i in range(count):
        array = np.full((100, 100), i, np.float32)
        proto.graph.initializer.append(onnx.numpy_helper.from_array(array, f"w{i}"))
    path = folder / "large.onnx"
    onnx.save(proto, path, save_as_external_data=True, location="large.data", size_threshold=0)
    return path


def test_external_data_are_looked_up_beside_the_model(tmp_path: Path) -> None:
    path = _external(tmp_path)
    assert read(path).files == (path, tmp_path / "large.data")
    (tmp_path / "large.data").unlink()
    model = read(path)
    assert model.files == (path,)
    assert model.metadata["missing_external_data"] == ["large.data"]


def test_external_data_may_lie_in_a_folder_below(tmp_path: Path) -> None:
    proto = onnx.load(_external(tmp_path), load_external_data=False)
    (tmp_path / "data").mkdir()
    (tmp_path / "large.data").rename(tmp_path / "data" / "w.bin")
    for tensor in proto.graph.initializer:
        next(e for e in tensor.external_data if e.key == "location").value = "data/w.bin"
    path = building.write(tmp_path, proto.SerializeToString(), "model.onnx")
    assert read(path).files == (path, tmp_path / "data" / "w.bin")


def test_external_data_of_bodies_and_functions_are_found(tmp_path: Path) -> None:
    (tmp_path / "w.bin").write_bytes(b"\0" * 8)
    tensor = TensorProto(name="w", data_type=FLOAT, dims=[2], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="w.bin")
    constant = helper.make_node("Constant", [], ["c"], value=tensor)
    function = helper.make_function("f", "F", [], ["c"], [constant], [helper.make_opsetid("", 17)])
    proto = building.model("g (float[2] x) => (float[2] y) { a = f.F()  y = Add(x, a) }")
    proto.functions.append(function)
    path = building.write(tmp_path, proto.SerializeToString())
    assert read(path).files == (path, tmp_path / "w.bin")
    body = helper.make_graph([constant], "b", [], [helper.make_tensor_value_info("c", FLOAT, [2])])
    nodes = [
        helper.make_node("If", ["k"], ["c"], then_branch=body, else_branch=body),
        helper.make_node("Add", ["x", "c"], ["y"]),
    ]
    path = of_nodes(tmp_path, nodes, [helper.make_tensor("k", 9, [], [True])], shape=(2,))
    assert read(path).files == (path, tmp_path / "w.bin")
