"""The operator graph as ONNX's messages: the inverse of ``graph`` beside this file [onnx.proto].

Tensors that start the graph are named with type and shape; their numbers are left to the caller,
who knows where they come from.  Those of bodies stand in the main graph, where bodies may read
them: there they keep their names when the file is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from onnx import (
    AttributeProto,
    GraphProto,
    ModelProto,
    NodeProto,
    TensorProto,
    ValueInfoProto,
    defs,
    helper,
)

from assay.errors import UnwritableModel
from assay.graphs.operators import FLOAT, Operator, OperatorGraph, Shape, Tensor
from assay.graphs.shapes import fold_shapes
from assay.vocabularies.onnx.spelling import opset_for, spelled

_PRODUCER, _OUTPUT = "assay", "/output#"


def message(graph: OperatorGraph) -> tuple[ModelProto, dict[str, tuple[TensorProto, Tensor]]]:
    """The model, and by name its initializers, which have no data yet, with what is known of them.

    Raises:
        UnwritableModel: an operator has an option that ONNX cannot store, or is not told whole.
    """
    opset = opset_for(graph)
    shapes = {name: tensor.shape for name, tensor in fold_shapes(graph).tensors.items()}
    graph, types = spelled(graph, opset)
    body = _graph(graph, types, opset, "main")
    for value in body.output:  # a body's may be of any shape, the model's may not
        shape = shapes.get(value.name.partition(_OUTPUT)[0])
        value.CopyFrom(_value(value.name, value.type.tensor_type.elem_type, shape))
    domains = sorted({node.op.rpartition("::")[0] for node in _operators(graph)} - {""})
    opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(d, 1) for d in domains)]
    version = helper.find_min_ir_version_for(opsets, ignore_unknown=True)
    proto = helper.make_model(
        body, opset_imports=opsets, ir_version=version, producer_name=_PRODUCER
    )
    for inner in [*_bodies(proto.graph)]:
        proto.graph.initializer.extend(inner.initializer)
        del inner.initializer[:]
    known = dict(graph.tensors)
    for node in _operators(graph):
        for value in node.attributes.values():
            known |= value.tensors if isinstance(value, OperatorGraph) else {}
    return proto, {each.name: (each, known[each.name]) for each in proto.graph.initializer}


def _bodies(graph: GraphProto) -> Iterator[GraphProto]:
    """Those of bodies too."""
    for attribute in (attribute for node in graph.node for attribute in node.attribute):
        if attribute.HasField("g"):
            yield attribute.g
            yield from _bodies(attribute.g)


def _graph(graph: OperatorGraph, types: Mapping[str, int], opset: int, name: str) -> GraphProto:
    read = {each for node in _operators(graph) for each in node.inputs} | set(graph.outputs)
    constants = {n: t for n, t in graph.tensors.items() if t.constant and n in read}
    # What neither is an input nor has a value, such as a state that lives on, enters from outside.
    entering = [*graph.inputs]
    entering += [
        n for n, t in graph.tensors.items() if n in read and not t.constant and n not in entering
    ]
    inputs = [_value(n, types.get(n, 0), graph.tensor(n).shape) for n in entering]
    outputs, ends = [], []
    for place, output in enumerate(graph.outputs):
        end = output
        if output in constants or output in entering or output in graph.outputs[:place]:
            end = f"{output}{_OUTPUT}{place}"
            ends.append(Operator("Identity", (output,), (end,)))
        outputs.append(_value(end, types.get(output, 0), None))
    nodes = [_node(node, types, opset) for node in (*graph.operators, *ends)]
    initializers = [
        TensorProto(name=n, data_type=t.dtype or FLOAT, dims=_whole(n, t.shape))
        for n, t in constants.items()
    ]
    return helper.make_graph(nodes, name, inputs, outputs, initializers)


def _operators(graph: OperatorGraph) -> Iterable[Operator]:
    """Those of bodies too, which may read what is outside."""
    for node in graph.operators:
        yield node
        for value in node.attributes.values():
            if isinstance(value, OperatorGraph):
                yield from _operators(value)


def _whole(name: str, shape: Shape | None) -> Shape:
    if shape is None or min(shape, default=0) < 0:
        raise UnwritableModel(f"the shape of the constant {name!r} is not known")
    return shape


def _value(name: str, dtype: int, shape: Shape | None) -> ValueInfoProto:
    """A graph's input or output; a body's input may be of any shape."""
    dims: Sequence[int | None] | None = None
    if shape is not None:
        dims = [dim if dim >= 0 else None for dim in shape]
    return helper.make_tensor_value_info(name, dtype or FLOAT, dims)


def _node(node: Operator, types: Mapping[str, int], opset: int) -> NodeProto:
    domain, colons, name = node.op.rpartition("::")
    made = helper.make_node(
        name if colons else node.op, node.inputs, node.outputs, domain=domain or None
    )
    known = {}
    if not domain and defs.has(name, opset):
        schema = defs.get_schema(name, opset, "")
        known = schema.attributes
        _check_whole(node, schema)
    for key, value in node.attributes.items():
        kind = None
        if key in known:
            kind = AttributeProto.AttributeType.Value(str(known[key].type).rpartition(".")[2])
        made.attribute.append(_attribute(node.op, key, value, kind, (types, opset)))
    return made


def _check_whole(node: Operator, schema: defs.OpSchema) -> None:
    """Some formats name an operator whose bodies or options they could not follow."""
    lacking = [key for key, option in schema.attributes.items() if option.required]
    lacking = [key for key in lacking if key not in node.attributes]
    if lacking:
        raise UnwritableModel(f"what its {node.op} has as {lacking[0]!r} is not known")
    least, most = schema.min_input, schema.max_input
    if not least <= len(node.inputs) <= most:
        raise UnwritableModel(f"its {node.op} reads {len(node.inputs)} tensors, ONNX's {least}")


def _attribute(
    op: str, key: str, value: Any, kind: int | None, within: tuple[Mapping[str, int], int]
) -> AttributeProto:
    if isinstance(value, OperatorGraph):
        return helper.make_attribute(key, _graph(value, *within, key))
    if isinstance(value, Tensor):
        return helper.make_attribute(key, _tensor(op, value))
    if kind == AttributeProto.FLOAT:
        value = float(value)
    elif kind == AttributeProto.FLOATS:
        value = [float(item) for item in value]
    elif kind == AttributeProto.INTS and isinstance(value, int):
        value = [value]
    try:
        return helper.make_attribute(key, value, attr_type=kind)
    except (TypeError, ValueError) as error:
        raise UnwritableModel(f"{op} has an option {key!r} that cannot be stored") from error


def _tensor(op: str, tensor: Tensor) -> TensorProto:
    if tensor.value is None:
        raise UnwritableModel(f"the values of a constant of {op} are not known")
    return TensorProto(
        data_type=tensor.dtype,
        dims=tensor.value.shape,
        raw_data=raw(tensor.dtype, tensor.value),
    )


def raw(dtype: int, array: Any) -> bytes:
    """Numbers as the raw bytes of a type."""
    kind = helper.tensor_dtype_to_np_dtype(dtype)
    with np.errstate(all="ignore"):
        return np.ascontiguousarray(array).astype(kind, copy=False).tobytes()
