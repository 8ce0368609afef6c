"""TF.js models, written here: a description in JSON and shards beside it.

``converted`` writes a frozen graph as TF.js' converter does.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from assay.containers.messages import Message
from assay.vocabularies.tensorflow.tensors import values_of
from samples.keras import BIAS, KERNEL, functional, layer, source

FLOATS = {"T": {"type": "DT_FLOAT"}}


def entry(name: str, values: Any, quantization: Any = None, dtype: str = "") -> dict[str, Any]:
    """A weight as the manifest lists it."""
    array = np.asarray(values)
    listed = {"name": name, "shape": list(array.shape), "dtype": dtype or str(array.dtype)}
    return listed | ({"quantization": quantization} if quantization else {})


def group(
    weights: Sequence[tuple[dict[str, Any], Any]], cuts: Sequence[int] = (), prefix: str = "shard"
) -> tuple[dict[str, Any], dict[str, bytes]]:
    """A group of the manifest, and its shards, which are cut at these bytes."""
    content = b"".join(np.asarray(values).tobytes() for _, values in weights)
    edges = pairwise([0, *cuts, len(content)])
    shards = {f"{prefix}{i}.bin": content[a:b] for i, (a, b) in enumerate(edges)}
    return {"paths": list(shards), "weights": [listed for listed, _ in weights]}, shards


def save(
    folder: Path, topology: Any, groups: Sequence[tuple[Any, Mapping[str, bytes]]], **more: Any
) -> Path:
    """The folder of a model."""
    path = folder / "web"
    path.mkdir()
    for _, shards in groups:
        for name, content in shards.items():
            (path / name).parent.mkdir(exist_ok=True)
            (path / name).write_bytes(content)
    manifest = [listed for listed, _ in groups]
    content = {"modelTopology": topology, "weightsManifest": manifest, **more}
    (path / "model.json").write_text(json.dumps(content))
    return path


def node(name: str, op: str, inputs: Sequence[str] = (), **attributes: Any) -> dict[str, Any]:
    """An operator of a graph model."""
    return {"name": name, "op": op, "input": list(inputs), "attr": attributes}


def placeholder(name: str, shape: Sequence[int]) -> dict[str, Any]:
    dims = {"dim": [{"size": str(d)} for d in shape]}
    return node(name, "Placeholder", dtype={"type": "DT_FLOAT"}, shape={"shape": dims})


def function(
    name: str, arguments: Sequence[str], nodes: Sequence[Any], results: Mapping[str, str]
) -> dict[str, Any]:
    """A function of a graph model; ``results`` say where each comes from."""
    listed = (
        [{"name": each, "type": "DT_FLOAT"} for each in part] for part in (arguments, results)
    )
    signature = dict(zip(("inputArg", "outputArg"), listed, strict=True))
    return {"signature": {"name": name, **signature}, "nodeDef": list(nodes), "ret": dict(results)}


def called(name: str) -> dict[str, Any]:
    """An attribute that names a function."""
    return {"func": {"name": name}}


def converted(folder: Path, frozen: Path) -> Path:
    """A frozen graph as a graph model: constants in shards, those of functions by a name of theirs.

    What the JSON looks like was compared with what TensorFlow's own protobuf makes of the graph.
    """
    proto = Message.of(frozen.read_bytes())
    weights: list[tuple[dict[str, Any], Any]] = []
    functions = []
    for each in proto.message(2).messages(1):
        names = ([arg.text(1) for arg in each.message(1).messages(part)] for part in (2, 3))
        name, (arguments, results) = each.message(1).text(1), names
        ends = {entry.text(1): entry.text(2) for entry in each.messages(4)}
        nodes = _spelled(each.messages(3), f"{name}/", weights)
        functions.append(function(name, arguments, nodes, {end: ends[end] for end in results}))
    nodes = _spelled(proto.messages(1), "", weights)
    return save(folder, {"node": nodes, "library": {"function": functions}}, [group(weights)])


def _spelled(nodes: Sequence[Message], prefix: str, weights: list[Any]) -> list[Any]:
    """The nodes of a body, their constants added to the weights."""
    names = {each.text(1): prefix + each.text(1) for each in nodes if each.text(2) == "Const"}
    spelled = []
    for each in nodes:
        attributes = {entry.text(1): entry.message(2) for entry in each.messages(5)}
        name, op = names.get(each.text(1), each.text(1)), each.text(2)
        if op == "Const":
            values = values_of(attributes["value"].message(8))
            weights.append((entry(name, values), values))
        inputs = [names.get(text.partition(":")[0], "") for text in each.texts(3)]
        inputs = [
            new + "".join(text.partition(":")[1:]) if new else text
            for new, text in zip(inputs, each.texts(3), strict=True)
        ]
        spelled.append(node(name, op, inputs, **{k: _value(v) for k, v in attributes.items()}))
    return spelled


def _value(value: Message) -> Any:
    """An attribute, by the rules of protobuf's JSON."""
    if value.has(1):
        inner = value.message(1)
        return {"list": {"s": [base64.b64encode(t.encode()).decode() for t in inner.texts(2)],
                         "i": [str(each) for each in inner.integers(3)]}}  # fmt: skip
    if value.has(2):
        return {"s": base64.b64encode(value.payload(2, 1000)).decode()}
    if value.has(7):
        dims = [{"size": str(dim.integer(1))} for dim in value.message(7).messages(2)]
        return {"shape": {"dim": dims}}
    if value.has(10):
        return called(value.message(10).text(1))
    whole = {3: ("i", str), 5: ("b", bool), 6: ("type", int)}
    found = [{name: of(value.integer(n))} for n, (name, of) in whole.items() if value.has(n)]
    return found[0] if found else {"f": value.real(4)} if value.has(4) else {}


def dense() -> dict[str, Any]:
    """The layers model of one dense layer."""
    layers = [source([None, 2]), layer("Dense", "fc", ["x"], units=3, activation="relu")]
    return {"keras_version": "2.15.0", "model_config": functional(layers, ["fc"])}


def small(folder: Path) -> Path:
    """One dense layer, its weights in two shards."""
    kernel, bias = np.array(KERNEL, "<f4"), np.array(BIAS, "<f4")
    weights = [(entry("fc/kernel", kernel), kernel), (entry("fc/bias", bias), bias)]
    return save(folder, dense(), [group(weights, cuts=[10])], format="layers-model")


OPS = ["Gemm", "Relu"]
WEIGHTS = {"fc/kernel": [[1.0, 4.0], [2.0, 5.0], [3.0, 6.0]], "fc/bias": BIAS}
