"""TF.js models: ``model.json`` with binary shards beside it [TensorFlow.js, model formats].

A graph model has TensorFlow's operators as JSON, a layers model Keras' configuration.  The manifest
lists the weights one after another through the shards of a group; quantized ones have a scale and
a least value.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from functools import partial
from math import prod
from mmap import mmap
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.containers.messages import mapped
from assay.errors import UnreadableModel
from assay.formats import Format, InputShapes, Model
from assay.graphs.operators import FLOAT, INT64, MOST_VALUES, OperatorGraph
from assay.vocabularies.builder import GraphBuilder
from assay.vocabularies.inputs import Dimension, concrete, match
from assay.vocabularies.tensorflow_operators import Node, translate
from assay.weights import Array
from assay.weights.layout import Stored, Weights
from assay.weights.shapes import shape_of

MOST_JSON = 64 * 2**20  # bytes
MOST_SHARDS = 10_000
_TYPES = {
    "float32": "<f4",
    "float16": "<f2",
    "int32": "<i4",
    "uint8": "u1",
    "uint16": "<u2",
    "bool": "?",
}
_INT_TYPES = ("DT_INT32", "DT_INT64", "DT_UINT8")

Json = Any


class TfJs(Format):
    """The graph and weights of a TF.js model."""

    suffixes = (".json",)
    folders = ("model.json",)

    def sniff(self, head: bytes) -> bool:
        return head.lstrip().startswith(b"{") and b'"modelTopology"' in head

    def read(self, path: Path, input_shapes: InputShapes) -> Model:
        file = path / "model.json" if path.is_dir() else path
        content = _json(file)
        topology = content.get("modelTopology")
        manifest = content.get("weightsManifest")
        if not isinstance(topology, Mapping) or not isinstance(manifest, list):
            raise UnreadableModel("not a TF.js model: it has no topology or no weights")
        shards = _Shards(file.parent)
        for group in manifest:
            shards.group(group)
        if isinstance(topology.get("node"), list):
            layers = _graph(topology["node"], content.get("signature"), shards, input_shapes)
            weights: Mapping[str, Any] = Weights(layers, shards.stored)
        else:
            layers, weights = _layers(topology, shards, input_shapes)
        metadata = {
            key: str(content[key])[:80] for key in ("format", "generatedBy") if content.get(key)
        }
        return Model("tfjs", layers, (file, *shards.files), metadata, weights)


def _json(path: Path) -> Mapping[str, Json]:
    if path.stat().st_size > MOST_JSON:
        raise UnreadableModel("a TF.js model of more than 64 MiB of JSON")
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise UnreadableModel("not a TF.js model: it is no JSON") from error
    if not isinstance(content, Mapping):
        raise UnreadableModel("not a TF.js model: it is no object")
    return content


class _Shards:
    """The weights that the manifest lists."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files: list[Path] = []
        self.stored: dict[str, Stored] = {}
        self.raw: dict[str, Callable[[], NDArray[Any]]] = {}

    def group(self, group: Json) -> None:
        """One group: its weights lie one after another through its shards."""
        shards = [mapped(self._file(name)) for name in group["paths"]]
        total, at = sum(map(len, shards)), 0
        for entry in group["weights"]:
            name, quantization = str(entry["name"]), entry.get("quantization") or {}
            dtype = str(entry["dtype"])
            kind = str(quantization.get("dtype", dtype))
            shape = shape_of(f"tensor {name!r}", (int(d) for d in entry["shape"]))
            if kind not in _TYPES or dtype not in _TYPES:
                raise UnreadableModel(f"tensor {name!r} is of the type {kind[:40]!r}")
            size = prod(shape) * np.dtype(_TYPES[kind]).itemsize
            if at + size > total:
                raise UnreadableModel(f"tensor {name!r} ends at byte {at + size:,} of {total:,}")
            raw = partial(_raw, shards, at, size, kind, shape, quantization)
            self.raw[name] = raw
            self.stored[name] = Stored(shape, kind if dtype.startswith("f") else dtype, _real(raw))
            at += size

    def _file(self, name: Json) -> Path:
        place = PurePosixPath(str(name))
        root = self.folder.resolve()
        outside = place.is_absolute() or ".." in place.parts or "\0" in str(name)
        if outside or not (root / place).resolve().is_relative_to(root):
            raise UnreadableModel(f"the shard {str(name)[:80]!r} lies outside the model's folder")
        path = self.folder / place
        if not path.is_file():
            raise UnreadableModel(f"the shard {str(name)[:80]!r} is missing")
        self.files.append(path)
        if len(self.files) > MOST_SHARDS:
            raise UnreadableModel("a model of too many shards")
        return path


def _raw(
    shards: list[mmap], at: int, size: int, kind: str, shape: tuple[int, ...], quantization: Json
) -> NDArray[Any]:
    parts = []
    for shard in shards:
        if at < len(shard) and size > 0:
            parts.append(shard[at : at + size])
            size -= len(parts[-1])
            at = 0
        else:
            at -= len(shard)
    values = np.frombuffer(b"".join(parts), _TYPES[kind]).reshape(shape)
    if "scale" in quantization:
        values = values * np.float32(quantization["scale"]) + np.float32(quantization["min"])
    return values


def _real(raw: Callable[[], NDArray[Any]]) -> Callable[[], Array]:
    return lambda: raw().astype(np.float32)


def _graph(
    nodes: list[Json], signature: Json, shards: _Shards, given: InputShapes
) -> OperatorGraph:
    """The operators of a graph model."""
    build = GraphBuilder()
    inputs = {str(n["name"]): n for n in nodes if n["op"] in ("Placeholder", "PlaceholderV2")}
    wanted = match(given, inputs)
    for name, node in inputs.items():
        kind = node.get("attr", {}).get("dtype", {}).get("type", "DT_FLOAT")
        code = INT64 if kind in _INT_TYPES else FLOAT
        build.input(name, concrete(name, code, _dims(node), wanted.get(name)))
    read: set[str] = set()
    ordered = _in_order(nodes)
    for entry in ordered:
        name, op = str(entry["name"]), str(entry["op"])
        if name in inputs:
            continue
        sources = [_tensor(str(n)) for n in entry.get("input", ()) if not str(n).startswith("^")]
        read.update(sources)
        if op == "Const":
            _constant(build, name, shards)
            continue
        attributes = {str(k): _attribute(v) for k, v in entry.get("attr", {}).items()}
        count = int(attributes.get("num_split", 1)) if op.startswith("Split") else 1
        names = [name, *(f"{name}:{i}" for i in range(1, min(count, 1000)))]
        translate(build, Node(op, sources, names, attributes))
    outputs = [
        _tensor(str(tensor["name"])) for tensor in ((signature or {}).get("outputs") or {}).values()
    ]
    ends = [str(n["name"]) for n in nodes if str(n["name"]) not in read and n["op"] != "Const"]
    return build.graph(outputs or ends)


def _in_order(nodes: list[Json]) -> list[Json]:
    """Each after what it reads; shapes are followed as operators are added."""
    by_name = {str(n["name"]): n for n in nodes}
    done: set[str] = set()
    ordered: list[Json] = []
    for start in by_name:
        stack = [(start, False)]
        while stack:
            name, is_ready = stack.pop()
            if is_ready:
                ordered.append(by_name[name])
                continue
            if name in done or name not in by_name:
                continue
            done.add(name)
            stack.append((name, True))
            for source in by_name[name].get("input", ()):
                stack.append((str(source).lstrip("^").split(":")[0], False))
    return ordered


def _constant(build: GraphBuilder, name: str, shards: _Shards) -> None:
    if name not in shards.stored:
        raise UnreadableModel(f"the constant {name[:80]!r} has no weights")
    stored = shards.stored[name]
    if prod(stored.shape) <= MOST_VALUES:
        build.named(name, shards.raw[name]())
    else:
        build.untyped(name, stored.shape)


def _tensor(name: str) -> str:
    return name.removesuffix(":0")


def _dims(node: Json) -> list[Dimension] | None:
    shape = node.get("attr", {}).get("shape", {}).get("shape", {})
    if shape.get("unknownRank") or "dim" not in shape:
        return None
    return [int(d.get("size", -1)) for d in shape["dim"]]


def _attribute(value: Json) -> Any:
    """An attribute's value: a number, text, or a list of either."""
    if not isinstance(value, Mapping):
        return None
    if "list" in value:
        return [
            _attribute({key: item})
            for key, items in (value["list"] or {}).items()
            for item in items
        ]
    if "i" in value:
        return int(value["i"])
    if "b" in value:
        return int(bool(value["b"]))
    if "f" in value:
        return float(value["f"])
    if "s" in value:
        return base64.b64decode(str(value["s"])[:4000]).decode("utf-8", "replace")
    return None


def _layers(
    topology: Mapping[str, Json], shards: _Shards, given: InputShapes
) -> tuple[OperatorGraph, Mapping[str, Any]]:
    """The graph of a layers model, which is Keras' configuration."""
    from assay.vocabularies.keras_model import KerasModel
    from assay.vocabularies.keras_weights import Variables
    from assay.weights import Weight

    configuration = topology.get("model_config", topology)
    if not isinstance(configuration, Mapping):
        raise UnreadableModel("a layers model without a configuration")
    variables = Variables(None)
    for name, stored in shards.stored.items():
        variables.by_path[name] = Weight(name, stored.shape, stored.dtype, stored.read)
    graph = KerasModel(variables, given).read(configuration)
    variables.settle_rest()
    return graph, variables.by_path
