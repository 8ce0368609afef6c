"""The codes of all registered models, or of their parts, in memory, as they are at each search.

They are filled from the snapshot, or from SQLite where that cannot be used, and then follow the
log of changes, so that a model which another process added a moment ago is found.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from array import array
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING

from assay.errors import AssayError, DamagedRegistry
from assay.registry import _snapshot
from assay.registry._database import Database
from assay.registry._moments import LAST_CHANGE, Moment, Turns, moment, setting
from assay.registry._snapshot import Codes
from assay.values import HashCode, Match

if TYPE_CHECKING:
    from assay.indexes.scan import Scan

PER_MODEL = 16  # keys: a model's n-th part has 16 times the model's, and n
SNAPSHOT_EVERY = 1_000  # changes at least, or an eighth of the codes: a smaller lag is soon read

logger = logging.getLogger("assay.registry")


@dataclass(frozen=True)
class Stored:
    """Where codes lie in the registry's file; a row has a model's, ``count`` of them."""

    name: str  # of their snapshot
    table: str
    key: str  # the column with the model's key
    count: str
    digests: str  # one after the other
    per_model: int  # keys of a model


WHOLE = Stored("codes", "models", "id", "scheme IS NOT NULL", "digest", 1)
OF_PARTS = Stored("parts", "parts", "model", "count", "digests", PER_MODEL)


class LiveCodes:
    """An index for each scheme; threads take turns."""

    def __init__(self, database: Database, stored: Stored = WHOLE) -> None:
        self._database = database
        self._stored = stored
        self._lock = threading.RLock()
        self._indexes: dict[str, Scan] = {}
        self._bits: dict[str, int] = {}  # of a code
        self._seq: int | None = None  # the last change that is in memory; None: nothing is loaded
        self._turns = Turns("snapshot" if stored is WHOLE else f"{stored.name}-snapshot")
        self._saved = 0  # the last change that is in the snapshot

    def search(
        self,
        code: HashCode,
        k: int,
        where: Collection[int] | None,
        radius: int | None = None,
    ) -> list[Match]:
        """The ``k`` registered codes of its scheme nearest to ``code``; ``where``: among these.

        Their keys are the models', also where the codes are of parts; a model may be there twice.
        """
        per = self._stored.per_model
        with self._lock:
            self._follow()
            index = self._indexes.get(code.scheme)
            if index is None:
                return []
            if where is not None and per > 1:
                where = [key * per + number for key in where for number in range(per)]
            found = index.search(code, k=k, radius=radius, where=where)
        return found if per == 1 else [Match(each.distance, each.key // per) for each in found]

    def _follow(self) -> None:
        from assay.indexes.scan import Scan  # not above: it brings NumPy along

        stored = self._stored
        if self._seq is None:
            self._load()
        with self._database.read() as connection:
            (seq,) = connection.execute(LAST_CHANGE).fetchone()
            if seq == self._seq:
                return
            changed = connection.execute(
                f"SELECT DISTINCT changes.model, scheme, {stored.count}, {stored.digests}"
                f" FROM changes LEFT JOIN {stored.table}"
                f" ON {stored.table}.{stored.key} = changes.model WHERE seq > ?",
                [self._seq],
            ).fetchall()
        for model, scheme, count, digests in changed:
            keys = range(model * stored.per_model, (model + 1) * stored.per_model)
            for index in self._indexes.values():
                for key in keys:
                    index.remove(key)
            if scheme is not None and count:
                width = len(digests) // count
                self._bits[scheme] = 8 * width
                index = self._indexes.setdefault(scheme, Scan())
                for key, start in zip(keys, range(0, len(digests), width), strict=False):
                    index.add(key, HashCode(scheme, digests[start : start + width]))
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
        path = self._path(setting(connection, "id"))
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

    def _path(self, registry: str) -> Path:
        return _snapshot.path_of(self._database.folder, registry, self._stored.name)

    def _from_models(self, connection: sqlite3.Connection) -> tuple[Moment, list[Codes]]:
        (seq,) = connection.execute(LAST_CHANGE).fetchone()
        stored = self._stored
        rows = connection.execute(
            f"SELECT scheme, {stored.key}, {stored.count}, {stored.digests} FROM {stored.table}"
            f" WHERE {stored.count} ORDER BY scheme"
        )
        parts = [
            _part(scheme, group, stored.per_model) for scheme, group in groupby(rows, itemgetter(0))
        ]
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
            path = self._path(now.registry)
            parts = [
                Codes(scheme, self._bits[scheme], *index.arrays())
                for scheme, index in self._indexes.items()
            ]
            _snapshot.write(path, now, parts)
        except (OSError, AssayError) as error:  # it only saves time: searching goes on without
            logger.warning("the snapshot could not be written: %s", error)


def _part(scheme: str, rows: Iterator[tuple[str, int, int, bytes]], per_model: int) -> Codes:
    import numpy as np

    numbers, digests, width = array("q"), bytearray(), 0
    for _, model, count, some in rows:
        numbers.extend(range(model * per_model, model * per_model + count))
        digests += some
        width = len(some) // count
    if not width or len(digests) != width * len(numbers):
        raise DamagedRegistry(f"codes of {scheme} differ in length: restore it from a backup")
    keys = np.frombuffer(numbers, np.int64)
    padded = np.zeros((len(keys), -(-width // 8) * 8), np.uint8)
    padded[:, :width] = np.frombuffer(digests, np.uint8).reshape(-1, width)
    order = np.argsort(keys)
    return Codes(scheme, 8 * width, keys[order], padded.view(np.uint64)[order])
