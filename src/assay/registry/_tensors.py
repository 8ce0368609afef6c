"""The codes of all registered tensors, as the registry stands at each search.

They lie in segments, which are files that are mapped, not read; what was added since the last one
is in memory.  All follow the log of changes, so that a model which another process added a moment
ago is found, and one that it removed is not.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Collection
from typing import TYPE_CHECKING

from assay.errors import AssayError, DamagedRegistry
from assay.registry._database import Database
from assay.registry._moments import LAST_CHANGE, Moment, Turns, moment, setting
from assay.registry._rows import unpack_sketch
from assay.values import WeightSketch

if TYPE_CHECKING:
    from assay.registry._segments import Segment
    from assay.sketches.kinds import Codes
    from assay.sketches.tables import Tensors

SKETCHES = "SELECT model, body FROM sketches WHERE model IN (SELECT value FROM json_each(?))"
SEGMENT_EVERY = 500  # changed models: fewer are soon read from SQLite
PAGE = 500  # sketches that are read at once

logger = logging.getLogger("assay.registry")


class LiveTensors:
    """Tables of all schemes' codes; threads take turns."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.RLock()
        self._segments: list[Segment] = []
        self._recent: dict[int, Codes] = {}  # of models that changed since the last segment
        self._table: Segment | None = None  # of the recent ones; None: to be made
        self._seq: int | None = None  # the last change that is known; None: nothing is loaded
        self._turns = Turns("tensors")
        self._registry = ""
        self._names: frozenset[str] = frozenset()  # of files when the segments were looked for
        self._due = SEGMENT_EVERY  # recent models, from which on a segment is made of them

    def search(self, sketch: WeightSketch, count: int, where: Collection[int] | None) -> list[int]:
        """The ``count`` models that share most with ``sketch``, of its scheme, best first.

        Only those that have a tensor nearer to one of its own than strangers' are; ``where``:
        among these.
        """
        from assay.sketches.kinds import asked

        with self._lock:
            try:
                self._follow()
                return self._found(asked(sketch), count, where)
            except DamagedRegistry as error:
                logger.warning("codes of weights come from SQLite, a table is damaged: %s", error)
                self._begin([])
                self._follow()
                return self._found(asked(sketch), count, where)

    def _found(self, tensors: Tensors, count: int, where: Collection[int] | None) -> list[int]:
        import numpy as np

        wanted = None if where is None else np.fromiter(where, np.int64, len(where))
        found: list[tuple[float, int]] = []
        for segment in (*self._segments, self._in_memory()):
            found += segment.search(tensors, count, wanted)
        found.sort(key=lambda voted: (-voted[0], voted[1]))
        return [key for _, key in found[:count]]

    def _follow(self) -> None:
        if self._seq is None:
            self._load()
        with self._database.read() as connection:
            (seq,) = connection.execute(LAST_CHANGE).fetchone()
            if seq == self._seq:
                return
            changed = connection.execute(
                "SELECT DISTINCT model FROM changes WHERE seq > ?", [self._seq]
            ).fetchall()
        self._read_again([key for (key,) in changed])
        self._seq = seq
        self._save_if_due(seq)

    def _load(self) -> None:
        from assay.registry._segments import chain, names

        with self._database.read() as connection:
            self._turns.look(connection)
            self._registry = setting(connection, "id")
            self._names = names(self._database.folder, self._registry)
            self._begin(chain(self._database.folder, connection))

    def _begin(self, segments: list[Segment]) -> None:
        """Know nothing but these segments."""
        self._segments, self._recent, self._table = segments, {}, None
        self._seq = segments[-1].moment.seq if segments else 0
        self._due = SEGMENT_EVERY

    def _read_again(self, changed: list[int]) -> None:
        """Read the sketches of these models, in pages: others want the database, too."""
        import numpy as np

        from assay.sketches.kinds import Codes

        for segment in self._segments:
            segment.forget(np.array(changed, np.int64))
        for key in changed:
            self._recent.pop(key, None)
        for start in range(0, len(changed), PAGE):
            page = json.dumps(changed[start : start + PAGE])
            with self._database.read() as connection:
                rows = connection.execute(SKETCHES, [page]).fetchall()
            self._recent |= {key: Codes.of(unpack_sketch(body), key) for key, body in rows}
        self._table = None

    def _in_memory(self) -> Segment:
        from assay.registry._segments import Segment
        from assay.sketches.kinds import Codes

        if self._table is None:
            codes = Codes.joined([*self._recent.values()])
            self._table = Segment.of(codes, 0, Moment("", 0, ""))
        return self._table

    def _save_if_due(self, seq: int) -> None:
        """Make a segment of what is recent, unless another process does or has just done it."""
        from assay.registry._segments import names, saved, taken_in
        from assay.sketches.kinds import Codes

        if len(self._recent) < SEGMENT_EVERY:
            return
        folder = self._database.folder
        if names(folder, self._registry) != self._names:
            self._load()
            self._follow()
            return
        if len(self._recent) < self._due:
            return
        self._due = len(self._recent) + SEGMENT_EVERY  # where nothing comes of this
        try:
            now = self._turn(seq)
        except AssayError as error:
            logger.warning("a table of weights' codes could not be written: %s", error)
            return
        if now is None:
            return
        segments = taken_in(self._segments, Codes.joined([*self._recent.values()]), now)
        if self._database.writable:
            try:
                segments = saved(folder, segments)
            except OSError as error:  # it only saves time: searching goes on without
                logger.warning("a table of weights' codes could not be written: %s", error)
        self._begin(segments)
        self._names = names(folder, self._registry)

    def _turn(self, seq: int) -> Moment | None:
        """The moment to make a segment of; None where another process took to it."""
        if not self._database.writable:  # then it stays in memory
            with self._database.read() as connection:
                return moment(connection, seq)
        with self._database.write() as connection:
            return moment(connection, seq) if self._turns.take(connection, seq) else None
