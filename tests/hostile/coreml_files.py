"""Core ML files: offsets and names that lead astray, and small files that unfold."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
from samples import coreml as files
from samples.coreml import Design, Text, feature, floats, layer, model, network, save
from samples.protobuf import message, varint

from hostile.building import attack, write

HUGE = 2**60
BLOB = b"Data/com.apple.CoreML/weights/weight.bin"


def _weights(package: Path) -> Path:
    return package / "Data" / "com.apple.CoreML" / "weights" / "weight.bin"


def _patched(folder: Path, at: int, content: bytes) -> Path:
    """A sound package with other bytes in its blob file."""
    path = files.small(folder)
    blob = bytearray(_weights(path).read_bytes())
    blob[at : at + len(content)] = content
    _weights(path).write_bytes(blob)
    return path


def _of_value(folder: Path, value: Any) -> Path:
    """A package whose only weight is ``value``."""
    design = Design()
    design.const("w", value)
    design.add("linear", {"x": "x", "weight": "w"}, {"y": (1, 4)})
    return design.package(folder, {"x": (1, 4)})


def _of_blob(folder: Path, name: str, offset: int = 64) -> Path:
    value = {2: files.kind(files.FLOAT32, (4, 4)), 5: {1: name, 2: offset}}
    return _of_value(folder, value)


@attack("ends before the tensor")
def coreml_blob_offset_beyond_the_end(folder: Path) -> Path:
    return _of_blob(folder, files.BLOB, HUGE)


@attack("ends before the tensor")
def coreml_negative_blob_offset(folder: Path) -> Path:
    return _of_blob(folder, files.BLOB, -64)


@attack("lies outside")
def coreml_blob_outside_the_package(folder: Path) -> Path:
    write(folder, bytes(1000), "x")
    return _of_blob(folder, "@model_path/../../../../x")


@attack("lies outside")
def coreml_blob_at_an_absolute_path(folder: Path) -> Path:
    return _of_blob(folder, "/etc/passwd")


@attack("lies outside")
def coreml_blob_with_a_zero_in_its_name(folder: Path) -> Path:
    return _of_blob(folder, "@model_path/weights/weight.bin\0")


@attack("name too long")
def coreml_blob_with_an_endless_name(folder: Path) -> Path:
    return _of_blob(folder, "@model_path/" + "x" * 5000)


@attack("lies outside")
def coreml_blob_that_is_a_link_out_of_the_package(folder: Path) -> Path:
    path = files.small(folder)
    secret = write(folder, _weights(path).read_bytes(), "secret")
    _weights(path).unlink()
    _weights(path).symlink_to(secret)
    return path


@attack("are missing")
def coreml_blob_that_is_a_folder(folder: Path) -> Path:
    return _of_blob(folder, "@model_path/weights")


@attack("outside the file")
def coreml_program_without_a_package(folder: Path) -> Path:
    path = files.small(folder)
    content = (path / "Data" / "com.apple.CoreML" / "model.mlmodel").read_bytes()
    return write(folder, content, "hostile.mlmodel")


@attack("of version 1")
def coreml_blob_file_of_another_version(folder: Path) -> Path:
    return _patched(folder, 4, struct.pack("<I", 1))


@attack("no tensor begins")
def coreml_blob_without_a_head(folder: Path) -> Path:
    return _patched(folder, 64, bytes(4))


@attack("is not of the type")
def coreml_blob_of_another_type(folder: Path) -> Path:
    return _patched(folder, 68, struct.pack("<I", 4))


@attack("bytes, not")
def coreml_blob_that_is_too_short(folder: Path) -> Path:
    return _patched(folder, 72, struct.pack("<Q", 4))


@attack("bytes, not")
def coreml_data_beyond_the_end(folder: Path) -> Path:
    return _patched(folder, 80, struct.pack("<Q", 2**64 - 8))


@attack("absurd shape")
def coreml_tensor_of_2_to_the_120(folder: Path) -> Path:
    return _of_value(
        folder, {2: files.kind(files.FLOAT32, (HUGE, HUGE)), 5: {1: files.BLOB, 2: 64}}
    )


@attack("more than 64 dimensions")
def coreml_million_axes(folder: Path) -> Path:
    return _of_value(folder, {2: files.kind(files.FLOAT32, (1,) * 200_000), 3: {1: {7: {1: b""}}}})


@attack("numbers, not")
def coreml_constant_without_numbers(folder: Path) -> Path:
    return _of_value(folder, {2: files.kind(files.FLOAT32, (4, 4)), 3: {1: {1: {1: b""}}}})


@attack("unknown data type")
def coreml_tensor_of_no_type(folder: Path) -> Path:
    return _of_value(folder, {2: files.kind(99, (4, 4)), 3: {1: {7: {1: bytes(64)}}}})


def _compressed(folder: Path, operation: str, parts: dict[str, Any]) -> Path:
    design = Design()
    for name, value in parts.items():
        design.const(name, value if isinstance(value, dict) else design.stored(value))
    design.add(operation, {name: name for name in parts}, {"w": (4, 4)})
    design.add("linear", {"x": "x", "weight": "w"}, {"y": (1, 4)})
    return design.package(folder, {"x": (1, 4)})


@attack("outside its table")
def coreml_place_outside_its_table(folder: Path) -> Path:
    table = np.zeros((1, 1, 4, 1), np.float32)
    indices = np.full((4, 4), 200, np.uint8)
    return _compressed(folder, "constexpr_lut_to_dense", {"indices": indices, "lut": table})


@attack("absurd shape")
def coreml_table_of_vectors_of_a_billion(folder: Path) -> Path:
    design = Design()
    lut = design.stored(np.zeros(0, np.float32), shape=(1, 1, 0, 2**30))
    parts = {
        "indices": np.zeros((2**6, 2**6), np.uint8),
        "lut": lut | {3: {1: {7: {1: b""}}}, 5: []},
        "vector_axis": files.scalar(0),
    }
    return _compressed(folder, "constexpr_lut_to_dense", parts)


@attack("are cut")
def coreml_packed_places_that_are_cut(folder: Path) -> Path:
    parts = {
        "indices": np.zeros(16, np.uint8),
        "lut": np.zeros(16, np.float32),
        "shape": files.scalar([2**20, 2**20]),
    }
    return _compressed(folder, "constexpr_lut_to_dense", parts)


@attack("absurd shape")
def coreml_sparse_tensor_of_2_to_the_62(folder: Path) -> Path:
    parts = {
        "nonzero_data": np.zeros(16, np.float32),
        "mask": np.zeros(16, np.uint8),
        "shape": files.scalar([2**31 - 1, 2**31 - 1]),
    }
    return _compressed(folder, "constexpr_sparse_to_dense", parts)


@attack("values, not")
def coreml_sparse_tensor_of_too_few_values(folder: Path) -> Path:
    parts = {"nonzero_data": np.zeros(3, np.float32), "mask": np.full(2, 255, np.uint8)}
    parts |= {"shape": files.scalar([4, 4])}
    return _compressed(folder, "constexpr_sparse_to_dense", parts)


@attack("do not fit")
def coreml_blocks_that_do_not_divide_the_tensor(folder: Path) -> Path:
    parts = {"data": np.zeros((4, 4), np.int8), "scale": np.zeros((3, 1), np.float32)}
    return _compressed(folder, "constexpr_blockwise_shift_scale", parts)


@attack("has no constant 'scale'")
def coreml_compressed_weight_without_a_scale(folder: Path) -> Path:
    return _compressed(
        folder, "constexpr_blockwise_shift_scale", {"data": np.zeros((4, 4), np.int8)}
    )


@attack("nested more than")
def coreml_blocks_inside_blocks(folder: Path) -> Path:
    empty: Any = files.block([], ["p"])
    inner = empty
    for _ in range(500):
        branch = files.operation("cond", {"pred": "p"}, {"y": (1,)}, {}, [inner, empty])
        inner = {3: [message(branch)], 2: ["p"]}
    design = Design([branch])
    return design.package(folder, {"p": (1,)})


@attack("")
def coreml_message_nested_100_000_deep(folder: Path) -> Path:
    heads, size = [], 0
    for _ in range(100_000):
        heads.append(b"\x0a" + varint(size))
        size += len(heads[-1])
    content = b"".join(reversed(heads))
    path = files.small(folder)
    file = path / "Data" / "com.apple.CoreML" / "model.mlmodel"
    file.write_bytes(file.read_bytes() + b"\xa2\x1f" + varint(len(content)) + content)
    return path


@attack("pipelines that are nested")
def coreml_pipelines_inside_pipelines(folder: Path) -> Path:
    inner: Any = model(files.NETWORK, network([layer(600, {})]), [feature("x", (4,))])
    for _ in range(200):
        inner = {1: 5, 2: {}, files.PIPELINE: {1: message(inner)}}
    return save(folder, inner)


@attack("a pipeline of 0 models")
def coreml_empty_pipeline(folder: Path) -> Path:
    return save(folder, {1: 5, 2: {}, files.PIPELINE: {2: "x"}})


@attack("networks that are nested")
def coreml_loops_inside_loops(folder: Path) -> Path:
    inner: Any = network([layer(600, {})])
    for _ in range(500):
        inner = {1: [message(layer(615, {4: inner}, (), ()))]}
    return save(folder, model(files.NETWORK, inner, [feature("x", (4,))]))


@attack("numbers, not")
def coreml_convolution_of_too_few_numbers(folder: Path) -> Path:
    options = {1: 2**30, 2: 2**30, 90: floats([1])}
    return files.one(folder, [layer(100, options)], (1, 4, 4, 4))


@attack("absurd shape")
def coreml_convolution_with_2_to_the_60_channels(folder: Path) -> Path:
    return files.one(folder, [layer(100, {1: HUGE, 2: 4, 90: floats([1])})], (1, 4, 4, 4))


@attack("is cut")
def coreml_quantized_layer_that_is_cut(folder: Path) -> Path:
    weights = {30: bytes(3), 40: {1: 4, 101: {1: np.ones(1, "<f4").tobytes()}}}
    return files.one(folder, [layer(140, {1: 4, 2: 4, 20: weights})], (1, 4))


@attack("outside their table")
def coreml_quantized_layer_with_a_short_table(folder: Path) -> Path:
    weights = {30: bytes([255] * 16), 40: {1: 8, 102: {1: np.ones(2, "<f4").tobytes()}}}
    return files.one(folder, [layer(140, {1: 4, 2: 4, 20: weights})], (1, 4))


@attack("does not fit")
def coreml_quantized_layer_with_many_scales(folder: Path) -> Path:
    weights = {30: bytes(16), 40: {1: 8, 101: {1: np.ones(3, "<f4").tobytes()}}}
    return files.one(folder, [layer(140, {1: 4, 2: 4, 20: weights})], (1, 4))


@attack("which nothing writes")
def coreml_layer_that_reads_nothing(folder: Path) -> Path:
    return files.one(folder, [layer(600, {}, ["ghost"])], (1, 4))


@attack("of 0 kinds")
def coreml_layer_of_no_kind(folder: Path) -> Path:
    return files.one(folder, [{1: "a", 2: "x", 3: "y"}], (1, 4))


@attack("lies outside")
def coreml_manifest_that_points_out_of_the_package(folder: Path) -> Path:
    path = files.small(folder)
    files.manifest(path, "../../secret.mlmodel")
    return path


@attack("names no model")
def coreml_manifest_of_other_things(folder: Path) -> Path:
    path = files.small(folder)
    files.manifest(path, {"a": []})
    return path


@attack("is too long")
def coreml_manifest_of_two_megabytes(folder: Path) -> Path:
    path = files.small(folder)
    write(path, b"[" * 2**21, "Manifest.json")
    return path


@attack("is no JSON")
def coreml_manifest_nested_deep(folder: Path) -> Path:
    path = files.small(folder)
    write(path, b"[" * 2**19, "Manifest.json")
    return path


@attack("lies outside")
def coreml_manifest_that_is_a_link(folder: Path) -> Path:
    path = files.small(folder)
    (path / "Manifest.json").rename(folder / "elsewhere.json")
    (path / "Manifest.json").symlink_to(folder / "elsewhere.json")
    return path


@attack("compiled")
def coreml_compiled_model(folder: Path) -> Path:
    path = folder / "model.mlmodelc"
    path.mkdir()
    write(path, bytes(64), "coremldata.bin")
    return path


@attack("")
def coreml_values_that_are_no_numbers(folder: Path) -> Path:
    values = np.array([[np.nan, np.inf, -np.inf, 0]] * 4, np.float32)
    design = Design()
    design.weight("w", values)
    design.add("linear", {"x": "x", "weight": "w"}, {"a": (1, 4)})
    design.add("clip", {"x": "a", "alpha": float("nan"), "beta": float("inf")}, {"y": (1, 4)})
    return design.package(folder, {"x": (1, 4)})


@attack("")
def coreml_options_that_are_no_numbers(folder: Path) -> Path:
    design = Design()
    nan = np.array([np.nan, np.inf], np.float32)
    design.add("reduce_mean", {"x": "x", "axes": nan}, {"a": (1, 4)})
    design.add("transpose", {"x": "a", "perm": nan}, {"b": (1, 4)})
    design.add("pad", {"x": "b", "pad": np.array([2**31 - 1] * 4)}, {"y": (1, 4)})
    return design.package(folder, {"x": (1, 4)})


@attack("")
def coreml_empty_tensors(folder: Path) -> Path:
    design = Design()
    design.weight("w", np.zeros((0, 4), np.float32))
    design.add("linear", {"x": "x", "weight": "w"}, {"y": (1, 0)})
    return design.package(folder, {"x": (1, 4)})


@attack("has no argument 'x'")
def coreml_operation_without_arguments(folder: Path) -> Path:
    design = Design()
    design.add("relu", {}, {"y": (1, 4)})
    return design.package(folder, {"x": (1, 4)})


@attack("written twice")
def coreml_value_written_twice(folder: Path) -> Path:
    design = Design()
    for _ in range(2):
        design.add("relu", {"x": "x"}, {"y": (1, 4)})
    return design.package(folder, {"x": (1, 4)})


@attack("recursion matrix")
def coreml_recurrent_layer_of_vectors(folder: Path) -> Path:
    design = Design()
    design.weight("w", np.zeros(16, np.float32))
    inputs = {"x": "x", "initial_h": "x", "weight_ih": "w", "weight_hh": "w"}
    design.add("rnn", inputs | {"direction": Text("forward")}, {"y": (1, 4)})
    return design.package(folder, {"x": (1, 4)})


@attack("more than 50,000 operators")
def coreml_operations_beyond_the_limit(folder: Path) -> Path:
    design = Design()
    relu = message(files.operation("relu", {"x": "x"}, {"y": (1, 4)}, {}))
    design.operations += [relu] * 60_000
    return design.package(folder, {"x": (1, 4)})
