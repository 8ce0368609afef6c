"""What a public base explains: two models that come from it share an ancestor, and no more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from assay.comparisons import kin
from assay.comparisons._ancestry import beyond, may_explain
from assay.registry._at_hand import AtHand
from assay.registry._search import Search
from assay.values import Kin, Record, Relation


def explained(found: Sequence[Kin], search: Search, at_hand: AtHand) -> list[Kin]:
    """``found``, with what bases among them explain named so, and made no more than it is."""
    shared = [one for one in found if one.relation >= Relation.COMMON_ANCESTOR]
    bases = [one.record for one in shared if one.record.base]
    return [_explained(one, bases, search, at_hand) if one in shared else one for one in found]


def _explained(one: Kin, bases: Sequence[Record], search: Search, at_hand: AtHand) -> Kin:
    if one.record.base:
        return replace(one, explained_by=one.record.name)
    if one.relation is Relation.IDENTICAL:
        return one  # the same bytes are more than the same base
    ours = search.against(one.record)
    for base in bases:
        relation = kin(one.record, base, tolerance=search.tolerance).relation
        comes_from_it = relation >= Relation.COMMON_ANCESTOR
        if not comes_from_it and not may_explain(ours, one.record, search.against(base), base):
            continue
        shares_more = comes_from_it and beyond(ours, one.record, base)
        if not shares_more and not at_hand.is_copy(ours, one, base):
            known = min(one.relation, Relation.COMMON_ANCESTOR)
            return replace(one, relation=known, explained_by=base.name)
    return one
