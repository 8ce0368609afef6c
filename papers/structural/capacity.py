"""How many bits the numbers of channels of published networks hold: from layer graphs alone."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from plan import LARGE, TOLERANCES

from assay.values import LayerGraph
from assay.watermarks._quantizing import LEAST_TAG, bins, capacity
from assay.zoo import architectures

Json = dict[str, Any]
GIVES = ("Conv", "Gemm", "MatMul")


def groups(graph: LayerGraph) -> list[tuple[int, int]]:
    """Hidden channels that go together: how many, and how many layers give them.

    A sum makes the channels of its inputs one; what computes no channels of its own hands them on.
    """
    sources: dict[int, list[int]] = defaultdict(list)
    for source, sink in graph.edges:
        sources[sink].append(source)
    root: dict[int, int] = {}

    def top(layer: int) -> int:
        while root.get(layer, layer) != layer:
            layer = root[layer]
        return layer

    for place, layer in enumerate(graph.layers):
        if layer.op not in GIVES:
            for source in sources[place]:
                root[top(source)] = place
    givers: dict[int, list[int]] = defaultdict(list)
    for place, layer in enumerate(graph.layers):
        if layer.op in GIVES:
            givers[top(place)].append(place)
    last = top(len(graph.layers) - 1)  # the classes
    return [
        (graph.layers[places[0]].shape[1], len(places))
        for space, places in givers.items()
        if space != last
    ]


def rows(least: float, most: float) -> list[Json]:
    """Each network, all of its hidden channels or those that one layer alone gives."""
    known = {each.name: each for each in architectures("torchvision")}
    found = []
    for name in LARGE:
        every = groups(known[name].raw)
        for which, some in (
            ("one layer alone gives", [size for size, givers in every if givers == 1]),
            ("all hidden", [size for size, _ in every]),
        ):
            row: Json = {"network": name, "channels": which, "layers": len(some), "bits": {}}
            for tolerance in TOLERANCES:
                step = 2 * tolerance + 1
                layers = [{"symbols": bins(size, step, least, most)[1]} for size in some]
                there = capacity(layers)
                row["bits"][str(tolerance)] = [there, max(0, there - LEAST_TAG) // 8 * 8]
            found.append(row)
    return found
