"""The registry's log of commitments, as it is stored: appended to, read, proved from, audited.

An append is one transaction of SQLite: two writers take turns, a kill leaves it whole or not there,
and every entry has the signed head of the tree that ends with it.  So there is one tree of each
size, and no process can make another.  The key that signs lies in a file of its own beside the
database.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from assay.errors import (
    AssayError,
    BadOption,
    DamagedRegistry,
    Unproved,
    UnreadableKey,
    UnreadableProof,
)
from assay.keys import cryptography_for
from assay.registry._audit import audit
from assay.registry._database import Database
from assay.transparency import tree
from assay.transparency.entries import Entry, Opening
from assay.transparency.heads import SignedHead, Verifier, message

if TYPE_CHECKING:
    from assay.keys.signing import SigningKey
    from assay.transparency.proofs import Proof

FILE = "log-key"
PAGE = 256  # entries in memory at a time
REMEDY = "put back the copy of it: without it the log cannot go on"
COLUMNS = "position, commitment, logged"


@dataclass(frozen=True, slots=True)
class Logged:
    """An entry that is in the log for good."""

    index: int
    entry: Entry
    status: str = "exists"  # "added", where it was appended now


class Log:
    """Commitments in the order in which they came (see ``assay.transparency``).

    Every method raises DamagedRegistry where the log's key is lost or the file is damaged, and
    AssayError where it cannot be read or written.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.file = database.folder / FILE

    def __len__(self) -> int:
        """How many entries there are."""
        with self._database.read() as connection:
            return _size(connection)

    @property
    def verifier(self) -> Verifier | None:
        """The log's name and public key; None before the first entry."""
        with self._database.read() as connection:
            return _verifier(connection)

    def append(self, commitment: str) -> Logged:
        """Log a commitment; it is durable when this returns.  One that is there stays where it is.

        Raises UnreadableProof where it is no commitment, MissingExtra.
        """
        entry = Entry.now(commitment)
        with self._database.write() as connection:
            known = _find(connection, commitment)
            if known is not None:
                return known
            key, verifier = self._key(connection)
            size, nodes = _size(connection), _nodes(connection)
            grown = list(tree.grown(nodes, size, tree.leaf_hash(entry.leaf)))
            connection.executemany("INSERT INTO log_nodes VALUES (?, ?, ?)", grown)
            root = tree.root(nodes, size + 1)
            signature = key.sign(message(verifier.origin, size + 1, root))
            row = (size, entry.commitment, entry.logged, root, signature)
            connection.execute("INSERT INTO log VALUES (?, ?, ?, ?, ?)", row)
        return Logged(size, entry, "added")

    def entries(self) -> Iterator[Logged]:
        """All entries, first to last."""
        query = f"SELECT {COLUMNS} FROM log WHERE position > ? ORDER BY position LIMIT {PAGE}"
        last = -1
        while True:
            with self._database.read() as connection:
                rows = connection.execute(query, [last]).fetchall()
            if not rows:
                return
            last = rows[-1][0]
            yield from map(_logged, rows)

    def entry(self, index: int) -> Logged:
        """Entry ``index``.  Raises BadOption where there is none."""
        with self._database.read() as connection:
            return _entry(connection, index)

    def find(self, commitment: str) -> Logged | None:
        """The entry of a commitment; None where it was never logged."""
        with self._database.read() as connection:
            return _find(connection, commitment)

    def head(self, size: int | None = None) -> SignedHead:
        """The signed head of the first ``size`` entries, or of all.

        Raises BadOption where there are not so many, or none at all.
        """
        with self._database.read() as connection:
            return _head(connection, size)

    def stamp(self, index: int, response: bytes) -> None:
        """Keep a time stamp of an entry, once it was checked; the same twice is one."""
        with self._database.write() as connection:
            _entry(connection, index)
            connection.execute("INSERT OR IGNORE INTO log_stamps VALUES (?, ?)", [index, response])

    def stamps(self, index: int) -> list[bytes]:
        """The time stamps that are kept of an entry, oldest first."""
        with self._database.read() as connection:
            return _stamps(connection, index)

    def prove(
        self, index: int, *, since: SignedHead | None = None, opening: Opening | None = None
    ) -> Proof:
        """A proof that entry ``index`` is in the log, for who has kept the head ``since``.

        Where that head has the entry, the proof leads to it; else to the newest, and on from it.

        Raises:
            BadOption: there is no such entry.
            Unproved: that head is not of this log; or the opening is of another entry.
            MissingExtra: signatures cannot be checked.
        """
        with cryptography_for("proofs"):
            from assay.transparency.proofs import Older, Proof
        with self._database.read() as connection:
            found, nodes = _entry(connection, index), _nodes(connection)
            verifier = _verifier(connection)
            head, older = _head(connection), None
            if since is not None:
                self._check_own(connection, since)
                if index < since.size:
                    head = _head(connection, since.size)
                else:
                    path = tree.consistency(nodes, since.size, head.size)
                    older = Older(since.size, tuple(path))
            if opening is not None and opening.commitment != found.entry.commitment:
                raise Unproved(f"the opening is not the one of entry {index}")
            assert verifier is not None  # an entry is there
            path = tree.inclusion(nodes, index, head.size)
            stamps = tuple(_stamps(connection, index))
        return Proof(verifier, index, found.entry, head, tuple(path), older, opening, stamps)

    def audit(self, kept: SignedHead | None = None) -> Iterator[str]:
        """What is wrong with the stored log, each in a line; nothing where it is whole.

        All is computed anew, and compared with what was signed, and with a head that was kept
        elsewhere: only such a one shows that entries at the end are gone, or all was made anew.
        """
        with self._database.read() as connection:
            verifier = _verifier(connection)
            yield from audit(connection, verifier)
            if kept is not None:
                try:
                    self._check_own(connection, kept)
                except Unproved as error:
                    yield str(error)

    def _check_own(self, connection: sqlite3.Connection, kept: SignedHead) -> None:
        """Raises Unproved where a head is not of this log as it is stored."""
        verifier, size = _verifier(connection), _size(connection)
        if verifier is None or kept.origin != verifier.origin:
            raise Unproved(f"the head is of the log {kept.origin}, which is not this one")
        kept.check(verifier)
        if kept.size > size:
            raise Unproved(f"the log has {size} entries, the head that was kept {kept.size}")
        if kept.root != tree.root(_nodes(connection), kept.size):
            raise Unproved("the log is not the one that the head was taken of: it was made anew")

    def _key(self, connection: sqlite3.Connection) -> tuple[SigningKey, Verifier]:
        """The key that signs; a new one in a registry that has none."""
        with cryptography_for("logs"):
            from assay.keys.signing import SigningKey
        known = _verifier(connection)
        try:
            if known is None and not self.file.exists():
                SigningKey.new("log").write(self.file)
            key = SigningKey.read(self.file, "log")
        except FileNotFoundError as error:
            raise DamagedRegistry(f"{self.file}: is missing: {REMEDY}") from error
        except PermissionError as error:
            raise AssayError(f"{self.file}: only its owner can log: run as that user") from error
        except OSError as error:
            raise AssayError(f"{self.file}: {error.strerror}") from error
        except UnreadableKey as error:
            raise DamagedRegistry(f"{error}: {REMEDY}") from error
        if known is None:
            (name,) = connection.execute("SELECT value FROM settings WHERE key = 'id'").fetchone()
            known = Verifier(f"assay.registry/{name}", key.public)
            connection.execute("INSERT INTO settings VALUES ('log', ?)", [str(known)])
        if key.public != known.public:
            raise DamagedRegistry(f"{self.file}: is not the log's key: {REMEDY}")
        return key, known


def _size(connection: sqlite3.Connection) -> int:
    (last,) = connection.execute("SELECT max(position) FROM log").fetchone()
    return 0 if last is None else int(last) + 1


def _verifier(connection: sqlite3.Connection) -> Verifier | None:
    row = connection.execute("SELECT value FROM settings WHERE key = 'log'").fetchone()
    return None if row is None else Verifier.parse(row[0])


def _nodes(connection: sqlite3.Connection) -> tree.Nodes:
    query = "SELECT hash FROM log_nodes WHERE level = ? AND position = ?"

    def node(level: int, position: int) -> bytes:
        row = connection.execute(query, [level, position]).fetchone()
        if row is None:
            raise DamagedRegistry("a hash of the log is missing: 'assay log audit' says more")
        return bytes(row[0])

    return node


def _logged(row: tuple[int, str, str]) -> Logged:
    try:
        return Logged(row[0], Entry(row[1], row[2]))
    except UnreadableProof as error:
        raise DamagedRegistry(f"entry {row[0]} of the log is damaged: {error}") from error


def _entry(connection: sqlite3.Connection, index: int) -> Logged:
    query = f"SELECT {COLUMNS} FROM log WHERE position = ?"
    is_number = 0 <= index < 2**63  # of those that SQLite has
    row = connection.execute(query, [index]).fetchone() if is_number else None
    if row is None:
        raise BadOption(f"entry {index}: the log has {_size(connection)}, from 0 on")
    return _logged(row)


def _find(connection: sqlite3.Connection, commitment: str) -> Logged | None:
    query = f"SELECT {COLUMNS} FROM log WHERE commitment = ?"
    row = connection.execute(query, [commitment]).fetchone()
    return None if row is None else _logged(row)


def _head(connection: sqlite3.Connection, size: int | None = None) -> SignedHead:
    verifier, count = _verifier(connection), _size(connection)
    size = count if size is None else size
    query = "SELECT root, signature FROM log WHERE position = ?"
    row = connection.execute(query, [size - 1]).fetchone()
    if verifier is None or row is None:
        raise BadOption(f"no head of {size} entries: the log has {count}")
    return SignedHead(verifier.origin, size, row[0], verifier.id, row[1])


def _stamps(connection: sqlite3.Connection, index: int) -> list[bytes]:
    query = "SELECT response FROM log_stamps WHERE position = ? ORDER BY rowid"
    return [bytes(response) for (response,) in connection.execute(query, [index])]
