"""Larger networks, put together of parts of the zoo's, as a backbone and another's decoder.

Only the graph is made, as an exporter would list it: where shapes do not meet, a projection stands
between, and what follows keeps the shapes that it had.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt, prod

import numpy as np

from assay.graphs._drafts import Draft
from assay.graphs.channels import resized
from assay.graphs.cut_points import Trunk
from assay.values import Layer, LayerGraph

Rng = np.random.Generator
NECK = 256  # channels of a feature pyramid [Lin et al., Focal Loss, ICCV 2017]
LEVELS = 4  # of a backbone that a pyramid reads, the last ones
OUTPUTS = {"classes": 9 * 80, "boxes": 9 * 4}  # of each place: anchors times what each tells
NEAREST = (("mode", "nearest"),)
SHARED = 512  # width of the space that two towers are projected to


@dataclass(frozen=True)
class Body:
    """A network, and the cut points at which it holds features rather than answers."""

    graph: LayerGraph
    order: tuple[int, ...]  # (n) as the layers run
    cuts: tuple[int, ...]  # maps (4 axes) or sequences (b, t, c), as the last of them is

    @classmethod
    def of(cls, graph: LayerGraph) -> Body | None:
        """None where it holds no features: nothing of three or four axes can be cut."""
        trunk = Trunk.of(graph)
        places = [i for i in trunk.cuts if _places(graph.layers[i]) > 1]
        if not places:
            return None
        rank = len(graph.layers[places[-1]].shape or ())
        cuts = [i for i in places if len(graph.layers[i].shape or ()) == rank]
        return cls(graph, trunk.order, tuple(cuts))

    @property
    def rank(self) -> int:
        """Axes of its features: 4 of maps, 3 of sequences."""
        return len(self.graph.layers[self.cuts[-1]].shape or ())

    def up_to(self, cut: int) -> set[int]:
        """The layers that run up to a cut point, with it."""
        return {*self.order[: self.order.index(cut) + 1]}

    def at(self, share: float) -> int:
        """The cut point that is nearest to so much of its layers."""
        place = {layer: at for at, layer in enumerate(self.order)}
        return min(self.cuts, key=lambda cut: abs(place[cut] - share * len(self.order)))

    def levels(self) -> list[int]:
        """Of maps the last cut point at each resolution, coarser and coarser; of sequences one."""
        if self.rank == 3:
            return [self.cuts[-1]]
        found: list[int] = []
        for cut in reversed(self.cuts):
            if not found or _places(self.graph.layers[cut]) > _places(self.graph.layers[found[-1]]):
                found.append(cut)
        return found[::-1][-LEVELS:]


def grafted(front: Body, cut: int, back: Body, other: int) -> LayerGraph:
    """``front`` up to its cut point ``cut``, then ``back`` from behind its cut point ``other``."""
    draft, shift = _both(front.graph, back.graph)
    draft.gone = {*range(shift)} - front.up_to(cut)
    draft.gone |= {shift + i for i in back.up_to(other)}
    made = _project(draft, cut, draft.layers[shift + other].shape or ())
    draft.hand_over(shift + other, made)
    return draft.done().graph


def detector(body: Body) -> LayerGraph:
    """Under a feature pyramid with two heads at each level, as RetinaNet has them."""
    draft, levels = Draft(body.graph), body.levels()
    draft.gone = {*range(len(body.graph.layers))} - body.up_to(levels[-1])
    above = -1
    for level in reversed(levels):
        shape = (1, NECK, *_plane(draft.layers[level]))
        lateral = _project(draft, level, shape)
        if above >= 0:
            larger = draft.put(Layer("Resize", shape, attributes=NEAREST), [above])
            lateral = draft.put(Layer("Add", shape, prod(shape)), [lateral, larger])
        above = lateral
        feature = _conv(draft, lateral, shape)
        for channels in OUTPUTS.values():
            last = feature
            for _ in range(4):
                last = _conv(draft, last, shape, "Conv+Relu")
            _conv(draft, last, (1, channels, *shape[2:]))
    return draft.done().graph


def two_towers(first: Body, second: Body) -> LayerGraph:
    """Two networks' features, averaged, projected to one space and compared, as in CLIP."""
    draft, shift = _both(first.graph, second.graph)
    kept = first.up_to(first.cuts[-1]) | {shift + i for i in second.up_to(second.cuts[-1])}
    draft.gone = {*range(len(draft.layers))} - kept
    ends = []
    for end in (first.cuts[-1], shift + second.cuts[-1]):
        layer, channels = draft.layers[end], _channels(draft.layers[end])
        op = "GlobalAveragePool" if len(layer.shape or ()) == 4 else "ReduceMean"
        pooled = draft.put(Layer(op, (1, channels), prod(layer.shape or ())), [end])
        costs = channels * SHARED, channels * SHARED
        ends.append(draft.put(Layer("MatMul", (1, SHARED), *costs), [pooled]))
    draft.put(Layer("MatMul", (1, 1), SHARED), ends)
    return draft.done().graph


def chimera(front: Body, back: Body, rng: Rng) -> LayerGraph:
    """The first 30 to 70 % of one network, the rest of another, all widths times .5 to 1.5."""
    share = float(rng.uniform(0.3, 0.7))
    joined = grafted(front, front.at(share), back, back.at(share))
    factor = float(rng.uniform(0.5, 1.5))
    return resized(joined, lambda group: factor)


def _both(first: LayerGraph, second: LayerGraph) -> tuple[Draft, int]:
    """Two graphs beside one another, and by how much the second's layers are shifted."""
    shift = len(first.layers)
    edges = (*first.edges, *((a + shift, b + shift) for a, b in second.edges))
    return Draft(LayerGraph((*first.layers, *second.layers), edges, first.rules)), shift


def _project(draft: Draft, source: int, shape: tuple[int, ...]) -> int:
    """A product with weights that makes features of this shape of another layer's."""
    made = Layer("", shape)
    if len(shape) == 4 and _channels(made) == shape[1]:
        return _conv(draft, source, shape, kernel=1)
    weights = _channels(draft.layers[source]) * _channels(made)
    macs = _channels(draft.layers[source]) * prod(shape) + prod(shape)
    return draft.put(Layer("Gemm", shape, macs, weights + _channels(made)), [source])


def _conv(
    draft: Draft, source: int, shape: tuple[int, ...], op: str = "Conv", kernel: int = 3
) -> int:
    """With a bias, as folded normalizations leave one."""
    weights = kernel**2 * _channels(draft.layers[source]) * shape[1]
    macs = weights * prod(shape[2:]) + prod(shape)
    attributes = (("kernel_shape", (kernel, kernel)),)
    return draft.put(Layer(op, shape, macs, weights + shape[1], attributes), [source])


def _channels(layer: Layer) -> int:
    shape = layer.shape or (1,)
    return shape[1] if len(shape) == 4 and not _channels_last(shape) else shape[-1]


def _plane(layer: Layer) -> tuple[int, int]:
    """Height and width; of a sequence those of the square that it is taken from."""
    shape = layer.shape or ()
    if len(shape) == 4:
        return shape[1:3] if _channels_last(shape) else shape[2:]
    return (isqrt(_places(layer)),) * 2


def _places(layer: Layer) -> int:
    """Of a map or a sequence; 0 of anything else."""
    shape = layer.shape or ()
    return prod(_plane(layer)) if len(shape) == 4 else shape[1] if len(shape) == 3 else 0


def _channels_last(shape: tuple[int, ...]) -> bool:
    """Of four axes: images are square, so the two that are equal are height and width."""
    return shape[1] == shape[2] != shape[3]
