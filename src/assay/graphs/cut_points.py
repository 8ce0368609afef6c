"""Where a layer graph can be cut in two, and the equal blocks that lie between such places.

The trunk is all that lies on a way from where the graph begins (what reads nothing, with the
longest way ahead) to where it ends.  A cut point is a layer of the trunk that all of it passes: in
any order in which layers can run no edge leads past it, so one sweep finds them all.  What else
there is, tables that are read and side outputs, belongs to the block of its first reader, or of
what it reads.  Nothing here depends on the order in which layers are listed, but for ties.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from assay.graphs.running_order import Neighbors, neighbors, running_order
from assay.values import LayerGraph

LONGEST_PERIOD = 6  # blocks that repeat as one: a transformer's layer is two or more


@dataclass(frozen=True, slots=True)
class Repeat:
    """Equal blocks in a row, and what the first of them reads."""

    entry: int  # the cut point before the first
    blocks: tuple[tuple[int, ...], ...]  # the layers of each, as they run; a cut point is last


@dataclass(frozen=True, slots=True)
class Trunk:
    """The layers of a graph in an order in which they can run, and where it can be cut."""

    order: tuple[int, ...]  # (n) all layers
    cuts: tuple[int, ...]  # cut points, first to last
    blocks: tuple[tuple[int, ...], ...]  # (cuts - 1) what is behind each cut, up to the next

    @classmethod
    def of(cls, graph: LayerGraph) -> Trunk:
        """Time linear in the graph's size, but for a sort; a cyclic graph has no cut points."""
        reads, readers = neighbors(graph)
        order = running_order(reads, readers)
        ahead, behind = _longest(order, readers), _longest(order[::-1], reads)
        most = max(ahead, default=0)  # of edges on a way, ahead and behind
        starts = [not some and way == most for some, way in zip(reads, ahead, strict=True)]
        ends = [not some and way == most for some, way in zip(readers, behind, strict=True)]
        after, before = _reached(order, reads, starts), _reached(order[::-1], readers, ends)
        trunk = [after[i] and before[i] for i in range(len(reads))]
        order = _late(order, reads, trunk)
        place = {layer: at for at, layer in enumerate(order)}
        main = [layer for layer in order if trunk[layer]]
        cuts, furthest = [], max((place[i] for i in main if not reads[i]), default=0)
        for layer in main:
            if furthest <= place[layer]:
                cuts.append(layer)
            reached = [place[reader] for reader in readers[layer] if trunk[reader]]
            furthest = max([furthest, *(reached or [len(order)])])
        places = [place[cut] for cut in cuts]
        blocks = tuple(tuple(order[a + 1 : b + 1]) for a, b in pairwise(places))
        return cls(tuple(order), tuple(cuts), blocks)


def repeats(graph: LayerGraph, trunk: Trunk) -> list[Repeat]:
    """Rows of two or more equal blocks, none inside another.

    Equal are blocks whose layers are, and the edges between them.
    """
    reads, _ = neighbors(graph)
    labels = [
        _label(graph, reads, entry, block)
        for entry, block in zip(trunk.cuts, trunk.blocks, strict=False)
    ]
    found, at = [], 0
    while at < len(labels):
        width, count = max(
            ((width, _repeated(labels, at, width)) for width in range(1, LONGEST_PERIOD + 1)),
            key=lambda pair: (pair[0] * pair[1] * (pair[1] > 1), -pair[0]),
        )
        if count > 1:
            blocks = (trunk.blocks[at + i * width : at + (i + 1) * width] for i in range(count))
            joined = tuple(tuple(i for block in some for i in block) for some in blocks)
            found.append(Repeat(trunk.cuts[at], joined))
        at += width * count if count > 1 else 1
    return found


def _repeated(labels: Sequence[object], at: int, width: int) -> int:
    """How many times the ``width`` labels from ``at`` on come one after the other."""
    count, first = 1, labels[at : at + width]
    while labels[at + count * width : at + (count + 1) * width] == first:
        count += 1
    return count


def _label(graph: LayerGraph, reads: Neighbors, entry: int, block: Sequence[int]) -> object:
    place = {layer: i for i, layer in enumerate((entry, *block))}
    layers = tuple(graph.layers[i] for i in block)
    return layers, tuple(tuple(place[r] for r in reads[i] if r in place) for i in block)


def _longest(order: Sequence[int], targets: Neighbors) -> list[int]:
    """Edges of the longest way on from each layer; ``order`` is such that the way goes forward."""
    result = [0] * len(order)
    for layer in reversed(order):
        result[layer] = max((result[target] + 1 for target in targets[layer]), default=0)
    return result


def _reached(order: Sequence[int], sources: Neighbors, starts: Sequence[bool]) -> list[bool]:
    """Which layers a way leads to from one of ``starts``."""
    result = list(starts)
    for layer in order:
        result[layer] = result[layer] or any(result[source] for source in sources[layer])
    return result


def _late(order: Sequence[int], reads: Neighbors, trunk: Sequence[bool]) -> list[int]:
    """The same layers, those beside the trunk where they are needed or as soon as they can run."""
    result: list[int] = []
    placed: set[int] = set()
    needed = [False] * len(order)
    for layer in reversed(order):
        if trunk[layer] or needed[layer]:
            for source in reads[layer]:
                needed[source] = True
    for layer in order:
        if trunk[layer] and layer not in placed:
            placed.add(layer)
            waiting = [(layer, reversed(reads[layer]))]
            while waiting:
                last, sources = waiting[-1]
                missing = next((s for s in sources if s not in placed), None)
                if missing is not None:
                    placed.add(missing)
                    waiting.append((missing, reversed(reads[missing])))
                    continue
                waiting.pop()
                result.append(last)
        elif not needed[layer] and all(source in placed for source in reads[layer]):
            placed.add(layer)
            result.append(layer)
    return result + [layer for layer in order if layer not in placed]
