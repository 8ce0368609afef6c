"""Many ways to label the layers of a graph, each blind to something that a copier may change.

[Shervashidze et al., Weisfeiler-Lehman Graph Kernels, JMLR 2011.]  A *kind* of label is made of
facts about a layer, and of what is taken in of its surroundings.  Widths that are told by their
ratio to the first layer's stay when all are scaled; a graph of the layers with weights alone stays
when activations are spelled otherwise; the first layers stay when the last are cut off.  Nothing
depends on the order in which layers are listed, unless they are on cycles, nor on the size of the
images traced with.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import cached_property, lru_cache
from hashlib import blake2b
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from assay.graphs.label_kinds import SIZES, Kind
from assay.graphs.label_sizes import WINDOWED, Ints, channels, halvings, parameters
from assay.graphs.label_words import Edges, Labels, paired, refined
from assay.graphs.merged_operators import first_operator, merged_operators
from assay.graphs.running_order import neighbors, running_order
from assay.graphs.simplified import simplified
from assay.values import Layer, LayerGraph

Number = TypeVar("Number", bound=np.generic)

_MOST_BEHIND = 4  # layers with weights that one is joined to, of those that lead to it
_MOST_PAIRS = 16  # for each layer, of those two edges apart
_ACTIVATIONS = {
    "Relu", "Gelu", "Swish", "HardSwish", "LeakyRelu", "Clip", "Elu", "Mish", "Sigmoid",
    "HardSigmoid", "Tanh", "PRelu", "Selu", "Softplus",
}  # fmt: skip


class LayerLabels:
    """Labels of one graph, of any kind; what several kinds need is worked out once."""

    def __init__(self, graph: LayerGraph) -> None:
        self.graph = graph = simplified(graph)
        self._reads, self._readers = neighbors(graph)
        self._order = running_order(self._reads, self._readers)
        self._known: dict[tuple[object, ...], Labels] = {}
        self._looked: dict[int, tuple[int, int, int, str]] = {}

    def __call__(self, kind: Kind) -> Labels:
        """Labels (m) of a kind: as many as there are layers, or pairs, of it."""
        labels = self._near(kind)
        if kind.within:
            labels = paired(labels, self._of(kind.weighted, self._fact(kind.within)))
        if kind.first:
            labels = labels[self._of(kind.weighted, self._before) <= kind.first]
        if kind.counted:
            labels, counts = np.unique(labels, return_counts=True)
            labels = paired(labels, _whole(kind.counted * np.log2(counts)))
        return labels

    @cached_property
    def sizes(self) -> dict[str, float]:
        """Of the graph as a whole: logarithms (base 2) that no image's size changes."""
        weighted = self._weighted
        channels = self._channels[weighted] if len(weighted) else np.ones(1, np.int64)
        parameters = self._parameters[weighted] if len(weighted) else np.ones(1, np.int64)
        found = (
            1 + float(self._parameters.sum(dtype=np.float64)),
            1 + float(parameters.max()),
            1 + len(weighted),
            1 + float(self._channels.max(initial=0)),
            float(_median(channels)),
            1 + float(_median(parameters)),
            *(float(self._width(level)) for level in range(4)),
        )
        return {name: float(np.log2(size)) for name, size in zip(SIZES, found, strict=True)}

    def _near(self, kind: Kind) -> Labels:
        key = (kind.weighted, kind.facts, kind.near)
        if key in self._known:
            return self._known[key]
        if not kind.near:
            labels = self._fact(kind.facts[0])
            for fact in kind.facts[1:]:
                labels = paired(labels, self._fact(fact))
            labels = self._of(kind.weighted, labels)
        elif kind.near == "pairs":
            own = self._near(Kind(kind.facts, kind.weighted))
            labels = paired(own[self._two[:, 0]], own[self._two[:, 1]])
        else:
            word, rounds = kind.near[:-1], int(kind.near[-1])
            before = Kind(kind.facts, kind.weighted, f"{word}{rounds - 1}" if rounds > 1 else "")
            ends = self._joined if kind.weighted else self._ends
            labels = refined(self._near(before), ends, both=word == "wl" and rounds < 3)
        self._known[key] = labels
        return labels

    def _of(self, weighted: bool, values: NDArray[Number]) -> NDArray[Number]:
        return values[self._weighted] if weighted else values

    def _fact(self, name: str) -> Labels:
        key = ("fact", name)
        if key not in self._known:
            self._known[key] = FACTS[name](self)
        return self._known[key]

    @cached_property
    def _ends(self) -> Edges:
        return np.array(sorted(set(self.graph.edges)), np.intp).reshape(-1, 2)

    @cached_property
    def _two(self) -> Edges:
        """Of layers one edge or two apart."""
        most = 4 * _MOST_PAIRS + 1  # of what each reads: further ones are never taken
        reads = [
            sources if len(sources) <= most else sorted(sources, key=self._looks)[:most]
            for sources in self._reads
        ]
        pairs = [
            (source, target)
            for target, sources in enumerate(self._reads)
            for source in self._first({s for m in sources for s in reads[m]}, _MOST_PAIRS)
        ]
        return np.concatenate([self._ends, np.array(pairs, np.intp).reshape(-1, 2)])

    @cached_property
    def _joined(self) -> Edges:
        """Of places in ``_weighted``: each with those behind it, whatever lies between."""
        place = {int(layer): at for at, layer in enumerate(self._weighted)}
        leads: list[tuple[int, ...]] = [()] * len(self._reads)
        edges = []
        for layer in self._order:
            found: dict[int, None] = {}
            for source in self._reads[layer]:
                found |= dict.fromkeys((source,) if source in place else leads[source])
            leads[layer] = self._first(found, _MOST_BEHIND)
            if layer in place:
                edges += [(place[source], place[layer]) for source in leads[layer]]
        return np.array(edges, np.intp).reshape(-1, 2)

    def _first(self, layers: Collection[int], most: int) -> tuple[int, ...]:
        """Those before which most layers with weights lie; the same however they are listed.

        Of those that look alike at the end all are taken, or none where they are many.
        """
        if len(layers) <= most:
            return tuple(layers)
        order = sorted((self._looks(i), i) for i in layers)
        last = order[most - 1][0]
        before = tuple(i for looks, i in order if looks < last)
        alike = tuple(i for looks, i in order if looks == last)
        return before + alike if len(before) + len(alike) <= 4 * most else before

    def _looks(self, layer: int) -> tuple[int, int, int, str]:
        """What ``_first`` orders by."""
        if layer not in self._looked:
            growth = int(self._fact("growth")[layer])
            own = -int(self._before[layer]), int(self._steps[layer]), growth
            self._looked[layer] = (*own, repr(self.graph.layers[layer]))
        return self._looked[layer]

    @cached_property
    def _weighted(self) -> NDArray[np.intp]:
        return np.flatnonzero(self._parameters > 0)

    @cached_property
    def _before(self) -> Ints:
        """Layers with weights on the longest way to each layer, itself included."""
        result = (self._parameters > 0).astype(np.int64)
        for layer in self._order:
            result[layer] += max((int(result[s]) for s in self._reads[layer]), default=0)
        return result

    def _width(self, level: int) -> int:
        """The most common one of layers with weights where images were halved so often, or 1."""
        there = self._weighted[self._steps[self._weighted] == level]
        widths, counts = np.unique(self._channels[there], return_counts=True)
        return int(widths[counts.argmax()]) if len(widths) else 1

    @cached_property
    def _stem(self) -> int:
        return self._width(0)

    @cached_property
    def _channels(self) -> Ints:
        return channels(self.graph.layers, self._reads, self._order)

    @cached_property
    def _parameters(self) -> Ints:
        return parameters(self.graph.layers, self._channels)

    @cached_property
    def _steps(self) -> Ints:
        return halvings(self.graph.layers, self._reads, self._order)

    def _ratio(self, values: Ints, to: float) -> Labels:
        """Logarithms of ratios, in half octaves; 0 of zeros."""
        found = 256 + np.rint(2 * np.log2(np.maximum(values, 1) / max(to, 1)))
        return np.where(values > 0, found, 0).astype(np.uint64)

    def _growth(self) -> Labels:
        read = np.array([max((self._channels[s] for s in r), default=3) for r in self._reads])
        return _whole(256 + 2 * np.log2(self._channels / np.maximum(read, 1)))


FACTS: dict[str, Callable[[LayerLabels], Labels]] = {
    # Operators: any activation is one; with kernel, strides and groups; the name as it is.
    "core": lambda of: _hashed([_core(layer.op) for layer in of.graph.layers]),
    "base": lambda of: _hashed([_base(layer) for layer in of.graph.layers]),
    "whole": lambda of: _hashed([layer.op for layer in of.graph.layers]),
    "bent": lambda of: _whole(np.array([_bent(layer.op) for layer in of.graph.layers])),
    "level": lambda of: of._steps.astype(np.uint64),
    # Widths and weights as they are, in steps of a quarter, a half, one or two octaves, …
    "channels": lambda of: of._channels.astype(np.uint64),
    "channels4": lambda of: _whole(4 * np.log2(of._channels)),
    "channels2": lambda of: _whole(2 * np.log2(of._channels)),
    "parameters": lambda of: of._parameters.astype(np.uint64),
    "parameters2": lambda of: of._ratio(of._parameters, 1),
    "parameters1": lambda of: of._ratio(of._parameters, 1) // np.uint64(2),
    # … or by their ratio to what is read, to the median, to where images are largest.
    "growth": lambda of: of._growth(),
    "share": lambda of: of._ratio(of._channels, 2 ** of.sizes["median channels"]),
    "weight": lambda of: of._ratio(of._parameters, 2 ** of.sizes["median parameters"]),
    "stem": lambda of: of._ratio(of._channels, of._stem),
    "square": lambda of: of._ratio(of._parameters, of._stem**2),
}


def _whole(values: NDArray[np.generic]) -> Labels:
    return np.rint(values.astype(np.float64)).astype(np.uint64)


def _median(values: Ints) -> int:
    return int(np.sort(values)[len(values) // 2])


def _core(op: str) -> str:
    first = first_operator(op)
    return "activation" if first in _ACTIVATIONS else first


def _bent(op: str) -> bool:
    """Whether an activation is a part of it."""
    return any(part in _ACTIVATIONS for part in merged_operators(op))


def _base(layer: Layer) -> str:
    """The operator with kernel, strides, and whether channels are in groups, or alone in them."""
    core = _core(layer.op)
    if first_operator(layer.op) not in WINDOWED:
        return core
    known = dict(layer.attributes)
    groups = known.get("group", 1)
    own = layer.shape is not None and len(layer.shape) > 1 and groups == layer.shape[1]
    return f"{core} {known.get('kernel_shape')} {known.get('strides')} {groups != 1} {own}"


def _hashed(texts: list[str]) -> Labels:
    return np.array([_hash(text) for text in texts], np.uint64)


@lru_cache(maxsize=1 << 14)
def _hash(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest())
