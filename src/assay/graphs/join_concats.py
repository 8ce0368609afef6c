"""Concatenations of concatenations are one.

1. Concat(…, Concat(a, b), …) along the same axis → Concat(…, a, b, …), where nothing else reads
   the inner one.
"""

from __future__ import annotations

from assay.graphs.operators import Operator, OperatorGraph


def join_concats(graph: OperatorGraph) -> OperatorGraph:
    """The graph with nested concatenations flattened."""
    readers: dict[str, int] = {}
    for node in graph.operators:
        for name in node.inputs:
            readers[name] = readers.get(name, 0) + 1
    kept: dict[str, Operator] = {}  # by first output, in order
    for node in graph.operators:
        if node.op == "Concat":
            inputs: list[str] = []
            for name in node.inputs:
                inner = kept.get(name)
                alone = readers[name] == 1 and name not in graph.outputs
                if inner is not None and alone and _alike(inner, node, graph):
                    inputs += kept.pop(name).inputs
                else:
                    inputs.append(name)
            node = Operator("Concat", tuple(inputs), node.outputs, node.attributes)
        kept[node.outputs[0]] = node
    return graph.replaced(kept.values())


def _alike(inner: Operator, outer: Operator, graph: OperatorGraph) -> bool:
    if inner.op != "Concat":
        return False
    rank = len(graph.tensor(outer.outputs[0]).shape or (0,))
    return bool((inner.attributes.get("axis", 0) - outer.attributes.get("axis", 0)) % rank == 0)
