"""Weights brought from a framework's layout into the canonical one: output, input, space.

Frameworks that keep channels last store a convolution as height, width, input, output.  Nothing is
read to change a layout: the change is done when the values are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import prod

import numpy as np

from assay.weights import Array, Weight


def known(weight: Weight) -> Weight:
    """The layout is canonical as it is."""
    return replace(weight, canonical=True)


def moved(weight: Weight, axes: Sequence[int]) -> Weight:
    """The axes in another order."""
    if len(weight.shape) != len(axes):
        return weight
    order = tuple(axes)
    shape = tuple(weight.shape[axis] for axis in order)
    return _changed(weight, shape, lambda values: values.transpose(order))


def output_first(weight: Weight) -> Weight:
    """The last axis, which is the output's, and the one before it, before those of space."""
    rank = len(weight.shape)
    if rank < 2:
        return known(weight)
    return moved(weight, (rank - 1, rank - 2, *range(rank - 2)))


def transposed_output_first(weight: Weight) -> Weight:
    """A transposed convolution with channels last: height, width, output, input."""
    rank = len(weight.shape)
    return moved(weight, (rank - 2, rank - 1, *range(rank - 2)))


def depthwise(weight: Weight) -> Weight:
    """Height, width, channels, multiples → channels · multiples, 1, height, width."""
    *space, channels, multiples = weight.shape
    rank = len(weight.shape)
    shape = (channels * multiples, 1, *space)
    order = (rank - 2, rank - 1, *range(rank - 2))
    return _changed(weight, shape, lambda values: values.transpose(order).reshape(shape))


def matrix(weight: Weight) -> Weight:
    """The last two axes, input and output, change places."""
    rank = len(weight.shape)
    return moved(weight, (*range(rank - 2), rank - 1, rank - 2)) if rank > 1 else known(weight)


def transposed_groups(weight: Weight, groups: int) -> Weight:
    """A transposed convolution with channels first: input, output / groups, space."""
    if len(weight.shape) < 3 or groups < 1 or weight.shape[0] % groups:
        return weight
    inputs, outputs, *space = weight.shape
    split = (groups, inputs // groups, outputs, *space)
    shape = (groups * outputs, inputs // groups, *space)
    return _changed(weight, shape, lambda v: v.reshape(split).swapaxes(1, 2).reshape(shape))


def contracted(weight: Weight, outputs: Sequence[int], inputs: Sequence[int]) -> Weight:
    """A matrix of several axes each way: those of the output first, flattened, then the input's."""
    shape = tuple(prod(weight.shape[axis] for axis in axes) for axes in (outputs, inputs))
    order = (*outputs, *inputs)
    return _changed(weight, shape, lambda values: values.transpose(order).reshape(shape))


def gates(weight: Weight, blocks: Sequence[int]) -> Weight:
    """The gates of a recurrent layer, which lie along the first axis, in another order."""
    count = len(blocks)
    if not weight.shape or weight.shape[0] % count:
        return weight

    def ordered(values: Array) -> Array:
        parts = np.split(values, count)
        return np.concatenate([parts[block] for block in blocks])

    return _changed(weight, weight.shape, ordered)


def _changed(weight: Weight, shape: tuple[int, ...], change: Callable[[Array], Array]) -> Weight:
    read = weight.read
    return replace(weight, shape=shape, read=lambda: change(read()), canonical=True)
