"""ONNX's protobuf messages turned into the operator graph that the passes work on.

Names in nested graphs and functions are made unique, so that everything can later stand in one
list.  A model's own functions are expanded where they are called.  What a small file expands to is
bounded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

from onnx import (
    AttributeProto,
    FunctionProto,
    GraphProto,
    ModelProto,
    NodeProto,
    SparseTensorProto,
    TensorProto,
    ValueInfoProto,
)

from assay.errors import UnreadableModel
from assay.graphs.operators import Operator, OperatorGraph, Tensor, in_order
from assay.vocabularies.inputs import Dimension, InputShapes, concrete, match
from assay.vocabularies.onnx.operators import LONGEST_TEXT, NEWEST, OLDEST, OWN, checked, name_of
from assay.vocabularies.onnx.tensors import bytes_needed, constant
from assay.weights.shapes import shape_of

MOST_NESTING = 32
MOST_EXPANDED = 50_000  # operators, after functions are expanded
MOST_READ = 300_000  # tensors that operators read, in all
MOST_BYTES = 96 * 2**20  # of names, attributes and values, roughly
_ITEM = 64  # bytes that an object takes, roughly
_MOST_NUMBERS = 4096  # of a list attribute

Arguments = Mapping[str, Any]  # a function's attributes, where it is called
StoredTensor = TensorProto | SparseTensorProto


@dataclass(frozen=True)
class Converted:
    """The graph, notes for the record's metadata, and what lies in other files."""

    layers: OperatorGraph
    notes: Mapping[str, Any]
    external: Mapping[str, int]  # location → bytes that it must at least have
    stored: Mapping[str, StoredTensor]  # constants by the name that the operators read them under


def convert(proto: ModelProto, input_shapes: InputShapes) -> Converted:
    """The model's operators.

    Raises UnreadableModel where the graph is not one: cycles, dangling edges, functions that call
    themselves, operators that are not what ONNX allows, tensors whose data do not fit their shape.
    """
    opset = opset_of(proto)
    if opset < 1 and any(node.domain in OWN for node in proto.graph.node):
        raise UnreadableModel("it imports no opset of ONNX's own domain")
    converter = _Converter(proto, opset, input_shapes)
    graph = in_order(converter.graph(proto.graph, {}, 0, {}))
    notes = {} if OLDEST <= opset <= NEWEST else {"odd_opset": opset}
    for function in proto.functions:  # called or not, what they point to belongs to the model
        for attribute in (a for node in function.node for a in node.attribute if a.HasField("t")):
            converter._tensor(attribute.t)
    return Converted(graph, notes, converter.external, converter.stored)


def opset_of(proto: ModelProto) -> int:
    """The opset of ONNX's own domain; 0 where the model names none."""
    return max((o.version for o in proto.opset_import if o.domain in OWN), default=0)


def text(name: str | bytes) -> str:
    """A name.  Raises UnreadableModel where it is not UTF-8; protobuf then gives bytes."""
    if isinstance(name, bytes):
        raise UnreadableModel(f"a name is not UTF-8 text: {name[:40]!r}")
    return name


@dataclass
class _Converter:
    proto: ModelProto
    opset: int
    given: InputShapes
    functions: dict[tuple[str, str, str], FunctionProto] = field(init=False)
    external: dict[str, int] = field(default_factory=dict)
    stored: dict[str, StoredTensor] = field(default_factory=dict)
    expanded: int = 0
    read: int = 0
    bytes_left: int = MOST_BYTES
    scopes: int = 0

    def __post_init__(self) -> None:
        self.functions = {(f.domain, f.name, f.overload): f for f in self.proto.functions}

    def graph(
        self, proto: GraphProto, outer: Mapping[str, str], depth: int, arguments: Arguments
    ) -> OperatorGraph:
        """One graph or body; ``outer`` maps the names it may capture to unique ones."""
        prefix = "" if depth == 0 else self._scope(depth)
        names = dict(outer)
        self._spend(len(outer))
        tensors: dict[str, Tensor] = {}
        for name, tensor, stored in self._constants(proto):
            if name and prefix + name in tensors:
                raise UnreadableModel(f"two tensors are called {name[:80]!r}")
            names[name] = prefix + name
            tensors[prefix + name] = tensor
            self.stored[prefix + name] = stored
        # IR version 3 lists the initializers among the inputs.
        inputs = {text(v.name): v for v in proto.input if prefix + text(v.name) not in tensors}
        wanted = match(self.given, inputs) if depth == 0 else {}
        for name, value in inputs.items():
            self._spend(_ITEM + len(name))
            names[name] = prefix + name
            tensors[prefix + name] = self._input(value, wanted, depth)
        operators = self._nodes(proto.node, names, prefix, depth, arguments)
        outputs = tuple(self._inner(text(value.name), names, prefix) for value in proto.output)
        return OperatorGraph(
            tuple(operators), tuple(prefix + name for name in inputs), outputs, tensors
        )

    def _scope(self, depth: int) -> str:
        """The prefix of the names of one body or one call."""
        if depth > MOST_NESTING:
            raise UnreadableModel(f"graphs or functions nested more than {MOST_NESTING} deep")
        self.scopes += 1
        return f"%{self.scopes}/"

    def _spend(self, count: int) -> None:
        self.bytes_left -= count
        if self.bytes_left < 0:
            raise UnreadableModel(f"its graph takes more than {MOST_BYTES // 2**20} MiB of memory")

    def _inner(self, name: str, names: Mapping[str, str], prefix: str) -> str:
        self._spend(_ITEM + len(name))
        return names.get(name, prefix + name) if name else ""

    def _constants(self, proto: GraphProto) -> Iterable[tuple[str, Tensor, StoredTensor]]:
        for tensor in proto.initializer:
            yield text(tensor.name), self._tensor(tensor), tensor
        for sparse in proto.sparse_initializer:
            yield text(sparse.values.name), self._sparse(sparse), sparse

    def _tensor(self, proto: TensorProto) -> Tensor:
        self._spend(3 * _ITEM + len(text(proto.name)))
        if proto.data_location == TensorProto.EXTERNAL:
            locations = [text(e.value) for e in proto.external_data if e.key == "location"]
            for place in locations:
                self._spend(_ITEM + len(place))
                self.external[place] = max(self.external.get(place, 0), bytes_needed(proto))
        tensor = constant(proto)
        self._spend(0 if tensor.value is None else tensor.value.nbytes)
        return tensor

    def _sparse(self, proto: SparseTensorProto) -> Tensor:
        """Its shape; its values are looked at, not kept."""
        self._tensor(proto.indices)
        values = self._tensor(proto.values)
        return Tensor(values.dtype, shape_of("a sparse tensor", proto.dims), None, True)

    def _input(self, value: ValueInfoProto, wanted: InputShapes, depth: int) -> Tensor:
        kind = value.type.tensor_type
        if not value.type.HasField("tensor_type"):
            return Tensor()  # a sequence, a map or an optional: its elements are unknown
        if depth > 0:
            return Tensor(kind.elem_type)  # of a body: what enters it has a type of its own
        dims: list[Dimension] | None = None
        if kind.HasField("shape"):
            dims = [
                d.dim_value if d.HasField("dim_value") else text(d.dim_param) or None
                for d in kind.shape.dim
            ]
        return concrete(text(value.name), kind.elem_type, dims, wanted.get(value.name))

    def _nodes(
        self,
        nodes: Sequence[NodeProto],
        names: dict[str, str],
        prefix: str,
        depth: int,
        arguments: Arguments,
    ) -> list[Operator]:
        self.expanded += len(nodes)
        if self.expanded > MOST_EXPANDED:
            raise UnreadableModel(f"more than {MOST_EXPANDED:,} operators")
        for node in nodes:
            for name in map(text, node.output):
                self._spend(_ITEM + len(name))
                if name:
                    names[name] = prefix + name
        operators: list[Operator] = []
        for node in nodes:
            outputs = tuple(names[name] if name else "" for name in map(text, node.output))
            if not any(outputs):
                continue  # nothing can read what it does
            if not outputs[0]:  # the passes know an operator by its first output
                outputs = (self._scope(0) + "unread", *outputs[1:])
            inputs = tuple(self._inner(name, names, prefix) for name in map(text, node.input))
            self.read += len(inputs)
            if self.read > MOST_READ:
                raise UnreadableModel(f"its operators read more than {MOST_READ:,} tensors")
            operators += self._node(node, inputs, outputs, names, depth, arguments)
        return operators

    def _node(
        self,
        node: NodeProto,
        inputs: tuple[str, ...],
        outputs: tuple[str, ...],
        names: Mapping[str, str],
        depth: int,
        arguments: Arguments,
    ) -> list[Operator]:
        self._spend(4 * _ITEM)
        domain, op_type = text(node.domain), text(node.op_type)
        attributes: dict[str, Any] = {}
        for attribute in node.attribute:
            value = self._attribute(attribute, names, depth, arguments)
            if value is not None:
                attributes[text(attribute.name)] = value
            if op_type == "Constant" and isinstance(value, Tensor):
                is_sparse = attribute.type == AttributeProto.SPARSE_TENSOR
                self.stored[outputs[0]] = attribute.sparse_tensor if is_sparse else attribute.t
        function = self.functions.get((domain, op_type, node.overload))
        if function is not None:
            return self._call(function, inputs, outputs, attributes, depth)
        operator = Operator(name_of(domain, op_type), inputs, outputs, attributes)
        return [checked(operator, self.opset)]

    def _call(
        self,
        function: FunctionProto,
        inputs: tuple[str, ...],
        outputs: tuple[str, ...],
        attributes: Arguments,
        depth: int,
    ) -> list[Operator]:
        """The function's body in place of its call."""
        prefix = self._scope(depth + 1)
        names = dict.fromkeys(map(text, function.input), "")
        names |= dict(zip(names, inputs, strict=False))
        defaults = {
            text(a.name): self._attribute(a, {}, depth, {}) for a in function.attribute_proto
        }
        arguments = {**defaults, **attributes}
        operators = self._nodes(function.node, names, prefix, depth + 1, arguments)
        results = [self._inner(text(name), names, prefix) for name in function.output]
        ends = [
            Operator("Identity", (inner,), (outer,))
            for inner, outer in zip(results, outputs, strict=False)
            if outer
        ]
        return operators + ends

    def _attribute(
        self, proto: AttributeProto, names: Mapping[str, str], depth: int, arguments: Arguments
    ) -> Any:
        """Its value, a list as a tuple; None where it is of a kind that the passes never need."""
        self._spend(2 * _ITEM + len(text(proto.name)))
        if proto.ref_attr_name:
            return arguments.get(text(proto.ref_attr_name))
        kind = proto.type
        if kind == AttributeProto.INT:
            return proto.i
        if kind == AttributeProto.FLOAT:
            unbounded = proto.name in ("min", "max") and not isfinite(proto.f)
            return None if unbounded else proto.f
        if kind == AttributeProto.STRING:
            return proto.s.decode("utf-8", "replace") if len(proto.s) <= LONGEST_TEXT else None
        if kind == AttributeProto.INTS:
            return self._list(proto.ints)
        if kind == AttributeProto.FLOATS:
            return self._list(proto.floats)
        if kind == AttributeProto.STRINGS:
            return self._list([s[:_ITEM].decode("utf-8", "replace") for s in proto.strings])
        if kind == AttributeProto.TENSOR:
            return self._tensor(proto.t)
        if kind == AttributeProto.SPARSE_TENSOR:
            return self._sparse(proto.sparse_tensor)
        for tensor in proto.tensors:  # nothing reads them, but their files belong to the model
            self._tensor(tensor)
        if kind == AttributeProto.GRAPH:
            return self.graph(proto.g, names, depth + 1, arguments)
        return None

    def _list(self, items: Sequence[Any]) -> tuple[Any, ...] | None:
        """Lists that are longer than any operator's are left out, as texts are."""
        if len(items) > _MOST_NUMBERS:
            return None
        self._spend(_ITEM * len(items) // 2)
        return tuple(items)
