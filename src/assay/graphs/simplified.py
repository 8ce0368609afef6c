"""A layer graph without what exporters write in many ways, and what can be put in at no cost.

Left out is arithmetic of one layer's output with constants, unless these are one for each channel,
and what cuts, pads and joins that output alone, as a shift of windows does; sums of sums are one;
and of layers without parameters that do the same to the same, one is left.  What is added,
multiplied or joined is no parameter here, for it is folded, shared, and as large as the image; nor
are those of normalizations, with a bias or without.  These are rules of labels alone: the graph
that is kept of a model has all layers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from assay.graphs.running_order import Neighbors, neighbors, running_order
from assay.values import Layer, LayerGraph

_OF_ONE = {"Div", "Expand", "Mul", "Neg", "Pad", "Reciprocal", "Slice", "Split", "Sub", "Tile"}
_TABLES = _OF_ONE | {"Add", "Concat", "Max", "Min", "Pow", "Resize", "Where"}
_NORMS = {
    "BatchNormalization", "GroupNormalization", "InstanceNormalization", "LayerNormalization",
    "RMSNormalization",
}  # fmt: skip
_JOINED = {"Add", "Mul"}  # of which one may stand for several


@lru_cache(maxsize=1 << 12)
def first_operator(op: str) -> str:
    """That of a layer's merged operators which the others were merged into."""
    return op if "::" in op else op.split("+")[0]


def simplified(graph: LayerGraph) -> LayerGraph:
    """``graph`` with fewer layers, in their order; itself where nothing would be left.

    Linear in layers and edges.  What is on a cycle, or behind one, stays as it is.
    """
    reads, readers = neighbors(graph)
    order = _before_cycles(reads, running_order(reads, readers))
    layers = [_counted(layer) for layer in graph.layers]
    stands = _standing(graph.layers, reads, order)
    if all(other != i for i, other in enumerate(stands)):
        return graph
    edges = {(a, b) for source, b in graph.edges
             if stands[b] == b and (a := stands[source]) is not None}  # fmt: skip
    last = _sums(layers, edges, order)
    kept = [i for i, other in enumerate(stands) if other == i == last[i]]
    places = {i: place for place, i in enumerate(kept)}
    joined = {(places[last[a]], places[last[b]]) for a, b in edges if last[a] != last[b]}
    return replace(graph, layers=tuple(layers[i] for i in kept), edges=tuple(sorted(joined)))


def _counted(layer: Layer) -> Layer:
    """The layer without parameters that do not count."""
    op = first_operator(layer.op)
    return replace(layer, parameters=0) if op in _TABLES or op in _NORMS else layer


def _before_cycles(reads: Neighbors, order: list[int]) -> list[int]:
    """The part of a running order whose layers come after all that they read."""
    seen: set[int] = set()
    for place, i in enumerate(order):
        if not seen.issuperset(reads[i]):
            return order[:place]
        seen.add(i)
    return order


def _standing(layers: Sequence[Layer], reads: Neighbors, order: list[int]) -> list[int | None]:
    """Which layer stands for each: itself, one that does the same, or none before it."""
    result: list[int | None] = [*range(len(layers))]
    alike: dict[tuple[object, ...], int] = {}
    for i in order:
        layer, sources = layers[i], frozenset(result[source] for source in reads[i])
        if len(sources) <= 1 and _adds_nothing(layer, len(reads[i])):
            result[i] = next(iter(sources), None)
        elif sources and not layer.parameters:
            result[i] = alike.setdefault((layer.op, layer.shape, layer.attributes, sources), i)
    return result


def _adds_nothing(layer: Layer, reads: int) -> bool:
    """Whether what is made of one layer alone is that one, scaled, cut or moved."""
    shape, constants = layer.shape or (), layer.parameters
    if constants > 1 and constants in (*shape[1:2], *shape[-1:]):  # one for each channel
        return False
    if layer.op == "Add":  # else it is the layer twice
        return constants > 0
    if layer.op == "Concat":  # else nothing says what there was besides
        return constants > 0 or reads > 1
    return layer.op in _OF_ONE


def _sums(layers: list[Layer], edges: set[tuple[int, int]], order: list[int]) -> list[int]:
    """Of each layer the one that it goes on into: a sum into the sum that alone reads it."""
    readers: list[list[int]] = [[] for _ in layers]
    for source, target in edges:
        readers[source].append(target)
    result, ordered = [*range(len(layers))], {*order}
    for i in reversed(order):
        if len(readers[i]) == 1 and layers[i].op in _JOINED:
            reader = readers[i][0]
            if reader in ordered and layers[reader].op == layers[i].op:
                result[i] = result[reader]
    return result
