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

WORK = 0.1  # of the multiply-adds of one of two models, that are in a part of both, at least
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
        if (
            a is None
            or b is None
            or (suspect.code == source.code and len(a.layers) == len(b.layers))
        ):
            return None  # or they are one as wholes, which structure says
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
                sides = _side(a, best.ours), _side(b, best.theirs)
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
        ours, theirs = _shares(suspect.graph), _shares(source.graph)
        if (len(ours), len(theirs)) != (len(suspect.parts or ()), len(source.parts or ())):
            return []
        found = []
        for i, j, distance in codes:
            layers, works = zip(ours[i], theirs[j], strict=True)
            if max(layers) >= self.share and max(works) >= WORK:
                found.append(Pair(i, j, distance, min(layers)))
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


def _side(graph: LayerGraph, number: int) -> Json:
    """How much of a model a part is, and where: places of its first and last layer, from 1 on."""
    part, (_, work) = cut(graph)[number], _shares(graph)[number]
    place = {layer: at for at, layer in enumerate(running_order(*neighbors(graph)), 1)}
    return {
        "part": part.kind,
        "layers": len(part.layers),
        "of": len(graph.layers),
        "from": place[part.layers[0]],
        "to": place[part.layers[-1]],
        "macs": round(work, 4),
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


@lru_cache(maxsize=512)
def _shares(graph: LayerGraph) -> tuple[tuple[float, float], ...]:
    """Of the layers and of the multiply-adds, what each part has; where none are made, all."""
    layers, macs = len(graph.layers), graph.macs
    works = (sum(graph.layers[i].macs for i in part.layers) for part in cut(graph))
    return tuple(
        (len(part.layers) / layers, work / macs if macs else 1.0)
        for part, work in zip(cut(graph), works, strict=True)
    )
