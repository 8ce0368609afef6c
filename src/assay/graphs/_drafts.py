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
    edges: set[tuple[int, int]] = field(init=False)
    gone: set[int] = field(default_factory=set)  # layers to be left out

    def __post_init__(self) -> None:
        self.layers = list(self.original.layers)
        self.origins = list(range(len(self.layers)))
        self.edges = set(self.original.edges)

    def put(self, layer: Layer, reads: Sequence[int] = (), origin: int = -1) -> int:
        """Adds a layer; its number."""
        self.layers.append(layer)
        self.origins.append(origin)
        self.edges |= {(source, len(self.layers) - 1) for source in reads}
        return len(self.layers) - 1

    def hand_over(self, old: int, new: int, keep: Sequence[int] = ()) -> None:
        """Who reads ``old`` reads ``new`` instead, but for ``keep``."""
        for source, target in [edge for edge in self.edges if edge[0] == old]:
            if target not in (new, *keep):
                self.edges.remove((source, target))
                self.edges.add((new, target))

    def done(self) -> Variant:
        """What is left, in an order in which it can run."""
        edges = [(a, b) for a, b in self.edges if not {a, b} & self.gone]
        whole = LayerGraph(tuple(self.layers), tuple(sorted(edges)), self.original.rules)
        order = [i for i in running_order(*neighbors(whole)) if i not in self.gone]
        place = {layer: at for at, layer in enumerate(order)}
        graph = LayerGraph(
            tuple(self.layers[i] for i in order),
            tuple(sorted((place[a], place[b]) for a, b in edges)),
            self.original.rules,
        )
        return Variant(graph, tuple(self.origins[i] for i in order))
