"""Codes of the parts of models: kept in a row for each model, and asked for leads.

Which layers a part has is not kept: ``assay.graphs.parts`` cuts the stored graph in the same places
again, for its version is in the scheme.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection

from assay.comparisons.parts import Parts
from assay.graphs.parts import VERSION
from assay.registry._codes import PER_MODEL, LiveCodes
from assay.registry._database import Database
from assay.values import HashCode, LayerGraph

INSERT = """INSERT INTO parts VALUES (?, ?, ?, ?) ON CONFLICT (model) DO UPDATE SET
    scheme = excluded.scheme, count = excluded.count, digests = excluded.digests"""
KNOWN = "SELECT scheme, count, digests FROM parts WHERE model = ?"
# A graph without layers has no code, nor have its parts.
LACKING = f"""rules IS NOT NULL AND models.scheme IS NOT NULL AND NOT EXISTS (SELECT 1 FROM parts
    WHERE model = models.id AND parts.scheme = ? || '+' || rules || '-p{VERSION}')"""


def keep(
    connection: sqlite3.Connection,
    key: int,
    graph: LayerGraph | None,
    code: HashCode | None,
    parts: tuple[HashCode, ...] | None,
) -> None:
    """Keep the codes of a model's parts, made by the hasher of its own ``code``; None: nothing.

    Nor are those kept that could not be compared with others', or that would stand in their places:
    of another hasher, cut by other rules, of another length, or more than a model has.
    """
    if parts is None or graph is None or code is None:
        return
    scheme = f"{code.scheme}-p{VERSION}"
    row = (scheme, len(parts), b"".join(part.digest for part in parts))
    alike = all((part.scheme, len(part)) == (scheme, len(code)) for part in parts)
    if len(parts) > PER_MODEL or not alike:
        return
    if connection.execute(KNOWN, [key]).fetchone() != row:
        connection.execute(INSERT, [key, *row])


def unpacked(scheme: str | None, count: int, digests: bytes) -> tuple[HashCode, ...] | None:
    """What ``keep`` kept, from its row."""
    if scheme is None:
        return None
    width = len(digests) // count if count else 1
    return tuple(HashCode(scheme, digests[i : i + width]) for i in range(0, len(digests), width))


def lacking(database: Database, scheme: str) -> int:
    """How many models with codes of ``scheme`` have none of their parts by the same hasher."""
    query = f"""SELECT count(*) FROM models WHERE scheme = ? AND rules IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM parts
            WHERE model = models.id AND parts.scheme = models.scheme || '-p{VERSION}')"""
    with database.read() as connection:
        return int(connection.execute(query, [scheme]).fetchone()[0])


def with_parts(
    codes: LiveCodes,
    parts: tuple[HashCode, ...] | None,
    count: int,
    allowed: Collection[int] | None,
) -> list[int]:
    """The ``count`` models, by their keys, with the parts nearest to any of ``parts``."""
    best: dict[int, int] = {}
    for part in parts or ():
        for match in codes.search(part, count, allowed, Parts().reach(part)):
            best[match.key] = min(match.distance, best.get(match.key, match.distance))
    return sorted(best, key=lambda key: (best[key], key))[:count]
