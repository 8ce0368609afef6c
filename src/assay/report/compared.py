"""A comparison of two files as the reports show it: which layer became which, and how alike."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from assay.report.pairing import by_place
from assay.values import Evidence, Kin, LayerMatch, Record, Report, WeightedGraph

LONE = "only_source", "only_suspect"  # in the detail of evidence from both files' weights


@dataclass(frozen=True)
class LayerPair:
    """A layer of the source, and the one of the suspect that it became."""

    number: int  # from 1, in the order of the source
    source: int
    suspect: int
    match: LayerMatch | None = None  # of their largest weights; None: told by their places alone


@dataclass(frozen=True)
class Compared:
    """A report on two files, with both graphs."""

    report: Report
    suspect: WeightedGraph
    source: WeightedGraph
    command: str = ""  # that makes it again
    answers: str = ""  # SVG of what both answered, where they were asked

    @property
    def kin(self) -> Kin:
        """The source, and what ties the suspect to it."""
        return self.report.matches[0]

    @property
    def records(self) -> tuple[Record, Record]:
        """Source and suspect."""
        return self.kin.record, self.report.suspect

    @property
    def graphs(self) -> tuple[WeightedGraph, WeightedGraph]:
        """Source and suspect."""
        return self.source, self.suspect

    @cached_property
    def detail(self) -> Mapping[str, Any]:
        """What was found layer by layer; empty where no weights were compared."""
        found = layered(self.kin.evidence)
        return {} if found is None else found.detail

    @cached_property
    def matches(self) -> tuple[LayerMatch, ...]:
        """In the order of the source's layers."""
        names = (name for held in self.source.weights for name in held)
        places = {name: place for place, name in reversed([*enumerate(names)])}
        found = layer_matches(self.detail)
        return tuple(sorted(found, key=lambda match: places.get(match.source, len(places))))

    @cached_property
    def pairs(self) -> tuple[LayerPair, ...]:
        """Layers of both that are one another's."""
        source, suspect = self.source.graph, self.suspect.graph
        found = _by_weights(self.matches, self.source, self.suspect)
        known = {(ours, theirs): match for ours, theirs, match in found}
        more = by_place(source, suspect, [*known], self.alone)
        both = sorted([*known, *more])
        return tuple(
            LayerPair(number, ours, theirs, known.get((ours, theirs)))
            for number, (ours, theirs) in enumerate(both, 1)
        )

    @cached_property
    def alone(self) -> tuple[set[int], set[int]]:
        """Layers of source and suspect with weights that were compared and have no partner."""
        found = []
        for graph, key in zip(self.graphs, LONE, strict=True):
            names = {*self.detail.get(key, ())}
            matched = {m.source if key == LONE[0] else m.suspect for m in self.matches}
            found.append(
                {
                    place
                    for place, held in enumerate(graph.weights)
                    if names & {*held} and not matched & {*held}
                }
            )
        return found[0], found[1]

    def weight(self, place: int, layer: int) -> str:
        """The weight that a layer is told by, of the source (0) or the suspect (1)."""
        names = self.graphs[place].weights[layer]
        known = {*self.detail.get(LONE[place], ())}
        known |= {(match.source, match.suspect)[place] for match in self.matches}
        return next((name for name in names if name in known), names[0] if names else "")

    @cached_property
    def numbers(self) -> Mapping[str, int]:
        """Name of a source's weight → the number of its layer's pair."""
        return {
            name: pair.number
            for pair in reversed(self.pairs)
            for name in self.source.weights[pair.source]
        }


def layered(evidence: Sequence[Evidence]) -> Evidence | None:
    """The evidence that tells of layers, if there is one."""
    return next((each for each in evidence if LONE[0] in each.detail), None)


def layer_matches(detail: Mapping[str, Any]) -> tuple[LayerMatch, ...]:
    """What a detail tells of layers; no false alarm is below what its null was measured for."""
    found = (LayerMatch.from_json(each) for each in detail.get("layers", ()))
    floor = detail.get("floor", -math.inf)
    return tuple(
        match
        if match.log10_false_alarm is None
        else replace(match, log10_false_alarm=max(match.log10_false_alarm, floor))
        for match in found
    )


def _by_weights(
    matches: Sequence[LayerMatch], source: WeightedGraph, suspect: WeightedGraph
) -> list[tuple[int, int, LayerMatch]]:
    """Layers of source and suspect whose weights match, each at most once, largest first."""
    homes = [
        {name: place for place, names in reversed([*enumerate(g.weights)]) for name in names}
        for g in (source, suspect)
    ]
    taken: tuple[set[int], set[int]] = set(), set()
    found = []
    for match in sorted(matches, key=lambda match: -math.prod(match.source_shape)):
        ours, theirs = homes[0].get(match.source), homes[1].get(match.suspect)
        if ours is None or theirs is None or ours in taken[0] or theirs in taken[1]:
            continue
        taken[0].add(ours)
        taken[1].add(theirs)
        found.append((ours, theirs, match))
    return found
