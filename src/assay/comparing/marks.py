"""The mark of an owner's key as evidence beside that of files and answers."""

from __future__ import annotations

from dataclasses import replace

from assay.values import Evidence, Kin, Relation


def with_mark(kin: Kin, mark: Evidence, alarm: float, *, is_logged: bool) -> Kin:
    """``kin`` with a mark beside its evidence; found, it shows a common ancestor at the most.

    A mark says whose key is in a model, and not which file that comes from.  And a key that was
    made after the suspect was seen can be made to be found in it: one that no log shows to be older
    changes no relation.

    Args:
        kin: What else is known.
        mark: What ``assay.watermarks.verify`` has found.
        alarm: The false alarm up to which it counts as found.
        is_logged: Whether the false alarm is that of a key in a log, before a head was kept.
    """
    if is_logged and mark.holds_at(alarm) and kin.relation < Relation.COMMON_ANCESTOR:
        return replace(kin, relation=Relation.COMMON_ANCESTOR, evidence=(mark, *kin.evidence))
    return replace(kin, evidence=(*kin.evidence, mark))
