"""ONNX's protobuf messages turned into the operator graph that the passes work on.

Names in nested graphs and functions are made unique, so that everything can later stand in one
list.  A model's own functions are expanded where they are called.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto
from onnx import FunctionProto
from onnx.helper import tensor_dtype_to_np_dtype
from onnx.numpy_helper import to_array

from assay.errors import UnreadableModel
from assay.formats import InputShapes
from assay.formats._inputs import Dimension, concrete
from assay.graphs.operators import (
    MOST_AXES,
    MOST_VALUES,
    Operator,
    OperatorGraph,
    Tensor,
    Values,
    in_order,
)

MOST_NESTING = 32
MOST_EXPANDED = 50_000  # operators after functions are expanded
_MOST_NUMBERS = 4096  # of a list attribute
_PAYLOADS = ("float_data", "int32_data", "int64_data", "double_data", "uint64_data", "string_data")


def convert(proto: ModelProto, input_shapes: InputShapes) -> tuple[OperatorGraph, dict[str, Any]]:
    """The operator graph, and notes for the record's metadata.

    Raises UnreadableModel where the graph is not one: cycles, dangling edges, functions that call
    themselves, tensors whose data do not fit their shape.
    """
    opsets = {o.domain: o.version for o in proto.opset_import}
    newest = opsets.get("", opsets.get("ai.onnx", 0))
    if proto.graph.node and any(n.domain in ("", "ai.onnx") for n in proto.graph.node):
        if newest < 1:
            raise UnreadableModel("it imports no opset of ONNX's own domain")
    converter = _Converter(
        {(f.domain, f.name): f for f in proto.functions}, input_shapes
    )
    graph = converter.graph(proto.graph, {}, depth=0)
    notes: dict[str, Any] = {}
    if newest > 64:
        notes["odd_opset"] = newest
    return graph, notes


class _Converter:
    def __init__(
        self, functions: Mapping[tuple[str, str], FunctionProto], given: InputShapes
    ) -> None:
        self.functions = functions
        self.given = given
        self.expanded = 0
        self.scopes = 0

    def graph(self, proto: GraphProto, outer: Mapping[str, str], depth: int) -> OperatorGraph:
        """One graph or body; ``outer`` maps the names it may capture to unique ones."""
        if depth > MOST_NESTING:
            raise UnreadableModel(f"graphs nested more than {MOST_NESTING} deep")
        prefix = "" if depth == 0 else self._scope()
        names = dict(outer)
        tensors: dict[str, Tensor] = {}
        for name, tensor in self._constants(proto):
            names[name] = prefix + name
            tensors[prefix + name] = tensor
        inputs = []
        for value in proto.input:
            if prefix + value.name in tensors:
                continue  # IR version 3 lists the initializers among the inputs
            names[value.name] = prefix + value.name
            inputs.append(prefix + value.name)
            tensors[prefix + value.name] = self._input(value, self.given if depth == 0 else {})
        operators = self._nodes(proto.node, names, prefix, depth)
        outputs = tuple(names.get(value.name, value.name) for value in proto.output)
        graph = OperatorGraph(tuple(operators), tuple(inputs), outputs, tensors)
        return in_order(graph) if depth == 0 else graph

    def _scope(self) -> str:
        self.scopes += 1
        return f"{self.scopes}/"

    def _constants(self, proto: GraphProto) -> Iterable[tuple[str, Tensor]]:
        for tensor in proto.initializer:
            yield tensor.name, constant(tensor)
        for sparse in proto.sparse_initializer:
            yield sparse.values.name, Tensor(sparse.values.data_type, tuple(sparse.dims), None, True)

    def _input(self, value: ValueInfoProto, given: InputShapes) -> Tensor:
        kind = value.type.tensor_type
        if not value.type.HasField("tensor_type"):
            return Tensor()  # a sequence, a map or an optional: its elements are unknown
        dims: list[Dimension] | None = None
        if kind.HasField("shape"):
            dims = [
                d.dim_value if d.HasField("dim_value") else d.dim_param or None
                for d in kind.shape.dim
            ]
        return concrete(value.name, kind.elem_type, dims, given)

    def _nodes(
        self, nodes: Sequence[NodeProto], names: dict[str, str], prefix: str, depth: int
    ) -> list[Operator]:
        for node in nodes:
            for name in node.output:
                if name:
                    names[name] = prefix + name
        operators: list[Operator] = []
        for node in nodes:
            self.expanded += 1
            if self.expanded > MOST_EXPANDED:
                raise UnreadableModel(f"more than {MOST_EXPANDED:,} operators")
            inputs = tuple(names.get(name, prefix + name) if name else "" for name in node.input)
            outputs = tuple(names[name] if name else "" for name in node.output)
            function = self.functions.get((node.domain, node.op_type))
            if function is not None:
                operators += self._call(function, node, inputs, outputs, depth)
                continue
            attributes = {a.name: self._attribute(a, names, depth) for a in node.attribute}
            own = node.domain in ("", "ai.onnx")
            op = node.op_type if own else f"{node.domain}::{node.op_type}"
            operators.append(Operator(op, inputs, outputs, attributes))
        return operators

    def _call(
        self,
        function: FunctionProto,
        node: NodeProto,
        inputs: tuple[str, ...],
        outputs: tuple[str, ...],
        depth: int,
    ) -> list[Operator]:
        """The function's body in place of its call."""
        if depth > MOST_NESTING:
            raise UnreadableModel(f"functions nested more than {MOST_NESTING} deep")
        prefix = self._scope()
        names = dict.fromkeys(function.input, "") | dict(zip(function.input, inputs, strict=False))
        given = {a.name: a for a in function.attribute_proto}
        given |= {a.name: a for a in node.attribute}
        body = [_with_attributes(inner, given) for inner in function.node]
        operators = self._nodes(body, names, prefix, depth + 1)
        results = zip(function.output, outputs, strict=False)
        ends = [
            Operator("Identity", (names.get(inner, inner),), (outer,)) for inner, outer in results if outer
        ]
        return operators + ends

    def _attribute(self, proto: AttributeProto, names: Mapping[str, str], depth: int) -> Any:
        kind = proto.type
        if kind == AttributeProto.INT:
            return proto.i
        if kind == AttributeProto.FLOAT:
            return proto.f
        if kind == AttributeProto.STRING:
            return proto.s.decode("utf-8", "replace")
        if kind == AttributeProto.INTS:
            return tuple(proto.ints[:_MOST_NUMBERS])
        if kind == AttributeProto.FLOATS:
            return tuple(proto.floats[:_MOST_NUMBERS])
        if kind == AttributeProto.STRINGS:
            return tuple(s.decode("utf-8", "replace") for s in proto.strings[:_MOST_NUMBERS])
        if kind == AttributeProto.TENSOR:
            return constant(proto.t)
        if kind == AttributeProto.SPARSE_TENSOR:
            sparse = proto.sparse_tensor
            return Tensor(sparse.values.data_type, tuple(sparse.dims), None, True)
        if kind == AttributeProto.GRAPH:
            return self.graph(proto.g, names, depth + 1)
        return None  # types and lists of graphs occur in no standard operator


def _with_attributes(node: NodeProto, given: Mapping[str, AttributeProto]) -> NodeProto:
    """A function's node with references to the call's attributes resolved."""
    if not any(a.ref_attr_name for a in node.attribute):
        return node
    filled = NodeProto()
    filled.CopyFrom(node)
    del filled.attribute[:]
    for attribute in node.attribute:
        source = given.get(attribute.ref_attr_name) if attribute.ref_attr_name else attribute
        if source is not None:
            filled.attribute.add().CopyFrom(source)
            filled.attribute[-1].name = attribute.name
    return filled


def constant(proto: TensorProto) -> Tensor:
    """A stored tensor: its type, and its values where they are few.

    Raises:
        UnreadableModel: the data do not fit the shape, or the shape is absurd.
    """
    shape = tuple(proto.dims)
    if len(shape) > MOST_AXES or any(d < 0 for d in shape):
        raise UnreadableModel(f"tensor {proto.name!r} has an absurd shape {list(shape[:8])}")
    tensor = Tensor(proto.data_type, shape, None, True)
    return Tensor(proto.data_type, shape, _values(proto, tensor.size), True)


def _values(proto: TensorProto, size: int) -> Values | None:
    empty = 0 in proto.dims
    if (size > MOST_VALUES) or proto.data_location == TensorProto.EXTERNAL:
        return None
    held = bool(proto.raw_data) or any(len(getattr(proto, name)) for name in _PAYLOADS)
    if proto.data_type == TensorProto.STRING or (not held and not empty):
        return None
    try:
        dtype = tensor_dtype_to_np_dtype(proto.data_type)
        array = np.zeros(tuple(proto.dims), dtype) if empty else to_array(proto)
    except (ValueError, TypeError, KeyError, NotImplementedError) as error:
        raise UnreadableModel(f"tensor {proto.name!r} does not hold its shape: {error}") from error
    return array if array.dtype.kind in "biuf" else array.astype(np.float32)
