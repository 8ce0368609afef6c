"""A Core ML program (MIL) as an operator graph and weights [coremltools, MIL.proto].

Operations read and write named values; constants are operations too.  Branches and loops have
blocks of their own.  Axes are in ONNX's order, and each operation is told in ONNX's words by
``operators``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod

import numpy as np

from assay.containers.messages import Message
from assay.errors import UnreadableModel
from assay.graphs.operators import (
    BOOL,
    FLOAT,
    INT64,
    MOST_VALUES,
    OperatorGraph,
    Shape,
    Tensor,
)
from assay.vocabularies.builder import GraphBuilder
from assay.vocabularies.coreml.blobs import TYPES, Blobs, Stored, Value, dimensions
from assay.vocabularies.coreml.compressed import expanded
from assay.vocabularies.coreml.hard_swish import without_cuts
from assay.vocabularies.inputs import Dimension, InputShapes, concrete, match
from assay.weights import Array, Weight, layout
from assay.weights.numbers import INTEGERS

Defaults = Mapping[str, list[int]]  # shapes that the model's description gives its inputs

MOST_OPERATIONS = 500_000
MOST_DEPTH = 50  # blocks inside blocks


@dataclass
class Operation:
    """One operation with its arguments: names of values."""

    kind: str
    outputs: list[str]
    arguments: Mapping[str, list[str]]
    shapes: list[Shape | None]  # of the outputs, where the file knows them
    blocks: list[Message]


@dataclass
class Program:
    """What is read of a function of a program: its graph, and its constants by name."""

    blobs: Blobs
    build: GraphBuilder = field(default_factory=GraphBuilder)
    values: dict[str, Value] = field(default_factory=dict)
    stored: dict[str, layout.Stored] = field(default_factory=dict)  # constants that are weights
    canonical: dict[str, Weight] = field(default_factory=dict)  # weights whose layout is settled
    states: dict[str, str] = field(default_factory=dict)  # a state → what was last written to it
    scope: dict[str, str] = field(default_factory=dict)  # names that a block has → tensors
    depth: int = 0
    operations_left: int = MOST_OPERATIONS

    def read(self, function: Message, given: InputShapes, defaults: Defaults) -> OperatorGraph:
        """The graph of a function."""
        self._inputs(function, given, defaults)
        outputs = self.block(_block(function))
        return without_cuts(self.build.graph(outputs))

    def weights(self, graph: OperatorGraph) -> dict[str, Weight]:
        """The function's weights, in the layout that their readers show."""
        found = layout.Weights(graph, self.stored)
        return {name: self.canonical.get(name) or found[name] for name in found}

    def _inputs(self, function: Message, given: InputShapes, defaults: Defaults) -> None:
        inputs = {}
        for value in function.messages(1):
            kind = value.message(2)
            inputs[value.text(1)] = kind.message(5, 1, 1) if kind.has(5) else kind.message(1)
        wanted = match(given, inputs)
        for name, kind in inputs.items():
            dims: list[Dimension] = [*dimensions(kind)]
            usual = defaults.get(name, [])
            if len(usual) == len(dims):
                dims = [u if d is None and u > 0 else d for d, u in zip(dims, usual, strict=True)]
            code = _code(TYPES.get(kind.integer(1), ("",))[0])
            self.build.input(name, concrete(name, code, dims, wanted.get(name)))

    def block(self, block: Message) -> list[str]:
        """Adds a block's operations; its outputs.  Raises UnreadableModel past the limits."""
        from assay.vocabularies.coreml.operators import translate

        operations = block.messages(3)
        self.operations_left -= len(operations)
        if self.operations_left < 0:
            raise UnreadableModel(f"more than {MOST_OPERATIONS:,} operations")
        for message in operations:
            operation = self._operation(message)
            if operation is None:
                continue
            translate(self, operation)
            for name, shape in zip(operation.outputs, operation.shapes, strict=True):
                if shape is not None and self.build.known(name).shape is None:
                    self.build.written[name] = Tensor(0, shape)
        return [self.scope.get(name, name) for name in block.texts(2)]

    def body(self, block: Message, after: Message | None = None) -> OperatorGraph:
        """A nested block as a graph; ``after`` is a block that reads what the first one gives."""
        outer, scope = self.build.operators, dict(self.scope)
        self.build.operators = []
        self.depth += 1
        if self.depth > MOST_DEPTH:
            raise UnreadableModel(f"blocks that are nested more than {MOST_DEPTH} deep")
        inputs = [self._new(value.text(1)) for value in block.messages(1)]
        outputs = self.block(block)
        if after is not None:
            entered = [value.text(1) for value in after.messages(1)]
            self.scope = scope | dict(zip(entered, outputs, strict=False))
            outputs = [*self.block(after)[:1], *outputs]
        operators = tuple(self.build.operators)
        self.build.operators, self.scope = outer, scope
        self.depth -= 1
        return OperatorGraph(operators, tuple(inputs), tuple(outputs), {})

    def _new(self, name: str) -> str:
        """The tensor that a name of this block is; blocks beside each other share names."""
        self.scope[name] = self.build.fresh(name) if self.depth else name
        return self.scope[name]

    def _operation(self, message: Message) -> Operation | None:
        """An operation to translate; None where it is a constant."""
        kind = message.text(1)
        results = message.messages(3)
        arguments = {
            entry.text(1): self._bindings(entry.message(2), kind) for entry in message.messages(2)
        }
        outputs = [self._new(value.text(1)) for value in results]
        if not outputs and kind != "write_state":
            return None
        attributes = {entry.text(1): entry.message(2) for entry in message.messages(5)}
        if kind == "const" and outputs:
            if "val" not in attributes:
                raise UnreadableModel(f"the constant {outputs[0][:80]!r} has no value")
            self.constant(outputs[0], self.blobs.value(attributes["val"]))
            return None
        if kind.startswith("constexpr_"):
            values = {
                name: self.values[names[0]]
                for name, names in arguments.items()
                if names and names[0] in self.values
            }
            values |= {n: self.blobs.value(v) for n, v in attributes.items() if n != "name"}
            made = expanded(kind, values)
            for names in arguments.values() if made else ():
                self.stored.pop(names[0] if names else "", None)  # a part of a weight is none
            for name, value in zip(outputs, made, strict=False):
                self.constant(name, value)
            if made:
                return None
        shapes = [_shape(value.message(2, 1)) for value in results]
        return Operation(kind, outputs, arguments, shapes, message.messages(4))

    def _bindings(self, argument: Message, owner: str) -> list[str]:
        """The names that an argument is bound to; what stands there itself gets one."""
        names = []
        for binding in argument.messages(1):
            if binding.has(1):
                names.append(self.scope.get(binding.text(1), binding.text(1)))
            else:
                name = self.build.fresh(owner)
                self.constant(name, self.blobs.value(binding.message(2)))
                names.append(name)
        return names

    def constant(self, name: str, value: Value) -> None:
        """A constant by its name; a weight, unless it counts, indexes or is a single number."""
        if name in self.values:
            raise UnreadableModel(f"the constant {name[:80]!r} is written twice")
        self.values[name] = value
        if value.text is not None or not value.dtype:
            return
        if prod(value.shape) <= MOST_VALUES and not value.compressed:
            self.build.named(name, value.read())
        else:
            code = FLOAT if value.is_real else _code(value.dtype)
            self.build.tensors[name] = Tensor(code, value.shape, None, True)
        if value.shape and (value.is_real or value.dtype in INTEGERS):
            dtype = f"compressed {value.dtype}" if value.compressed else value.dtype
            self.stored[name] = layout.Stored(value.shape, dtype, lambda: _real(value))

    def is_option(self, name: str) -> bool:
        """Whether the name is a constant's that is no weight."""
        value = self.values.get(name)
        return value is not None and not (name in self.stored and value.is_real)

    def array(self, name: str) -> Stored | None:
        """The numbers of a small constant; None where there are none."""
        value = self.values.get(name)
        if value is None or value.text is not None or value.compressed:
            return None
        return value.read() if prod(value.shape) <= MOST_VALUES else None


def _block(function: Message) -> Message:
    """The block of the operations that the function asks for."""
    blocks = {entry.text(1): entry.message(2) for entry in function.messages(3)}
    if not blocks:
        raise UnreadableModel("a function of the program has no block")
    return blocks.get(function.text(2)) or next(iter(blocks.values()))


def _shape(kind: Message) -> Shape | None:
    """The shape of a tensor's type; None where it is no tensor, or not all of it is known."""
    dims = dimensions(kind)
    known = tuple(dim for dim in dims if dim is not None and 0 <= dim < 2**31)
    return known if kind.has(1) and len(known) == len(dims) else None


def _code(dtype: str) -> int:
    return BOOL if dtype == "bool" else INT64 if "int" in dtype else FLOAT if dtype else 0


def _real(value: Value) -> Array:
    return value.read().astype(np.float32, copy=False)
