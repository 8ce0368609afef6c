"""The mark of an owner's key as evidence beside that of files and answers."""

from __future__ import annotations

from dataclasses import replace

from assay.values import Evidence, Kin, Relation


def with_mark(
    kin: Kin,
    mark: Evidence,
    alarm: float,
    *,
    counts: bool,
    shows: Relation = Relation.COMMON_ANCESTOR,
    in_base: bool = False,
) -> Kin:
    """``kin`` with a mark beside its evidence; found, it shows a common ancestor at the most.

    A mark says whose key is in a model, and not which file that comes from.  And a key that was
    made after the suspect was seen can be made to be found in it: one that no log shows to be older
    changes no relation.

    Args:
        kin: What else is known.
        mark: What ``assay.watermarks.verify`` has found.
        alarm: The false alarm up to which it counts as found.
        counts: Whether the false alarm is that of a key in a log, before a head was kept, and the
            other model has the mark, too.
        shows: The relation that it shows.  Of a mark in structure no more than the same
            architecture: that can be copied without any weight.
        in_base: Whether a public base has the mark, too; one that has not does not explain it.
    """
    shows, beside = (
        min(shows, Relation.COMMON_ANCESTOR),
        replace(kin, evidence=(*kin.evidence, mark)),
    )
    if not (counts and mark.holds_at(alarm)):
        return beside
    if kin.relation < shows:
        return replace(kin, relation=shows, evidence=(mark, *kin.evidence))
    if shows == Relation.COMMON_ANCESTOR and not in_base:
        return replace(beside, explained_by=None)
    return beside
