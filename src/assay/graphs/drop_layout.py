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
    return without(graph, only_moves)


def only_moves(layer: Layer) -> bool:
    """Whether a layer does nothing but move elements."""
    return layer.op in LAYOUT and layer.parameters == 0


def without(graph: LayerGraph, dropped: Callable[[Layer], bool]) -> LayerGraph:
    """The graph without some layers; what they read is read by their readers."""
    through = handed_on(graph, dropped)
    kept = {old: new for new, old in enumerate(layers_left(through))}
    edges = {
        (kept[origin], kept[target])
        for source, target in graph.edges
        if target in kept
        for origin in through[source]
    }
    return LayerGraph(tuple(graph.layers[i] for i in kept), tuple(sorted(edges)), graph.rules)


def handed_on(graph: LayerGraph, dropped: Callable[[Layer], bool]) -> list[set[int]]:
    """For each layer the kept layers whose result it hands on: itself, where it is kept."""
    sources: list[set[int]] = [set() for _ in graph.layers]
    for source, target in graph.edges:
        sources[target].add(source)
    through: list[set[int]] = []
    for i, layer in enumerate(graph.layers):
        reached = set().union(*(through[source] for source in sources[i]))
        through.append(reached if dropped(layer) and len(reached) <= MOST_SOURCES else {i})
    return through


def layers_left(through: list[set[int]]) -> list[int]:
    """Which layers are kept, by what ``handed_on`` says of all."""
    return [i for i, reached in enumerate(through) if reached == {i}]
