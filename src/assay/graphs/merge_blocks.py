"""The merge rules of the paper: usual blocks become one layer each [HNN-Net, section 3.1].

1. ``conv-conv-bn-relu``   Conv → Conv → BatchNormalization → activation; the separable convolution:
                           the first is depthwise, the second pointwise.
2. ``conv-bn-relu``        Conv → BatchNormalization → activation
3. ``conv-bn``             Conv → BatchNormalization
4. ``conv-relu``           Conv → activation

Longest first, only where nothing else reads what lies between.  A batch norm that the exporter
folded away is already inside its Conv, so 1 and 2 match without it too.  Costs add up; the shape is
the last layer's, kernel, stride and groups are the first's.  Any activation counts as the paper's
ReLU and keeps its name.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from assay.graphs._vocabulary import ACTIVATIONS
from assay.values import Layer, LayerGraph

RULES = ("conv-conv-bn-relu", "conv-bn-relu", "conv-bn", "conv-relu")
_SHAPES = {  # rule → what follows the first Conv, with and without its batch norm
    "conv-conv-bn-relu": (("Conv", "BatchNormalization", "act"), ("Conv", "act")),
    "conv-bn-relu": (("BatchNormalization", "act"),),
    "conv-bn": (("BatchNormalization",),),
    "conv-relu": (("act",),),
}


def merge_blocks(graph: LayerGraph, rules: Collection[str] = RULES) -> LayerGraph:
    """The graph with the blocks that ``rules`` name merged."""
    found = blocks(graph, rules)
    head_of = {i: head for head, block in found.items() for i in block}
    places = {head: new for new, head in enumerate(found)}
    edges = {
        (places[head_of[source]], places[head_of[target]])
        for source, target in graph.edges
        if head_of[source] != head_of[target]
    }
    layers = tuple(
        _merged([graph.layers[i] for i in block]) if len(block) > 1 else graph.layers[head]
        for head, block in found.items()
    )
    return replace(graph, layers=layers, edges=tuple(sorted(edges)))


def blocks(graph: LayerGraph, rules: Collection[str] = RULES) -> dict[int, list[int]]:
    """The first layer of each block → all of its layers; most blocks are one layer."""
    wanted = [shape for rule in RULES if rule in rules for shape in _SHAPES[rule]]
    only_reader, reads_one = _chains(graph)
    taken: set[int] = set()
    found: dict[int, list[int]] = {}
    for i, layer in enumerate(graph.layers):
        if layer.op != "Conv" or i in taken:
            continue
        for shape in wanted:
            chain = _follow(graph, i, shape, only_reader, reads_one)
            if chain and not taken & set(chain):
                taken |= set(chain)
                found[i] = [i, *chain]
                break
    return {i: found.get(i, [i]) for i in range(len(graph.layers)) if i not in taken}


def _chains(graph: LayerGraph) -> tuple[dict[int, int], set[int]]:
    """Layers with one reader → that reader, and the layers that read one layer only."""
    readers: dict[int, list[int]] = {}
    sources: dict[int, int] = {}
    for source, target in graph.edges:
        readers.setdefault(source, []).append(target)
        sources[target] = sources.get(target, 0) + 1
    one = {source: targets[0] for source, targets in readers.items() if len(targets) == 1}
    return one, {target for target, count in sources.items() if count == 1}


def _follow(
    graph: LayerGraph,
    start: int,
    shape: tuple[str, ...],
    only_reader: dict[int, int],
    reads_one: set[int],
) -> list[int]:
    """The layers behind ``start`` that have this shape, or none."""
    chain: list[int] = []
    at = start
    if shape[0] == "Conv" and not _depthwise(graph.layers[start]):
        return []
    for wanted in shape:
        after = only_reader.get(at)
        if after is None or after not in reads_one:
            return []
        op = graph.layers[after].op
        if op not in ACTIVATIONS if wanted == "act" else op != wanted:
            return []
        if op == "Conv" and not _pointwise(graph.layers[after]):
            return []
        chain.append(after)
        at = after
    return chain


def _pointwise(layer: Layer) -> bool:
    """Whether it is a convolution of 1×1 without strides, dilations or groups."""
    attributes = dict(layer.attributes)
    kernel = attributes.pop("kernel_shape", ())
    return not attributes and isinstance(kernel, tuple) and set(kernel) == {1}


def _depthwise(layer: Layer) -> bool:
    group = dict(layer.attributes).get("group", 1)
    channels = (layer.shape or ())[1:2]
    return group != 1 and channels == (group,)


def _merged(block: list[Layer]) -> Layer:
    attributes = dict(block[-1].attributes) | dict(block[0].attributes)
    return Layer(
        "+".join(layer.op for layer in block if layer.op != "BatchNormalization"),
        block[-1].shape,
        sum(layer.macs for layer in block),
        sum(layer.parameters for layer in block),
        tuple(sorted(attributes.items())),
    )
