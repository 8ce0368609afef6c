"""What a layer is, as numbers: its operators, its costs and its shapes, on logarithmic scales.

Steps of width, depth and resolution become shifts, so a network can learn what stays.  Merged
operators are taken apart, so an unseen merge of known operators is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log2, prod

import numpy as np

from assay.graphs.merged_operators import merged_operators
from assay.hashers._arrays import Floats, Ints, listing
from assay.values import Attribute, Layer, LayerGraph

# Columns of a layer's numbers.  Those that an image's size shifts come first.
MACS, ELEMENTS, LAST, CHANNELS, PARAMETERS, KERNEL, STRIDE, GROUPS, SHAPELESS = range(9)
NUMBERS = 9
WINDOWED = {"Conv", "ConvTranspose", "MaxPool", "AveragePool", "LpPool"}  # and their attributes
SCALE = 0.1  # of the logarithms: keeps them near 1


@dataclass(frozen=True, slots=True)
class LayerInputs:
    """n layers, in canonical order, and the e directed edges between them."""

    ops: Floats  # (n, v + 1) which operators, of the vocabulary or else the last; may be several
    numbers: Floats  # (n, 9) see the columns above
    sources: Ints  # (e)
    targets: Ints  # (e)


def layer_inputs(
    graph: LayerGraph, vocabulary: Sequence[str], *, as_listed: bool = False
) -> LayerInputs:
    """``graph`` as numbers, its layers in an order that does not depend on the listing.

    ``as_listed`` leaves the order as it is, which is quicker, and good enough for training.
    """
    order, place = listing(graph, as_listed)
    index = {op: i for i, op in enumerate(vocabulary)}
    ops = np.zeros((len(order), len(index) + 1))
    for row, old in enumerate(order):
        for op in merged_operators(graph.layers[old].op):
            ops[row, index.get(op, len(index))] = 1
    numbers = np.array([_numbers(graph.layers[old]) for old in order]).reshape(-1, NUMBERS)
    edges = sorted((place[b], place[a]) for a, b in graph.edges)
    targets, sources = np.array(edges, np.int64).reshape(-1, 2).T
    return LayerInputs(ops, SCALE * numbers, sources, targets)


def _numbers(layer: Layer) -> list[float]:
    """Logarithms, each cut off where no real layer is: one layer shall not outweigh a graph."""
    shape = layer.shape or ()
    windowed = any(op in WINDOWED for op in merged_operators(layer.op))
    attributes = dict(layer.attributes) if windowed else {}
    return [
        _logarithm(1 + layer.macs),
        _logarithm(prod(size for size in shape if size > 0)),
        _logarithm(shape[-1] if shape else 1),
        _logarithm(shape[1] if len(shape) > 1 else 1),
        _logarithm(1 + layer.parameters),
        _window(attributes.get("kernel_shape")),
        _window(attributes.get("strides")),
        _window((attributes.get("group"),)),
        10.0 * (layer.shape is None),
    ]


def _logarithm(number: int, most: float = 40.0) -> float:
    return min(log2(number), most) if number > 0 else 0.0


def _window(sizes: Attribute | tuple[Attribute | None, ...] | None) -> float:
    """Of a window's size, or of the number of groups."""
    if not isinstance(sizes, tuple) or len(sizes) > 3:
        return 0.0
    return _logarithm(prod(size for size in sizes if isinstance(size, int) and size > 0), 14.0)
