"""An operator graph put together one operator at a time, by readers of other vocabularies.

What ONNX reads as a small tensor (axes, shapes, pads), other formats keep as attributes; the
builder makes the constants.  Weights are constants too, of known type and without values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from assay.errors import UnreadableModel
from assay.graphs import _vocabulary as vocabulary
from assay.graphs._shape_rules import infer
from assay.graphs.operators import (
    BOOL,
    FLOAT,
    INT64,
    MOST_VALUES,
    UNKNOWN,
    Operator,
    OperatorGraph,
    Tensor,
    in_order,
)
from assay.weights import Weight
from assay.weights.shapes import shape_of

MOST_OPERATORS = 50_000
# Operators that do the same to each element wherever it lies.
_ANY_ORDER = (vocabulary.ACTIVATIONS | vocabulary.BROADCAST) - {"PRelu"} | {"Exp", "Sqrt", "Neg"}
_CODES = {"f": FLOAT, "i": INT64, "u": INT64, "b": BOOL}


@dataclass
class GraphBuilder:
    """Operators so far, and what is known of the tensors that none of them writes."""

    operators: list[Operator] = field(default_factory=list)
    tensors: dict[str, Tensor] = field(default_factory=dict)
    inputs: list[str] = field(default_factory=list)
    written: dict[str, Tensor] = field(default_factory=dict)  # by operators, as far as known
    twins: dict[str, str] = field(default_factory=dict)  # channels last → the same, channels first
    _made: int = 0

    def input(self, name: str, tensor: Tensor) -> None:
        """An input of the model."""
        self.inputs.append(name)
        self.tensors[name] = tensor

    def fresh(self, hint: str) -> str:
        """A name that the file does not have."""
        self._made += 1
        return f"{hint}/%{self._made}"

    def weight(self, weight: Weight, shape: Sequence[int] | None = None) -> str:
        """A tensor of the file, as an operator reads it: with ONNX's axes."""
        dims = shape_of(f"tensor {weight.name!r}", weight.shape if shape is None else shape)
        self.tensors[weight.name] = Tensor(FLOAT, dims, None, True)
        return weight.name

    def constant(self, values: Any, hint: str = "constant") -> str:
        """A small tensor of its own, by a fresh name."""
        name = self.fresh(hint)
        self.named(name, np.asarray(values))
        return name

    def named(self, name: str, array: Any) -> None:
        """A tensor with values; those of a large one are not kept."""
        code = _CODES.get(array.dtype.kind, 0)
        if code == INT64:
            array = array.astype(np.int64)
        value = array if array.size <= MOST_VALUES and code else None
        self.tensors[name] = Tensor(code, array.shape, value, True)

    def untyped(self, name: str, shape: Sequence[int]) -> None:
        """A large constant of the file, in its stored axes."""
        self.tensors[name] = Tensor(FLOAT, tuple(shape), None, True)

    def add(
        self,
        op: str,
        inputs: Sequence[str],
        outputs: str | Sequence[str] = "",
        attributes: Mapping[str, Any] | None = None,
    ) -> str:
        """One operator; its first output, which gets a fresh name where none is given."""
        names = (outputs,) if isinstance(outputs, str) else tuple(outputs)
        names = (names[0] or self.fresh(op), *names[1:])
        if op in _ANY_ORDER and any(name in self.twins for name in inputs) and len(names) == 1:
            rank = max(self.rank(name) for name in inputs)
            twins = [self._twin(name, rank) for name in inputs]
            if all(twins):
                return self.last(self.add(op, twins, "", attributes), names[0])
        if len(self.operators) >= MOST_OPERATORS:
            raise UnreadableModel(f"more than {MOST_OPERATORS:,} operators")
        node = Operator(op, tuple(inputs), names, dict(attributes or {}))
        self.operators.append(node)
        known = [self.known(name) if name else None for name in inputs]
        results = infer(node, known)
        if "::" not in op and all(t is None or t.constant for t in known):
            results = [Tensor(t.dtype, t.shape, t.value, True) for t in results]
        self.written |= dict(zip(names, results, strict=False))
        return names[0]

    def _twin(self, name: str, rank: int) -> str:
        """The tensor with channels first, where it has one, or is a constant that can be turned."""
        tensor = self.known(name)
        if name in self.twins or not tensor.constant or tensor.shape is None:
            return self.twins.get(name, "")
        if tensor.size == 1:
            return name  # the same either way
        *others, channels = tensor.shape
        if all(dim == 1 for dim in others):
            return self.add("Reshape", [name, self.constant([channels, *[1] * (rank - 2)])])
        if len(tensor.shape) == rank:
            return self.first(name, rank - 2)
        return ""

    def first(self, name: str, space: int) -> str:
        """The tensor of so many axes of space, channels first."""
        if name not in self.twins:
            self.twins[name] = self.transpose(name, (0, space + 1, *range(1, space + 1)))
        return self.twins[name]

    def last(self, name: str, output: str = "", rank: int = 0) -> str:
        """The tensor with channels last.  Nothing reads it where all readers want them first.

        ``rank`` is its number of axes where that is not known from elsewhere.
        """
        rank = self.rank(name) or rank
        if rank < 3:
            return self.add("Identity", [name], output)
        result = self.transpose(name, (0, *range(2, rank), 1), output)
        self.twins[result] = name
        return result

    def known(self, name: str) -> Tensor:
        """What is known of a tensor so far."""
        return self.tensors.get(name) or self.written.get(name, UNKNOWN)

    def rank(self, name: str) -> int:
        """The number of a tensor's axes; 0 where unknown."""
        return len(self.known(name).shape or ())

    def transpose(self, name: str, axes: Sequence[int], output: str = "") -> str:
        """The tensor with its axes in another order."""
        return self.add("Transpose", [name], output, {"perm": tuple(axes)})

    def graph(self, outputs: Sequence[str]) -> OperatorGraph:
        """The finished graph.  Raises UnreadableModel where it is none."""
        known = {name for node in self.operators for name in node.outputs} | self.tensors.keys()
        missing = [name for name in outputs if name not in known]
        if missing:
            raise UnreadableModel(f"output {missing[0]!r} is written by nothing")
        return in_order(
            OperatorGraph(tuple(self.operators), tuple(self.inputs), tuple(outputs), self.tensors)
        )
