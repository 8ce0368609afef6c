"""The graph that a TorchScript program makes when it is followed, one ATen call at a time.

Rules of the operators work on it: they ask for shapes, give numbers as small constants, and add
operators.  Values are followed where all that is read is known, as sizes are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np

from assay.containers.pickled_weights import Tensor as Stored
from assay.containers.strided import Strided
from assay.graphs import _vocabulary as vocabulary
from assay.graphs._values import evaluate
from assay.graphs.inline_bodies import CONTROL
from assay.graphs.operators import (
    BOOL,
    FLOAT,
    INT64,
    MOST_AXES,
    MOST_VALUES,
    Operator,
    Shape,
    Tensor,
    Values,
)
from assay.graphs.shapes import LARGEST
from assay.vocabularies.builder import GraphBuilder
from assay.vocabularies.torchscript.shapes import NeedsNumber, NeedsShape, NeedsSize, before
from assay.vocabularies.torchscript.values import Budget, Object, Traced, Value
from assay.weights.numbers import INTEGERS

# torch.dtype, by its number → onnx.TensorProto.DataType
DTYPES = {0: 2, 1: 3, 2: 5, 3: 6, 4: 7, 5: 10, 6: 1, 7: 11, 11: 9, 12: 3, 13: 2, 14: 6, 15: 16}
SCALAR_TYPES = {code: number for number, code in DTYPES.items() if number < 12 or number == 15}
_STORED = {
    "float64": 11, "float32": 1, "float16": 10, "bfloat16": 16, "int64": 7, "int32": 6, "int16": 5,
    "int8": 3, "uint8": 2, "bool": 9,
}  # fmt: skip
_WHOLE = (2, 3, 4, 5, 6, INT64)
_FLOATS = (FLOAT, 10, 11, 16)
_MOST_STEPS_BACK = 100
_STEPS_AN_OPERATOR = 20  # that adding one takes as much time as
_SMALL_STORAGE = 2**16  # bytes: numbers in larger ones stay there


class TorchGraph:
    """Operators so far, with the archive's tensors by name."""

    def __init__(self, build: GraphBuilder, names: Mapping[int, str], budget: Budget) -> None:
        """``names`` are those of the archive's tensors, by identity."""
        self.build, self.names, self.budget = build, names, budget
        self.writers: dict[str, Operator] = {}
        self.handles: dict[str, Traced] = {}  # of the archive's tensors
        self.waiting: dict[str, Stored] = {}  # those that nothing has asked for
        self.is_strict = True  # whether operands must fit each other

    # what is known

    def shape(self, value: Traced) -> Shape | None:
        """None where the rank is unknown; -1 for unknown dimensions."""
        return self.known(value.name).shape

    def sizes(self, value: Traced) -> Shape:
        """The whole shape.  Raises ValueError where some of it is unknown."""
        shape = self.shape(value)
        if shape is None or -1 in shape:
            raise ValueError("an unknown shape")
        return shape

    def rank(self, value: Traced) -> int:
        """Raises ValueError where it is unknown."""
        shape = self.shape(value)
        if shape is None:
            raise ValueError("an unknown rank")
        return len(shape)

    def dtype(self, value: Traced) -> int:
        """Of onnx.TensorProto.DataType; 0 where unknown."""
        return self.known(value.name).dtype

    def is_float(self, value: Value) -> bool:
        return self.dtype(value) in _FLOATS if isinstance(value, Traced) else type(value) is float

    def is_whole(self, value: Value) -> bool:
        """Whether a tensor is of integers."""
        return isinstance(value, Traced) and self.dtype(value) in _WHOLE

    def number(self, value: Value) -> Value:
        """A tensor of one known number as that number, anything else as it is."""
        if isinstance(value, Traced):
            known = self.known(value.name).value
            if known is not None and known.size == 1:
                return known.reshape(-1)[0].item()
        return value

    # tensors of the archive

    def stored(self, tensor: Stored) -> Traced:
        """A tensor of the archive."""
        name = self.names[id(tensor)]
        self.waiting.setdefault(name, tensor)
        return self.handles.setdefault(name, Traced(name))

    def known(self, name: str) -> Tensor:
        """What is known of a tensor; the values of small ones of the archive are read."""
        if name in self.waiting:
            tensor = self.waiting.pop(name)
            self.build.tensors[name] = Tensor(_code(tensor), tensor.shape, _value(tensor), True)
        return self.build.known(name)

    # operators

    def add(
        self, op: str, inputs: Sequence[Value], attributes: Mapping[str, Any] | None = None
    ) -> Traced:
        """The first output of an operator."""
        return self.several(op, inputs, 1, attributes)[0]

    def several(
        self,
        op: str,
        inputs: Sequence[Value],
        count: int,
        attributes: Mapping[str, Any] | None = None,
    ) -> tuple[Traced, ...]:
        """All outputs of an operator."""
        build = self.build
        self.budget.spend(_STEPS_AN_OPERATOR + len(inputs) + count)
        read = [self.name(value) for value in inputs]
        known = [self.known(name) if name else None for name in read]
        while read and not read[-1]:
            read.pop()
            known.pop()
        names = tuple(build.fresh(op) for _ in range(count))
        build.add(op, read, names, attributes)
        node = build.operators[-1]
        self.writers |= dict.fromkeys(names, node)
        for name in names:
            build.written[name] = _possible(build.written[name])
        if self.is_strict and op in vocabulary.BROADCAST and self._contradicts(names[0], known):
            raise NeedsSize
        if (
            "::" not in op
            and op not in CONTROL
            and known
            and all(t is None or t.constant for t in known)
        ):
            found = [build.known(name) for name in names]
            values = evaluate(node, known, found)
            for place, (name, tensor) in enumerate(zip(names, found, strict=True)):
                value = None if values is None else values[place]
                shape = tensor.shape if value is None else value.shape
                build.written[name] = Tensor(tensor.dtype, shape, value, True)
        return tuple(Traced(name) for name in names)

    def _contradicts(self, result: str, operands: Sequence[Tensor | None]) -> bool:
        """Whether operands of known shapes do not fit each other, and one is a constant."""
        shapes = [tensor.shape for tensor in operands if tensor is not None]
        whole = all(shape is not None and -1 not in shape for shape in shapes)
        fixed = any(tensor is not None and tensor.constant for tensor in operands)
        return whole and fixed and -1 in (self.known(result).shape or ())

    def name(self, value: Value) -> str:
        """What an operator reads: "" of None, a constant of numbers."""
        if value is None:
            return ""
        if isinstance(value, Traced):
            return value.name
        if isinstance(value, str):
            return value
        if isinstance(value, Object):
            raise TypeError("an object is no tensor")
        return self.constant(value).name

    def constant(self, value: Value, dtype: int = 0) -> Traced:
        """Numbers as a tensor: floats, integers or truth values, as they are."""
        kinds = {FLOAT: np.float32, 10: np.float32, 11: np.float32, 16: np.float32, BOOL: np.bool_}
        array = np.asarray(value)
        if array.dtype.kind not in "biuf":
            raise TypeError("no numbers")
        usual = np.float32 if array.dtype.kind == "f" else array.dtype
        return Traced(self.build.constant(array.astype(kinds.get(dtype, usual))))

    def like(self, value: Value, other: Value) -> Value:
        """A number as an operand beside ``other``: of its type."""
        if isinstance(value, Traced):
            return value
        return self.constant(value, FLOAT if self.is_float(other) else 0)

    def integers(self, values: Value) -> Traced:
        """A list of sizes as one tensor, some of which may only be known when it is run."""
        values = [self.number(value) for value in values]
        if all(type(value) is int for value in values):
            return self.constant(np.asarray(values, np.int64))
        axes = self.constant([0])
        parts = [
            self.add("Unsqueeze", [v, axes]) if isinstance(v, Traced) else self.constant([v])
            for v in values
        ]
        return self.add("Concat", parts, {"axis": 0})

    def need(self, value: Traced, dims: list[int | None], dtype: int = FLOAT) -> None:
        """Says what shape ``value`` has, where that is unknown and it comes from an input.

        Raises NeedsShape for that input; does nothing where no way back to it is known.
        """
        is_open = any(self.build.tensors[name].shape is None for name in self.build.inputs)
        if self.shape(value) is not None or not is_open:
            return
        waiting, seen = [(value.name, dims)], {""}
        while waiting and len(seen) < _MOST_STEPS_BACK:
            name, dims = waiting.pop()
            if name in seen:
                continue
            seen.add(name)
            self.budget.spend()
            if name in self.build.inputs and self.build.tensors[name].shape is None:
                raise NeedsShape(name, dims, dtype)
            if name in self.writers:
                node = self.writers[name]
                waiting += reversed(list(before(node, dims, self.known, self.build.inputs)))

    def compare(self, value: Value, other: Value) -> None:
        """Raises NeedsNumber where ``value`` is a number among the inputs and the other known."""
        is_input = isinstance(value, Traced) and value.number and value.name in self.build.inputs
        if is_input and type(other) is int:
            raise NeedsNumber(value.name, other)

    def size(self, value: Traced, axis: int) -> Value:
        """One size: a number where it is known."""
        shape = self.shape(value)
        if shape is not None and shape[axis] >= 0:
            return shape[axis]
        whole = self.add("Shape", [value])
        found = self.add("Gather", [whole, np.asarray(axis, np.int64)])
        self.build.written[found.name] = Tensor(INT64, ())
        return Traced(found.name, number=True)


def _code(tensor: Stored) -> int:
    is_real = isinstance(tensor, Strided) and tensor.affine is not None
    return FLOAT if is_real or not isinstance(tensor, Strided) else _STORED.get(tensor.dtype, 0)


def _value(tensor: Stored) -> Values | None:
    if not isinstance(tensor, Strided):
        return None
    if prod(tensor.shape) > MOST_VALUES or tensor.storage.size > _SMALL_STORAGE:
        return None
    numbers: Values = tensor.read()
    if tensor.affine is None and tensor.dtype in (*INTEGERS, "bool"):
        with np.errstate(all="ignore"):
            numbers = numbers.astype(np.bool_ if tensor.dtype == "bool" else np.int64)
    return numbers


def _possible(tensor: Tensor) -> Tensor:
    """What odd operands make of a shape is unknown: too many axes, absurd sizes."""
    shape = tensor.shape
    if shape is None or (len(shape) <= MOST_AXES and max(shape, default=0) <= LARGEST):
        return tensor
    return Tensor(tensor.dtype)
