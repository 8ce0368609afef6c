"""Which registered models are copies that their owner has licensed, to whom, and until when.

Recorded are names, public keys and hashes, nothing that opens a level or reads a mark.  The log has
none of it, for that is shown to others; a license's hash can be committed to as any other.
"""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from datetime import UTC, datetime

from assay.registry._database import Database
from assay.registry._find import find
from assay.registry._rows import as_bytes
from assay.registry._signers import key_of
from assay.values import Licensed

_COLUMNS = "CAST(licensee AS TEXT), key, owner, manifest, license, level, expires"


class Licenses:
    """Those that were recorded; methods raise as the registry's do."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(self, sha256: str, given: Licensed) -> str:
        """Note that a registered model is a licensed copy; "exists" where that is known.

        It is taken for its owner's where his name stands for the key: see ``Signers.settle``.
        Raises UnknownModel where there is no such model.
        """
        row = (
            as_bytes(given.licensee), given.key, given.owner, given.manifest, given.license,
            given.level, given.expires,
        )  # fmt: skip
        query = "INSERT OR IGNORE INTO licensed VALUES (?, CAST(? AS TEXT), ?, ?, ?, ?, ?, ?)"
        with self._database.write() as connection:
            made = connection.execute(query, [find(connection, sha256), *row])
        return "added" if made.rowcount else "exists"

    def of(self, manifest: str) -> list[Licensed]:
        """Those of one distributable, in the order in which they were recorded."""
        query = f"SELECT {_COLUMNS} FROM licensed WHERE manifest = ? ORDER BY rowid"
        with self._database.read() as connection:
            return [_licensed(row) for row in connection.execute(query, [manifest])]


def licensed(connection: sqlite3.Connection, sha256: str | None) -> tuple[Licensed, ...]:
    """Those of one model."""
    query = f"""SELECT {_COLUMNS} FROM licensed JOIN models ON models.id = model
        WHERE sha256 = ? ORDER BY licensed.rowid"""
    return tuple(_licensed(row) for row in connection.execute(query, [sha256]))


def as_of(
    connection: sqlite3.Connection, given: tuple[Licensed, ...], name: str | None
) -> tuple[Licensed, ...]:
    """Those of one model, which is claimed under a name: which of them are this owner's."""
    if name is None:
        return given
    key = key_of(connection, name)
    return tuple(each if each.owner == key else replace(each, unproved=name) for each in given)


def _licensed(row: tuple[str, str, str, str, str, int, str | None]) -> Licensed:
    today, expires = datetime.now(UTC).date().isoformat(), row[-1]
    return Licensed(*row, expired=expires is not None and today > expires)
