"""What a layer graph is when its layers have more or fewer channels.

Layers that make channels (convolutions and products with weights) may be resized, each alone or
tied to those that it is added to.  All others have the channels of what they read.  Costs follow:
those of a product with the channels read and made, all others with the channels made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from assay.graphs.running_order import neighbors, running_order
from assay.values import Attribute, Layer, LayerGraph

_MAKERS = {"Conv", "ConvTranspose", "Gemm", "MatMul", "LSTM", "GRU", "RNN", "Gather"}
_TIED = {"Add", "Sub", "Mul", "Div", "Min", "Max", "Where", "Sum"}


def resized(graph: LayerGraph, factor: Callable[[int], float]) -> LayerGraph:
    """``graph`` with the channels of its layers multiplied.

    Args:
        graph: The graph; what it reads and its last layers with weights keep their channels.
        factor: Of the layer that stands for all that are tied to it; asked once for each.
    """
    reads, readers = neighbors(graph)
    order = running_order(reads, readers)
    stands = _ties(graph, reads, order)
    fixed = {stands[i] for i in last_makers(graph)}
    factors: dict[int, float] = dict.fromkeys(fixed, 1.0)
    axes: dict[int, int] = {}
    made: dict[int, float] = {}
    layers = list(graph.layers)
    for i in order:
        layer, sources = graph.layers[i], [s for s in reads[i] if s in made]
        before = sum(made[s] for s in sources) / len(sources) if sources else 1.0
        if _makes(layer):
            group = stands[i]
            if group not in factors:
                factors[group] = factor(group)
            made[i] = factors[group]
            product = before * made[i]
            axes[i] = 1 if layer.op.startswith("Conv") else -1
        else:
            made[i] = product = before if sources else 1.0
            axes[i] = axes[sources[0]] if sources else -1
        layers[i] = _scaled(layer, axes[i], made[i], product)
    return replace(graph, layers=tuple(layers))


def _makes(layer: Layer) -> bool:
    """Whether its number of channels is its own: not a depthwise convolution's."""
    if layer.op.split("+")[0] not in _MAKERS or layer.parameters == 0:
        return False
    return not _depthwise(layer)


def _depthwise(layer: Layer) -> bool:
    """Whether each of several channels has a group of its own."""
    groups, shape = dict(layer.attributes).get("group", 1), layer.shape
    return groups != 1 and shape is not None and len(shape) > 1 and groups == shape[1]


def _ties(graph: LayerGraph, reads: list[list[int]], order: list[int]) -> dict[int, int]:
    """For each layer, that which makes its channels, or stands for all that do."""
    parent: dict[int, int] = {}

    def top(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for i in order:
        layer, sources = graph.layers[i], [s for s in reads[i] if s in parent]
        parent[i] = i
        if _makes(layer) or not sources or layer.op.startswith("Concat"):
            continue
        parent[i] = top(sources[0])
        if layer.op.split("+")[0] in _TIED:
            for source in sources[1:]:
                parent[top(source)] = top(i)
    return {i: top(i) for i in parent}


def last_makers(graph: LayerGraph) -> list[int]:
    """Layers that make channels and lead to no other that does: mostly the model's heads."""
    reads, readers = neighbors(graph)
    order = running_order(reads, readers)
    leads = [False] * len(order)
    result = []
    for i in reversed(order):
        ahead = any(leads[reader] for reader in readers[i])
        if _makes(graph.layers[i]) and not ahead:
            result.append(i)
        leads[i] = ahead or _makes(graph.layers[i])
    return result


def _scaled(layer: Layer, axis: int, channels: float, product: float) -> Layer:
    shape, attributes = layer.shape, layer.attributes
    if shape is not None and len(shape) > 1 and channels != 1.0:
        sizes, at = list(shape), axis if axis < len(shape) else -1
        sizes[at] = max(round(shape[at] * channels), 1)
        if _depthwise(layer):
            attributes = _with(attributes, "group", sizes[1])
        shape = tuple(sizes)
    return replace(
        layer,
        shape=shape,
        macs=round(layer.macs * product),
        parameters=round(layer.parameters * product),
        attributes=attributes,
    )


def _with(
    attributes: tuple[tuple[str, Attribute], ...], name: str, value: Attribute
) -> tuple[tuple[str, Attribute], ...]:
    changed: Mapping[str, Attribute] = {**dict(attributes), name: value}
    return tuple(sorted(changed.items()))
