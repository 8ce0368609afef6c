"""A TensorFlow graph in ONNX's operators, functions expanded where they are called [graph.proto].

Only what the outputs depend on is followed.  A function's arguments stand for what its caller
gives; loops and branches are in ``control``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from assay.errors import UnreadableModel
from assay.graphs.operators import FLOAT, MOST_VALUES, Tensor
from assay.vocabularies.builder import GraphBuilder
from assay.vocabularies.inputs import InputShapes, concrete, match
from assay.vocabularies.tensorflow.bodies import (
    MOST_NODES,
    MOST_OUTPUTS,
    Body,
    GraphNode,
    Library,
    origin,
)
from assay.vocabularies.tensorflow.control import CONTROL, sources
from assay.vocabularies.tensorflow.operators import Node, translate
from assay.vocabularies.tensorflow.tensors import code_of, constant_of, is_repeated, values_of
from assay.vocabularies.tensorflow.variables import CALLS, HANDLES, key_of
from assay.weights.layout import Stored
from assay.weights.shapes import shape_of

if TYPE_CHECKING:
    from assay.containers.tfjs_shards import Constant

MOST_DEPTH = 32  # functions within functions
PLACEHOLDERS = frozenset({"Placeholder", "PlaceholderV2"})
# What hands its first input on as it is.
PASSES = frozenset(
    {"Identity", "IdentityN", "ReadVariableOp", "PlaceholderWithDefault", "Enter", "RefEnter"}
    | {"NextIteration", "RefNextIteration", "LoopCond", "RefIdentity", "EnsureShape", "Switch"}
    | {"RefSwitch", "CheckNumerics"}
)
_TEXT = 7  # the type of texts, which no layer computes with
_COUNTS = ("num_split", "num")  # attributes that say how many outputs a node has


@dataclass
class Frame:
    """One body while it is expanded: which of its tensors have which name in the graph."""

    body: Body
    known: dict[str, str]
    prefix: str = ""
    depth: int = 0


@dataclass
class Expansion:
    """A graph that grows; ``stored`` are the checkpoint's tensors, ``restored`` says whose.

    ``constants`` are those of a graph that has them elsewhere, by the names of their nodes.
    """

    library: Library
    stored: Mapping[str, Stored]
    restored: Mapping[str, str]
    constants: Mapping[str, Constant] | None = None
    build: GraphBuilder = field(default_factory=GraphBuilder)
    weights: dict[str, Stored] = field(default_factory=dict)  # constants and variables, as read
    missing: set[str] = field(default_factory=set)  # variables that the checkpoint does not have
    _nodes: int = 0
    _calls: int = 0

    def start(self, given: InputShapes) -> Frame:
        """The graph's body, whose placeholders are the inputs."""
        body = self.library.main
        nodes = [body.node(name) for name in body.messages]
        inputs = {node.name: node for node in nodes if node.op in PLACEHOLDERS}
        wanted = match(given, inputs)
        known = {
            name: self.placeholder(name, node, wanted.get(name)) for name, node in inputs.items()
        }
        return Frame(body, known)

    def value(self, name: str, frame: Frame) -> str:
        """The graph's name of a tensor of a body; the operators that it takes are added first."""
        waiting, entered = [name], set[str]()
        while waiting:
            place = waiting[-1]
            if place in frame.known:
                waiting.pop()
                continue
            if origin(place) in frame.known:  # an output that no one knows of counts as the first
                frame.known[place] = frame.known[origin(place)]
                continue
            node = frame.body.node(origin(place))
            missing = [each for each in sources(frame.body, node) if each not in frame.known]
            if missing and node.name not in entered:
                entered.add(node.name)
                waiting += reversed(missing)
                continue
            if missing:
                raise UnreadableModel(f"the graph has a cycle near {node.name[:80]!r}")
            self._add(node, frame)
        return frame.known[name]

    def call(self, name: str, inputs: Sequence[str], depth: int) -> list[str]:
        """The results of a function."""
        body = self.library.function(name)
        self.count(len(body.arguments) + len(body.results), depth)
        self._calls += 1
        known = dict(zip(body.arguments, inputs, strict=False))
        frame = Frame(body, known, f"{self._calls}/", depth + 1)
        return [self.value(result, frame) for result in body.results]

    def place(self, node: GraphNode, names: Sequence[str], frame: Frame) -> None:
        """Says what the outputs of a node are called."""
        frame.known |= {f"{node.name}:{i}" if i else node.name: n for i, n in enumerate(names)}

    def placeholder(self, name: str, node: GraphNode, wanted: tuple[int, ...] | None) -> str:
        """An input of the graph."""
        code = _type(node)
        dims = node.attributes.dimensions("shape") or None  # old graphs write "a scalar" for "any"
        self.build.input(name, concrete(name, code, dims, wanted))
        return name

    def count(self, work: int, depth: int = 0) -> None:
        """Adds to the work that was done.  Raises UnreadableModel where it is too much."""
        self._nodes += work
        if self._nodes > MOST_NODES or depth > MOST_DEPTH:
            raise UnreadableModel("its functions expand to too many operators")

    def _add(self, node: GraphNode, frame: Frame) -> None:
        """A node whose inputs are known."""
        self.count(1 + len(node.inputs), frame.depth)
        inputs = [frame.known.get(name, "") for name in node.inputs]
        own = self._own(f"{frame.prefix}{node.name}")
        if node.op == "Const":
            is_here = self.constants is None or node.attributes.get("dtype") == _TEXT
            names = [self._constant(own, node) if is_here else self._shard(node.name)]
        elif node.op in HANDLES:
            names = [self._variable(node)]
        elif node.op in PLACEHOLDERS:
            names = [self.placeholder(own, node, None)]
        elif node.op in CONTROL:
            if not inputs:
                raise UnreadableModel(f"{node.op} has no inputs")
            names = CONTROL[node.op](self, node, frame)
        elif node.op in CALLS:
            names = self.call(node.attributes.function("f"), inputs, frame.depth)
        elif node.op in PASSES and inputs:
            names = inputs[:1] * 2 if node.op.endswith("Switch") else inputs
        else:
            names = [own, *(f"{own}:{i}" for i in range(1, _outputs(node, frame.body)))]
            translate(self.build, Node(node.op, inputs, names, node.attributes))
        self.place(node, names or [own], frame)

    def _own(self, name: str) -> str:
        return self.build.fresh(name) if name in self.build.tensors else name

    def _variable(self, node: GraphNode) -> str:
        """The checkpoint's tensor that a node stands for."""
        key = key_of(node, self.restored)
        if key in self.build.tensors:
            return key
        if key in self.stored:
            self.weights[key] = self.stored[key]
            self.build.untyped(key, self.stored[key].shape)
            return key
        self.missing.add(key)
        dims = node.attributes.dimensions("shape") or []
        known = all(isinstance(dim, int) and dim >= 0 for dim in dims)
        shape = shape_of(f"variable {key!r}", [int(dim or 0) for dim in dims]) if known else None
        self.build.tensors[key] = Tensor(_type(node), shape, None, True)
        return key

    def _constant(self, name: str, node: GraphNode) -> str:
        tensor = node.attributes.tensor("value")
        constant = constant_of(name, tensor)
        if constant is None:  # a text, which no layer computes with
            self.build.named(name, np.zeros(0, np.float32))
            return name
        if prod(constant.shape) <= MOST_VALUES:
            self.build.named(name, values_of(tensor))
        else:
            self.build.untyped(name, constant.shape)
        if not is_repeated(tensor, constant):
            self.weights[name] = constant
        return name

    def _shard(self, name: str) -> str:
        """A constant that lies elsewhere; a function's is one, however often it is called."""
        constant = (self.constants or {}).get(name)
        if constant is None:
            raise UnreadableModel(f"the constant {name[:80]!r} has no weights")
        if name not in self.build.tensors:
            if prod(constant.shape) <= MOST_VALUES:
                self.build.named(name, constant.read())
            else:
                self.build.untyped(name, constant.shape)
        return name


def _type(node: GraphNode) -> int:
    code = node.attributes.get("dtype")
    return code_of(code) if isinstance(code, int) else FLOAT


def _outputs(node: GraphNode, body: Body) -> int:
    """How many outputs a node has, as far as one can say."""
    for name in _COUNTS:
        count = node.attributes.get(name)
        if isinstance(count, int):
            return max(1, min(count, MOST_OUTPUTS))
    return body.count(node)
