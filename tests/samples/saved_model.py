"""Small SavedModels, frozen graphs and checkpoints, built without TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samples.protobuf import Fields, message, varint

FLOAT, INT32, TEXT, INT64, BOOL, RESOURCE, BFLOAT16, HALF = 1, 3, 7, 9, 10, 20, 14, 19
CODES = {"f4": FLOAT, "f8": 2, "i4": INT32, "u1": 4, "i1": 6, "i8": INT64, "b1": BOOL, "f2": HALF}
VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"
MAGIC = 0xDB4775248B80FB57

Values = NDArray[Any]
Tensors = Mapping[str, Values]


def code(array: Values) -> int:
    return CODES[array.dtype.str[1:]]


def shape(dims: Sequence[int]) -> dict[int, Any]:
    """TensorShapeProto."""
    return {2: [{1: dim} for dim in dims]}


def tensor(array: Values) -> dict[int, Any]:
    """TensorProto."""
    return {1: code(array), 2: shape(array.shape), 4: array.tobytes()}


def texts(*values: str) -> dict[int, Any]:
    """TensorProto of texts."""
    return {1: TEXT, 2: shape([len(values)]), 8: list(values)}


def kind(dtype: int) -> dict[int, Any]:
    """AttrValue of a type."""
    return {6: dtype}


def function_name(name: str) -> dict[int, Any]:
    """AttrValue of a function."""
    return {10: {1: name}}


def ints(*values: int) -> dict[int, Any]:
    """AttrValue of a list of whole numbers."""
    return {1: {3: list(values)}}


def node(name: str, op: str, inputs: Sequence[str] = (), **attributes: Fields) -> dict[int, Any]:
    """NodeDef; attributes are AttrValues."""
    listed = [{1: key, 2: value} for key, value in attributes.items()]
    return {1: name, 2: op, 3: list(inputs), 5: listed}


def const(name: str, value: Any, dtype: str = "f4") -> dict[int, Any]:
    array = np.array(value, f"<{dtype}" if dtype[0] in "if" else dtype)
    return node(name, "Const", value={8: tensor(array)}, dtype=kind(code(array)))


def placeholder(name: str, dims: Sequence[int], dtype: int = FLOAT) -> dict[int, Any]:
    return node(name, "Placeholder", dtype=kind(dtype), shape={7: shape(dims)})


def variable(name: str, dims: Sequence[int] = ()) -> dict[int, Any]:
    shared = {"shared_name": {2: name}, "dtype": kind(FLOAT), "shape": {7: shape(dims)}}
    return node(name, "VarHandleOp", **shared)


def function(
    name: str, arguments: Sequence[str], nodes: Sequence[Fields], results: Mapping[str, str]
) -> dict[int, Any]:
    """FunctionDef; ``results`` say where each comes from, as ``node:output:0``."""
    signature = {1: name, 2: [{1: a, 3: FLOAT} for a in arguments], 3: [{1: r} for r in results]}
    return {1: signature, 3: list(nodes), 4: [{1: r, 2: place} for r, place in results.items()]}


def graph(nodes: Sequence[Fields], functions: Sequence[Fields] = ()) -> dict[int, Any]:
    """GraphDef."""
    return {1: list(nodes), 2: {1: list(functions)}}


@dataclass(frozen=True)
class End:
    """Where a signature begins or ends: a tensor, its type and shape."""

    tensor: str
    dims: Sequence[int] = ()
    dtype: int = FLOAT

    def fields(self) -> dict[int, Any]:
        return {1: self.tensor, 2: self.dtype, 3: shape(self.dims)}


def signature(inputs: Mapping[str, End], outputs: Mapping[str, End]) -> dict[int, Any]:
    """SignatureDef."""
    ends = ([{1: name, 2: end.fields()} for name, end in e.items()] for e in (inputs, outputs))
    return dict(zip((1, 2), ends, strict=True))


def meta(
    content: Fields, signatures: Mapping[str, Fields], tags: Sequence[str] = ("serve",), **more: Any
) -> dict[int, Any]:
    """MetaGraphDef; ``outputs`` names those of operators, ``restore`` what restores."""
    outputs = more.get("outputs", {})
    listed = [{1: op, 3: [{1: name} for name in names]} for op, names in outputs.items()]
    about = {2: {1: listed}, 4: list(tags), 5: "2.21.0"}
    saver = {3: more.get("restore", "")}
    return {1: about, 2: content, 3: saver, 5: [{1: name, 2: s} for name, s in signatures.items()]}


def restoring(names: Mapping[str, str]) -> tuple[list[Fields], list[Fields]]:
    """The node and the function that restore variables, each from a name in the checkpoint."""
    arguments = [f"variable_{i}" for i in range(len(names))]
    nodes = [
        node("names", "Const", value={8: texts(*names.values())}, dtype=kind(TEXT)),
        node("parts", "Const", value={8: texts(*("" for _ in names))}, dtype=kind(TEXT)),
        node("RestoreV2", "RestoreV2", ["prefix", "names:output:0", "parts:output:0"]),
    ]
    for i, argument in enumerate(arguments):
        nodes.append(node(f"Identity_{i}", "Identity", [f"RestoreV2:tensors:{i}"]))
        read = f"Identity_{i}:output:0"
        nodes.append(node(f"Assign_{i}", "AssignVariableOp", [argument, read]))
    restore = function("restore", ["prefix", *arguments], nodes, {})
    call = node("call", "StatefulPartitionedCall", ["file", *names], f=function_name("restore"))
    return [placeholder("file", [], TEXT), call], [restore]


def block(entries: Sequence[tuple[bytes, bytes]]) -> bytes:
    """A block of a table, no key shortened; behind it stand "not compressed" and a checksum."""
    listed = b"".join(
        b"\0" + varint(len(key)) + varint(len(value)) + key + value for key, value in entries
    )
    return listed + bytes(4) + (1).to_bytes(4, "little") + bytes(5)


def table(entries: Sequence[tuple[bytes, bytes]]) -> bytes:
    """A LevelDB table of one block."""
    data = block(entries)
    start = len(data)
    index = block([(b"\xff", varint(0) + varint(start - 5))])
    place = varint(start) + varint(len(index) - 5)
    footer = (bytes(2) + place).ljust(40, b"\0") + MAGIC.to_bytes(8, "little")
    return data + index + footer


def entry(array: Values, shard: int, offset: int, **more: Any) -> dict[int, Any]:
    """BundleEntryProto."""
    dtype = more["dtype"] if "dtype" in more else code(array)
    return {1: dtype, 2: shape(array.shape), 3: shard, 4: offset, 5: array.nbytes}


def checkpoint(folder: Path, shards: Sequence[Tensors], others: Mapping[str, Fields] = {}) -> Path:
    """A checkpoint in ``variables``; ``others`` are further entries of its index."""
    place = folder / "variables"
    place.mkdir(parents=True, exist_ok=True)
    entries: dict[str, Fields] = dict(others)
    for number, tensors in enumerate(shards):
        content = b""
        for name, array in tensors.items():
            entries[name] = entry(array, number, len(content))
            content += array.tobytes()
        path = place / f"variables.data-{number:05d}-of-{len(shards):05d}"
        path.write_bytes(content or b"\0")
    listed = [(key.encode(), message(value)) for key, value in sorted(entries.items())]
    index = place / "variables.index"
    index.write_bytes(table([(b"", message({1: len(shards), 3: {1: 1}})), *listed]))
    return index


def save(folder: Path, *metas: Fields, name: str = "model") -> Path:
    """The folder of a SavedModel, without its variables."""
    path = folder / name
    path.mkdir(exist_ok=True)
    (path / "saved_model.pb").write_bytes(message({1: 1, 2: list(metas)}))
    return path


def served(folder: Path, nodes: list[Any], ends: dict[str, str], **more: Any) -> Path:
    """A folder that serves ``x`` of 1×3 under each of the names in ``ends``."""
    start = {"x": End("x:0", [1, 3])}
    signatures = {name: signature(start, {"y": End(end)}) for name, end in ends.items()}
    tags = more.pop("tags", ("serve",))
    content = graph([placeholder("x", [1, 3]), *nodes], more.pop("functions", ()))
    return save(folder, meta(content, signatures, tags, **more))


def freeze(folder: Path, *nodes: Fields, functions: Sequence[Fields] = ()) -> Path:
    path = folder / "frozen.pb"
    path.write_bytes(message(graph(nodes, functions)))
    return path


KERNEL = np.arange(6, dtype="<f4").reshape(3, 2)
BIAS = np.array([0.5, -0.5], "<f4")


def dense(nodes: Sequence[Fields] = ()) -> dict[int, Any]:
    """A dense layer of two variables, in a function that the signature calls."""
    called, functions = restoring({"dense/kernel": "_w/0" + VALUE, "dense/bias": "_w/1" + VALUE})
    body = [
        node("kernel", "ReadVariableOp", ["w"]),
        node("product", "MatMul", ["x", "kernel:value:0"]),
        node("bias", "ReadVariableOp", ["b"]),
        node("sum", "BiasAdd", ["product:product:0", "bias:value:0"]),
        node("result", "Relu", ["sum:output:0"]),
    ]
    functions.append(function("run", ["x", "w", "b"], body, {"y": "result:activations:0"}))
    inputs = ["in", "dense/kernel", "dense/bias"]
    content = graph(
        [
            placeholder("in", [-1, 3]),
            variable("dense/kernel", [3, 2]),
            variable("dense/bias", [2]),
            node("run", "StatefulPartitionedCall", inputs, f=function_name("run")),
            *called,
            *nodes,
        ],
        functions,
    )
    ends = {"x": End("in:0", [-1, 3])}, {"y": End("run:0", [-1, 2])}
    return meta(content, {"serving_default": signature(*ends)}, restore="call")


def small(folder: Path) -> Path:
    """A sound folder: a dense layer with its variables."""
    path = save(folder, dense())
    checkpoint(path, [{"_w/0" + VALUE: KERNEL, "_w/1" + VALUE: BIAS}])
    return path


FORMAT = "saved-model"
OPS = ["Gemm", "Relu"]
WEIGHTS = {"_w/0": KERNEL.T.tolist(), "_w/1": BIAS.tolist()}
