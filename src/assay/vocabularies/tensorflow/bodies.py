"""A graph's nodes by name, and those of its functions [graph.proto, function.proto].

A tensor is called ``node``, or ``node:n`` from its second output on.  Functions also name the
output, as ``node:product:0``; the list of operators that a SavedModel brings tells which one it is.
Frozen graphs and TF.js bring none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from assay.containers.messages import Message
from assay.errors import UnreadableModel
from assay.vocabularies.tensorflow.tensors import Attributes

MOST_NODES = 200_000
MOST_OUTPUTS = 1000  # of one node
_LONGEST_WAY = 10  # copies of copies
_CELL = ("i", "cs", "f", "o", "ci", "co", "h")
_CUDNN = ("output", "output_h", "output_c", "reserve_space")
# Outputs of operators that have several, by name, for graphs that do not list them.
_SEVERAL: dict[str, Sequence[str]] = {
    **dict.fromkeys(("TopK", "TopKV2"), ("values", "indices")),
    **dict.fromkeys(("Unique", "UniqueV2"), ("y", "idx")),
    **dict.fromkeys(("Switch", "RefSwitch"), ("output_false", "output_true")),
    **dict.fromkeys(("BlockLSTM", "LSTMBlockCell"), _CELL),
    **dict.fromkeys(("CudnnRNNV2", "CudnnRNNV3"), (*_CUDNN, "host_reserved")),
    "CudnnRNN": _CUDNN,
    "MaxPoolWithArgmax": ("output", "argmax"),
    "NonMaxSuppressionV4": ("selected_indices", "valid_outputs"),
    "NonMaxSuppressionV5": ("selected_indices", "selected_scores", "valid_outputs"),
    "CombinedNonMaxSuppression": (
        *("nmsed_boxes", "nmsed_scores", "nmsed_classes", "valid_detections"),
    ),
}


@dataclass(frozen=True, slots=True)
class GraphNode:
    """One node, as a graph lists it."""

    name: str
    op: str
    inputs: tuple[str, ...]  # tensors; what only must come before is left out
    attributes: Attributes


@dataclass
class Body:
    """The nodes of a graph, or of a function with its arguments and results."""

    messages: Mapping[str, Message]
    outputs: Mapping[str, Sequence[str]]  # of operators: the names of their outputs, in order
    arguments: Sequence[str] = ()
    results: Sequence[str] = ()  # as the function names them
    _nodes: dict[str, GraphNode] = field(default_factory=dict)
    _read: dict[str, int] | None = None  # of nodes: how many of its outputs others read

    def node(self, name: str) -> GraphNode:
        """The node of that name.  Raises UnreadableModel where there is none."""
        if name in self._nodes:
            return self._nodes[name]
        if name not in self.messages:
            raise UnreadableModel(f"the graph has no operator {name[:80]!r}")
        message = self.messages[name]
        inputs = tuple(self.tensor(text) for text in message.texts(3) if not text.startswith("^"))
        attributes = {entry.text(1): entry.message(2) for entry in message.messages(5)}
        node = GraphNode(name, message.text(2), inputs, Attributes(attributes))
        return self._nodes.setdefault(name, node)

    def op(self, name: str) -> str:
        """What the node that a tensor comes from does; empty where it is an argument."""
        message = self.messages.get(origin(name))
        return "" if message is None else message.text(2)

    def tensor(self, text: str) -> str:
        """A tensor as ``node`` or ``node:n``."""
        name, _, rest = text.partition(":")
        label, _, number = rest.rpartition(":")
        place = int(number) if number.isdecimal() and len(number) < 9 else 0
        if label:
            names = self.outputs.get(self.op(name), ())
            place += names.index(label) if label in names else 0
        return f"{name}:{place}" if place else name

    def count(self, node: GraphNode) -> int:
        """How many outputs a node has: those that are listed, else those that others read."""
        if node.op in self.outputs:
            return max(1, len(self.outputs[node.op]))
        if self._read is None:
            self._read = {}
            for tensor in (name for each in self.messages for name in self.node(each).inputs):
                count = min(place_of(tensor) + 1, MOST_OUTPUTS)
                self._read[origin(tensor)] = max(count, self._read.get(origin(tensor), 1))
        return self._read.get(node.name, 1)

    def source(self, name: str) -> str:
        """The tensor that a tensor is a copy of."""
        for _ in range(_LONGEST_WAY):
            if self.op(name) not in ("Identity", "IdentityN", "ReadVariableOp"):
                break
            node, place = self.node(origin(name)), place_of(name)
            if place >= len(node.inputs):
                break
            name = node.inputs[place]
        return name


def origin(name: str) -> str:
    """The node that a tensor comes from."""
    return name.partition(":")[0]


def place_of(name: str) -> int:
    """Which of its node's outputs a tensor is."""
    return int(name.partition(":")[2] or 0)


class Library:
    """A graph and the functions that it may call."""

    def __init__(self, graph: Message, operators: Message | None = None) -> None:
        """``operators`` lists those that the graph uses, where it brings such a list."""
        self.outputs = _SEVERAL | {
            each.text(1): tuple(output.text(1) for output in each.messages(3))
            for each in (operators.messages(1) if operators is not None else ())
        }
        self.main = Body(_by_name(graph.messages(1)), self.outputs)
        listed = graph.message(2).messages(1)
        self._functions = {each.message(1).text(1): each for each in listed}
        self._bodies: dict[str, Body] = {}

    def function(self, name: str) -> Body:
        """The function of that name.  Raises UnreadableModel where there is none."""
        if name in self._bodies:
            return self._bodies[name]
        if name not in self._functions:
            raise UnreadableModel(f"the function {name[:80]!r} is called, but not there")
        message = self._functions[name]
        signature = message.message(1)
        body = Body(_by_name(message.messages(3)), self.outputs)
        body.arguments = tuple(each.text(1) for each in signature.messages(2))
        returned = {entry.text(1): entry.text(2) for entry in message.messages(4)}
        names = [each.text(1) for each in signature.messages(3)]
        missing = [name for name in names if name not in returned]
        if missing:
            raise UnreadableModel(f"the function {name[:80]!r} does not return {missing[0][:80]!r}")
        body.results = tuple(body.tensor(returned[name]) for name in names)
        return self._bodies.setdefault(name, body)


def _by_name(nodes: Sequence[Message]) -> dict[str, Message]:
    if len(nodes) > MOST_NODES:
        raise UnreadableModel(f"more than {MOST_NODES:,} operators")
    return {node.text(1): node for node in nodes}
