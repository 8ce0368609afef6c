"""Small Core ML files, built without coremltools: networks, programs, packages, pipelines.

Messages are dicts from field to value (``samples.protobuf``).
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samples.protobuf import Fields, message

NETWORK, CLASSIFIER, REGRESSOR, PROGRAM, PIPELINE = 500, 403, 303, 502, 202
FLOAT16, FLOAT32, INT8, INT32, UINT8, UINT1, UINT4, UINT6 = 10, 11, 21, 23, 31, 37, 35, 38
_CODES = {"f2": FLOAT16, "f4": FLOAT32, "i1": INT8, "i4": INT32, "u1": UINT8, "b1": 1}
_IN_BLOBS = {FLOAT16: 1, FLOAT32: 2, UINT8: 3, INT8: 4, UINT1: 9, UINT4: 11, UINT6: 13, INT32: 14}
BLOB = "@model_path/weights/weight.bin"


def feature(name: str, shape: Sequence[int], dtype: int = 65568) -> dict[int, Any]:
    """An input or output: an array."""
    return {1: name, 3: {5: {1: list(shape), 2: dtype}}}


def image(name: str, height: int, width: int) -> dict[int, Any]:
    return {1: name, 3: {4: {1: width, 2: height, 3: 20}}}


def model(
    kind: int, content: Fields, inputs: Sequence[Fields], outputs: Sequence[Fields] = ()
) -> dict[int, Any]:
    """A whole model of a kind."""
    ends = [*outputs] or [feature("y", ())]
    return {1: 5, 2: {1: [*inputs], 10: ends}, kind: content}


def layer(
    kind: int, options: Fields, inputs: Sequence[str] = ("x",), outputs: Sequence[str] = ("y",)
) -> dict[int, Any]:
    """A layer of a network; its name is that of its first output."""
    return {1: [*outputs, "none"][0], 2: [*inputs], 3: [*outputs], kind: options}


def floats(values: Any) -> dict[int, Any]:
    """Weights as float32."""
    return {1: np.asarray(values, "<f4").tobytes()}


def network(layers: Sequence[Fields], exact: bool = True) -> dict[int, Any]:
    return {1: [*layers], 5: int(exact), 6: int(exact)}


def save(folder: Path, fields: Fields, name: str = "model.mlmodel") -> Path:
    path = folder / name
    path.write_bytes(message(fields))
    return path


def one(folder: Path, layers: Sequence[Fields], shape: Sequence[int], exact: bool = True) -> Path:
    """A network from ``x`` to ``y``."""
    return save(folder, model(NETWORK, network(layers, exact), [feature("x", shape)]))


def kind(dtype: int, shape: Sequence[int]) -> dict[int, Any]:
    """The type of a value of a program."""
    return {1: {1: dtype, 2: len(shape), 3: [{1: {1: dim}} for dim in shape]}}


def scalar(value: Any) -> dict[int, Any]:
    """An option that stands in the program."""
    if isinstance(value, str):
        return {2: kind(2, ()), 3: {1: {4: {1: value}}}}
    array = np.asarray(value)
    if array.dtype.kind == "f":
        return {2: kind(FLOAT32, array.shape), 3: {1: {1: {1: array.astype("<f4").tobytes()}}}}
    code, place = (1, 3) if array.dtype.kind == "b" else (INT32, 2)
    numbers = [int(v) for v in array.reshape(-1)]
    return {2: kind(code, array.shape), 3: {1: {place: {1: numbers}}}}


@dataclass
class Design:
    """A program in the making, and its blob file."""

    operations: list[Fields] = field(default_factory=list)
    blob: bytearray = field(default_factory=lambda: bytearray(struct.pack("<II", 0, 2) + bytes(56)))

    def stored(
        self, values: NDArray[Any], dtype: int = 0, shape: Sequence[int] | None = None
    ) -> dict[int, Any]:
        """A value in the blob file."""
        code = dtype or _CODES[values.dtype.str[1:]]
        data = values.tobytes()
        at = len(self.blob)
        self.blob += struct.pack("<IIQQ", 0xDEADBEEF, _IN_BLOBS[code], len(data), at + 64)
        self.blob += bytes(40) + data + bytes(-len(data) % 64)
        dims = values.shape if shape is None else shape
        return {2: kind(code, dims), 5: {1: BLOB, 2: at}}

    def const(self, name: str, value: Fields) -> str:
        """A constant of the program, by its name."""
        self.operations.append(operation("const", {}, {name: ()}, {"val": value}))
        return name

    def weight(self, name: str, values: NDArray[Any]) -> str:
        return self.const(name, self.stored(values))

    def add(
        self,
        name: str,
        inputs: Mapping[str, Any],
        outputs: Mapping[str, Sequence[int]],
        *,
        blocks: Sequence[Fields] = (),
    ) -> None:
        """An operation; what is no name of a value, or list of names, is a constant."""
        self.operations.append(operation(name, inputs, outputs, {}, blocks))

    def function(self, inputs: Mapping[str, Sequence[int]], outputs: Sequence[str]) -> Fields:
        types = [{1: name, 2: kind(FLOAT32, shape)} for name, shape in inputs.items()]
        return {1: types, 2: "CoreML6", 3: {1: "CoreML6", 2: block(self.operations, outputs)}}

    def package(
        self, folder: Path, inputs: Mapping[str, Sequence[int]], outputs: Sequence[str] = ("y",)
    ) -> Path:
        """A package of one function."""
        functions = {1: "main", 2: self.function(inputs, outputs)}
        features = [feature(name, shape) for name, shape in inputs.items()]
        ends = [feature(name, ()) for name in outputs]
        whole = model(PROGRAM, {1: 1, 2: functions}, features, ends)
        return package(folder, whole, bytes(self.blob))


def block(
    operations: Sequence[Fields], outputs: Sequence[str], inputs: Sequence[str] = ()
) -> dict[int, Any]:
    types = [{1: name, 2: kind(FLOAT32, (1,))} for name in inputs]
    return {1: types, 2: [*outputs], 3: [*operations]}


def operation(
    name: str,
    inputs: Mapping[str, Any],
    outputs: Mapping[str, Sequence[int]],
    attributes: Mapping[str, Fields],
    blocks: Sequence[Fields] = (),
) -> dict[int, Any]:
    """One operation of a program."""
    results = [{1: key, 2: kind(FLOAT32, shape)} for key, shape in outputs.items()]
    return {
        1: name,
        2: [{1: key, 2: {1: _bindings(value)}} for key, value in inputs.items()],
        3: results,
        4: [*blocks],
        5: [{1: key, 2: value} for key, value in attributes.items()],
    }


def _bindings(value: Any) -> list[Fields]:
    """Names, a value as a message, or numbers and texts (``str`` subclass ``Text``)."""
    if isinstance(value, Text):
        return [{2: scalar(str(value))}]
    if isinstance(value, str):
        return [{1: value}]
    if isinstance(value, Mapping):
        return [{2: value}]
    if isinstance(value, list) and value and isinstance(value[0], str):
        return [{1: name} for name in value]
    return [{2: scalar(value)}]


class Text(str):
    """A text that is an option, not the name of a value."""


def package(folder: Path, fields: Fields, blob: bytes | None = None) -> Path:
    """A ``.mlpackage``."""
    path = folder / "model.mlpackage"
    data = path / "Data" / "com.apple.CoreML"
    data.mkdir(parents=True)
    save(data, fields)
    if blob is not None:
        (data / "weights").mkdir()
        (data / "weights" / "weight.bin").write_bytes(blob)
    manifest(path, "com.apple.CoreML/model.mlmodel")
    return path


def manifest(folder: Path, place: Any) -> None:
    """Says where the model is."""
    entries = {"A": {"author": "com.apple.CoreML", "path": place}}
    content = {"fileFormatVersion": "1.0.0", "itemInfoEntries": entries}
    (folder / "Manifest.json").write_text(json.dumps(content | {"rootModelIdentifier": "A"}))


VALUES = np.arange(48, dtype=np.float32).reshape(4, 12) / 16


def small(folder: Path) -> Path:
    """A sound package: a product with a weight of the blob file, and Relu."""
    design = Design()
    design.weight("w", VALUES)
    design.blob = design.blob[: 128 + VALUES.nbytes]
    design.add("linear", {"x": "x", "weight": "w"}, {"a": (1, 4)})
    design.add("relu", {"x": "a"}, {"y": (1, 4)})
    return design.package(folder, {"x": (1, 12)})


OPS = ["Gemm", "Relu"]
WEIGHTS = {"w": VALUES.tolist()}
