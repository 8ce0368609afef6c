"""Layers of which no weights were compared, paired by their places between paired layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from assay.values import LayerGraph

Pairs = Sequence[tuple[int, int]]
_Neighbors = Mapping[int, list[int]]


def by_place(
    source: LayerGraph, suspect: LayerGraph, known: Pairs, alone: tuple[set[int], set[int]]
) -> list[tuple[int, int]]:
    """Further pairs: layers of one operator that all paired neighbors on one side lead to.

    Those ``alone`` of either are in none: their weights were compared, and have no partner.
    """
    ours, theirs = dict(known), {theirs: ours for ours, theirs in known}
    before, after = _neighbors(source), _neighbors(suspect)
    found: list[tuple[int, int]] = []
    for way, order in ((0, range(len(source.layers))), (1, range(len(source.layers) - 1, -1, -1))):
        for layer in order:
            if layer in ours or layer in alone[0]:
                continue
            anchors = [ours[other] for other in before[way].get(layer, ()) if other in ours]
            near = _shared(anchors, after[1 - way])
            for place in near if way == 0 else reversed(near):
                free = place not in theirs and place not in alone[1]
                if free and suspect.layers[place].op == source.layers[layer].op:
                    ours[layer], theirs[place] = place, layer
                    found.append((layer, place))
                    break
    return found


def _neighbors(graph: LayerGraph) -> tuple[_Neighbors, _Neighbors]:
    """Layer → what it reads, and → what reads it."""
    reads: dict[int, list[int]] = {}
    read_by: dict[int, list[int]] = {}
    for source, target in graph.edges:
        reads.setdefault(target, []).append(source)
        read_by.setdefault(source, []).append(target)
    return reads, read_by


def _shared(anchors: Sequence[int], neighbors: _Neighbors) -> list[int]:
    """What all of them lead to, in order."""
    if not anchors:
        return []
    others = [set(neighbors.get(anchor, ())) for anchor in anchors[1:]]
    return [place for place in neighbors.get(anchors[0], ()) if all(place in o for o in others)]
