"""Whether two models' weights are independent, from the stored codes of their tensors.

[Charikar, STOC 2002; Holm, 1979.]  Tensors are matched one to one by shape, nearest codes first.
Each match has the false alarm of its distance among independently trained tensors, corrected for
every code it was compared with; of a model's tensors together, order statistics give it.  More than
a common ancestor is named only for distances that networks trained from one start do not reach.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import cos, lgamma, log, log10, pi

from assay.comparisons import Comparison
from assay.comparisons._tensor_pairs import Matching, Tensor, informative, left_out, matched
from assay.sketches.projections import BITS
from assay.values import Evidence, Record, Relation, WeightSketch

_FLOOR = -12.0  # log₁₀ of one tensor's false alarm: no tensor counts for more
_MEASURED = -5.0  # … below, the null was not measured but is a model's
_LOWEST = -77.0  # of all tensors: no surer than equal bytes, 2^-256
_MOST_OF = 0.95  # of both models' values, for the same model
_HALF = 0.5  # of one model's values: a backbone under a new head, a part of a bundle
_FEWEST = 2  # tensors that must be near
_COPIES = 3  # tensors that are equal …
_COPIED = 0.1  # … and hold such a share of one model's values: frozen layers
_EQUAL = 2  # bits: what 16 bits or 8 with a scale for each channel leave


@dataclass(frozen=True)
class Weights(Comparison):
    """Distances of tensors' codes, against two nulls: strangers, and twins of one start."""

    tolerance: float = 1e-6  # false alarm, corrected, up to which weights are not independent
    near: int = 9  # bits: half of what the nearest twins' tensors differ by on average
    near_permuted: int = 24  # bits of codes that stay when channels change places; twins: 79
    rounding: int = 4  # bits: median of a model that was only stored with fewer bits

    def compare(self, suspect: Record, source: Record) -> Evidence | None:
        a, b = suspect.sketch, source.sketch
        if a is None or b is None or a.scheme != b.scheme:
            return None
        ours, theirs = informative(a), informative(b)
        if not ours or not theirs:
            return None
        found = matched(ours, theirs)
        alarm = false_alarm(found, _FLOOR)
        detail = {
            **self._distances(found),
            "tensors": [len(ours), len(theirs)],
            "matched": len(found.pairs),
            "values": _shares(found, [True] * len(found.pairs)),
            "left_out": [left_out(a), left_out(b)],
            "corrected_for": found.comparisons,  # codes that were compared
            "floor": _FLOOR,
            "measured_to": _MEASURED,
            "log10_false_alarm_as_measured": round(false_alarm(found, _MEASURED), 2),
        }
        return Evidence(repr(self), _score(found), round(alarm, 2), detail)

    def _distances(self, found: Matching) -> dict[str, object]:
        """How near the matched tensors are; of permuted ones, the other code says it."""
        straight = sorted(pair.distance for pair in found.pairs if not pair.permuted)
        near = [
            pair.distance <= (self.near_permuted if pair.permuted else self.near)
            for pair in found.pairs
        ]
        equal = [not pair.permuted and pair.distance <= _EQUAL for pair in found.pairs]
        return {
            "permuted": len(found.pairs) - len(straight),
            "median": straight[len(straight) // 2] if straight else None,
            "mean": round(sum(straight) / len(straight), 2) if straight else None,
            "largest": straight[-1] if straight else None,
            "near": sum(near),
            "near_values": _shares(found, near),
            "equal": sum(equal),
            "equal_values": _shares(found, equal),
        }

    def relation(self, evidence: Evidence) -> Relation:
        """Never more than a common ancestor unless the null of twins is beaten, too."""
        detail, alarm = evidence.detail, evidence.log10_false_alarm
        if alarm is None or alarm > log10(self.tolerance):
            return Relation.UNRELATED
        if self._is_same(evidence):
            return Relation.SAME_MODEL
        part = detail["near"] >= _FEWEST and max(detail["near_values"]) >= _HALF
        copied = detail["equal"] >= _COPIES and max(detail["equal_values"]) >= _COPIED
        return Relation.DERIVED if part or copied else Relation.COMMON_ANCESTOR

    def _is_same(self, evidence: Evidence) -> bool:
        """Nearly all tensors of both, of equal sizes, at distances of rounding."""
        detail = evidence.detail
        if detail["near"] < _FEWEST or detail["permuted"] or min(detail["values"]) < _MOST_OF:
            return False
        return bool(detail["median"] <= self.rounding and detail["mean"] <= self.near)


def false_alarm(found: Matching, floor: float) -> float:
    """log₁₀ of the probability of such matches between independent models, the weaker of two.

    Each tensor of one model is compared with all of the other, so it is looked at from both sides.
    ``floor`` is the least that one tensor may say, before it is corrected.
    """
    sides = (
        ([pair.tail for pair in found.pairs], [found.compared[0][p.ours] for p in found.pairs]),
        ([pair.tail for pair in found.pairs], [found.compared[1][p.theirs] for p in found.pairs]),
    )
    return max(
        _combined([max(t, floor) + log10(c) for t, c in zip(*side, strict=True)], sum(n > 0 for n in counts))
        for side, counts in zip(sides, found.compared, strict=True)
    )


def _combined(tails: Sequence[float], total: int) -> float:
    """log₁₀ for tensors, of a total, that are as unlikely as ``tails`` say.

    For each k: that k of them are at or below the k-th, at most C(total, k) pᵏ; the least, times
    the number of k that were tried.
    """
    least = 0.0
    for k, tail in enumerate(sorted(tails), 1):
        choices = lgamma(total + 1) - lgamma(k + 1) - lgamma(total - k + 1)
        least = min(least, choices / log(10) + k * tail + log10(total))
    return max(least, _LOWEST)
