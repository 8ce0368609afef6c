"""A layer graph that is being changed, layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from assay.graphs.running_order import neighbors, running_order
from assay.values import Layer, LayerGraph


@dataclass(frozen=True, slots=True)
class Variant:
    """A graph, and the layer (n) of the original that each of its layers was, or -1."""

    graph: LayerGraph
    lineage: tuple[int, ...]


@dataclass
class Draft:
    """A graph that is being changed; layers are known by the order in which they were put in."""

    original: LayerGraph
    layers: list[Layer] = field(init=False)
    origins: list[int] = field(init=False)  # of each layer: which of the original it is, or -1
    reads: list[set[int]] = field(init=False)  # what each layer reads, …
    readers: list[set[int]] = field(init=False)  # … and who reads it
    gone: set[int] = field(default_factory=set)  # layers to be left out

    def __post_init__(self) -> None:
        self.layers = list(self.original.layers)
        self.origins = list(range(len(self.layers)))
        self.reads = [set() for _ in self.layers]
        self.readers = [set() for _ in self.layers]
        for edge in self.original.edges:
            self.tie(*edge)

    def tie(self, source: int, target: int) -> None:
        """An edge."""
        self.reads[target].add(source)
        self.readers[source].add(target)

    def cut(self, source: int, target: int) -> None:
        """No edge.  Raises KeyError where there is none."""
        self.reads[target].remove(source)
        self.readers[source].remove(target)

    def put(self, layer: Layer, reads: Sequence[int] = (), origin: int = -1) -> int:
        """Adds a layer; its number."""
        self.layers.append(layer)
        self.origins.append(origin)
        self.reads.append(set())
        self.readers.append(set())
        new = len(self.layers) - 1
        for source in reads:
            self.tie(source, new)
        return new

    def hand_over(self, old: int, new: int, keep: Sequence[int] = ()) -> None:
        """Who reads ``old`` reads ``new`` instead, but for ``keep``."""
        for target in self.readers[old] - {new, *keep}:
            self.cut(old, target)
            self.tie(new, target)

    def done(self) -> Variant:
        """What is left, in an order in which it can run."""
        edges = [
            (a, b)
            for a, readers in enumerate(self.readers)
            if a not in self.gone
            for b in sorted(readers - self.gone)
        ]
        whole = LayerGraph(tuple(self.layers), tuple(edges), self.original.rules)
        order = [i for i in running_order(*neighbors(whole)) if i not in self.gone]
        place = {layer: at for at, layer in enumerate(order)}
        graph = LayerGraph(
            tuple(self.layers[i] for i in order),
            tuple(sorted((place[a], place[b]) for a, b in edges)),
            self.original.rules,
        )
        return Variant(graph, tuple(self.origins[i] for i in order))
