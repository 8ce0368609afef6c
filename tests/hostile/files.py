"""Bytes that are no model."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

from onnx import ModelProto, helper

from hostile.building import RELU, attack, field, model, of_nodes, raw_graph, varint, write


@attack("the file is empty")
def empty(folder: Path) -> Path:
    return write(folder, b"")


@attack("not an ONNX file")
def text(folder: Path) -> Path:
    return write(folder, b"This is not a model.\n" * 100)


@attack("not an ONNX file")
def picture(folder: Path) -> Path:
    return write(folder, b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20)


@attack("it holds no model")
def zip_archive(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "hostile.onnx", "w") as archive:
        archive.writestr("model.json", "{}" * 1000)
    return folder / "hostile.onnx"


@attack("not an ONNX file")
def zeros_of_2_gigabytes(folder: Path) -> Path:
    path = write(folder, b"")
    os.truncate(path, 2**31)
    return path


@attack("not an ONNX file")
def unknown_field_of_2_gigabytes(folder: Path) -> Path:
    path = write(folder, varint(8) + varint(8) + varint(99 << 3 | 2) + varint(2**31))
    os.truncate(path, path.stat().st_size + 2**31)
    return path


@attack("too much structure")
def producer_of_2_gigabytes(folder: Path) -> Path:
    path = write(folder, varint(8) + varint(8) + varint(2 << 3 | 2) + varint(2**31))
    os.truncate(path, path.stat().st_size + 2**31)
    return path


@attack("truncated")
def truncated(folder: Path) -> Path:
    return write(folder, model(RELU).SerializeToString()[:-9])


@attack("does not end")
def endless_number(folder: Path) -> Path:
    return write(folder, b"\x08" + b"\xff" * 30)


@attack("truncated")
def length_of_an_exabyte(folder: Path) -> Path:
    return write(folder, varint(8) + varint(8) + varint(7 << 3 | 2) + varint(2**60) + b"\x00")


@attack("wire type")
def field_group(folder: Path) -> Path:
    return write(folder, varint(8) + varint(8) + varint(7 << 3 | 3) + b"\x00" * 8)


@attack("no graph")
def no_graph(folder: Path) -> Path:
    return write(folder, ModelProto(ir_version=8, producer_name="nobody").SerializeToString())


@attack("not UTF-8")
def names_that_are_no_text(folder: Path) -> Path:
    node = field(1, b"x") + field(2, b"\xff\xfe") + field(4, b"Relu")
    return write(folder, raw_graph(field(1, node)))


@attack("characters")
def operator_with_a_megabyte_of_name(folder: Path) -> Path:
    return of_nodes(folder, [helper.make_node("R" * 2**20, ["x"], ["y"])])
