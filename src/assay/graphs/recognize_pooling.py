"""Adaptive pooling that an exporter took apart becomes one AveragePool.

1. GatherND with constant places from a feature map (n, c, h, w), one window for each output place,
   then masks, sums and means that end in (n, c, h', w') → AveragePool with the windows' size.

Everything between the gather and the first result of that shape must be read inside only.
"""

from __future__ import annotations

from assay.graphs.operators import Operator, OperatorGraph, Shape, without_dead

_INSIDE = {"Transpose", "Where", "Mul", "Div", "Add", "Sub", "ReduceMean", "ReduceSum", "Slice"}
_INSIDE |= {"Reshape"}


def recognize_pooling(graph: OperatorGraph) -> OperatorGraph:
    """The graph with each adaptive pooling as one operator."""
    gathers = [node for node in graph.operators if node.op == "GatherND"]
    if not gathers:
        return graph
    producers, made = graph.producers(), {}
    for gather in gathers:
        source = _feature_map(gather, graph, producers)
        end = None if source is None else _end(gather, graph, graph.tensor(source).shape or ())
        if source is None or end is None:
            continue
        windows = graph.tensor(gather.inputs[1]).shape or ()
        attributes = {"kernel_shape": windows[1:-1:2]}
        made[end] = Operator("AveragePool", (source,), (end,), attributes)
    return without_dead(
        graph.replaced(made.get(node.outputs[0], node) for node in graph.operators)
    )


def _feature_map(
    gather: Operator, graph: OperatorGraph, producers: dict[str, Operator]
) -> str | None:
    """The tensor (n, c, h, w) that is gathered from, before its axes were turned round."""
    if len(gather.inputs) < 2 or not graph.tensor(gather.inputs[1]).constant:
        return None
    name = gather.inputs[0]
    turned = producers.get(name)
    if turned is not None and turned.op == "Transpose":
        name = turned.inputs[0]
    places, shape = graph.tensor(gather.inputs[1]).shape, graph.tensor(name).shape
    return name if shape and len(shape) == 4 and places and len(places) == 5 else None


def _end(gather: Operator, graph: OperatorGraph, source: Shape) -> str | None:
    """The first result of the shape (n, c, …, …), where nothing between is read elsewhere."""
    inside, open_names = {gather.outputs[0]}, {gather.outputs[0]}
    started = False
    for node in graph.operators:
        started = started or node is gather
        if not started or node is gather:
            continue
        computed = {n for n in node.inputs if n and not graph.tensor(n).constant}
        if not computed & inside:
            continue
        if node.op not in _INSIDE or not computed <= inside:
            return None
        inside.add(node.outputs[0])
        open_names = (open_names - computed) | {node.outputs[0]}
        shape = graph.tensor(node.outputs[0]).shape
        if shape and len(shape) == 4 and shape[:2] == source[:2] and len(open_names) == 1:
            return node.outputs[0]
    return None
