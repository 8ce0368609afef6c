"""Whether a part of one layer graph is laid out as a part of the other's.

A backbone in a detector, an encoder in a translator, a network under another head: ``graphs.parts``
cuts both in the same places, and what the hasher's codes say is near is compared by the overlap of
its Weisfeiler–Lehman labels.  Many independent networks share a backbone's design, so this is a
lead: there is no false alarm, and no relation beyond same-family is ever drawn.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from assay.comparisons import Comparison
from assay.comparisons._overlap import overlap
from assay.graphs.parts import Kind, Part, part_graph, parts
from assay.graphs.running_order import neighbors, running_order
from assay.values import Evidence, Json, LayerGraph, Record, Relation

Pair = tuple[int, int, int]  # a part of each model, by their numbers, and the bits between
WORDS: dict[Kind, str] = {"first": "the beginning", "last": "the end", "row": "a row of blocks"}


@dataclass(frozen=True)
class Parts(Comparison):
    """The largest part that both have."""

    radius: int = 2  # bits between codes of parts that are compared, at most
    overlap: float = 0.9  # of labels, from which two parts are alike
    share: float = 0.3  # of the smaller model's layers, that are in the part, at least
    whole: float = 0.9  # of the layers of both: what has more of them is no part
    rounds: int = 2  # of labels
    enough: float = 0.5  # quality from which it is named at all

    def compare(self, suspect: Record, source: Record) -> Evidence | None:
        a, b = suspect.graph, source.graph
        if a is None or b is None:
            return None
        shares = self._shares(suspect, source)
        if any(min(both) >= self.whole for both in shares.values()):
            return None  # they are near as wholes, which structure tells
        for i, j, distance in self._parts(shares):
            ours, theirs = cut(a)[i], cut(b)[j]
            found = self.alike(piece(a, ours), piece(b, theirs))
            if found >= self.overlap:
                detail = {
                    "overlap": round(found, 4),
                    "distance": distance,
                    "quality": round(min(suspect.quality, source.quality), 4),
                }
                return self._evidence(_side(a, ours), _side(b, theirs), detail)
        return None

    def near(self, suspect: Record, source: Record) -> list[Pair]:
        """Parts with near codes that are large enough, the largest first."""
        return self._parts(self._shares(suspect, source))

    def _shares(self, suspect: Record, source: Record) -> dict[Pair, tuple[float, float]]:
        """For parts with near codes, how much of the layers of each model they are."""
        near = [
            (i, j, code - other)
            for i, code in enumerate(suspect.parts or ())
            for j, other in enumerate(source.parts or ())
            if code.scheme == other.scheme and code - other <= self.radius
        ]
        if not near or suspect.graph is None or source.graph is None:
            return {}  # before anything is cut, which takes longer
        ours, theirs = cut(suspect.graph), cut(source.graph)
        if (len(ours), len(theirs)) != (len(suspect.parts or ()), len(source.parts or ())):
            return {}
        n, m = len(suspect.graph.layers), len(source.graph.layers)
        return {p: (len(ours[p[0]].layers) / n, len(theirs[p[1]].layers) / m) for p in near}

    def _parts(self, shares: Mapping[Pair, tuple[float, float]]) -> list[Pair]:
        """Those that are enough of one model, and not all of both; the largest first."""
        enough = [
            pair
            for pair, both in shares.items()
            if max(both) >= self.share and min(both) < self.whole
        ]
        return sorted(enough, key=lambda pair: (-max(shares[pair]), pair[2]))

    def supported(self, evidence: Evidence) -> Relation:
        known = evidence.detail["quality"] >= self.enough
        return Relation.SAME_FAMILY if known else Relation.UNRELATED

    def alike(self, a: LayerGraph, b: LayerGraph) -> float:
        """Overlap of two parts, the mean of with and without costs, as of whole graphs."""
        return sum(overlap(a, b, self.rounds, costs) for costs in (True, False)) / 2

    def _evidence(self, ours: Json, theirs: Json, detail: Json) -> Evidence:
        covered = max(side["layers"] / side["of"] for side in (ours, theirs))
        detail = {
            "in_words": f"{_said(ours)} is laid out as {_said(theirs)} of the other",
            "suspect": ours,
            "source": theirs,
            **detail,
        }
        return Evidence(repr(self), round(detail["overlap"] * covered, 4), None, detail)


def _side(graph: LayerGraph, part: Part) -> Json:
    """How much of a model a part is, and where: places of its first and last layer, from 1 on."""
    place = {layer: at for at, layer in enumerate(running_order(*neighbors(graph)), 1)}
    macs = sum(graph.layers[layer].macs for layer in part.layers)
    return {
        "part": part.kind,
        "layers": len(part.layers),
        "of": len(graph.layers),
        "from": place[part.layers[0]],
        "to": place[part.layers[-1]],
        "macs": round(macs / graph.macs, 4) if graph.macs else 0.0,
    }


def _said(side: Json) -> str:
    where = f"between {side['from']} and {side['to']}"
    work = f"{side['macs']:.0%} of its multiply-adds"
    return f"{WORDS[side['part']]} ({side['layers']} of {side['of']} layers, {where}, {work})"


@lru_cache(maxsize=512)
def cut(graph: LayerGraph) -> tuple[Part, ...]:
    """The parts of a graph."""
    return parts(graph)


@lru_cache(maxsize=512)
def piece(graph: LayerGraph, part: Part) -> LayerGraph:
    """A part as a graph of its own."""
    return part_graph(graph, part)
