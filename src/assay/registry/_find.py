"""What a user calls a model: its sha256 or the start of it, its name, or the path it had."""

from __future__ import annotations

import difflib
import re
import sqlite3
from typing import Any

from assay.errors import UnknownModel
from assay.registry._rows import Where, as_bytes

SHOWN = 5  # candidates in a message
LOOKED_AT = 10_000  # names, for a suggestion
LOOK = "SELECT id, sha256, name, path FROM models WHERE"


def find(connection: sqlite3.Connection, text: str) -> int:
    """The key of the model that ``text`` means.

    A whole sha256 comes first, then what is called so or had this path, then a sha256 that begins
    so (6 digits or more).  Raises UnknownModel, with candidates, where none or several are meant.
    """
    for condition, arguments in _meanings(text):
        query = f"{LOOK} {condition} ORDER BY id LIMIT {SHOWN + 1}"
        rows = connection.execute(query, arguments).fetchall()
        if len(rows) == 1:
            return int(rows[0][0])
        if rows:
            listed = ", ".join(f"{sha256[:12]} ({path})" for _, sha256, _, path in rows[:SHOWN])
            more = ", …" if len(rows) > SHOWN else ""
            raise UnknownModel(
                f"{text!r} is the name of several models: {listed}{more}: say which by its sha256"
            )
    near = _near(connection, text)
    hint = f": did you mean {', '.join(near)}?" if near else ": 'assay list' shows what there is"
    raise UnknownModel(f"no registered model {text!r}{hint}")


def claims(
    connection: sqlite3.Connection, sha256: str | None, where: Where
) -> list[tuple[str | None, str, str]]:
    """(owner, path, name) of each claim on a model, in order, by those owners who are meant."""
    query = """SELECT claims.owner, claims.path, claims.name FROM claims
        JOIN models ON models.id = model WHERE sha256 = ? ORDER BY claims.id"""
    rows = connection.execute(query, [sha256]).fetchall()
    owned = {path for who, path, _ in rows if who is not None}
    # Who added a path without saying an owner is not listed beside an owner who claimed it.
    listed = [row for row in rows if row[0] is not None or row[1] not in owned]
    meant = [row for row in listed if where.owner in (None, row[0])]
    return [row for row in meant if where.exclude_owner is None or row[0] != where.exclude_owner]


def files(connection: sqlite3.Connection, sha256: str | None) -> list[str]:
    """Where a model's file lay when it was added: whole paths, the last one first."""
    query = """SELECT files.path FROM files JOIN models ON models.id = model
        WHERE sha256 = ? ORDER BY files.rowid DESC"""
    return [path for (path,) in connection.execute(query, [sha256])]


def _meanings(text: str) -> list[tuple[str, list[Any]]]:
    claimed = "SELECT model FROM claims WHERE name = CAST(? AS TEXT) OR path = CAST(? AS TEXT)"
    called = (f"id IN ({claimed})", [as_bytes(text)] * 2)
    digits = text.lower()
    if not re.fullmatch("[0-9a-f]{6,64}", digits):
        return [called]
    prefix = ("sha256 >= ? AND sha256 < ? || 'g'", [digits, digits])
    return [prefix, called] if len(digits) == 64 else [called, prefix]


def _near(connection: sqlite3.Connection, text: str) -> list[str]:
    rows = connection.execute(f"SELECT DISTINCT name FROM models LIMIT {LOOKED_AT}")
    names = sorted(name for (name,) in rows)
    inside = [name for name in names if text and text.lower() in name.lower()]
    return (inside or difflib.get_close_matches(text, names, n=SHOWN))[:SHOWN]
