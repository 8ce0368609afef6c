"""Comparisons: two models in, evidence out.

White-box methods compare what is stored of both models, so that a registry needs no file again.
``kin`` puts the evidence together and names the relation that it supports, never a stronger one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from assay.methods import Methods
from assay.values import Evidence, Kin, Record, Relation


class Comparison(ABC):
    """A white-box comparison of two models."""

    @abstractmethod
    def compare(self, suspect: Record, source: Record) -> Evidence | None:
        """How strongly the two are tied, or None where there is nothing to compare."""

    @abstractmethod
    def relation(self, evidence: Evidence) -> Relation:
        """The strongest relation that ``evidence`` of this method supports."""


COMPARISONS = Methods(Comparison)


def kin(suspect: Record, source: Record) -> Kin:
    """A registered model, the evidence that ties ``suspect`` to it, and what that supports.

    IDENTICAL where the bytes are the same; otherwise what the comparisons support: a structure
    says SAME_ARCHITECTURE at most.
    """
    relation, found = Relation.UNRELATED, []
    if suspect.sha256 is not None and suspect.sha256 == source.sha256:
        relation = Relation.IDENTICAL
        found.append(Evidence("sha256()", 1.0, -77.0, {"sha256": source.sha256}))  # 2^-256
    for name in COMPARISONS:
        method = COMPARISONS[name]()
        evidence = method.compare(suspect, source)
        if evidence is not None:
            relation = max(relation, method.relation(evidence))
            found.append(evidence)
    return Kin(source, relation, tuple(found))
