"""Which values of two models' weights are the same, where layers need not have one shape.

[Broder, 1997; Bonferroni.]  Tensors are matched one to one by the hashes that both keep.  So layers
are found whose channels were removed, added or exchanged; the least noise on all weights hides
them.  How many of the suspect's are shared must be more than a forger gets who changes a tenth of
it and cannot know which ones are kept.  What is exactly equal may as well be an untrained or frozen
layer: no more than a common ancestor.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from math import inf, lgamma, log, log1p, log10
from typing import Any

from numpy import logaddexp

from assay.comparisons import Comparison
from assay.comparisons._claims import FLOOR, combined
from assay.comparisons._tensor_pairs import informative
from assay.sketches.fragments import KEPT, hashes_of
from assay.values import Evidence, Record, Relation, WeightSketch

FORGED = 0.15  # of a tensor's hashes, that a change of a tenth gives it; the best found is .11


@dataclass(frozen=True)
class Fragments(Comparison):
    """Hashes of values that tensors of two models share."""

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
        compared = [sum(len(tensor.readings) for tensor in side) for side in reversed(sides)]
        values = [_share(sides, pairs, side) for side in (0, 1)]
        detail = {
            "tensors": [*map(len, sides)],
            "matched": len(pairs),
            "values": values,
            "shared_hashes": sum(pair.shared for pair in pairs),
            "hashes": sum(pair.of for pair in pairs),
            "tensors_compared": compared,  # corrected for
            "share_of_a_forger": FORGED,
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
    readings: Sequence[frozenset[int]]  # hashes of each that keeps some

    @property
    def hashes(self) -> frozenset[int]:
        """Those of all readings."""
        return frozenset().union(*self.readings)


@dataclass(frozen=True)
class _Pair:
    """A tensor of each model."""

    places: tuple[int, int]
    shared: int  # hashes, of which no other pair has one …
    of: int  # … of so many of the suspect's that could be
    part: float  # of those of the model that has fewer


_Sides = tuple[Sequence[_Tensor], Sequence[_Tensor]]


def _telling(sketch: WeightSketch) -> list[_Tensor]:
    """The tensors that keep hashes."""
    found = []
    for tensor in informative(sketch):
        kept = [hashes_of(code.fragments) for code in tensor.codes]
        if any(kept):
            found.append(_Tensor(tensor.size, [frozenset(hashes) for hashes in kept if hashes]))
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
        if places[0] in taken[0] or places[1] in taken[1]:
            continue
        one, other = max(
            product(ours[places[0]].readings, theirs[places[1]].readings),
            key=lambda both: len(both[0] & both[1]),
        )
        shared = (one & other) - used
        if len(shared) < fewest:
            continue
        for side, place in zip(taken, places, strict=True):
            side.add(place)
        used |= shared
        of, by = _could_be_shared(one, other)
        chosen.append(_Pair(places, len(shared), of, len(shared) / min(of, by)))
    return chosen


def _could_be_shared(one: frozenset[int], other: frozenset[int]) -> tuple[int, int]:
    """How many of each tensor's hashes the other would have kept, too, if it had them."""
    least = min(max(each) if len(each) >= KEPT else inf for each in (one, other))
    first, second = (sum(value <= least for value in each) for each in (one, other))
    return first, second


def _share(sides: _Sides, pairs: Iterable[_Pair], side: int) -> float:
    """Of a model's values, the share that is in pairs, each counted as its hashes are shared."""
    own = sides[side]
    matched = sum(own[pair.places[side]].size * pair.part for pair in pairs)
    return round(matched / sum(tensor.size for tensor in own), 4)


def _false_alarm(sides: _Sides, pairs: Sequence[_Pair], compared: Sequence[int]) -> float:
    """log₁₀ of the probability that a forger's share so much: the weaker of both models' counts.

    Each tensor was compared with all of the other model, in all of its own readings.
    """
    found = []
    for side, tensors in enumerate(sides):
        tails = [
            max(log10_tail(pair.shared, pair.of), FLOOR)
            + log10(compared[side] * len(tensors[pair.places[side]].readings))
            for pair in pairs
        ]
        found.append(combined(tails, len(tensors)))
    return round(max(found), 2)


@lru_cache(maxsize=4096)
def log10_tail(shared: int, of: int) -> float:
    """log₁₀ of the probability that a forger shares so many hashes of so many, or more."""
    return float(
        logaddexp.reduce(
            [
                lgamma(of + 1)
                - lgamma(k + 1)
                - lgamma(of - k + 1)
                + k * log(FORGED)
                + (of - k) * log1p(-FORGED)
                for k in range(shared, of + 1)
            ]
        )
        / log(10)
    )


def _in_words(detail: Mapping[str, Any]) -> str:
    """What was found, for a person."""
    ours, theirs = detail["tensors"]
    return (
        f"{detail['matched']} of {ours} tensors share exact values with one of the other's"
        f" {theirs}, of whatever shape: {detail['shared_hashes']} of {detail['hashes']} hashes"
    )
