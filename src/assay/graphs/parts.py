"""The natural parts of a layer graph, chosen so that a part is cut alike wherever it stands.

Three kinds: all that leads to the end of a stage (a backbone, an encoder, a tower), all that a
stage's beginning leads to (a decoder, a network behind a new stem), and rows of equal blocks.  A
stage ends where shapes change, where a row of equal blocks ends, or after 2, 4, 8 … blocks of it:
of what was taken of a row at least half is a part.  Of the ends within a quarter of an octave of
depth one is taken, so that there are few parts, and what is far behind one does not decide on it.

Parts are hashed as graphs of their own (``part_graph``), at one resolution.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from math import floor, log2
from typing import Literal

from assay.graphs._stages import End, Stages, area, stages
from assay.graphs.running_order import Neighbors, neighbors, running_order
from assay.values import Layer, LayerGraph

VERSION = 1  # of what is a part, and of how it is made a graph: in the scheme of its code
LEAST = 10  # layers of a part
MOST = {"first": 8, "last": 4, "row": 4}  # parts of each kind: the largest
PER_OCTAVE = 4  # ends of one octave of depth that are taken, of each tower
LIGHT = 64  # parameters: what has fewer, and multiplies nothing, prepares data
AREA = 64 * 64  # of the largest picture in a part, once it is a graph of its own
WINDOWED = ("Conv", "ConvTranspose")

Kind = Literal["first", "last", "row"]


@dataclass(frozen=True, slots=True)
class Part:
    """Some of a graph's layers."""

    kind: Kind
    layers: tuple[int, ...]  # as they run


def parts(graph: LayerGraph) -> tuple[Part, ...]:
    """The parts of a graph, at most 16, the largest of each kind first; none of a cyclic one.

    Time: about linear in the graph's size; no part depends on how the graph lists its layers, but
    for ties.
    """
    reads, readers = neighbors(graph)
    order = running_order(reads, readers)
    place = {layer: at for at, layer in enumerate(order)}
    if any(place[source] > place[layer] for layer in order for source in reads[layer]):
        return ()
    ahead = stages(graph.layers, order, reads, readers)
    back = stages(graph.layers, order[::-1], readers, reads)
    first, last = _ends("first", ahead), _ends("last", back)
    found: dict[Kind, Iterable[set[int]]] = {  # each is looked for when it is asked for
        "first": (_peeled(graph, _behind(end, reads), reads, readers) for end in first),
        "last": (_peeled(graph, _behind(end, readers), readers, reads) for end in last),
        "row": ({*row} for some in ahead for row in some.rows),
    }
    taken: list[Part] = []
    known: set[frozenset[int]] = set()
    for kind, sets in found.items():
        chosen = [*islice(_new(sets, known), MOST[kind])]
        for layers in sorted(chosen, key=len, reverse=True):
            taken.append(Part(kind, tuple(sorted(layers, key=place.__getitem__))))
    return tuple(taken)


def part_graph(graph: LayerGraph, part: Part) -> LayerGraph:
    """The part as a graph of its own, at one resolution where it is made of convolutions.

    Its rules name the graph's and the version of the parts, as in ``g1-p1``.
    """
    place = {layer: at for at, layer in enumerate(part.layers)}
    layers = [graph.layers[layer] for layer in part.layers]
    edges = ((place[a], place[b]) for a, b in graph.edges if a in place and b in place)
    return LayerGraph(
        tuple(_at_one_resolution(layers)), tuple(sorted(edges)), f"{graph.rules}-p{VERSION}"
    )


def _ends(kind: Kind, found: Sequence[Stages]) -> list[int]:
    """Of the ends of all stages the clearest within each quarter octave of depth, or the first.

    The clearest of all come first, and of those the deepest; some more than parts are wanted.
    """
    taken: list[End] = []
    for some in found:
        buckets: dict[int, list[tuple[int, int, bytes, End]]] = defaultdict(list)
        for end in some.ends:
            bucket = floor(PER_OCTAVE * log2(end.depth + 1))
            buckets[bucket].append((end.rank, end.depth, end.label, end))
        taken += (min(each, key=lambda one: one[:3])[-1] for each in buckets.values())
    taken.sort(key=lambda end: (end.rank, -end.depth, end.label))
    return [end.layer for end in taken[: 2 * MOST[kind]]]


def _behind(layer: int, reads: Neighbors) -> set[int]:
    """The layer, and all that leads to it."""
    found, waiting = {layer}, [layer]
    while waiting:
        new = [source for source in reads[waiting.pop()] if source not in found]
        found.update(new)
        waiting += new
    return found


def _peeled(graph: LayerGraph, layers: set[int], reads: Neighbors, readers: Neighbors) -> set[int]:
    """Without what only prepares data, such as a picture's normalization, and what reads masks."""
    left = set(layers)
    counts: dict[int, int] = {}  # of the layers in ``left`` that one reads, where some were not
    waiting = [layer for layer in layers if layers.isdisjoint(reads[layer])]
    while waiting:
        layer = waiting.pop()
        if graph.layers[layer].macs or graph.layers[layer].parameters >= LIGHT:
            continue
        left.discard(layer)
        for reader in layers.intersection(readers[layer]):
            if reader not in counts:
                counts[reader] = sum(source in layers for source in reads[reader])
            counts[reader] -= 1
            waiting += [reader] if not counts[reader] else []
    return left


def _new(sets: Iterable[set[int]], known: set[frozenset[int]]) -> Iterator[frozenset[int]]:
    """Those that are large enough and not ``known``, which they are from then on."""
    for each in map(frozenset, sets):
        if len(each) >= LEAST and each not in known:
            known.add(each)
            yield each


def _at_one_resolution(layers: Sequence[Layer]) -> list[Layer]:
    """The layers as if the largest picture had ``AREA`` pixels.

    Only where convolutions do most of the work: elsewhere a fourth axis is none of pictures.
    """
    windowed = sum(layer.macs for layer in layers if layer.op.split("+")[0] in WINDOWED)
    areas = [area(layer) for layer in layers]
    largest = max(areas, default=0)
    if 2 * windowed <= sum(layer.macs for layer in layers) or largest < 1:
        return list(layers)
    scale = (AREA / largest) ** 0.5
    return [_scaled(layer, old, scale) for layer, old in zip(layers, areas, strict=True)]


def _scaled(layer: Layer, old: int, scale: float) -> Layer:
    if layer.shape is None or old <= 1:
        return layer
    side = max(1, round(scale * old ** (1 / 2)))
    shape, macs = (*layer.shape[:2], side, side), round(layer.macs * side**2 / old)
    return Layer(layer.op, shape, macs, layer.parameters, layer.attributes)
