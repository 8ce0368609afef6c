"""A model file's layers with the weights that each holds, to be drawn."""

from __future__ import annotations

from assay.formats import Model
from assay.graphs import layer_graph
from assay.graphs.layer_weights import layer_weights
from assay.values import Layer, LayerGraph, WeightedGraph


def weighted(model: Model) -> WeightedGraph:
    """A model's layers and their weights; of a file without a graph, its tensors in their order.

    Tensors of one name but for its last part are one layer there.  Raises UnreadableModel.
    """
    if model.layers is not None:
        held = layer_weights(model.layers, model.weights)
        return WeightedGraph(layer_graph(model.layers), held)
    layers: dict[str, list[str]] = {}
    for name in model.weights:
        layers.setdefault(_owner(name), []).append(name)
    drawn = tuple(
        Layer(owner or "tensors", None, parameters=sum(model.weights[n].size for n in names))
        for owner, names in layers.items()
    )
    graph = LayerGraph(drawn, (), "tensors")
    return WeightedGraph(graph, tuple(map(tuple, layers.values())), whole=False)


def _owner(name: str) -> str:
    """A weight's name without its last part."""
    for mark in ("/", "."):
        head, found, _ = name.rpartition(mark)
        if found:
            return head
    return name
