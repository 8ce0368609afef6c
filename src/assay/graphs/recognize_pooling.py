"""Adaptive pooling that an exporter took apart becomes one AveragePool.

1. GatherND with constant places from a feature map (n, c, h, w), one window for each output place,
   then masks, sums and means that end in (n, c, h', w') → AveragePool with the windows' size.

Everything between the gather and the first result of that shape must be read inside only.
"""

from __future__ import annotations

from heapq import heappop, heappush

from assay.graphs.operators import Operator, OperatorGraph, Shape, without_dead

MOST_STEPS = 64  # operators between the gather and the pooled map
_INSIDE = {"Transpose", "Where", "Mul", "Div", "Add", "Sub", "ReduceMean", "ReduceSum", "Slice"}
_INSIDE |= {"Reshape"}


def recognize_pooling(graph: OperatorGraph) -> OperatorGraph:
    """The graph with each adaptive pooling as one operator."""
    gathers = [node for node in graph.operators if node.op == "GatherND"]
    if not gathers:
        return graph
    producers, made = graph.producers(), {}
    search = _Search(graph)
    for gather in gathers:
        source = _feature_map(gather, graph, producers)
        end = None if source is None else search.end(gather, graph.tensor(source).shape or ())
        if source is None or end is None:
            continue
        windows = graph.tensor(gather.inputs[1]).shape or ()
        attributes = {"kernel_shape": windows[1:-1:2]}
        made[end] = Operator("AveragePool", (source,), (end,), attributes)
    return without_dead(graph.replaced(made.get(node.outputs[0], node) for node in graph.operators))


def _feature_map(
    gather: Operator, graph: OperatorGraph, producers: dict[str, Operator]
) -> str | None:
    """The tensor (n, c, h, w) that is gathered from, before its axes were turned round."""
    if not graph.tensor(gather.inputs[1]).constant:
        return None
    name = gather.inputs[0]
    turned = producers.get(name)
    if turned is not None and turned.op == "Transpose":
        name = turned.inputs[0]
    places, shape = graph.tensor(gather.inputs[1]).shape, graph.tensor(name).shape
    return name if shape and len(shape) == 4 and places and len(places) == 5 else None


class _Search:
    def __init__(self, graph: OperatorGraph) -> None:
        self.graph = graph
        self.place = {node.outputs[0]: i for i, node in enumerate(graph.operators)}
        self.consumers = graph.consumers()
        self.outputs = frozenset(graph.outputs)

    def end(self, gather: Operator, source: Shape) -> str | None:
        """The first result of the shape (n, c, …, …), where nothing between is read elsewhere."""
        inside, unread = {gather.outputs[0]}, {gather.outputs[0]}
        waiting: list[int] = []
        self._follow(gather, waiting)
        for _ in range(MOST_STEPS):
            if not waiting or not self.outputs.isdisjoint(inside):
                return None
            node = self.graph.operators[heappop(waiting)]
            if node.outputs[0] in inside:
                continue  # it reads two of them
            if node.op not in _INSIDE:
                return None
            computed = {name for name in node.inputs if not self.graph.tensor(name).constant}
            if not computed <= inside:
                return None
            inside.add(node.outputs[0])
            unread = (unread - computed) | {node.outputs[0]}
            shape = self.graph.tensor(node.outputs[0]).shape
            if shape and len(shape) == 4 and shape[:2] == source[:2] and len(unread) == 1:
                left = {self.graph.operators[place].outputs[0] for place in waiting}
                return node.outputs[0] if left <= inside else None
            self._follow(node, waiting)
        return None

    def _follow(self, node: Operator, waiting: list[int]) -> None:
        for reader in self.consumers.get(node.outputs[0], ()):
            heappush(waiting, self.place[reader.outputs[0]])
