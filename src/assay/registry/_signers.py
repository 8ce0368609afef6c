"""Which key an owner's name stands for: a license is that owner's where this key has signed it.

A name is text that anybody may use, and a registry cannot know whose it is: the first key that
comes with it has it from then on, be it that of a license, or one that was given for the purpose.
What was recorded under a name stays when its models are removed.
"""

from __future__ import annotations

import re
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime

from assay.errors import BadOption
from assay.registry._database import Database
from assay.registry._rows import as_bytes

_KEY_OF = "SELECT key FROM signers WHERE name = CAST(? AS TEXT)"


@dataclass(frozen=True, slots=True)
class Signer:
    """A name, and whose it is."""

    name: str
    key: str  # public: 64 hexadecimal digits
    since: str  # ISO 8601, UTC


class Signers:
    """Those of one registry; methods raise as the registry's do."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> list[Signer]:
        """In the order of names."""
        query = "SELECT CAST(name AS TEXT), key, since FROM signers ORDER BY name"
        with self._database.read() as connection:
            return [Signer(*row) for row in connection.execute(query)]

    def check(self, name: str, key: str) -> None:
        """Raises BadOption where the name stands for another key, or one of the two is none."""
        with self._database.read() as connection:
            _known(connection, name, key)

    def settle(self, name: str, key: str, *, replace: bool = False) -> str:
        """Let a name that stands for no key stand for this one; durable when this returns.

        Args:
            name: An owner's.
            key: His public key: 64 hexadecimal digits.
            replace: Also where it stands for another one.  What that one signed is no longer his.

        Returns "added", "exists" where that is known, or "replaced".  Raises BadOption as
        ``check`` does.
        """
        now = datetime.now(UTC).isoformat(timespec="seconds")
        with self._database.write() as connection:
            known = _known(connection, name, key, replace)
            if known == key:
                return "exists"
            query = "INSERT OR REPLACE INTO signers VALUES (CAST(? AS TEXT), ?, ?)"
            connection.execute(query, [as_bytes(name), key, now])
        return "added" if known is None else "replaced"


def key_of(connection: sqlite3.Connection, name: str) -> str | None:
    """The key that an owner's name stands for; None where it stands for none."""
    row = connection.execute(_KEY_OF, [as_bytes(name)]).fetchone()
    return None if row is None else str(row[0])


def _known(
    connection: sqlite3.Connection, name: str, key: str, replace: bool = False
) -> str | None:
    """The key that the name stands for: this one or none, if it is not to be replaced.

    Raises BadOption.
    """
    if not name or not re.fullmatch("[0-9a-f]{64}", key):
        raise BadOption(f"owner {name!r}: takes a name, and a public key of 64 hexadecimal digits")
    known = key_of(connection, name)
    if known is not None and known != key and not replace:
        raise BadOption(
            f"owner {name!r}: the name stands for another key here, which begins with {known[:12]}:"
            " take that key, or another name ('assay registry owner' lists them)"
        )
    return known
