"""Comparisons: two models in, evidence out.

White-box methods compare what is stored of both models, so that a registry needs no file again, or
their weights, where both files are open.  ``kin`` puts the evidence together and names the relation
that it supports, never a stronger one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from math import log10
from typing import TYPE_CHECKING

from assay.methods import Methods
from assay.values import Evidence, Kin, Record, Relation

if TYPE_CHECKING:
    from assay.weights import Weight  # not above: it brings NumPy along

TOLERANCE = 1e-6  # false alarm, after every correction, up to which weights are not independent


class Comparison(ABC):
    """A white-box comparison of two models."""

    @abstractmethod
    def compare(self, suspect: Record, source: Record) -> Evidence | None:
        """How strongly the two are tied, or None where there is nothing to compare."""

    def compare_weights(
        self, suspect: Mapping[str, Weight], source: Mapping[str, Weight]
    ) -> Evidence | None:
        """The same of all weights of both, by name, where they can be read; None: it needs none."""
        return None

    @abstractmethod
    def supported(self, evidence: Evidence) -> Relation:
        """The strongest relation that ``evidence`` of this method supports, if it is no chance."""

    def relation(self, evidence: Evidence, tolerance: float = TOLERANCE) -> Relation:
        """What is supported; COMMON_ANCESTOR or more only where the false alarm is tolerable."""
        found, alarm = self.supported(evidence), evidence.log10_false_alarm
        if found < Relation.COMMON_ANCESTOR or (alarm is not None and alarm <= log10(tolerance)):
            return found
        return Relation.UNRELATED


COMPARISONS = Methods(Comparison)


def kin(
    suspect: Record,
    source: Record,
    *,
    candidates: int = 1,
    tolerance: float = TOLERANCE,
    weights: tuple[Mapping[str, Weight], Mapping[str, Weight]] | None = None,
) -> Kin:
    """A registered model, the evidence that ties ``suspect`` to it, and what that supports.

    ``weights`` are those of both where both files are at hand.

    IDENTICAL where the bytes are the same; otherwise what the comparisons support: a structure
    says SAME_ARCHITECTURE at most.  ``candidates`` is how many models the source was picked from:
    each was a chance of a false alarm [Bonferroni].
    """
    found = list[tuple[Relation, Evidence]]()
    if suspect.sha256 is not None and suspect.sha256 == source.sha256:
        same = Evidence("sha256()", 1.0, -77.0, {"sha256": source.sha256})  # 2^-256
        found.append((Relation.IDENTICAL, same))
    for name in COMPARISONS:
        method = COMPARISONS[name]()
        both = [method.compare(suspect, source)]
        both += [method.compare_weights(*weights)] if weights else []
        for evidence in both:
            if evidence is not None:
                evidence = _corrected(evidence, candidates)
                found.append((method.relation(evidence, tolerance), evidence))
    found.sort(key=_place)  # stable: structure before weights where both say nothing
    strongest = max((relation for relation, _ in found), default=Relation.UNRELATED)
    return Kin(source, strongest, tuple(evidence for _, evidence in found))


def _place(said: tuple[Relation, Evidence]) -> tuple[int, float]:
    """What says most comes first; of what says the same of weights, what is surest."""
    relation, evidence = said
    alarm = evidence.log10_false_alarm or 0.0
    return -relation, alarm if relation >= Relation.COMMON_ANCESTOR else 0.0


def _corrected(evidence: Evidence, candidates: int) -> Evidence:
    """``evidence`` with the false alarm of the best of so many candidates."""
    alarm = evidence.log10_false_alarm
    if alarm is None or candidates < 2:
        return evidence
    of_all = round(min(alarm + log10(candidates), 0.0), 2)
    detail = {**evidence.detail, "candidates": candidates}
    return replace(evidence, log10_false_alarm=of_all, detail=detail)
