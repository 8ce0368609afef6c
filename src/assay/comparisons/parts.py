"""Whether a part of one layer graph is laid out as a part of the other's.

A backbone in a detector, an encoder in a translator, a network under another head: ``graphs.parts``
cuts both in the same places, and what the hasher's codes say is near is compared by the overlap of
its Weisfeiler–Lehman labels.  Many independent networks share a backbone's design, so this is a
lead: there is no false alarm, and no relation beyond same-family is ever drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby

from assay.comparisons import Comparison
from assay.comparisons._overlap import overlap
from assay.graphs.parts import Kind, Part, part_graph, parts
from assay.graphs.running_order import neighbors, running_order
from assay.values import Evidence, HashCode, Json, LayerGraph, Record, Relation

WORDS: dict[Kind, str] = {"first": "the beginning", "last": "the end", "row": "a row of blocks"}


@dataclass(frozen=True, slots=True)
class Pair:
    """A part of each of two models, by their numbers."""

    ours: int
    theirs: int
    distance: int  # bits between their codes
    covered: float  # the smaller of their shares of the models' layers


@dataclass(frozen=True)
class Parts(Comparison):
    """The largest part that both have; the score says how much it is of the larger model."""

    radius: int = 2  # bits of 64 between codes of parts that are compared, at most
    overlap: float = 0.9  # of labels, from which two parts are alike
    share: float = 0.3  # of the smaller model's layers, that are in the part, at least
    whole: float = 0.9  # of the larger one's, from which on structure says it, and parts nothing
    rounds: int = 2  # of labels
    enough: float = 0.5  # quality from which it is named at all

    def compare(self, suspect: Record, source: Record) -> Evidence | None:
        a, b = suspect.graph, source.graph
        if a is None or b is None:
            return None
        for _, tied in groupby(self.near(suspect, source), key=lambda pair: pair.covered):
            alike = [(self.alike(suspect, source, pair), -pair.distance, pair) for pair in tied]
            found, _, best = max(alike, key=lambda each: each[:2])
            if found >= self.overlap and best.covered >= self.whole:
                return None
            if found >= self.overlap:
                detail = {
                    "overlap": round(found, 4),
                    "distance": best.distance,
                    "quality": round(min(suspect.quality, source.quality), 4),
                }
                sides = _side(a, cut(a)[best.ours]), _side(b, cut(b)[best.theirs])
                return self._evidence(*sides, found * best.covered, detail)
        return None

    def reach(self, code: HashCode) -> int:
        """The radius for codes as long as this one, in bits."""
        return self.radius * len(code) // 64

    def near(self, suspect: Record, source: Record) -> list[Pair]:
        """Parts with near codes that are enough of one model, the largest first."""
        codes = [
            (i, j, code - other)
            for i, code in enumerate(suspect.parts or ())
            for j, other in enumerate(source.parts or ())
            if code.scheme == other.scheme and code - other <= self.reach(code)
        ]
        if not codes or suspect.graph is None or source.graph is None:
            return []  # before anything is cut, which takes longer
        ours, theirs = cut(suspect.graph), cut(source.graph)
        if (len(ours), len(theirs)) != (len(suspect.parts or ()), len(source.parts or ())):
            return []
        found = []
        for i, j, distance in codes:
            share = len(ours[i].layers) / len(suspect.graph.layers)
            other = len(theirs[j].layers) / len(source.graph.layers)
            if max(share, other) >= self.share:
                found.append(Pair(i, j, distance, min(share, other)))
        return sorted(found, key=lambda pair: -pair.covered)

    def alike(self, suspect: Record, source: Record, pair: Pair) -> float:
        """Overlap of two parts, the mean of with and without costs, as of whole graphs."""
        assert suspect.graph is not None
        assert source.graph is not None
        a = _piece(suspect.graph, cut(suspect.graph)[pair.ours])
        b = _piece(source.graph, cut(source.graph)[pair.theirs])
        return sum(overlap(a, b, self.rounds, costs) for costs in (True, False)) / 2

    def supported(self, evidence: Evidence) -> Relation:
        known = evidence.detail["quality"] >= self.enough
        return Relation.SAME_FAMILY if known else Relation.UNRELATED

    def _evidence(self, ours: Json, theirs: Json, score: float, detail: Json) -> Evidence:
        known = {
            "in_words": f"{_said(ours)} is laid out as {_said(theirs)} of the other",
            "suspect": ours,
            "source": theirs,
            **detail,
        }
        return Evidence(repr(self), round(score, 4), None, known)


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
def _piece(graph: LayerGraph, part: Part) -> LayerGraph:
    """A part as a graph of its own."""
    return part_graph(graph, part)
