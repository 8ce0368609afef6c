"""The codes of all registered models in memory, as the registry stands at each search.

They are filled from the snapshot, or from SQLite where that cannot be used, and then follow the
log of changes, so that a model which another process added a moment ago is found.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from array import array
from collections.abc import Collection, Iterator
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

from assay.errors import AssayError, DamagedRegistry
from assay.registry import _snapshot
from assay.registry._database import Database
from assay.registry._moments import LAST_CHANGE, Moment, Turns, moment, setting
from assay.registry._snapshot import Codes
from assay.values import HashCode, Match

if TYPE_CHECKING:
    from assay.indexes.scan import Scan

SNAPSHOT_EVERY = 1_000  # changes at least, or an eighth of the codes: a smaller lag is soon read

logger = logging.getLogger("assay.registry")


class LiveCodes:
    """An index for each scheme; threads take turns."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.RLock()
        self._indexes: dict[str, Scan] = {}
        self._bits: dict[str, int] = {}  # of a code
        self._seq: int | None = None  # the last change that is in memory; None: nothing is loaded
        self._turns = Turns("snapshot")
        self._saved = 0  # the last change that is in the snapshot

    def search(self, code: HashCode, k: int, where: Collection[int] | None) -> list[Match]:
        """The ``k`` registered codes of its scheme nearest to ``code``; ``where``: among these."""
        with self._lock:
            self._follow()
            index = self._indexes.get(code.scheme)
            return [] if index is None else index.search(code, k=k, where=where)

    def _follow(self) -> None:
        from assay.indexes.scan import Scan  # not above: it brings NumPy along

        if self._seq is None:
            self._load()
        with self._database.read() as connection:
            (seq,) = connection.execute(LAST_CHANGE).fetchone()
            if seq == self._seq:
                return
            changed = connection.execute(
                "SELECT DISTINCT model, scheme, digest FROM changes LEFT JOIN models"
                " ON models.id = changes.model WHERE seq > ?",
                [self._seq],
            ).fetchall()
        for key, scheme, digest in changed:
            for index in self._indexes.values():
                index.remove(key)
            if scheme is not None:
                code = HashCode(scheme, digest)
                self._bits[scheme] = len(code)
                self._indexes.setdefault(scheme, Scan()).add(key, code)
        self._seq = seq
        self._save_if_due()

    def _load(self) -> None:
        from assay.indexes.scan import Scan

        with self._database.read() as connection:
            self._turns.look(connection)
            found, parts = self._from_snapshot(connection) or self._from_models(connection)
        self._indexes = {
            part.scheme: Scan.from_arrays(part.scheme, part.bits, part.keys, part.words)
            for part in parts
        }
        self._bits = {part.scheme: part.bits for part in parts}
        self._seq = found.seq
        self._save_if_due()

    def _from_snapshot(self, connection: sqlite3.Connection) -> tuple[Moment, list[Codes]] | None:
        path = _snapshot.path_of(self._database.folder, setting(connection, "id"))
        try:
            found, parts = _snapshot.read(path)
        except FileNotFoundError:
            return None
        except (OSError, DamagedRegistry) as error:
            logger.warning("the snapshot is not used, the codes come from SQLite: %s", error)
            return None
        if found != moment(connection, found.seq):
            logger.warning("%s: of another registry, the codes come from SQLite", path)
            return None
        self._saved = found.seq
        return found, parts

    def _from_models(self, connection: sqlite3.Connection) -> tuple[Moment, list[Codes]]:
        (seq,) = connection.execute(LAST_CHANGE).fetchone()
        rows = connection.execute(
            "SELECT scheme, id, digest FROM models WHERE scheme IS NOT NULL ORDER BY scheme"
        )
        parts = [_part(scheme, group) for scheme, group in groupby(rows, itemgetter(0))]
        return moment(connection, seq), parts

    def _save_if_due(self) -> None:
        """Write the snapshot where it lags, unless another process is the one to do it."""
        codes = sum(len(index) for index in self._indexes.values())
        seq = self._seq or 0
        due = seq - self._saved >= max(SNAPSHOT_EVERY, codes // 8)
        if not (due and self._database.writable):
            return
        try:
            with self._database.write() as connection:
                is_ours = self._turns.take(connection, seq)
                self._saved = seq  # by this process or by the other
                if not is_ours:
                    return
                now = moment(connection, seq)
            path = _snapshot.path_of(self._database.folder, now.registry)
            parts = [
                Codes(scheme, self._bits[scheme], *index.arrays())
                for scheme, index in self._indexes.items()
            ]
            _snapshot.write(path, now, parts)
        except (OSError, AssayError) as error:  # it only saves time: searching goes on without
            logger.warning("the snapshot could not be written: %s", error)


def _part(scheme: str, rows: Iterator[tuple[str, int, bytes]]) -> Codes:
    import numpy as np

    numbers, digests, width = array("q"), bytearray(), 0
    for _, key, digest in rows:
        numbers.append(key)
        digests += digest
        width = len(digest)
    if not width or len(digests) != width * len(numbers):
        raise DamagedRegistry(f"codes of {scheme} differ in length: restore it from a backup")
    keys = np.frombuffer(numbers, np.int64)
    padded = np.zeros((len(keys), -(-width // 8) * 8), np.uint8)
    padded[:, :width] = np.frombuffer(digests, np.uint8).reshape(-1, width)
    order = np.argsort(keys)
    return Codes(scheme, 8 * width, keys[order], padded.view(np.uint64)[order])
