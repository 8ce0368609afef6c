"""Core ML programs: offsets and names that lead astray, and operations that do not fit."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
from samples import coreml as files
from samples.coreml import Design, Text
from samples.protobuf import message

from hostile.building import attack, write

HUGE = 2**60


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


@attack("more than 64 axes")
def coreml_tensor_of_20_000_axes(folder: Path) -> Path:
    return _of_value(folder, {2: files.kind(files.FLOAT32, (1,) * 20_000), 3: {1: {7: {1: b""}}}})


@attack("numbers, not")
def coreml_constant_without_numbers(folder: Path) -> Path:
    return _of_value(folder, {2: files.kind(files.FLOAT32, (4, 4)), 3: {1: {1: {1: b""}}}})


@attack("unknown data type")
def coreml_tensor_of_no_type(folder: Path) -> Path:
    return _of_value(folder, {2: files.kind(99, (4, 4)), 3: {1: {7: {1: bytes(64)}}}})


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


@attack("too many fields")
def coreml_arguments_beyond_the_limit(folder: Path) -> Path:
    """600,000 names of five bytes each."""
    names = b"\x0a\x03\x0a\x01x" * 600_000
    written = {1: "y", 2: files.kind(files.FLOAT32, (1, 4))}
    design = Design([{1: "concat", 2: {1: "values", 2: names}, 3: written}])
    return design.package(folder, {"x": (1, 4)})
