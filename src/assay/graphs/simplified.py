"""A layer graph without what exporters write in many ways, and what can be put in at no cost.

Left out is arithmetic of one layer's output with constants, unless these are one for each channel;
sums of sums are one; and of layers without parameters that do the same to the same, one is left.
What a graph does not tell apart goes with them: a square is a product that reads one layer, and
``a - b`` reads what ``b - a`` does.
These are rules of labels alone: the graph that is kept of a model has all layers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from assay.graphs.merged_operators import first_operator
from assay.graphs.running_order import Neighbors, neighbors, running_order
from assay.values import Layer, LayerGraph

_SCALES = {"Div", "Mul", "Neg", "Reciprocal", "Sub"}
_CUTS = {  # from which places they take is in no attribute
    "Compress", "Gather", "GatherElements", "GatherND", "Pad", "ScatterElements", "ScatterND",
    "Slice", "Split",
}  # fmt: skip
_JOINED = {"Add", "Mul"}  # of which one may stand for several
_WEIGHTED = {"Conv", "ConvTranspose", "Gemm"}  # where none are counted, weights are shared


def simplified(graph: LayerGraph) -> LayerGraph:
    """``graph`` with fewer layers, in their order; itself where nothing would be left.

    Linear in layers and edges.  What is on a cycle, or behind one, stays as it is.
    """
    reads, readers = neighbors(graph)
    order = _before_cycles(reads, running_order(reads, readers))
    layers = graph.layers
    stands = _standing(layers, reads, order)
    if all(other != i for i, other in enumerate(stands)):
        return graph
    edges = {(a, b) for source, b in graph.edges
             if stands[b] == b and (a := stands[source]) is not None}  # fmt: skip
    last = _sums(layers, edges, order)
    kept = [i for i, other in enumerate(stands) if other == i == last[i]]
    places = {i: place for place, i in enumerate(kept)}
    joined = {(places[last[a]], places[last[b]]) for a, b in edges if last[a] != last[b]}
    return replace(graph, layers=tuple(layers[i] for i in kept), edges=tuple(sorted(joined)))


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
        if len(sources) <= 1 and _scales(layer):
            result[i] = next(iter(sources), None)
        elif sources and None not in sources and _alike(layer):  # None: of one input or another
            result[i] = alike.setdefault((layer.op, layer.shape, layer.attributes, sources), i)
    return result


def _alike(layer: Layer) -> bool:
    """Whether another one that looks like it, and reads the same, makes the same."""
    known = layer.op not in _CUTS and first_operator(layer.op) not in _WEIGHTED
    return known and not layer.parameters and "::" not in layer.op


def _scales(layer: Layer) -> bool:
    """Whether what is made of one layer alone is that one, moved or scaled."""
    shape, constants = layer.shape or (), layer.parameters
    if constants > 1 and constants in (*shape[1:2], *shape[-1:]):  # one for each channel
        return False
    adds = layer.op == "Add" and constants > 0  # without constants it adds the layer to itself
    return adds or layer.op in _SCALES


def _sums(layers: Sequence[Layer], edges: set[tuple[int, int]], order: list[int]) -> list[int]:
    """Of each layer the one that it goes on into: a sum into the sum that alone reads it."""
    readers: list[list[int]] = [[] for _ in layers]
    for source, target in edges:
        readers[source].append(target)
    result, ordered = [*range(len(layers))], {*order}
    for i in reversed(order):
        if len(readers[i]) == 1 and layers[i].op in _JOINED and not layers[i].parameters:
            reader = readers[i][0]
            if reader in ordered and layers[reader].op == layers[i].op:
                result[i] = result[reader]
    return result
