"""Files compared with one another: one suspect, its likely sources, and the bases of these.

This is what ``assay compare`` does: all comparisons of each pair, both files open; whether a base
explains what is shared; and, of several sources, whether the suspect is a merge of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from assay.comparisons import kin
from assay.comparisons.aligned_weights import AlignedWeights, explains, merge_of
from assay.examine import Opened
from assay.values import Evidence, Json, Kin, Relation, Report
from assay.weights import Weight


@dataclass(frozen=True)
class Comparing:
    """Models that were opened: the suspect, then so many sources, then so many bases."""

    opened: Opened
    sources: int = 1
    bases: int = 0

    def report(self) -> Report:
        """What the suspect has to do with each source, the nearest first.

        Raises UnreadableModel where a weight is damaged.
        """
        records = [self.opened.records(place) for place in range(1, self.sources + 1)]
        found = tuple(
            self._explained(place, kin(suspect, source, weights=self._both(place)))
            for place, (suspect, source) in enumerate(records, 1)
        )
        nearest = tuple(sorted(found, key=lambda each: (-each.relation, -each.score)))
        return Report(records[0][0], nearest, self._merge(found))

    def _both(self, place: int) -> tuple[Mapping[str, Weight], Mapping[str, Weight]] | None:
        suspect, source = self.opened.weights(0), self.opened.weights(place)
        return None if suspect is None or source is None else (suspect, source)

    def _explained(self, place: int, found: Kin) -> Kin:
        """No more than a common ancestor where a base has all that was copied."""
        aligned = _aligned(found)
        related = Relation.COMMON_ANCESTOR <= found.relation < Relation.IDENTICAL
        if aligned is None or not related:
            return found
        source = self.opened.weights(place) or {}
        for base in range(self.sources + 1, self.sources + self.bases + 1):
            of_base = AlignedWeights().compare_weights(source, self.opened.weights(base) or {})
            if of_base is None or not of_base.detail["layers"]:
                continue
            if explains(of_base, aligned):
                name = self.opened.record(base).name
                return replace(found, relation=Relation.COMMON_ANCESTOR, explained_by=name)
        return found

    def _merge(self, found: tuple[Kin, ...]) -> Json | None:
        """Whether the suspect is a merge of those sources that it shares weights with."""
        suspect = self.opened.weights(0)
        related = {
            each.record.path or each.record.name: weights
            for place, each in enumerate(found, 1)
            if each.relation >= Relation.COMMON_ANCESTOR
            and (weights := self.opened.weights(place)) is not None
        }
        if suspect is None or len(related) < 2:
            return None
        merge = merge_of(suspect, related)
        return None if merge is None else merge.to_json()


def _aligned(found: Kin) -> Evidence | None:
    """The evidence that lists layers."""
    return next((e for e in found.evidence if "only_source" in e.detail), None)
