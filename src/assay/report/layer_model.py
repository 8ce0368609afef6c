"""A layer graph as an ONNX file without weights, to be looked at in Netron or any other viewer.

Merged layers are written as the chain of operators that they were.  Costs stand in the nodes'
metadata.  The file is for the eye: it does not run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from assay.report.words import printable
from assay.values import Layer, LayerGraph

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, ValueInfoProto

OPSET, IR_VERSION = 21, 10


def layer_model(graph: LayerGraph, name: str) -> ModelProto:
    """The model: a node for each operator, an input for each layer that reads no other."""
    from onnx import TensorProto, helper

    reads: dict[int, list[int]] = {}
    for source, target in graph.edges:
        reads.setdefault(target, []).append(source)
    nodes: list[NodeProto] = []
    inputs: list[ValueInfoProto] = []
    for place, layer in enumerate(graph.layers):
        read = [_result(source) for source in reads.get(place, ())]
        if not read:
            read = [f"input_{place}"]
            inputs.append(helper.make_tensor_value_info(read[0], TensorProto.FLOAT, None))
        nodes += _chain(place, layer, read)
    read_places = {source for source, _ in graph.edges}
    results = [_value(place, layer) for place, layer in enumerate(graph.layers)]
    ends = [value for place, value in enumerate(results) if place not in read_places]
    within = [value for place, value in enumerate(results) if place in read_places]
    whole = helper.make_graph(nodes, printable(name) or "layers", inputs, ends, value_info=within)
    model = helper.make_model(
        whole,
        producer_name="assay",
        ir_version=IR_VERSION,
        opset_imports=[helper.make_opsetid("", OPSET)],
    )
    model.doc_string = f"Layers after the graph rules {graph.rules}, without weights: not to be run"
    return model


def _chain(place: int, layer: Layer, read: list[str]) -> list[NodeProto]:
    """A layer's operators, one behind the other; attributes belong to the first."""
    from onnx import helper

    nodes = []
    *inner, last = layer.op.split("+")
    for at, op in enumerate([*inner, last]):
        output = _result(place) if at == len(inner) else f"{_result(place)}/{at}"
        domain, _, kind = op.rpartition("::")
        node = helper.make_node(
            kind, read, [output], name=f"{place}/{at}" if inner else str(place), domain=domain
        )
        if at == 0:
            for key, value in layer.attributes:
                node.attribute.append(
                    helper.make_attribute(key, [*value] if isinstance(value, tuple) else value)
                )
            for key, count in (("macs", layer.macs), ("parameters", layer.parameters)):
                node.metadata_props.add(key=key, value=str(count))
        nodes.append(node)
        read = [output]
    return nodes


def _value(place: int, layer: Layer) -> ValueInfoProto:
    from onnx import TensorProto, helper

    shape = None if layer.shape is None else [d if d >= 0 else None for d in layer.shape]
    return helper.make_tensor_value_info(_result(place), TensorProto.FLOAT, shape)


def _result(place: int) -> str:
    return f"layer_{place}"
