"""Which registered models are related to a suspect, best first.

Every lead is compared in full; what a public base explains is a common ancestor at most.  Codes are
short, so many models are equally near; those that tie are told apart by the continuous code behind
the bits, made from their stored graphs, where the registry's hasher has one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby
from typing import Any

from assay.comparisons import kin
from assay.registry._at_hand import AtHand
from assay.registry._bases import explained
from assay.registry._database import Database
from assay.registry._find import claims
from assay.registry._leads import compared, leads
from assay.registry._licensed import as_of, licensed
from assay.registry._rows import Where
from assay.registry._search import Known, Search
from assay.values import Kin, Relation


def related(known: Known, search: Search) -> list[Kin]:
    """All that is related to the suspect; a model is listed for each path and owner it had."""
    candidates, looked_at = compared(known, search), leads(known, search)
    found = [
        kin(search.against(lead.record), lead.record, candidates=candidates,
            tolerance=search.tolerance)
        for lead in looked_at
    ]  # fmt: skip
    placed = [
        ((_rank(one), -one.relation, -one.score, lead.distance), one)
        for lead, one in zip(
            looked_at, explained(found, search, AtHand(known.database)), strict=True
        )
        if lead.passes and one.relation > Relation.UNRELATED
    ]
    placed.sort(key=lambda each: each[0])
    listed: list[tuple[Any, Kin]] = []
    for place, group in groupby(placed, key=lambda each: each[0]):
        tied = [one for _, one in group]
        for one, apart in zip(tied, search.apart([k.record.graph for k in tied]), strict=True):
            claimed = _claimed(known.database, one, search.where)
            listed += [((place, apart), each) for each in claimed]
    listed.sort(key=lambda each: (each[0], each[1].record.name, each[1].record.path))
    return [one for _, one in listed]


def _rank(kin: Kin) -> int:
    """What is to be reviewed comes before what a base explains, however many there are of that."""
    if kin.relation < Relation.COMMON_ANCESTOR:
        return 2
    return 0 if kin.explained_by is None else 1


def _claimed(database: Database, kin: Kin, where: Where) -> Iterator[Kin]:
    """The same for each path and owner that the model was added with."""
    with database.read() as connection:
        given = licensed(connection, kin.record.sha256)
        for owner, path, name in claims(connection, kin.record.sha256, where):
            record = replace(kin.record, owner=owner, path=path, name=name)
            yield replace(kin, record=record, licensed=as_of(connection, given, owner))
