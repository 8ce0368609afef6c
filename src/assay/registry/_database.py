"""The registry's one SQLite file: made, checked when opened, and guarded.

WAL with ``synchronous=FULL``: a commit that returned survives ``kill -9`` and a power cut, and
several processes may read while one writes.  Whatever SQLite says of a damaged, locked or full
file leaves here as one line that begins with the file's path.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from assay.errors import AssayError, DamagedRegistry
from assay.registry._layouts import SCHEMA, UPGRADES, VERSION

FILE = "registry.sqlite"
APPLICATION_ID = 0x41737379  # "Assy": marks the file as a registry
BUSY_TIMEOUT_S = 30.0


class Database:
    """One connection to the file in ``folder``; threads take turns."""

    def __init__(self, folder: Path, create: bool) -> None:
        """Open or make the file.  Raises DamagedRegistry, or AssayError where it cannot be."""
        self.folder = folder
        self.file = folder / FILE
        self._lock = threading.RLock()
        if folder.exists() and not folder.is_dir():
            raise DamagedRegistry(f"{folder}: is a file: a registry is a folder")
        if not self.file.exists():
            if not create:
                raise AssayError(f"{folder}: no registry there: 'assay add' makes one")
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise AssayError(f"{folder}: cannot make the folder: {error.strerror}") from error
        with self._explained():
            self._connection = self._connect()
        try:
            with self._explained():
                self._check()
        except BaseException:
            self._connection.close()
            raise

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """One moment of the registry: statements inside see no other process's changes."""
        with self._transaction("BEGIN") as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """All of the statements inside or none; durable once it is left without an error."""
        with self._transaction("BEGIN IMMEDIATE") as connection:
            yield connection

    def close(self) -> None:
        """Close the file; closing twice is harmless."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[sqlite3.Connection]:
        with self._lock, self._explained():
            self._connection.execute(begin)
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                self._connection.rollback()
                raise

    def _connect(self) -> sqlite3.Connection:
        uri = self.file.absolute().as_uri()
        places = [self.folder, self.file] if self.file.exists() else [self.folder]
        effective = os.access in os.supports_effective_ids
        self.writable = all(os.access(place, os.W_OK, effective_ids=effective) for place in places)
        if not self.writable and not self.file.exists():
            raise AssayError(f"{self.folder}: cannot make a registry there: it is read-only")
        if self.writable:
            uri += "?mode=rwc"
        elif Path(f"{self.file}-wal").exists():  # someone who may write has it open
            uri += "?mode=ro"
        else:  # WAL needs files beside it, which cannot be made here; nobody is writing either
            uri += "?immutable=1"
        connection = sqlite3.connect(
            uri, BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False, uri=True
        )
        # Names may hold bytes that are not UTF-8, as file names may.
        connection.text_factory = lambda text: text.decode("utf-8", "surrogatepass")
        return connection

    def _check(self) -> None:
        """Make the tables in a new file; refuse what is not a registry or is from the future."""
        execute = self._connection.execute
        if self.writable and execute("PRAGMA application_id").fetchone() == (0,):
            self._make_tables()
        if execute("PRAGMA application_id").fetchone() != (APPLICATION_ID,):
            raise DamagedRegistry(f"{self.file}: not a registry of assay")
        self._upgrade()
        (version,) = execute("PRAGMA user_version").fetchone()
        if version != VERSION:
            remedy = "open it where it may be written" if version in UPGRADES else "upgrade assay"
            raise DamagedRegistry(
                f"{self.file}: has layout {version}, this assay reads {VERSION}: {remedy}"
            )
        if self.writable:
            self._use_wal()
        execute("PRAGMA synchronous = FULL")
        execute("PRAGMA foreign_keys = ON")
        execute("SELECT (SELECT max(seq) FROM changes), (SELECT count(*) FROM settings)").fetchone()

    def _upgrade(self) -> None:
        """Give an older registry what it lacks, where it may be written."""
        query = "PRAGMA user_version"
        while self.writable and self._connection.execute(query).fetchone()[0] in UPGRADES:
            with self.write() as connection:  # waits while another process does it
                (version,) = connection.execute(query).fetchone()
                for statement in _statements(UPGRADES.get(version, "")):
                    connection.execute(statement)
                if version in UPGRADES:
                    connection.execute(f"PRAGMA user_version = {version + 1}")

    def _make_tables(self) -> None:
        with self.write() as connection:  # waits while another process makes them
            if self.file.stat().st_size:  # it did; or the file is somebody else's
                return
            self.file.chmod(0o600)  # codes that are made with a secret key are secrets
            for statement in _statements(SCHEMA):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {VERSION}")

    def _use_wal(self) -> None:
        # SQLite does not wait for the lock that this switch needs, so two that open a new registry
        # at once would refuse each other.
        deadline = time.monotonic() + BUSY_TIMEOUT_S
        while True:
            try:
                self._connection.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as error:
                busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
                if not busy or time.monotonic() > deadline:
                    raise
            time.sleep(0.01)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the rest names the cause's detail
            if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
                raise DamagedRegistry(
                    f"{self.file}: damaged or not a registry ({error}): restore it from a backup"
                ) from error
            if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                reason = "another process keeps it locked: try again"
            elif code == sqlite3.SQLITE_READONLY:
                reason = "the registry is read-only here"
            else:
                reason = str(error)
            raise AssayError(f"{self.file}: {reason}") from error


def _statements(script: str) -> Iterator[str]:
    # executescript would commit the transaction that makes them one
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
