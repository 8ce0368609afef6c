"""Which registered models are worth comparing with a suspect in full.

Those with its bytes, with tensors near its own or exact rows of them, with the nearest codes, with
parts whose codes are near those of its own, or with its tensor shapes.  Public bases with tensors
like its own are looked at whatever the filter: they explain what others have in common with it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from assay.registry._fragments import holders
from assay.registry._parts import unpacked, with_parts
from assay.registry._rows import COLUMNS, Where, unpack, unpack_sketch
from assay.registry._search import Known, Search
from assay.registry._shapes import nearest
from assay.values import Match, Record

IS_BASE = "id IN (SELECT model FROM bases)"
TIED = 200  # more codes that are looked at where they tie with the last one to be compared


@dataclass(frozen=True)
class Lead:
    """A registered model that is to be compared."""

    record: Record  # with its sketch
    distance: int  # bits between the codes of the graphs; 0 where there is none to compare
    passes: bool  # the filter; else it is a base


def leads(known: Known, search: Search) -> list[Lead]:
    """All of them, in no order."""
    condition, arguments = search.where.sql()
    with known.database.read() as connection:
        same = f"SELECT id FROM models WHERE sha256 = ? AND {condition}"
        cursor = connection.execute(same, [search.suspect.sha256, *arguments])
        distances = {key: 0 for (key,) in cursor}
        alike = nearest(connection, search.suspect, search.count, (condition, arguments))
        bases = [key for (key,) in connection.execute("SELECT model FROM bases")]
        explaining = set[int]()
        for sketch in search.sketches.values():
            alike += holders(connection, sketch, search.count, (condition, arguments))
            if bases:
                explaining |= {*holders(connection, sketch, search.count, (IS_BASE, []))}
        allowed = None
        if search.where != Where():
            passing = connection.execute(f"SELECT id FROM models WHERE {condition}", arguments)
            allowed = [key for (key,) in passing]
    if search.suspect.code is not None:
        near = known.codes.search(search.suspect.code, search.count + TIED, allowed)
        distances |= {match.key: match.distance for match in _first(known, near, search)}
    alike += with_parts(known.parts, search.suspect.parts, search.count, allowed)
    for sketch in search.sketches.values():
        alike += known.tensors.search(sketch, search.count, allowed)
        if bases:
            explaining |= {*known.tensors.search(sketch, search.count, bases)}
    distances = dict.fromkeys(alike, 0) | distances
    return [
        Lead(record, distances.get(key, 0), key in distances)
        for key, record in _records(known, [*{*distances} | explaining])
    ]


def compared(known: Known, search: Search) -> int:
    """How many models the search is over: with each, a false alarm is possible."""
    condition, arguments = search.where.sql()
    query = f"""SELECT count(*) FROM sketches JOIN models ON models.id = model
        WHERE sketches.scheme IN (SELECT value FROM json_each(?)) AND {condition}"""
    with known.database.read() as connection:
        row = connection.execute(query, [json.dumps([*search.sketches]), *arguments]).fetchone()
    return int(row[0])


def _first(known: Known, near: Sequence[Match], search: Search) -> Sequence[Match]:
    """The first ``count`` matches; of those that tie for the last places the nearest ones."""
    count = search.count
    if len(near) <= count or near[count - 1].distance < near[count].distance:
        return near[:count]
    inside = [match for match in near if match.distance < near[count].distance]
    tied = {match.key: match for match in near if match.distance == near[count].distance}
    records = [*_records(known, [*tied])]
    apart = search.apart([record.graph for _, record in records])
    order = sorted(zip(apart, (tied[key] for key, _ in records), strict=True))
    return [*inside, *(match for _, match in order)][:count]  # then the one that was added first


def _records(known: Known, keys: Sequence[int]) -> Iterator[tuple[int, Record]]:
    """The models by their keys, each with its sketch and the codes of its parts."""
    query = f"""SELECT {COLUMNS}, (SELECT body FROM sketches WHERE model = models.id),
        parts.scheme, count, digests FROM models LEFT JOIN parts ON parts.model = models.id
        WHERE id IN (SELECT value FROM json_each(?))"""
    with known.database.read() as connection:
        rows = connection.execute(query, [json.dumps(keys)]).fetchall()
    for *row, packed, scheme, count, digests in rows:
        sketch = None if packed is None else unpack_sketch(packed)
        parts = unpacked(scheme, count, digests)
        yield row[0], replace(unpack(tuple(row)), sketch=sketch, parts=parts)
