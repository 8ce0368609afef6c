"""The same network, spelled in another way: what exporters differ in, and what copiers hide behind.

Each function is a change as those of ``assay.graphs.variants`` are.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np

from assay.graphs._drafts import Draft, Variant
from assay.values import Layer, LayerGraph

Rng = np.random.Generator


def spelled_out(graph: LayerGraph, share: float, rng: Rng) -> Variant | None:
    """Of the merged operators a share is apart, each kind everywhere: another exporter's ways."""
    kinds = sorted({layer.op for layer in graph.layers if "+" in layer.op and "::" not in layer.op})
    chosen = {kind for kind in kinds if rng.random() < share}
    draft = Draft(graph)
    for i, layer in enumerate(graph.layers):
        if layer.op in chosen:
            first, *others = layer.op.split("+")
            size = prod(layer.shape or ())
            macs = max(layer.macs - size * len(others), 0)
            draft.layers[i] = replace(layer, op=first, macs=macs)
            last = i
            for op in others:
                new = draft.put(Layer(op, layer.shape, size), [last])
                draft.hand_over(last, new)
                last = new
    return draft.done() if chosen else None


def rewritten(graph: LayerGraph, share: float, rng: Rng) -> Variant | None:
    """A share of the layers is written otherwise, or as operators that nobody knows."""
    draft = Draft(graph)
    n = len(graph.layers)
    for i in rng.permutation(n)[: max(round(share * n), 1)].tolist():
        layer = graph.layers[i]
        shape: tuple[int, ...] = layer.shape or ()
        kind = int(rng.integers(3))
        if kind == 0 and layer.op.startswith("Conv") and len(shape) > 1 and shape[1] > 1:
            first = shape[1] // 2
            draft.layers[i], rest = (_part(layer, count) for count in (first, shape[1] - first))
            other = draft.put(rest, [*draft.reads[i]])
            both = draft.put(Layer("Concat", layer.shape), [i, other])
            draft.hand_over(i, both, [other])
        elif kind == 1:
            draft.layers[i] = replace(layer, op=f"custom::{rng.integers(1000)}", attributes=())
        else:
            one = draft.put(Layer("Mul", layer.shape, prod(shape)), [i])
            draft.hand_over(i, one)
    return draft.done()


def _part(layer: Layer, count: int) -> Layer:
    """``count`` of a convolution's channels."""
    shape = layer.shape or ()
    macs, parameters = (round(n * count / shape[1]) for n in (layer.macs, layer.parameters))
    return replace(layer, shape=(shape[0], count, *shape[2:]), macs=macs, parameters=parameters)
