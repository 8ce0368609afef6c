"""Core ML files: packages, networks and pipelines that lead astray."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from samples import coreml as files
from samples.coreml import feature, floats, layer, model, network, save
from samples.protobuf import message, varint

from hostile.building import attack, write

HUGE = 2**60


@attack("outside the file")
def coreml_program_without_a_package(folder: Path) -> Path:
    path = files.small(folder)
    content = (path / "Data" / "com.apple.CoreML" / "model.mlmodel").read_bytes()
    return write(folder, content, "hostile.mlmodel")


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
    options = {1: 2**20, 2: 2**20, 90: floats([1])}
    return files.one(folder, [layer(100, options)], (1, 4, 4, 4))


@attack("absurd shape")
def coreml_convolution_with_2_to_the_60_channels(folder: Path) -> Path:
    return files.one(folder, [layer(100, {1: HUGE, 2: 4, 90: floats([1])})], (1, 4, 4, 4))


@attack("is cut")
def coreml_quantized_layer_that_is_cut(folder: Path) -> Path:
    weights = {30: bytes(3), 40: {1: 4, 101: {1: np.ones(1, "<f4").tobytes()}}}
    return files.one(folder, [layer(140, {1: 4, 2: 4, 20: weights})], (1, 4))


@attack("outside its table")
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


@attack("nested too deep")
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
