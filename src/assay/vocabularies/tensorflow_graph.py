"""The graph of a SavedModel, its functions expanded where they are called [graph.proto].

A function's arguments stand for what its caller gives; what it captures are variables.  Only what
the outputs of the serving signature depend on is followed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from math import prod
from typing import Any

import numpy as np

from assay.containers.messages import Message
from assay.containers.tensor_bundle import TYPES
from assay.errors import UnreadableModel
from assay.graphs.operators import FLOAT, INT64, MOST_VALUES, OperatorGraph
from assay.vocabularies.builder import GraphBuilder
from assay.vocabularies.inputs import Dimension, InputShapes, concrete, match
from assay.vocabularies.tensorflow_operators import Node, translate
from assay.weights.layout import Stored
from assay.weights.shapes import shape_of

MOST_DEPTH = 32
MOST_NODES = 200_000
_CALLS = frozenset({"StatefulPartitionedCall", "PartitionedCall"})
_PASSES = frozenset({"Identity", "ReadVariableOp", "IdentityN"})
_LISTS = {5: 7, 6: 2, 7: 3, 10: 3, 11: 3}  # fields of a tensor that list numbers


@dataclass
class SavedGraph:
    """What is read of a graph; ``stored`` are the variables, ``names`` theirs in the graph."""

    stored: Mapping[str, Stored]
    names: Mapping[str, str]
    given: InputShapes
    build: GraphBuilder = field(default_factory=GraphBuilder)
    constants: dict[str, Stored] = field(default_factory=dict)
    functions: dict[str, Message] = field(default_factory=dict)
    nodes: int = 0
    calls: int = 0

    def read(self, meta: Message) -> OperatorGraph:
        """The graph of the serving signature."""
        graph = meta.message(2)
        for function in graph.message(2).messages(1):
            self.functions[function.message(1).text(1)] = function
        signatures = {entry.text(1): entry.message(2) for entry in meta.messages(5)}
        signature = signatures.get("serving_default") or next(
            (s for s in signatures.values() if s.has(2)), None
        )
        if signature is None:
            raise UnreadableModel("the SavedModel has no signature")
        known: dict[str, str] = {}
        shapes: dict[str, Message] = {}
        for entry in signature.messages(1):
            shapes[_place(entry.message(2).text(1))] = entry.message(2)
        wanted = match(self.given, shapes)
        for name, info in shapes.items():
            code = FLOAT if info.integer(2) in (1, 2, 14, 19) else INT64
            self.build.input(name, concrete(name, code, _dims(info.message(3)), wanted.get(name)))
            known[name] = name
        body = {node.text(1): node for node in graph.messages(1)}
        ends = [_place(entry.message(2).text(1)) for entry in signature.messages(2)]
        found = [self._value(end, body, known, "", 0) for end in ends]
        return self.build.graph(found)

    def _value(
        self, name: str, body: Mapping[str, Message], known: dict[str, str], within: str, depth: int
    ) -> str:
        """The builder's name of a tensor; its operators are added first."""
        waiting = [name]
        entered: set[str] = set()
        while waiting:
            place = waiting[-1]
            node_name = place.split(":")[0]
            if place in known:
                waiting.pop()
                continue
            node = body.get(node_name)
            if node is None:
                raise UnreadableModel(f"the graph has no operator {node_name[:80]!r}")
            sources = [_place(n) for n in node.texts(3) if not n.startswith("^")]
            missing = [source for source in sources if source not in known]
            if missing and node_name not in entered:
                entered.add(node_name)
                waiting += reversed(missing)
                continue
            if missing:
                raise UnreadableModel(f"the graph has a cycle near {node_name[:80]!r}")
            self._node(node, node_name, [known[s] for s in sources], known, within, depth)
            known.setdefault(place, known[node_name])
        return known[name]

    def _node(
        self,
        node: Message,
        name: str,
        inputs: list[str],
        known: dict[str, str],
        within: str,
        depth: int,
    ) -> None:
        self.nodes += 1
        if self.nodes > MOST_NODES or depth > MOST_DEPTH:
            raise UnreadableModel("its functions expand to too many operators")
        op = node.text(2)
        own = f"{within}{name}"
        attributes = {entry.text(1): entry.message(2) for entry in node.messages(5)}
        if op == "Const":
            self._constant(own, attributes["value"].message(8))
            known[name] = own
        elif op == "VarHandleOp":
            known[name] = self._variable(name, attributes)
        elif op in _PASSES and inputs:
            known[name] = inputs[0]
            known |= {f"{name}:{i}": source for i, source in enumerate(inputs) if i}
        elif op in _CALLS:
            function = self.functions.get(attributes["f"].message(10).text(1))
            if function is None:
                raise UnreadableModel(f"{name[:80]!r} calls a function that is not there")
            for i, result in enumerate(self._call(function, inputs, depth)):
                known[f"{name}:{i}" if i else name] = result
        else:
            plain = {key: _plain(value) for key, value in attributes.items()}
            count = plain.get("num_split", 1) if op.startswith("Split") else 1
            names = [own, *(f"{own}:{i}" for i in range(1, min(int(count), 1000)))]
            translate(self.build, Node(op, inputs, names, plain))
            known |= {f"{name}:{i}" if i else name: each for i, each in enumerate(names)}

    def _call(self, function: Message, inputs: list[str], depth: int) -> list[str]:
        """The results of a function."""
        self.calls += 1
        signature = function.message(1)
        arguments = [argument.text(1) for argument in signature.messages(2)]
        known = dict(zip(arguments, inputs, strict=False))
        body = {node.text(1): node for node in function.messages(3)}
        returned = {entry.text(1): entry.text(2) for entry in function.messages(4)}
        within = f"{self.calls}/"
        ends = [_place(returned[result.text(1)]) for result in signature.messages(3)]
        return [self._value(end, body, known, within, depth + 1) for end in ends]

    def _variable(self, name: str, attributes: Mapping[str, Message]) -> str:
        """The checkpoint's tensor that a handle stands for."""
        shared = attributes["shared_name"].text(2) if "shared_name" in attributes else ""
        for each in (shared, name):
            key = self.names.get(each, each)
            if key in self.stored:
                if key not in self.build.tensors:
                    self.build.untyped(key, self.stored[key].shape)
                return key
        raise UnreadableModel(f"the checkpoint has no variable {name[:80]!r}")

    def _constant(self, name: str, tensor: Message) -> None:
        dtype = tensor.integer(1)
        shape = shape_of(f"tensor {name!r}", _sizes(tensor.message(2)))
        if dtype not in TYPES:
            self.build.named(name, np.zeros(0, np.float32))  # text, which no layer computes with
            return
        if prod(shape) <= MOST_VALUES:
            self.build.named(name, _numbers(tensor, shape))
        else:
            self.build.untyped(name, shape)
        read = partial(_real, tensor, shape)
        self.constants[name] = Stored(shape, TYPES[dtype][0], read)


def _place(name: str) -> str:
    """The name of a tensor, ``operator`` or ``operator:n``; functions name the output besides."""
    parts = name.split(":")
    number = parts[-1] if len(parts) > 1 and parts[-1].isdigit() else "0"
    return parts[0] if number == "0" else f"{parts[0]}:{number}"


def _sizes(shape: Message) -> list[int]:
    return [dim.integer(1) for dim in shape.messages(2)]


def _dims(shape: Message) -> list[Dimension] | None:
    return None if shape.integer(3) else list(_sizes(shape))


def _numbers(tensor: Message, shape: tuple[int, ...]) -> Any:
    """The values of a constant, spelled out or one repeated."""
    dtype, count = TYPES[tensor.integer(1)][1], prod(shape)
    start, end = (tensor.spans(4) or [(0, 0)])[-1]
    size = np.dtype(dtype).itemsize
    if end > start:
        if end - start < count * size:
            raise UnreadableModel("a constant of the graph is cut")
        return np.frombuffer(tensor.source.data[start : start + count * size], dtype).reshape(shape)
    if tensor.has(5):
        values = tensor.floats(5)
    elif tensor.has(6):
        values = tensor.floats(6, "<f8")
    else:
        number = next((n for n in (7, 10, 11, 13, 16, 17) if tensor.has(n)), 0)
        listed = tensor.integers(number) if number else [0]
        values = np.array(listed, np.int64).astype(dtype)
    if not values.size or values.size > max(count, 1):
        raise UnreadableModel("a constant of the graph does not fit its shape")
    if values.size == count:
        return values.reshape(shape)
    flat = np.concatenate([values, np.full(count - values.size, values[-1], values.dtype)])
    return flat.reshape(shape)


def _real(tensor: Message, shape: tuple[int, ...]) -> Any:
    return _numbers(tensor, shape).astype(np.float32)


def _plain(value: Message) -> Any:
    """An attribute as a number, a text, or a list of either."""
    if value.has(1):
        inner = value.message(1)
        return inner.integers(3) or (inner.texts(2) if inner.has(2) else [])
    if value.has(2):
        return value.payload(2, 10_000).decode("utf-8", "replace")
    if value.has(4):
        return value.real(4)
    for number in (3, 5):
        if value.has(number):
            return value.integer(number)
    return None
