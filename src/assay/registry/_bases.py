"""What a public base explains: two models that come from it share an ancestor, and no more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from assay.comparisons import kin
from assay.comparisons._ancestry import beyond
from assay.registry._at_hand import is_copy
from assay.values import Kin, Record, Relation


def explained(found: Sequence[Kin], suspect: Callable[[Record], Record]) -> list[Kin]:
    """``found``, with what bases among them explain named so, and made no more than it is.

    ``suspect`` gives the suspect as it is compared with a model.
    """
    shared = [one for one in found if one.relation >= Relation.COMMON_ANCESTOR]
    bases = [one.record for one in shared if one.record.base]
    return [_explained(one, bases, suspect) if one in shared else one for one in found]


def _explained(one: Kin, bases: Sequence[Record], suspect: Callable[[Record], Record]) -> Kin:
    if one.record.base:
        return replace(one, explained_by=one.record.name)
    if one.relation is Relation.IDENTICAL:
        return one  # the same bytes are more than the same base
    for base in bases:
        if kin(one.record, base).relation < Relation.COMMON_ANCESTOR:
            continue
        ours = suspect(one.record)
        if not beyond(ours, one.record, base) and not is_copy(ours, one.record, base):
            relation = min(one.relation, Relation.COMMON_ANCESTOR)
            return replace(one, relation=relation, explained_by=base.name)
    return one
