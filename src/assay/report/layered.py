"""Where the layers of one graph are drawn: in ranks from top to bottom [Sugiyama et al., 1981].

A layer's rank is the longest way to it.  An edge that passes ranks has a lane in each of them, so
that no line runs through a box; within a rank, boxes and lanes stand where the mean of what they
read stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from assay.values import LayerGraph

LONGEST = 12  # ranks that an edge passes in a lane of its own; longer ones run at the side
MOST_LANES = 4000
_SWEEPS = 4

Item = int  # a layer, or below 0 a lane: -1 - its number


@dataclass(frozen=True)
class Ranks:
    """A graph in ranks."""

    rows: tuple[tuple[Item, ...], ...]  # from left to right
    rank: tuple[int, ...]  # (n) of each layer
    chains: tuple[tuple[Item, ...], ...]  # each edge: its layers, and the lanes between them
    aside: tuple[tuple[int, int], ...]  # edges too long for lanes


def ranks(graph: LayerGraph) -> Ranks:
    """The layers' places; one under the other where a graph has no edges."""
    count = len(graph.layers)
    if not graph.edges:
        return Ranks(tuple((place,) for place in range(count)), tuple(range(count)), (), ())
    rank = _longest(graph)
    rows: list[list[Item]] = [[] for _ in range(max(rank) + 1)]
    for layer, row in enumerate(rank):
        rows[row].append(layer)
    chains: list[tuple[Item, ...]] = []
    aside: list[tuple[int, int]] = []
    lanes = 0
    for source, target in graph.edges:
        passed = range(rank[source] + 1, rank[target])
        if len(passed) > LONGEST or lanes + len(passed) > MOST_LANES:
            aside.append((source, target))
            continue
        chain: list[Item] = [source]
        for row in passed:
            lanes += 1
            rows[row].append(-lanes)
            chain.append(-lanes)
        chains.append((*chain, target))
    _untangle(rows, chains)
    return Ranks(tuple(map(tuple, rows)), tuple(rank), tuple(chains), tuple(aside))


def _longest(graph: LayerGraph) -> list[int]:
    """The longest way to each layer; edges lead to later layers."""
    rank = [0] * len(graph.layers)
    for source, target in sorted(graph.edges, key=lambda edge: edge[1]):
        if source < target:
            rank[target] = max(rank[target], rank[source] + 1)
    return rank


def _untangle(rows: list[list[Item]], chains: Sequence[tuple[Item, ...]]) -> None:
    """Order each row by the mean place of its neighbors above, then below, some times."""
    above: dict[Item, list[Item]] = {}
    below: dict[Item, list[Item]] = {}
    for chain in chains:
        for upper, lower in pairwise(chain):
            above.setdefault(lower, []).append(upper)
            below.setdefault(upper, []).append(lower)
    place: dict[Item, float] = {}
    for row in rows:
        place |= _spread(row)
    for sweep in range(_SWEEPS):
        neighbors, order = (above, rows) if sweep % 2 == 0 else (below, rows[::-1])
        for row in order:
            means = {
                item: sum(place[n] for n in near) / len(near)
                if (near := neighbors.get(item))
                else place[item]
                for item in row
            }
            row.sort(key=lambda item: (means[item], item < 0))
            place |= _spread(row)


def _spread(row: Sequence[Item]) -> dict[Item, float]:
    """Items of a row at even distances, 0 … 1."""
    return {item: (place + 0.5) / len(row) for place, item in enumerate(row)}
