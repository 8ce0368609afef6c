"""Where a layer's channels are, and how small its images are: what labels of widths are made of."""

from __future__ import annotations

from math import log2, prod

import numpy as np
from numpy.typing import NDArray

from assay.graphs.merged_operators import first_operator
from assay.graphs.running_order import Neighbors
from assay.values import Layer

Ints = NDArray[np.int64]

LARGEST = 2**62  # size that is told from larger ones
WINDOWED = {"Conv", "ConvTranspose", "MaxPool", "AveragePool", "LpPool"}
_SECOND = {*WINDOWED, "BatchNormalization", "GroupNormalization", "InstanceNormalization"}
_LAST = {"Gemm", "MatMul", "LayerNormalization", "RMSNormalization"}  # with weights
_ADDED = {  # their constants are folded, shared, or as large as the image; a norm has a bias or not
    "Add", "Concat", "Div", "Max", "Min", "Mul", "Pad", "Pow", "Resize", "Sub", "Where",
    "BatchNormalization", "GroupNormalization", "InstanceNormalization", "LayerNormalization",
    "RMSNormalization",
}  # fmt: skip
_OF_HEADS = {"MatMul", "Softmax", "Attention"}  # without, of four axes: heads are second


def channels(layers: tuple[Layer, ...], reads: Neighbors, order: list[int]) -> Ints:
    """Channels (n) of layers: their second axis or their last, as operators and widths read say."""
    shapes = [layer.shape or (1,) for layer in layers]
    result, last = np.ones(len(shapes), np.int64), [True] * len(shapes)
    for i in order:
        shape = shapes[i]
        if len(shape) in (3, 4, 5):  # signals or tokens, images, videos
            known = _by_operator(layers[i], len(shape))
            alike = [last[s] for s in reads[i] if len(shapes[s]) == len(shape)]
            read = {int(result[s]) for s in reads[i]}
            last[i] = _by_widths(shape, read, alike) if known is None else known
        result[i] = min(max(shape[-1 if last[i] else 1], 1), LARGEST)
    return result


def parameters(layers: tuple[Layer, ...], channels: Ints) -> Ints:
    """Parameters (n) that count: at most one for each channel of norms and of what is added."""
    return np.array([
        min(layer.parameters, int(most) if first_operator(layer.op) in _ADDED else LARGEST)
        for layer, most in zip(layers, channels, strict=True)
    ], np.int64)  # fmt: skip


def halvings(layers: tuple[Layer, ...], reads: Neighbors, order: list[int]) -> Ints:
    """How often images were halved up to each layer (n).

    Windows say so, and what has an image of such a size; others go on with what they read.
    """
    images = {_image(layer) for layer in layers if first_operator(layer.op) in WINDOWED} - {None}
    largest = max((prod(image) for image in images if image), default=1)
    result = np.zeros(len(layers), np.int64)
    for i in order:
        image = _image(layers[i])
        if image is not None and image in images:
            result[i] = round(log2(largest / prod(image)) / 2)
        elif reads[i]:
            result[i] = max(int(result[source]) for source in reads[i])
    return result


def _by_operator(layer: Layer, rank: int) -> bool | None:
    """Whether channels are last, of 3 axes or more; None where the operator does not say."""
    op = first_operator(layer.op)
    if op in _SECOND or (rank == 4 and op in _OF_HEADS and not layer.parameters):
        return False
    return True if op in _LAST and layer.parameters else None


def _by_widths(shape: tuple[int, ...], read: set[int], alike: list[bool]) -> bool:
    """The same by the widths that are read, and whether they are last in as many axes."""
    if len(shape) > 3:  # an image, unless nothing that is read is one
        return all(alike) and shape[1] not in read and (bool(alike) or shape[-1] in read)
    return shape[-1] in read or not (shape[1] in read or (bool(alike) and not any(alike)))


def _image(layer: Layer) -> tuple[int, ...] | None:
    """Sides of what it makes, where it makes images, or videos, of a size that is known."""
    shape = layer.shape
    known = shape is not None and len(shape) in (4, 5) and min(shape[-2:]) > 0
    return shape[-2:] if shape is not None and known else None
