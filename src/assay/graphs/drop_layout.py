"""Layers that only move elements are dropped, and their readers joined to what they read.

1. Reshape, Transpose, Expand, DepthToSpace, SpaceToDepth.  Exporters and frameworks differ in how
   they order axes (channels first or last) and in how they get from a feature map to a vector.

One that many layers lead to, through others of its kind, stays: each of its readers would be joined
to each of them.
"""

from __future__ import annotations

from collections.abc import Callable

from assay.graphs._vocabulary import LAYOUT
from assay.values import Layer, LayerGraph

MOST_SOURCES = 16  # layers that a dropped one leads on from


def drop_layout(graph: LayerGraph) -> LayerGraph:
    """The graph without layers that only move elements."""
    return without(graph, lambda layer: layer.op in LAYOUT and layer.parameters == 0)


def without(graph: LayerGraph, dropped: Callable[[Layer], bool]) -> LayerGraph:
    """The graph without some layers; what they read is read by their readers."""
    sources: list[set[int]] = [set() for _ in graph.layers]
    for source, target in graph.edges:
        sources[target].add(source)
    kept: dict[int, int] = {}
    through: list[set[int]] = []  # for each layer: the kept layers whose result it hands on
    edges = set()
    for i, layer in enumerate(graph.layers):
        reached = set().union(*(through[source] for source in sources[i]))
        if dropped(layer) and len(reached) <= MOST_SOURCES:
            through.append(reached)
            continue
        kept[i] = len(kept)
        through.append({i})
        edges |= {(kept[source], kept[i]) for source in reached}
    return LayerGraph(tuple(graph.layers[i] for i in kept), tuple(sorted(edges)), graph.rules)
