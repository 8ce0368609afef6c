"""A TensorFlow Lite graph turned into the operator graph that the passes work on.

Feature maps are held channels first (``_tflite_layout``); each operator's own rule is in
``_tflite_operators`` and ``_tflite_moves``, and what has none stays opaque, as "tflite::NAME".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np

from assay.errors import UnreadableModel
from assay.graphs.operators import INT64, Operator, OperatorGraph, Shape, Tensor, in_order
from assay.vocabularies.inputs import Dimension, InputShapes, concrete, match
from assay.vocabularies.tflite_dilation import with_dilations
from assay.vocabularies.tflite_layout import channels_first, channels_last, feature_maps, spellings
from assay.vocabularies.tflite_names import unique
from assay.vocabularies.tflite_schema import StoredOperator, Subgraph
from assay.vocabularies.tflite_tensors import StoredTensor

OPAQUE = "tflite::"
MOST_WRITTEN = 200_000  # operators, once each is spelled in ONNX's
_MOST_BIAS = 2**20  # bytes of a bias that is looked at
_FUSED: dict[int, tuple[str, dict[str, float]]] = {
    1: ("Relu", {}),
    2: ("Clip", {"min": -1.0, "max": 1.0}),
    3: ("Clip", {"min": 0.0, "max": 6.0}),
    4: ("Tanh", {}),
    5: (OPAQUE + "SIGN_BIT", {}),
}


@dataclass
class Writer:
    """One subgraph on its way to ONNX's vocabulary; tensors are known by their place in it."""

    graph: Subgraph
    content: memoryview
    names: tuple[str, ...]  # unique
    behind: Mapping[int, int]  # a constant's real values → where they are stored
    maps: frozenset[int]  # tensors that are held channels first
    operators: list[Operator] = field(default_factory=list)
    tensors: dict[str, Tensor] = field(default_factory=dict)
    orders: dict[int, Shape] = field(default_factory=dict)  # constant → the canonical order of axes
    made: dict[tuple[int, Shape, Shape | None], str] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    count: int = 0

    def stored(self, place: int) -> StoredTensor:
        """The tensor, or of a constant that is dequantized first, the one in the file."""
        return self.graph.tensors[self.behind.get(place, place)]

    def shape(self, place: int) -> Shape:
        """As the file has it."""
        return self.graph.tensors[place].shape

    def is_constant(self, place: int) -> bool:
        """Whether the file holds its values."""
        return self.stored(place).constant

    def numbers(self, place: int) -> Shape | None:
        """The values of a short integer constant, None where it is something else."""
        if not self.is_constant(place):
            return None
        value = self.stored(place).known(self.content).value
        if value is None or value.dtype.kind not in "iu":
            return None
        return tuple(int(v) for v in value.reshape(-1))

    def fresh(self, name: str) -> str:
        """A name that no tensor has."""
        while True:
            self.count += 1
            found = f"{name}/{self.count}"
            if found not in self.used:
                self.used.add(found)
                return found

    def vector(self, numbers: Sequence[int]) -> str:
        """A constant of its own."""
        name = self.fresh("const")
        value = np.array(numbers, np.int64)
        self.tensors[name] = Tensor(INT64, value.shape, value, True)
        return name

    def read(self, place: int) -> str:
        """The tensor's name in the file's own order of axes; "" where it is absent."""
        if place < 0:
            return ""
        name = self.names[place]
        if self.is_constant(place):
            self.tensors.setdefault(name, self.stored(place).known(self.content))
        if place not in self.maps:
            return name
        return self.turned(name, channels_last(len(self.shape(place))))

    def read_map(self, place: int) -> str:
        """The tensor's name with channels first."""
        if place in self.maps:
            return self.names[place]
        if self.is_constant(place):
            return self.reordered(place, channels_first(len(self.shape(place))))
        return self.turned(self.read(place), channels_first(len(self.shape(place))))

    def operand(self, place: int, rank: int) -> str:
        """One of several tensors that are broadcast, where the result has channels first."""
        shape = self.shape(place) if place >= 0 else ()
        if place < 0 or (prod(shape) == 1 and len(shape) < rank and place not in self.maps):
            return self.read(place)
        if len(shape) == rank:
            return self.read_map(place)
        wide = (1,) * (rank - len(shape)) + shape
        if self.is_constant(place):
            return self.reordered(place, channels_first(rank), wide)
        name = self.fresh(self.names[place])
        self.append("Reshape", (self.read(place), self.vector(wide)), (name,))
        return self.turned(name, channels_first(rank))

    def reordered(self, place: int, order: Shape, shape: Shape | None = None) -> str:
        """A constant with its axes in another order, seen as of another shape first."""
        known = self.made.get((place, order, shape))
        if known is not None:
            return known
        tensor = self.stored(place).known(self.content)
        old = tensor.shape if shape is None else shape
        if old is None or len(old) != len(order) or prod(old) != tensor.size:
            raise UnreadableModel(f"tensor {self.names[place]!r} has a shape that does not fit")
        value = tensor.value
        if value is not None:
            value = value.reshape(old).transpose(order)
        name = self.fresh(self.names[place])
        self.tensors[name] = Tensor(tensor.dtype, tuple(old[i] for i in order), value, True)
        self.made[place, order, shape] = name
        return name

    def kernel(self, place: int, order: Shape, canonical: Shape | None = None) -> str:
        """A weight with its axes in ONNX's order; ``canonical`` is that of its values."""
        if len(self.shape(place)) != len(order):
            raise UnreadableModel(f"weight {self.names[place]!r} has another rank than its layer")
        if not self.is_constant(place):
            return self.turned(self.read(place), order)
        self.orders.setdefault(self.behind.get(place, place), canonical or order)
        return self.reordered(place, order)

    def bias(self, node: StoredOperator, place: int) -> tuple[str, ...]:
        """The bias at an input's place, as one or no name: zeros stand for none."""
        index = node.inputs[place] if len(node.inputs) > place else -1
        if index < 0:
            return ()
        tensor = self.stored(index)
        if tensor.constant:
            self.orders.setdefault(self.behind.get(index, index), tuple(range(len(tensor.shape))))
            bytes_ = self.content[tensor.start : tensor.start + tensor.length]
            if tensor.length <= _MOST_BIAS and not any(bytes_.tobytes().strip(b"\0")):
                return ()
        return (self.read(index),)

    def turned(self, name: str, order: Shape) -> str:
        """The name of a tensor with its axes in another order."""
        result = self.fresh(name)
        self.append("Transpose", (name,), (result,), {"perm": order})
        return result

    def append(
        self,
        op: str,
        inputs: Sequence[str],
        outputs: Sequence[str],
        attributes: Mapping[str, Any] | None = None,
    ) -> None:
        """One operator.  Raises UnreadableModel where there are too many."""
        if len(self.operators) >= MOST_WRITTEN:
            raise UnreadableModel(f"more than {MOST_WRITTEN:,} operators")
        self.operators.append(Operator(op, tuple(inputs), tuple(outputs), attributes or {}))

    def step(
        self, op: str, inputs: Sequence[str], attributes: Mapping[str, Any] | None = None
    ) -> str:
        """An operator on the way to another; the name of what it writes."""
        name = self.fresh(inputs[0] or op)
        self.append(op, inputs, (name,), attributes)
        return name

    def emit(
        self,
        op: str,
        inputs: Sequence[str],
        place: int,
        attributes: Mapping[str, Any] | None = None,
        first: bool = False,
        fused: int = 0,
    ) -> None:
        """The operator that writes a tensor; ``first``: what it writes has channels first."""
        name = self.names[place]
        wrong = first != (place in self.maps)
        last = self.fresh(name) if wrong else name
        if fused in _FUSED:
            activation, bounds = _FUSED[fused]
            linear = self.fresh(name)
            self.append(op, inputs, (linear,), attributes)
            self.append(activation, (linear,), (last,), bounds)
        else:
            self.append(op, inputs, (last,), attributes)
        if wrong:
            rank = len(self.shape(place))
            order = channels_last(rank) if first else channels_first(rank)
            self.append("Transpose", (last,), (name,), {"perm": order})

    def opaque(self, node: StoredOperator) -> None:
        """An operator that ONNX does not have; its outputs' shapes are those of the file."""
        inner = [self.fresh(self.names[place]) if place >= 0 else "" for place in node.outputs]
        op = OPAQUE + node.op.removeprefix("custom::")
        self.append(op, [self.read(place) for place in node.inputs], inner)
        for name, place in zip(inner, node.outputs, strict=True):
            if not name:
                continue
            if -1 in self.graph.tensors[place].signature:
                self.emit("Identity", (name,), place)
            else:
                self.emit("Reshape", (name, self.vector(self.shape(place))), place)


def convert(graph: Subgraph, content: memoryview, given: InputShapes) -> Writer:
    """The graph in ONNX's operators.  Raises UnreadableModel where it is not sound."""
    from assay.vocabularies.tflite_operators import write

    graph = with_dilations(graph, content)
    names = unique([tensor.name for tensor in graph.tensors])
    behind = spellings(graph)
    constants = frozenset(
        i for i in range(len(graph.tensors)) if graph.tensors[behind.get(i, i)].constant
    )
    writer = Writer(graph, content, names, behind, feature_maps(graph, constants))
    writer.used.update(names)
    _starts(writer, given)
    for node in graph.operators:
        if not any(place >= 0 and place not in behind for place in node.outputs):
            continue  # a constant, or nothing
        write(writer, node)
    return writer


def operator_graph(writer: Writer) -> OperatorGraph:
    """What was written, in order."""
    for place in writer.graph.outputs:
        if place >= 0 and writer.is_constant(place):
            writer.read(place)
    outputs = tuple(writer.names[place] for place in writer.graph.outputs if place >= 0)
    inputs = tuple(writer.names[place] for place in writer.graph.inputs if place >= 0)
    return in_order(OperatorGraph(tuple(writer.operators), inputs, outputs, writer.tensors))


def _starts(writer: Writer, given: InputShapes) -> None:
    """The model's inputs, and states that live between two runs."""
    places = [place for place in writer.graph.inputs if place >= 0]
    wanted = match(given, {writer.names[place] for place in places})
    for place in places:
        tensor, name = writer.graph.tensors[place], writer.names[place]
        dims: list[Dimension] = [None if dim < 0 else dim for dim in tensor.signature]
        start = concrete(name, tensor.onnx_type(), dims, wanted.get(name))
        if place in writer.maps and start.shape is not None:
            order = channels_first(len(start.shape))
            start = Tensor(start.dtype, tuple(start.shape[axis] for axis in order))
        writer.tensors[name] = start
    written = {place for node in writer.graph.operators for place in node.outputs}
    for place, tensor in enumerate(writer.graph.tensors):
        empty = not tensor.constant and 0 in tensor.shape
        if (tensor.variable or empty) and place not in written:
            shape = tensor.shape
            if place in writer.maps:
                shape = tuple(shape[axis] for axis in channels_first(len(shape)))
            writer.tensors.setdefault(writer.names[place], Tensor(tensor.onnx_type(), shape))
