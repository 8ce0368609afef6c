"""A Core ML program (MIL) as an operator graph and weights [coremltools, MIL.proto].

Operations read and write named values; constants are operations too.  Axes are in ONNX's order.
Each operation is told in ONNX's words by ``_coreml_operators``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from assay.containers.messages import Message
from assay.errors import UnreadableModel
from assay.graphs.operators import BOOL, FLOAT, INT64, MOST_VALUES, OperatorGraph
from assay.vocabularies.builder import GraphBuilder
from assay.vocabularies.coreml_blobs import TYPES, Blobs, Value
from assay.vocabularies.coreml_compressed import expanded
from assay.vocabularies.inputs import Dimension, InputShapes, concrete, match
from assay.weights import Array, Weight
from assay.weights.conventions import known, matrix, transposed_groups

Defaults = Mapping[str, list[int]]  # shapes that the model's description gives its inputs

MOST_OPERATIONS = 500_000


@dataclass
class Operation:
    """One operation with its arguments: names of values."""

    kind: str
    outputs: list[str]
    arguments: Mapping[str, list[str]]


@dataclass
class Program:
    """What is read of a program: its graph, and the weights by name."""

    blobs: Blobs
    build: GraphBuilder = field(default_factory=GraphBuilder)
    values: dict[str, Value] = field(default_factory=dict)
    weights: dict[str, Weight] = field(default_factory=dict)

    def read(self, message: Message, given: InputShapes, defaults: Defaults) -> OperatorGraph:
        """The graph of the main function."""
        from assay.vocabularies.coreml_operators import translate

        functions = {entry.text(1): entry.message(2) for entry in message.messages(2)}
        if not functions:
            raise UnreadableModel("the program has no function")
        function = functions.get("main") or next(iter(functions.values()))
        self._inputs(function, given, defaults)
        block = _block(function)
        operations = block.messages(3)
        if len(operations) > MOST_OPERATIONS:
            raise UnreadableModel(f"more than {MOST_OPERATIONS:,} operations")
        for operation in operations:
            self._operation(operation, translate)
        return self.build.graph(block.texts(2))

    def _inputs(self, function: Message, given: InputShapes, defaults: Defaults) -> None:
        inputs = {value.text(1): value.message(2, 1) for value in function.messages(1)}
        wanted = match(given, inputs)
        for name, kind in inputs.items():
            dims: list[Dimension] | None = [
                dim.message(1).integer(1) if dim.has(1) else None for dim in kind.messages(3)
            ]
            usual = defaults.get(name, [])
            if dims is not None and len(usual) == len(dims):
                dims = [u if d is None and u > 0 else d for d, u in zip(dims, usual, strict=True)]
            code = _code(kind.integer(1))
            self.build.input(name, concrete(name, code, dims, wanted.get(name)))

    def _operation(self, message: Message, translate: Any) -> None:
        kind = message.text(1)
        outputs = [value.text(1) for value in message.messages(3)]
        if not outputs:
            return
        attributes = {entry.text(1): entry.message(2) for entry in message.messages(5)}
        if kind == "const":
            if "val" not in attributes:
                raise UnreadableModel(f"the constant {outputs[0][:80]!r} has no value")
            self._constant(outputs[0], self.blobs.value(attributes["val"]))
            return
        arguments = {
            entry.text(1): self._bindings(entry.message(2), outputs[0])
            for entry in message.messages(2)
        }
        if kind.startswith("constexpr_"):
            values = {
                name: self.values[names[0]]
                for name, names in arguments.items()
                if names and names[0] in self.values
            }
            values |= {
                name: self.blobs.value(value)
                for name, value in attributes.items()
                if name != "name"
            }
            value = expanded(kind, values)
            if value is not None:
                self._constant(outputs[0], value)
                return
        translate(self, Operation(kind, outputs, arguments))

    def _bindings(self, argument: Message, owner: str) -> list[str]:
        """The names that an argument is bound to; what stands there itself gets one."""
        names = []
        for binding in argument.messages(1):
            if binding.has(1):
                names.append(binding.text(1))
            else:
                name = self.build.fresh(owner)
                self._constant(name, self.blobs.value(binding.message(2)))
                names.append(name)
        return names

    def _constant(self, name: str, value: Value) -> None:
        self.values[name] = value
        if value.text is not None or not value.dtype:
            return
        flat = len(value.shape) < 2
        weight = Weight(name, value.shape, value.dtype, lambda: _real(value), flat)
        # Numbers that stand in the program itself are options more often than weights.
        if value.inline and weight.size <= MOST_VALUES:
            self.build.named(name, value.read())
            return
        self.weights[name] = weight
        self.build.weight(weight)

    def array(self, name: str) -> Any:
        """The numbers of a small constant; None where there are none."""
        value = self.values.get(name)
        if value is None or value.text is not None:
            return None
        return value.read() if int(np.prod(value.shape)) <= MOST_VALUES else None

    def is_weight(self, name: str) -> bool:
        """Whether the name is a constant's."""
        return name in self.values

    def layout(self, name: str, change: str, groups: int = 1) -> None:
        """An operator shows how the axes of a weight lie."""
        weight = self.weights.get(name)
        if weight is None or weight.canonical:
            return
        if change == "matrix":
            weight = matrix(weight)
        elif change == "transposed":
            weight = transposed_groups(weight, groups)
        else:
            weight = known(weight)
        self.weights[name] = weight


def _block(function: Message) -> Message:
    blocks = {entry.text(1): entry.message(2) for entry in function.messages(3)}
    if not blocks:
        raise UnreadableModel("a function of the program has no block")
    return blocks.get(function.text(2)) or next(iter(blocks.values()))


def _code(dtype: int) -> int:
    name = TYPES.get(dtype, ("",))[0]
    return BOOL if name == "bool" else INT64 if "int" in name else FLOAT if name else 0


def _real(value: Value) -> Array:
    return value.read().astype(np.float32, copy=False)
