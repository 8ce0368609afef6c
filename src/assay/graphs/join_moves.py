"""Concatenations of concatenations, and slices of slices, are one.

1. Concat(…, Concat(a, b), …) along the same axis → Concat(…, a, b, …), also where the inner one has
   other readers: dense blocks are written both ways.
2. Slice(Slice(a)) → Slice(a).
"""

from __future__ import annotations

from assay.graphs.operators import Operator, OperatorGraph, without_dead

MOST_INPUTS = 128  # of a joined Concat: a long chain of them would grow with its square


def join_moves(graph: OperatorGraph) -> OperatorGraph:
    """The graph with nested concatenations and slices flattened."""
    made: dict[str, Operator] = {}  # by first output, in order
    for node in graph.operators:
        if node.op == "Concat":
            inputs: list[str] = []
            for name in node.inputs:
                inner = made.get(name)
                inputs += (
                    [name] if inner is None or not _alike(inner, node, graph) else inner.inputs
                )
            if len(inputs) <= MOST_INPUTS:
                node = Operator("Concat", tuple(inputs), node.outputs, node.attributes)
        inner = made.get(node.inputs[0]) if node.op == "Slice" else None
        if inner is not None and inner.op == "Slice":
            node = Operator("Slice", inner.inputs[:1], node.outputs)
        made[node.outputs[0]] = node
    return without_dead(graph.replaced(made.values()))


def _alike(inner: Operator, outer: Operator, graph: OperatorGraph) -> bool:
    if inner.op != "Concat":
        return False
    rank = len(graph.tensor(outer.outputs[0]).shape or ())
    apart = inner.integer("axis", 0) - outer.integer("axis", 0)
    return apart % rank == 0 if rank else apart == 0
