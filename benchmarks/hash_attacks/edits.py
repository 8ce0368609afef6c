"""Edits of a layer graph that leave what the network computes as it is.

Each is one that a copier can do in a file without training: weights that are new are zeros, ones or
copies.  All stay in the layer graph after the graph rules, as ``canonical.py`` shows on files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from math import prod

import numpy as np

from assay.graphs._drafts import Draft
from assay.graphs.channels import resized
from assay.graphs.rewrites import _part
from assay.values import Layer, LayerGraph

Rng = np.random.Generator
Edit = Callable[[LayerGraph, int, Rng], LayerGraph | None]  # of one layer; None: it has no such

# Channels of zeros change what these make of the others.
_ALL_CHANNELS = ("Normalization", "Softmax", "Attention", "Normalize", "custom::", "Reduce")
_BRANCHES = (8, 16, 32, 64, 96, 128, 256, 512, 1024)  # channels inside a branch that adds zeros


def split(graph: LayerGraph, i: int, rng: Rng) -> LayerGraph | None:
    """A convolution is two, of some of its channels each, and their concatenation."""
    layer, shape = graph.layers[i], graph.layers[i].shape or ()
    grouped = dict(layer.attributes).get("group", 1) != 1
    if not _convolution(layer) or grouped or len(shape) != 4 or shape[1] < 2:
        return None
    draft, first = Draft(graph), int(rng.integers(1, shape[1]))
    draft.layers[i], rest = (_part(layer, count) for count in (first, shape[1] - first))
    other = draft.put(rest, [*draft.reads[i]])
    draft.hand_over(i, draft.put(Layer("Concat", shape), [i, other]), [other])
    return draft.done().graph


def opaque(graph: LayerGraph, i: int, rng: Rng) -> LayerGraph | None:
    """A layer is an operator that nobody knows."""
    layer = replace(graph.layers[i], op=_unknown(rng), attributes=())
    return replace(graph, layers=(*graph.layers[:i], layer, *graph.layers[i + 1 :]))


def opaque_identity(graph: LayerGraph, i: int, rng: Rng) -> LayerGraph | None:
    """Behind a layer is an operator that nobody knows, and that does nothing."""
    return _behind(graph, i, Layer(_unknown(rng), graph.layers[i].shape))


def by_one(graph: LayerGraph, i: int, rng: Rng) -> LayerGraph | None:
    """Behind a layer is a product with a stored vector of ones: its file may hide that."""
    shape = graph.layers[i].shape or ()
    return _behind(graph, i, Layer("Mul", shape, prod(shape), _channels(shape)))


def identity_convolution(graph: LayerGraph, i: int, rng: Rng) -> LayerGraph | None:
    """Behind a layer is a convolution, or a product, that does nothing; also of each channel."""
    shape = graph.layers[i].shape or ()
    if len(shape) not in (2, 3, 4) or not prod(shape):
        return None
    alone = len(shape) == 4 and rng.random() < 0.5
    return _behind(graph, i, _made(shape, 1 if alone else _channels(shape), rng, alone))


def larger_kernel(graph: LayerGraph, i: int, rng: Rng) -> LayerGraph | None:
    """A convolution's window has a rim of zeros."""
    layer = graph.layers[i]
    kernel = dict(layer.attributes).get("kernel_shape")
    if not _convolution(layer) or not isinstance(kernel, tuple) or not prod(kernel):
        return None
    larger = tuple(side + 2 for side in kernel)
    growth = prod(larger) / prod(kernel)
    attributes = tuple(sorted({**dict(layer.attributes), "kernel_shape": larger}.items()))
    costs = round(layer.macs * growth), round(layer.parameters * growth)
    new = Layer(layer.op, layer.shape, *costs, attributes)
    return replace(graph, layers=(*graph.layers[:i], new, *graph.layers[i + 1 :]))


def dead_branch(graph: LayerGraph, i: int, rng: Rng) -> LayerGraph | None:
    """To a layer is added what a branch makes of it, of any width, whose last weights are zeros."""
    shape = graph.layers[i].shape or ()
    if len(shape) not in (2, 3, 4) or not prod(shape):
        return None
    axis, draft = _axis(shape), Draft(graph)
    inner = (*shape[:axis], int(rng.choice(_BRANCHES)), *shape[axis + 1 :])
    first = draft.put(_made(inner, shape[axis], rng), [i])
    last = draft.put(_made(shape, inner[axis], rng), [first])
    draft.hand_over(i, draft.put(Layer("Add", shape, prod(shape)), [i, last]), [first])
    return draft.done().graph


def twice(graph: LayerGraph, i: int, rng: Rng) -> LayerGraph | None:
    """What several layers read is computed twice."""
    draft = Draft(graph)
    readers = sorted(draft.readers[i])
    if len(readers) < 2:
        return None
    moved, copy = int(rng.choice(readers)), draft.put(graph.layers[i], [*draft.reads[i]])
    draft.hand_over(i, copy, [reader for reader in readers if reader != moved])
    return draft.done().graph


def padded(graph: LayerGraph, i: int, rng: Rng) -> LayerGraph | None:
    """A group of layers has channels of zeros; which group is drawn, not that of ``i``."""
    if any(word in layer.op for layer in graph.layers for word in _ALL_CHANNELS):
        return None
    groups: list[int] = []

    def listed(group: int) -> float:
        groups.append(group)
        return 1.0

    resized(graph, listed)
    if not groups:
        return None
    chosen, factor = int(rng.choice(groups)), float(rng.choice([1.125, 1.25, 1.5, 2.0]))
    return resized(graph, lambda group: factor if group == chosen else 1.0)


EDITS: dict[str, Edit] = {
    "a convolution split": split,
    "an opaque operator": opaque,
    "an opaque identity": opaque_identity,
    "a product with ones": by_one,
    "an identity convolution": identity_convolution,
    "a kernel with a rim of zeros": larger_kernel,
    "a branch that adds zeros": dead_branch,
    "computed twice": twice,
    "channels of zeros": padded,
}


HIDDEN = (  # only values of weights tell that these do nothing, not the graph
    "an identity convolution", "a kernel with a rim of zeros",
    "a branch that adds zeros", "channels of zeros",
)  # fmt: skip


def drawn(
    graph: LayerGraph, count: int, rng: Rng, kinds: Sequence[str] = tuple(EDITS)
) -> Iterator[tuple[str, LayerGraph]]:
    """``count`` single edits of a graph, each of a kind and a layer drawn anew."""
    while count:
        kind = kinds[int(rng.integers(len(kinds)))]
        edited = EDITS[kind](graph, int(rng.integers(len(graph.layers))), rng)
        if edited is not None and edited != graph:
            count -= 1
            yield kind, edited


def _convolution(layer: Layer) -> bool:
    return layer.op.split("+")[0] == "Conv"


def _unknown(rng: Rng) -> str:
    return f"custom::{rng.integers(10**6)}"


def _behind(graph: LayerGraph, i: int, layer: Layer) -> LayerGraph:
    draft = Draft(graph)
    draft.hand_over(i, draft.put(layer, [i]))
    return draft.done().graph


def _axis(shape: tuple[int, ...]) -> int:
    return 1 if len(shape) == 4 else len(shape) - 1


def _channels(shape: tuple[int, ...]) -> int:
    return shape[_axis(shape)] if shape else 1


def _made(shape: tuple[int, ...], read: int, rng: Rng, alone: bool = False) -> Layer:
    """What makes ``shape`` of ``read`` channels: a convolution of any window, or a product."""
    side = int(rng.choice([1, 3, 5])) if len(shape) == 4 else 1
    costs = prod(shape) * read * side**2, _channels(shape) * read * side**2
    if len(shape) != 4:
        return Layer("Gemm", shape, *costs)
    attributes: tuple[tuple[str, int | tuple[int, ...]], ...] = (("kernel_shape", (side, side)),)
    if alone and shape[1] > 1:
        attributes = (("group", shape[1]), *attributes)
    return Layer("Conv", shape, *costs, attributes)
