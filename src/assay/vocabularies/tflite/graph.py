"""A TensorFlow Lite graph on its way to the operator graph that the passes work on.

Feature maps are held channels first (``layout``); each operator's own rule is in ``operators`` and
the modules that it lists, and what has none stays opaque, as "tflite::NAME".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.errors import UnreadableModel
from assay.graphs.operators import FLOAT, INT64, Operator, Shape, Tensor
from assay.vocabularies.tflite.dilation import readers
from assay.vocabularies.tflite.layout import channels_first, channels_last, unfolded
from assay.vocabularies.tflite.schema import StoredOperator, Subgraph
from assay.vocabularies.tflite.tensors import StoredTensor

if TYPE_CHECKING:
    from assay.vocabularies.tflite.subgraphs import Unfolding

OPAQUE = "tflite::"
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
    file: Unfolding  # what it shares with the other graphs
    names: tuple[str, ...]  # unique, but for constants of the same bytes
    behind: Mapping[int, int]  # a constant's real values → where they are stored
    maps: frozenset[int]  # tensors that are held channels first
    prefix: str = ""  # of the names in a body
    readers: dict[int, list[int]] | None = None  # tensor → operators; -1: the graph's outputs
    operators: list[Operator] = field(default_factory=list)
    tensors: dict[str, Tensor] = field(default_factory=dict)
    made: dict[tuple[str, Shape, Shape], str] = field(default_factory=dict)  # constants, turned

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
        value = self.stored(place).known(self.file.content).value
        if value is None or value.dtype.kind not in "iu":
            return None
        return tuple(int(v) for v in value.reshape(-1))

    def fresh(self, name: str) -> str:
        """A name that no tensor has."""
        return self.file.fresh(name)

    def vector(self, numbers: Sequence[int]) -> str:
        """Whole numbers as a constant of its own."""
        value = np.array(numbers, np.int64)
        return self.own(Tensor(INT64, value.shape, value, True))

    def number(self, value: float) -> str:
        """A real number as a constant of its own."""
        return self.own(Tensor(FLOAT, (), np.array(value, np.float32), True))

    def own(self, tensor: Tensor) -> str:
        """A constant that the file does not have, by a name of its own."""
        name = self.fresh(f"{self.prefix}const")
        self.tensors[name] = tensor
        return name

    def read(self, place: int) -> str:
        """The tensor's name in the file's own order of axes; "" where it is absent."""
        if place < 0:
            return ""
        name = self.names[place]
        if self.is_constant(place) and name not in self.tensors:
            self.tensors[name] = self.stored(place).known(self.file.content)
        if place not in self.maps:
            return name
        return self.turned(name, channels_last(len(self.shape(place))))

    def read_map(self, place: int) -> str:
        """The tensor's name with channels first."""
        if place in self.maps:
            return self.names[place]
        return self.turned(self.read(place), channels_first(len(self.shape(place))))

    def operand(self, place: int, rank: int) -> str:
        """One of several tensors that are broadcast, where the result has channels first."""
        shape = self.shape(place) if place >= 0 else ()
        if place < 0 or (prod(shape) == 1 and len(shape) < rank and place not in self.maps):
            return self.read(place)
        if len(shape) == rank:
            return self.read_map(place)
        wide = (1,) * (rank - len(shape)) + shape
        return self.turned(self.read(place), channels_first(rank), wide)

    def kernel(self, place: int, order: Shape) -> str:
        """A weight with its axes in ONNX's order."""
        if len(self.shape(place)) != len(order):
            raise UnreadableModel(f"weight {self.names[place]!r} has another rank than its layer")
        return self.turned(self.read(place), order)

    def bias(self, node: StoredOperator, place: int) -> tuple[str, ...]:
        """The bias at an input's place, as one or no name: zeros stand for none."""
        index = node.inputs[place] if len(node.inputs) > place else -1
        if index < 0:
            return ()
        tensor = self.stored(index)
        if tensor.constant:
            bytes_ = self.file.content[tensor.start : tensor.start + tensor.length]
            if tensor.length <= _MOST_BIAS and not any(bytes_.tobytes().strip(b"\0")):
                return ()
        return (self.read(index),)

    def unfolded(self, place: int) -> Shape:
        """The leading axes that a matrix is seen with next."""
        if self.readers is None:
            self.readers = readers(self.graph)
        return unfolded(self.graph, place, self.readers.get(place, []))

    def turned(self, name: str, order: Shape, shape: Shape = ()) -> str:
        """A tensor with its axes in another order, seen as of another shape first."""
        known = self.made.get((name, order, shape))
        if known is not None:
            return known
        seen = self.step("Reshape", (name, self.vector(shape))) if shape else name
        result = seen
        if order != tuple(range(len(order))):
            result = self.step("Transpose", (seen,), {"perm": order})
        if name in self.tensors and self.tensors[name].constant:
            self.made[name, order, shape] = result
        return result

    def append(
        self,
        op: str,
        inputs: Sequence[str],
        outputs: Sequence[str],
        attributes: Mapping[str, Any] | None = None,
    ) -> None:
        """One operator.  Raises UnreadableModel where there are too many."""
        self.file.spend()
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
        shape: Shape = (),
    ) -> None:
        """The operator that writes a tensor.

        ``first``: what it writes has channels first; ``shape``: it is then brought to this one.
        """
        name = self.names[place]
        wrong = first != (place in self.maps)
        last = self.fresh(name) if wrong or shape else name
        if fused in _FUSED:
            activation, bounds = _FUSED[fused]
            linear = self.fresh(name)
            self.append(op, inputs, (linear,), attributes)
            self.append(activation, (linear,), (last,), bounds)
        else:
            self.append(op, inputs, (last,), attributes)
        if shape:
            self.append("Reshape", (last, self.vector(shape)), (name,))
        elif wrong:
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
