"""The operators of a TF.js graph model: TensorFlow's nodes as JSON [TensorFlow.js, graph models].

What they are in ONNX's words is told by ``operators``; constants lie in the shards.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

from assay.containers.tfjs_shards import Constant
from assay.errors import UnreadableModel
from assay.graphs.operators import FLOAT, INT64, MOST_VALUES, OperatorGraph
from assay.vocabularies.builder import GraphBuilder
from assay.vocabularies.inputs import Dimension, InputShapes, concrete, match
from assay.vocabularies.tensorflow.operators import Node, translate

MOST_NODES = 200_000
MOST_RESULTS = 1000  # of one operator
_INPUTS = ("Placeholder", "PlaceholderV2")
_BACK = "NextIteration"  # where a loop begins anew: what it reads is not followed
_FLOATS = ("DT_FLOAT", "DT_HALF", "DT_DOUBLE", 1, 2, 19)
_LONGEST = 4000  # characters of an attribute's text, before it is decoded

Json = Any


@dataclass(frozen=True)
class _Entry:
    """A node as the file lists it."""

    name: str
    op: str
    inputs: tuple[str, ...]  # tensors, without those that only order the nodes
    attributes: Mapping[str, Json]


def graph(
    nodes: list[Json], signature: Json, constants: Mapping[str, Constant], given: InputShapes
) -> OperatorGraph:
    """The operators, with constants by their names in the file."""
    entries = [_entry(node) for node in nodes[: MOST_NODES + 1]]
    if len(entries) > MOST_NODES:
        raise UnreadableModel(f"more than {MOST_NODES:,} operators")
    results = _results(entries)
    build = GraphBuilder()
    inputs = {entry.name: entry for entry in entries if entry.op in _INPUTS}
    wanted = match(given, inputs)
    for name, entry in inputs.items():
        code = FLOAT if _type(entry) in _FLOATS else INT64
        build.input(name, concrete(name, code, _dims(entry), wanted.get(name)))
    for entry in _in_order(entries):
        if entry.op == "Const":
            _constant(build, entry.name, constants)
        elif entry.name not in inputs:
            count = results.get(entry.name, 1)
            names = [entry.name, *(f"{entry.name}:{i}" for i in range(1, count))]
            attributes = {key: _attribute(value) for key, value in entry.attributes.items()}
            translate(build, Node(entry.op, entry.inputs, names, attributes))
    return build.graph(_outputs(signature) or _unread(entries))


def _entry(node: Json) -> _Entry:
    if not isinstance(node, Mapping):
        raise UnreadableModel("an operator of the graph is no object")
    name, op, attributes = node.get("name"), node.get("op"), node.get("attr", {})
    sources = node.get("input", [])
    if not isinstance(name, str) or not isinstance(op, str) or not isinstance(sources, list):
        raise UnreadableModel("an operator of the graph has no name, or none of its kind")
    tensors = (str(source) for source in sources if not str(source).startswith("^"))
    inputs = tuple(tensor.removesuffix(":0") for tensor in tensors) if op != _BACK else ()
    return _Entry(name, op, inputs, attributes if isinstance(attributes, Mapping) else {})


def _results(entries: list[_Entry]) -> dict[str, int]:
    """How many results of an operator are read."""
    found: dict[str, int] = {}
    for entry in entries:
        for tensor in entry.inputs:
            name, _, place = tensor.rpartition(":")
            if name and place.isdecimal() and len(place) < 5:
                found[name] = min(max(found.get(name, 1), int(place) + 1), MOST_RESULTS)
    return found


def _in_order(entries: list[_Entry]) -> list[_Entry]:
    """Each after what it reads; shapes are followed as operators are added."""
    by_name = {entry.name: entry for entry in entries}
    done: set[str] = set()
    ordered = []
    for start in by_name:
        stack = [(start, False)]
        while stack:
            name, is_ready = stack.pop()
            if is_ready:
                ordered.append(by_name[name])
            elif name in by_name and name not in done:
                done.add(name)
                stack.append((name, True))
                stack += [(source.split(":")[0], False) for source in by_name[name].inputs]
    return ordered


def _constant(build: GraphBuilder, name: str, constants: Mapping[str, Constant]) -> None:
    constant = constants.get(name)
    if constant is None:
        raise UnreadableModel(f"the constant {name[:80]!r} has no weights")
    if prod(constant.shape) <= MOST_VALUES:
        build.named(name, constant.read())
    else:
        build.untyped(name, constant.shape)


def _outputs(signature: Json) -> list[str]:
    outputs = signature.get("outputs") if isinstance(signature, Mapping) else None
    listed = outputs.values() if isinstance(outputs, Mapping) else ()
    names = [tensor.get("name") for tensor in listed if isinstance(tensor, Mapping)]
    return [name.removesuffix(":0") for name in names if isinstance(name, str)]


def _unread(entries: list[_Entry]) -> list[str]:
    """What nothing reads is what a model without a signature gives."""
    read = {tensor.split(":")[0] for entry in entries for tensor in entry.inputs}
    return [e.name for e in entries if e.name not in read and e.op != "Const"]


def _type(entry: _Entry) -> Json:
    return _within(entry.attributes, "dtype", "type", "DT_FLOAT")


def _dims(entry: _Entry) -> list[Dimension] | None:
    shape = _within(entry.attributes, "shape", "shape", {})
    dims = shape.get("dim") if isinstance(shape, Mapping) else None
    if not isinstance(dims, list) or shape.get("unknownRank"):
        return None
    return [_whole(dim.get("size", -1)) if isinstance(dim, Mapping) else None for dim in dims]


def _within(attributes: Mapping[str, Json], name: str, part: str, usual: Json) -> Json:
    value = attributes.get(name)
    return value.get(part, usual) if isinstance(value, Mapping) else usual


def _whole(value: Json) -> int | None:
    """A number that the file writes as one or as text, as JSON has no whole numbers."""
    text = str(value)
    is_whole = text.removeprefix("-").isdecimal() and len(text) < 20
    return int(text) if is_whole else None


def _attribute(value: Json) -> Any:
    """An attribute's value: a number, text, or a list of either."""
    if not isinstance(value, Mapping):
        return None
    if "list" in value:
        lists = value["list"].items() if isinstance(value["list"], Mapping) else ()
        return [
            _attribute({key: item})
            for key, items in lists
            for item in (items if isinstance(items, list) else ())
        ]
    if "i" in value:
        return _whole(value["i"])
    if "b" in value:
        return int(bool(value["b"]))
    if "f" in value:
        return float(value["f"]) if isinstance(value["f"], int | float) else None
    if "s" in value:
        return _text(str(value["s"]))
    return None


def _text(value: str) -> str:
    if len(value) > _LONGEST:
        raise UnreadableModel(f"an attribute of {len(value):,} characters")
    try:
        return base64.b64decode(value, validate=True).decode("utf-8", "replace")
    except ValueError as error:
        raise UnreadableModel(f"the attribute {value[:80]!r} is not base64") from error
