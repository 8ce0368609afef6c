"""Which rows of two models' weights are the same, where layers need not have one shape.

[Broder, 1997; Bonferroni.]  Tensors are matched one to one by the hashes of their rows' exact ends
that both keep.  So layers are found whose channels were removed, added or exchanged, of which a
part was kept, or whose small weights were set to zero; the least noise on all weights hides them.
What is exactly equal may as well be an untrained or frozen layer: no more than a common ancestor.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import log10
from typing import Any

from assay.comparisons import Comparison
from assay.comparisons._tensor_pairs import FLOOR, informative
from assay.comparisons.weights import combined
from assay.sketches.fragments import ONE_IN, hashes_of
from assay.values import Evidence, Record, Relation, WeightSketch

_CHANCE = -log10(ONE_IN)  # log₁₀ of that of a hash that two strangers' tensors share


@dataclass(frozen=True)
class Fragments(Comparison):
    """Hashes of rows that tensors of two models share."""

    hashes: int = 2  # that two tensors must share: an odd value may be in strangers' …
    tensors: int = 2  # … that must be matched: a table of some kind may be in both …
    share: float = 0.05  # … with so much of the values of one model's tensors that keep hashes

    def compare(self, suspect: Record, source: Record) -> Evidence | None:
        a, b = suspect.sketch, source.sketch
        if a is None or b is None or a.scheme != b.scheme:
            return None
        sides = _telling(a), _telling(b)
        if not all(sides):
            return None
        pairs = _matched(sides, self.hashes)
        compared = [sum(tensor.readings for tensor in side) for side in reversed(sides)]
        values = [_share(sides, pairs, side) for side in (0, 1)]
        detail = {
            "tensors": [*map(len, sides)],
            "matched": len(pairs),
            "values": values,
            "shared_hashes": sum(pair.shared for pair in pairs),
            "hashes": [sum(len(tensor.hashes) for tensor in side) for side in sides],
            "tensors_compared": compared,  # corrected for
            "log10_chance_of_a_hash": _CHANCE,
            "floor": FLOOR,
        }
        detail["in_words"] = _in_words(detail)
        alarm = _false_alarm(sides, pairs, compared)
        return Evidence(repr(self), round(sum(values) / 2, 4), alarm, detail)

    def supported(self, evidence: Evidence) -> Relation:
        detail = evidence.detail
        if detail["matched"] >= self.tensors and max(detail["values"]) >= self.share:
            return Relation.COMMON_ANCESTOR
        return Relation.UNRELATED


@dataclass(frozen=True)
class _Tensor:
    """The hashes of a weight in its readings, and of those that are near it."""

    size: int  # values
    hashes: frozenset[int]
    readings: int  # that have hashes: each may share some by chance
    most: int  # hashes of one reading


@dataclass(frozen=True)
class _Pair:
    """A tensor of each model."""

    places: tuple[int, int]
    shared: int  # hashes, of which no other pair has one
    part: float  # of those that could be shared


_Sides = tuple[Sequence[_Tensor], Sequence[_Tensor]]


def _telling(sketch: WeightSketch) -> list[_Tensor]:
    """The tensors that keep hashes."""
    found = []
    for tensor in informative(sketch):
        kept = [hashes for code in tensor.codes if (hashes := hashes_of(code.fragments))]
        if kept:
            union = frozenset().union(*kept)
            found.append(_Tensor(tensor.size, union, len(kept), max(map(len, kept))))
    return found


def _matched(sides: _Sides, fewest: int) -> list[_Pair]:
    """Pairs that share most, each tensor and each hash once; copies in one model count once."""
    ours, theirs = sides
    holders: dict[int, list[int]] = defaultdict(list)
    for place, tensor in enumerate(theirs):
        for each in tensor.hashes:
            holders[each].append(place)
    counts = Counter(
        (place, other)
        for place, tensor in enumerate(ours)
        for each in tensor.hashes
        for other in holders.get(each, ())
    )
    taken: tuple[set[int], set[int]] = set(), set()
    used, chosen = set[int](), list[_Pair]()
    for places in sorted(
        counts, key=lambda pair: (-counts[pair], sum(pair), abs(pair[0] - pair[1]))
    ):
        one, other = ours[places[0]], theirs[places[1]]
        shared = (one.hashes & other.hashes) - used
        if places[0] in taken[0] or places[1] in taken[1] or len(shared) < fewest:
            continue
        for side, place in zip(taken, places, strict=True):
            side.add(place)
        used |= shared
        part = min(len(shared) / min(one.most, other.most), 1.0)
        chosen.append(_Pair(places, len(shared), part))
    return chosen


def _share(sides: _Sides, pairs: Iterable[_Pair], side: int) -> float:
    """Of a model's values, the share that is in pairs, each counted as its hashes are shared."""
    own = sides[side]
    matched = sum(own[pair.places[side]].size * pair.part for pair in pairs)
    return round(matched / sum(tensor.size for tensor in own), 4)


def _false_alarm(sides: _Sides, pairs: Sequence[_Pair], compared: Sequence[int]) -> float:
    """log₁₀ of the probability that strangers share so much: the weaker of both models' counts.

    Each tensor was compared with all of the other model, in all of its own readings.
    """
    found = []
    for side, tensors in enumerate(sides):
        tails = [
            max(pair.shared * _CHANCE, FLOOR)
            + log10(compared[side] * tensors[pair.places[side]].readings)
            for pair in pairs
        ]
        found.append(combined(tails, len(tensors)))
    return round(max(found), 2)


def _in_words(detail: Mapping[str, Any]) -> str:
    """What was found, for a person."""
    ours, theirs = detail["tensors"]
    return (
        f"{detail['matched']} of {ours} tensors share exact rows with one of the other's {theirs},"
        f" of whatever shape: {detail['shared_hashes']} of at most {min(detail['hashes'])} hashes"
    )
