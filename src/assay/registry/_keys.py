"""The registry's secret keys of sketches: in a file of their own that only its owner may read.

A code that is made with a known key can be aimed at; verdicts therefore rest on a key that was
drawn for this registry.  The file is no part of the database: a copy of that does not hold it,
though the codes there tell something of it.  After a rotation older keys stay, for the models whose
files could not be read again.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from assay.durable import write_whole
from assay.errors import AssayError, DamagedRegistry
from assay.registry._database import Database

FILE = "sketch-keys.json"
CURRENT = "SELECT value FROM settings WHERE key = 'sketch'"
REMEDY = "put it back with 'assay registry key --restore FILE'"


@dataclass(frozen=True)
class SecretKey:
    """A key, whose repr does not show it."""

    scheme: str  # of the sketches that are made with it
    made: str  # ISO 8601, UTC
    secret: str  # hexadecimal

    def __repr__(self) -> str:
        return f"SecretKey({self.scheme!r}, {self.made!r})"

    @property
    def key(self) -> bytes:
        """What sketches are made with."""
        return bytes.fromhex(self.secret)


class Keyring:
    """The keys of one registry.

    Every method raises DamagedRegistry where the file of keys is lost or damaged, and AssayError
    where it cannot be read or written.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.file = database.folder / FILE

    def current(self) -> SecretKey | None:
        """The key that models are sketched with; None where none was drawn yet."""
        with self._database.read() as connection:
            return self._current(connection)

    def settled(self) -> SecretKey:
        """The current key; in a registry that has none, a new one."""
        known = self.current()
        if known is not None:
            return known
        with self._database.write() as connection:  # another process may draw one, too
            return self._current(connection) or self._draw(connection)

    def known(self) -> list[SecretKey]:
        """All keys, the oldest first."""
        return read(self.file) if self.current() is not None else []

    def in_use(self) -> dict[str, int]:
        """How many models are sketched by each scheme."""
        query = "SELECT scheme, count(*) FROM sketches GROUP BY scheme ORDER BY scheme"
        with self._database.read() as connection:
            return dict(connection.execute(query).fetchall())

    def rotate(self) -> SecretKey:
        """Make a new key the current one.  What is sketched with an older one stays as it is.

        Where the old key is lost, those models are found again once their files were read.
        """
        with self._database.write() as connection:
            return self._draw(connection)

    def backup(self, file: Path) -> list[SecretKey]:
        """Write all keys to ``file``, which nobody else may read."""
        if self.current() is None:
            raise AssayError(f"{self.file}: no key was drawn yet: 'assay add' draws one")
        known = read(self.file)
        if file.exists():
            raise AssayError(f"{file}: is there already: a backup replaces nothing")
        write(file, known)
        return known

    def restore(self, file: Path) -> list[SecretKey]:
        """Take up the keys of a backup, or of another registry that is to be sketched alike.

        Raises AssayError where the one that this registry is sketched with is not among them.
        """
        if not file.exists():
            raise AssayError(f"{file}: no such file")
        found = read(file)
        with self._database.write() as connection:
            row = connection.execute(CURRENT).fetchone()
            if row is not None and _drawn(row[0]) not in {_drawn(key.scheme) for key in found}:
                raise AssayError(f"{file}: has no key of {row[0]}, by which models are sketched")
            own = {key.scheme: key for key in found}
            try:
                own |= {key.scheme: key for key in self._own()}
            except DamagedRegistry:  # that is what the backup is for
                self.file.replace(self.file.with_suffix(".damaged"))
            write(self.file, sorted(own.values(), key=lambda key: key.made))
            if row is None:
                arguments = [found[-1].scheme]
                connection.execute("INSERT INTO settings VALUES ('sketch', ?)", arguments)
        return found

    def _current(self, connection: sqlite3.Connection) -> SecretKey | None:
        row = connection.execute(CURRENT).fetchone()
        if row is None:
            return None
        for known in read(self.file):
            if _drawn(known.scheme) == _drawn(row[0]):
                return known
        raise DamagedRegistry(f"{self.file}: has no key of {row[0]}: {REMEDY}")

    def _draw(self, connection: sqlite3.Connection) -> SecretKey:
        from assay.sketches.keys import LENGTH, scheme  # not above: it brings NumPy along

        secret = secrets.token_bytes(LENGTH)
        made = datetime.now(UTC).isoformat()
        new = SecretKey(scheme(secret), made, secret.hex())
        write(self.file, [*self._own(), new])
        connection.execute("INSERT OR REPLACE INTO settings VALUES ('sketch', ?)", [new.scheme])
        return new

    def _own(self) -> list[SecretKey]:
        return read(self.file) if self.file.exists() else []


def read(file: Path) -> list[SecretKey]:
    """The keys in a file, the oldest first.  Raises DamagedRegistry where it is no such file.

    Their schemes are those of the sketches that this version makes with them: what an older one
    sketched with the same key is to be read again.
    """
    from assay.sketches.keys import scheme

    try:
        rows = json.loads(file.read_text(encoding="utf-8"))["keys"]
        found = [
            SecretKey(scheme(bytes.fromhex(row["secret"])), row["made"], row["secret"])
            for row in rows
        ]
        schemes = [row["scheme"] for row in rows]
        whole = [*map(_drawn, schemes)] == [_drawn(each.scheme) for each in found]
    except FileNotFoundError as error:
        raise DamagedRegistry(f"{file}: is missing: {REMEDY}") from error
    except PermissionError as error:
        raise AssayError(f"{file}: only its owner can add and check: run as that user") from error
    except OSError as error:
        raise AssayError(f"{file}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError, AssayError) as error:
        raise DamagedRegistry(f"{file}: is no file of keys, or a damaged one: {REMEDY}") from error
    if not whole or not found:
        raise DamagedRegistry(f"{file}: its keys are not those of their schemes: {REMEDY}")
    return found


def _drawn(scheme: str) -> str:
    """What a scheme says of its key: all but the version."""
    return scheme.rpartition("+")[0]


def write(file: Path, keys: Iterable[SecretKey]) -> None:
    """Write keys to a file that nobody else may read.  Raises AssayError."""
    text = json.dumps({"keys": [asdict(key) for key in keys]}, indent=1)
    try:
        write_whole(file, text.encode(), mode=0o600)
    except OSError as error:
        raise AssayError(f"{file}: the keys cannot be written: {error.strerror}") from error
