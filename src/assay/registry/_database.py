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

FILE = "registry.sqlite"
APPLICATION_ID = 0x41737379  # "Assy": marks the file as a registry
VERSION = 4  # of the schema below
BUSY_TIMEOUT_S = 30.0

# What a file without a graph is found by; layout 1 had no such table.
SHAPES = """
CREATE TABLE shapes (  -- of the models' weights: what parts and files without a graph are found by
    shape TEXT NOT NULL,  -- sorted sizes, as 3x3x16x32
    model INTEGER NOT NULL REFERENCES models(id) ON DELETE CASCADE,
    coded INTEGER NOT NULL,  -- whether the model has a code; nothing asks for it now
    tensors INTEGER NOT NULL,  -- how many have it
    PRIMARY KEY (shape, coded, model)
) WITHOUT ROWID;
CREATE INDEX shapes_model ON shapes(model);
"""
# What weights are compared by; layout 2 had no such tables.
SKETCHES = """
CREATE TABLE sketches (  -- of the models' weights, made with one of the registry's secret keys
    model INTEGER PRIMARY KEY REFERENCES models(id) ON DELETE CASCADE,
    scheme TEXT NOT NULL,
    body BLOB NOT NULL  -- JSON, zlib
);
CREATE INDEX sketches_scheme ON sketches(scheme);
CREATE TRIGGER sketch_added AFTER INSERT ON sketches
    BEGIN INSERT INTO changes(model, what) VALUES (new.model, 'rehashed'); END;
CREATE TRIGGER sketch_changed AFTER UPDATE ON sketches
    BEGIN INSERT INTO changes(model, what) VALUES (new.model, 'rehashed'); END;
CREATE TABLE files (  -- where models lay when they were added: what is read again
    model INTEGER NOT NULL REFERENCES models(id) ON DELETE CASCADE,
    path TEXT NOT NULL,  -- whole
    UNIQUE (model, path)
);
CREATE TABLE bases (  -- public ones: what their children share by them is not reviewed
    model INTEGER PRIMARY KEY REFERENCES models(id) ON DELETE CASCADE
);
"""
# What models are found by whose layers have other shapes; layout 3 had no such table.
FRAGMENTS = """
CREATE TABLE fragments (  -- smallest hashes of the models' exact values, made with the sketch's key
    hash INTEGER NOT NULL,
    model INTEGER NOT NULL REFERENCES models(id) ON DELETE CASCADE,
    PRIMARY KEY (hash, model)
) WITHOUT ROWID;
CREATE INDEX fragments_model ON fragments(model);
"""
UPGRADES = {1: SHAPES, 2: SKETCHES, 3: FRAGMENTS}  # what each older layout lacks

# Triggers write the log of changes, so that no writer can forget to.  A change's token tells this
# log from another that grew to the same length: a registry put back from a backup, then added to.
SCHEMA = """
CREATE TABLE settings (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE models (
    id INTEGER PRIMARY KEY AUTOINCREMENT,  -- never given twice: indexes and snapshots hold it
    sha256 TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    path TEXT NOT NULL,
    format TEXT NOT NULL,
    parameters NOT NULL,  -- to filter by; beyond 64 bits a float
    body TEXT NOT NULL,  -- the rest of the record as JSON
    scheme TEXT,
    digest BLOB,
    rules TEXT,  -- of the graph
    graph BLOB,  -- JSON, zlib; last, so that a scan for anything else skips its pages
    CHECK ((scheme IS NULL) = (digest IS NULL)),
    CHECK ((rules IS NULL) = (graph IS NULL))
);
CREATE INDEX models_name ON models(name);
CREATE INDEX models_path ON models(path);
CREATE INDEX models_format ON models(format);
CREATE INDEX models_parameters ON models(parameters);
CREATE INDEX models_code ON models(scheme, digest);
CREATE TABLE claims (
    id INTEGER PRIMARY KEY,  -- in the order of claiming: the first is the owner's
    model INTEGER NOT NULL REFERENCES models(id) ON DELETE CASCADE,
    owner TEXT,  -- NULL: added by nobody in particular
    path TEXT NOT NULL,  -- as it was added
    name TEXT NOT NULL,
    claimed TEXT NOT NULL
);
CREATE UNIQUE INDEX claims_once ON claims(model, ifnull(owner, ''), path);
CREATE INDEX claims_path ON claims(path);
CREATE INDEX claims_name ON claims(name);
CREATE INDEX claims_owner ON claims(owner);
CREATE TABLE changes (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    model INTEGER NOT NULL,
    what TEXT NOT NULL CHECK (what IN ('added', 'removed', 'rehashed')),
    token BLOB NOT NULL DEFAULT (randomblob(8))
);
CREATE TRIGGER model_added AFTER INSERT ON models
    BEGIN INSERT INTO changes(model, what) VALUES (new.id, 'added'); END;
CREATE TRIGGER model_removed AFTER DELETE ON models
    BEGIN INSERT INTO changes(model, what) VALUES (old.id, 'removed'); END;
CREATE TRIGGER model_rehashed AFTER UPDATE OF scheme, digest ON models
    BEGIN INSERT INTO changes(model, what) VALUES (new.id, 'rehashed'); END;
INSERT INTO settings VALUES ('id', lower(hex(randomblob(16)))), ('snapshot', 0);
"""


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
            for statement in _statements(SCHEMA + SHAPES + SKETCHES + FRAGMENTS):
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
