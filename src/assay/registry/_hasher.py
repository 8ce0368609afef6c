"""A registry remembers its hasher, so that what is added or checked tomorrow compares with today's.

Kept as the method's name and its options: ``{"method": "weisfeiler-lehman", "bits": 64}``.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import asdict, is_dataclass

from assay.errors import DamagedRegistry, UnknownMethod
from assay.hashers import HASHERS, Hasher


def remember(connection: sqlite3.Connection, hasher: Hasher) -> bool:
    """Make ``hasher`` the registry's; False where it is no method of HASHERS."""
    text = _text(hasher)
    if text is not None:
        connection.execute("INSERT OR REPLACE INTO settings VALUES ('hasher', ?)", [text])
    return text is not None


def settle(connection: sqlite3.Connection, hasher: Hasher) -> None:
    """Make ``hasher`` the registry's where it has none: a newer default shall not mix codes."""
    connection.execute("INSERT OR IGNORE INTO settings VALUES ('hasher', ?)", [_text(hasher)])


def _text(hasher: Hasher) -> str | None:
    name = type(hasher).__module__.rpartition(".")[2].replace("_", "-")
    if not is_dataclass(hasher) or name not in HASHERS or HASHERS[name] is not type(hasher):
        return None
    return json.dumps({"method": name, **asdict(hasher)})


def recall(connection: sqlite3.Connection) -> Hasher:
    """The registry's hasher, or the default.  Raises DamagedRegistry where it is unknown here."""
    row = connection.execute("SELECT value FROM settings WHERE key = 'hasher'").fetchone()
    if row is None:
        from assay.examine import DEFAULT_HASHER  # not above: it brings every format along

        return HASHERS[DEFAULT_HASHER]()
    try:
        options = json.loads(row[0])
        return HASHERS[options.pop("method")](**options)
    except (UnknownMethod, TypeError, ValueError, KeyError) as error:
        raise DamagedRegistry(
            f"the registry's hasher is unknown here ({row[0]}):"
            " upgrade assay, or choose another with 'assay rehash'"
        ) from error
