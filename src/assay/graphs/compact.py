"""The last step: operators and their tensors become the compact layer graph.

1. Each operator becomes a layer with its costs, its first output's shape and the attributes that
   matter: kernel, strides, dilations, groups, hidden size, direction, bounds.  Defaults are left
   out.
2. An edge joins two layers where one reads a tensor of the other.
"""

from __future__ import annotations

from math import isfinite

from assay.graphs.costs import macs, parameters
from assay.graphs.operators import Operator, OperatorGraph
from assay.values import Attribute, Layer, LayerGraph

_KEPT = ("kernel_shape", "strides", "dilations", "group", "hidden_size", "direction", "min", "max")
_ALONG = {"Softmax", "LogSoftmax", "LayerNormalization", "RMSNormalization"}
_LIMIT = 2**46  # of one layer, so that the sum over all of them fits into 64 bits


def compact(graph: OperatorGraph, rules: str) -> LayerGraph:
    """The layer graph, layers in the order in which they run."""
    place = {name: i for i, node in enumerate(graph.operators) for name in node.outputs if name}
    counted: set[str] = set()
    layers = []
    for node in graph.operators:
        layers.append(
            Layer(
                node.op,
                graph.tensor(node.outputs[0]).shape,
                min(max(macs(node, graph), 0), _LIMIT),
                min(parameters(node, graph, counted), _LIMIT),
                _attributes(node, graph),
            )
        )
    edges = {
        (place[name], i)
        for i, node in enumerate(graph.operators)
        for name in node.inputs
        if name in place
    }
    return LayerGraph(tuple(layers), tuple(sorted(edges)), rules)


def _attributes(node: Operator, graph: OperatorGraph) -> tuple[tuple[str, Attribute], ...]:
    kept: dict[str, Attribute] = {}
    for name in _KEPT:
        value = node.attributes.get(name)
        if isinstance(value, int | str) or (isinstance(value, float) and isfinite(value)):
            kept[name] = value
        elif node.ints(name):
            kept[name] = node.ints(name)
    if node.op in ("Conv", "ConvTranspose") and "kernel_shape" not in kept:
        weight = graph.tensor(node.inputs[1]).shape if len(node.inputs) > 1 else None
        if weight:
            kept["kernel_shape"] = weight[2:]
    # Defaults say nothing, and exporters differ in writing them.
    ones = {n for n in ("strides", "dilations") if set(node.ints(n, (1,))) == {1}}
    if kept.get("group") == 1:
        ones.add("group")
    if kept.get("direction") == "forward":
        ones.add("direction")
    kept |= _varying(node, graph)
    return tuple(sorted((name, value) for name, value in kept.items() if name not in ones))


def _varying(node: Operator, graph: OperatorGraph) -> dict[str, Attribute]:
    """What tells operators of one name apart where it is not what it usually is."""
    kept: dict[str, Attribute] = {}
    alpha, mode, axis = (node.attributes.get(name) for name in ("alpha", "mode", "axis"))
    usual = {"LeakyRelu": 0.01, "Swish": 1.0}.get(node.op)
    if usual is not None and isinstance(alpha, int | float) and isfinite(alpha):
        kept |= {"alpha": round(float(alpha), 3)} if abs(alpha - usual) > 1e-3 else {}
    if node.op == "Resize" and isinstance(mode, str) and mode != "nearest":
        kept["mode"] = mode
    if node.op == "Trilu" and node.attributes.get("upper", 1) == 0:
        kept["upper"] = 0
    rank = len(graph.tensor(node.inputs[0]).shape or ()) if node.inputs else 0
    if node.op in _ALONG and isinstance(axis, int) and rank and axis % rank != rank - 1:
        kept["axis"] = axis % rank - rank  # from the end, where exporters agree
    return kept
