"""Whether two models' weights are independent, from the stored codes of their tensors.

[Charikar, STOC 2002; order statistics: Rüger, 1978.]  Tensors are matched one to one, nearest codes
first.  A match has the false alarm of its distance between independently trained tensors, corrected
for all it was compared with; how many are how unlikely gives that of the models.  More than a
common ancestor is named only where near tensors are visibly trained, and nearer, beside how far
they moved, than those of networks that were trained apart from one start.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import cos, log10, pi
from typing import Any

from assay.comparisons import Comparison
from assay.comparisons._claims import (
    FEWEST,
    FLOOR,
    NEARLY_ALL,
    TELLING,
    combined,
    is_frozen,
    is_part,
)
from assay.comparisons._tensor_pairs import Matching, Pair, informative, left_out, matched
from assay.sketches.projections import BITS
from assay.values import Evidence, Json, Record, Relation

MEASURED = -5.0  # log₁₀ of one tensor's false alarm: below, the null is a model's, not measured
_MOST = 0.5  # of one model's values, in tensors that are both learned and near
_SPARED = 0.25  # of the tensors: where so many did not change at all …
_CHANGED = 0.035  # … radians: of the one that did most, where it was only stored in fewer bits
_ALONE = 0.01  # of how far a tensor has moved, to be what both learned if no other one is
_SHOWN = 0.25  # of all values that are near, those in tensors visibly more than their start
_EQUAL = 2  # bits that 16-bit numbers leave, or 8-bit ones with a scale for each channel


@dataclass(frozen=True)
class Weights(Comparison):
    """Distances of tensors' codes, against two nulls: strangers, and twins of one start."""

    near: int = 6  # bits up to which tensors may be copies; angles tell them from twins
    near_permuted: int = 16  # bits of the codes that ignore channels' places; twins: 74 or more
    rounding: float = 1.5  # bits: mean by size, where a model was only stored in fewer bits

    def compare(self, suspect: Record, source: Record) -> Evidence | None:
        a, b = suspect.sketch, source.sketch
        if a is None or b is None or a.scheme != b.scheme:
            return None
        ours, theirs = informative(a), informative(b)
        if not ours or not theirs:
            return None
        found = matched(ours, theirs)
        detail = {
            "tensors": [len(ours), len(theirs)],
            "matched": len(found.pairs),
            "values": found.shares(found.pairs),
            **self._distances(found),
            "left_out": [left_out(a), left_out(b)],
            "codes_compared": sum(found.compared[0]),  # corrected for
            "floor": FLOOR,
            "measured_down_to": MEASURED,
            "log10_false_alarm_as_measured": round(false_alarm(found, MEASURED), 2),
        }
        detail["in_words"] = _in_words(detail)
        return Evidence(repr(self), _score(found), round(false_alarm(found, FLOOR), 2), detail)

    def supported(self, evidence: Evidence) -> Relation:
        """Never more than a common ancestor unless the null of twins is beaten, too."""
        detail = evidence.detail
        if not _is_enough(detail):
            return Relation.UNRELATED
        if not detail["near"] or max(detail["learned_values"]) < _SHOWN * max(
            detail["near_values"]
        ):
            return Relation.COMMON_ANCESTOR
        if self._is_same(detail):
            return Relation.SAME_MODEL
        part = is_part(detail["near"], detail["near_values"])
        frozen = is_frozen(detail["equal"], detail["equal_values"])
        return Relation.DERIVED if part or frozen else Relation.COMMON_ANCESTOR

    def _is_same(self, detail: Mapping[str, Any]) -> bool:
        """Nearly all of both matched, at distances of rounding, which spares no tensor."""
        matched_of_all = detail["matched"] / max(detail["tensors"])
        if min(matched_of_all, *detail["values"]) < NEARLY_ALL or detail["near"] < FEWEST:
            return False
        if 2 * detail["permuted"] > detail["matched"]:
            return False
        spared = detail["unchanged"] >= _SPARED * detail["matched"]
        if spared and detail["largest_angle"] > _CHANGED:
            return False
        return bool(detail["mean"] <= self.rounding)

    def _distances(self, found: Matching) -> Json:
        """How near matched tensors are: all but the permuted ones, whose other codes say it."""
        straight = sorted((pair for pair in found.pairs if not pair.permuted), key=_distance)
        near = [pair for pair in found.pairs if self.is_near(pair)]
        learned = [pair for pair in near if found.is_learned(pair)]
        if len(learned) < FEWEST:  # one tensor may be so near by chance
            learned = [pair for pair in learned if found.is_learned(pair, _ALONE)]
        equal = [pair for pair in near if not pair.permuted and pair.distance <= _EQUAL]
        whole, apart = found.shares(straight)[0], found.shares(straight, _distance)[0]
        changed = [pair.distance for pair in straight if pair.distance]
        return {
            "permuted": len(found.pairs) - len(straight),
            "mean": round(apart / whole, 2) if straight else None,  # by size
            "unchanged": len(straight) - len(changed),
            "largest_angle": round(max(map(found.angle, straight), default=pi), 4),  # radians
            "median": straight[len(straight) // 2].distance if straight else None,
            "largest": straight[-1].distance if straight else None,
            "near": len(near),
            "near_values": found.shares(near),
            "learned_values": found.shares(learned),
            "equal": len(equal),
            "equal_values": found.shares(equal),
        }

    def is_near(self, pair: Pair) -> bool:
        """Whether two tensors are near enough to be copies; some twins' are, too."""
        return pair.distance <= (self.near_permuted if pair.permuted else self.near)


def _in_words(detail: Mapping[str, Any]) -> str:
    """What was found, for a person."""
    (ours, theirs), (own, other) = detail["tensors"], detail["values"]
    words = (
        f"{detail['matched']} of {ours} tensors ({own:.0%} of the values) match one of the"
        f" other's {theirs} ({other:.0%})"
    )
    if detail["permuted"]:
        words += f", {detail['permuted']} of them with channels in other places"
    if detail["mean"] is not None:
        words += f"; codes differ in {detail['mean']:.1f} of {BITS} bits on average"
    return words


def _is_enough(detail: Mapping[str, Any]) -> bool:
    """Whether so much is shared that it is no chance of a seed, nor of a task.

    Different networks that draw their first weights with one seed have a layer or two in common.
    A single layer between inputs and classes that mean the same comes out alike from any start.
    """
    several = detail["matched"] >= FEWEST and max(detail["values"]) >= TELLING
    return bool(several or max(detail["learned_values"]) >= _MOST)


def false_alarm(found: Matching, floor: float) -> float:
    """log₁₀ of the probability of such matches between independent models.

    Seen from either model, whose tensors are each compared with all of the other; the weaker of
    both counts.  ``floor`` is the least that one tensor may say, before it is corrected.
    """
    sides = [pair.ours for pair in found.pairs], [pair.theirs for pair in found.pairs]
    tails = [max(pair.tail, floor) for pair in found.pairs]
    return max(
        combined(
            [tail + log10(compared[place]) for tail, place in zip(tails, side, strict=True)],
            sum(count > 0 for count in compared),
        )
        for side, compared in zip(sides, found.compared, strict=True)
    )


def _score(found: Matching) -> float:
    """Cosine that the codes tell, of values without a match 0; the mean of both models, 0 … 1."""
    return round(sum(found.shares(found.pairs, _cosine)) / 2, 4)


def _distance(pair: Pair) -> int:
    return pair.distance


def _cosine(pair: Pair) -> float:
    return cos(pi * pair.distance / BITS)
