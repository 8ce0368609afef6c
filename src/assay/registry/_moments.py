"""Points in a registry's log of changes, and whose turn it is to write a copy of one."""

from __future__ import annotations

import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ABANDONED_S = 3600.0  # a half-written file this old has no living writer

LAST_CHANGE = "SELECT ifnull(max(seq), 0) FROM changes"


@dataclass(frozen=True)
class Moment:
    """A point in one registry's log of changes; only equal moments hold equal codes."""

    registry: str
    seq: int
    token: str  # of the change ``seq``, hexadecimal; "" before the first one


def setting(connection: sqlite3.Connection, key: str) -> Any:
    """A value of the registry's settings; None where there is none."""
    row = connection.execute("SELECT value FROM settings WHERE key = ?", [key]).fetchone()
    return row and row[0]


def moment(connection: sqlite3.Connection, seq: int) -> Moment:
    """The registry at the change ``seq``."""
    row = connection.execute("SELECT hex(token) FROM changes WHERE seq = ?", [seq]).fetchone()
    return Moment(setting(connection, "id"), seq, row[0] if row else "")


class Turns:
    """Which of several processes writes a copy: the first one to say so."""

    def __init__(self, key: str) -> None:
        self._key = key  # of the setting that says up to which change somebody took to it
        self._seen = 0

    def look(self, connection: sqlite3.Connection) -> None:
        """Whoever took to it before does not count any more."""
        self._seen = setting(connection, self._key) or 0

    def take(self, connection: sqlite3.Connection, seq: int) -> bool:
        """Whether nobody else took to it since this process last looked; now this one did."""
        connection.execute("INSERT OR IGNORE INTO settings VALUES (?, 0)", [self._key])
        won = connection.execute(
            "UPDATE settings SET value = ? WHERE key = ? AND value = ?",
            [seq, self._key, self._seen],
        ).rowcount
        self.look(connection)
        return won == 1


def sweep(folder: Path, names: str) -> None:
    """Remove what killed writers of files with such names left."""
    for part in folder.glob(f"{names}.*.part"):
        if time.time() - part.stat().st_mtime > ABANDONED_S:
            part.unlink(missing_ok=True)
