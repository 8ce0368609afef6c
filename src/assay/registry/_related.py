"""Which registered models are related to a suspect, best first.

The models with the nearest codes, or the suspect's tensor shapes where one of the two has no graph,
are compared with it in full.  Codes are short, so many models are
equally near; those that tie are told apart by the continuous code behind the bits, made from their
stored graphs, where the registry's hasher has one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

from assay.registry._codes import LiveCodes
from assay.registry._database import Database
from assay.registry._find import claims
from assay.registry._rows import COLUMNS, Where, unpack
from assay.registry._shapes import nearest
from assay.values import Kin, LayerGraph, Match, Record, Relation

if TYPE_CHECKING:
    from assay.hashers import Hasher

TIED = 200  # more codes that are looked at where they tie with the last one to be compared


@dataclass(frozen=True)
class Search:
    """What is asked of a registry about one suspect."""

    suspect: Record
    count: int  # codes that are compared in full
    where: Where
    hasher: Callable[[], Hasher]  # the registry's; asked for only where codes tie

    def apart(self, graphs: Sequence[LayerGraph | None]) -> list[float]:
        """How far each graph's continuous code is from the suspect's.

        0.0 for all where there is nothing to tell apart, or no such code to tell it by.
        """
        ours, alike = None, [0.0] * len(graphs)
        if self.suspect.code is None or self.suspect.graph is None or len({*graphs}) < 2:
            return alike
        hasher = self.hasher()
        if self.suspect.code.scheme == f"{hasher.scheme}+{self.suspect.graph.rules}":
            ours = hasher.embed(self.suspect.graph)
        if ours is None:
            return alike
        known = {}
        for graph in {*graphs}:
            theirs = None if graph is None else hasher.embed(graph)
            known[graph] = float("inf") if theirs is None else float(((ours - theirs) ** 2).sum())
        return [known[graph] for graph in graphs]


def related(database: Database, codes: LiveCodes, search: Search) -> list[Kin]:
    """All that is related to the suspect; a model is listed for each path and owner it had."""
    from assay.comparisons import kin

    found = []
    for record, distance in _candidates(database, codes, search):
        one = kin(search.suspect, record)
        if one.relation > Relation.UNRELATED:
            found.append(((-one.relation, -one.score, distance), one))
    found.sort(key=lambda placed: placed[0])
    listed: list[tuple[Any, Kin]] = []
    for place, group in groupby(found, key=lambda placed: placed[0]):
        tied = [one for _, one in group]
        for one, apart in zip(tied, search.apart([k.record.graph for k in tied]), strict=True):
            listed += [((place, apart), each) for each in _claimed(database, one, search.where)]
    listed.sort(key=lambda placed: (placed[0], placed[1].record.name, placed[1].record.path))
    return [one for _, one in listed]


def _candidates(
    database: Database, codes: LiveCodes, search: Search
) -> Iterator[tuple[Record, int]]:
    """The models with the suspect's bytes, the nearest codes or its tensors' shapes.

    Beside each the distance of its code, 0 where there is none to be compared.
    """
    condition, arguments = search.where.sql()
    with database.read() as connection:
        same = f"SELECT id FROM models WHERE sha256 = ? AND {condition}"
        cursor = connection.execute(same, [search.suspect.sha256, *arguments])
        distances = {key: 0 for (key,) in cursor}
        allowed = None
        if condition != Where().sql()[0]:
            passing = connection.execute(f"SELECT id FROM models WHERE {condition}", arguments)
            allowed = [key for (key,) in passing]
    if search.suspect.code is not None:
        near = codes.search(search.suspect.code, search.count + TIED, allowed)
        distances |= {match.key: match.distance for match in _nearest(database, near, search)}
    distances = dict.fromkeys(_alike(database, search), 0) | distances
    return ((record, distances[key]) for key, record in _records(database, [*distances]))


def _alike(database: Database, search: Search) -> list[int]:
    """The models with the suspect's tensor shapes, where one of the two has no code."""
    with database.read() as connection:
        return nearest(connection, search.suspect, search.count, search.where.sql())


def _nearest(database: Database, near: Sequence[Match], search: Search) -> Sequence[Match]:
    """The first ``count`` matches; of those that tie for the last places the nearest ones."""
    count = search.count
    if len(near) <= count or near[count - 1].distance < near[count].distance:
        return near[:count]
    inside = [match for match in near if match.distance < near[count].distance]
    tied = {match.key: match for match in near if match.distance == near[count].distance}
    records = [*_records(database, [*tied])]
    apart = search.apart([record.graph for _, record in records])
    order = sorted(zip(apart, (tied[key] for key, _ in records), strict=True))
    return [*inside, *(match for _, match in order)][:count]  # then the one that was added first


def _records(database: Database, keys: Sequence[int]) -> Iterator[tuple[int, Record]]:
    query = f"SELECT {COLUMNS} FROM models WHERE id IN (SELECT value FROM json_each(?))"
    with database.read() as connection:
        rows = connection.execute(query, [json.dumps(keys)]).fetchall()
    return ((row[0], unpack(row)) for row in rows)


def _claimed(database: Database, kin: Kin, where: Where) -> Iterator[Kin]:
    """The same for each path and owner that the model was added with."""
    with database.read() as connection:
        for owner, path, name in claims(connection, kin.record.sha256, where.owner):
            yield replace(kin, record=replace(kin.record, owner=owner, path=path, name=name))
