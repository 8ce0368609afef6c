"""The registry: which models are known, whose they are, and which of them a suspect looks like.

It is a folder with one SQLite file, which any number of processes may use at once.  What ``add``
acknowledged is kept, also after ``kill -9``; the same bytes twice are one model, and a second
owner is a second claim on it.  Files are read when they are added and not needed after that.
"""

from __future__ import annotations

import builtins
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from assay.comparisons import TOLERANCE
from assay.errors import AssayError, BadOption
from assay.hashers import parted
from assay.registry._changes import Added, known_by, register
from assay.registry._codes import OF_PARTS, LiveCodes
from assay.registry._database import FILE, Database
from assay.registry._find import find
from assay.registry._hasher import coded, recall, settle
from assay.registry._keys import Keyring
from assay.registry._licensed import Licenses
from assay.registry._log import Log
from assay.registry._rehash import recoded, resketched
from assay.registry._related import related
from assay.registry._rows import COLUMNS, Where, default_name, get, unpack
from assay.registry._search import Known, Search
from assay.registry._signers import Signers
from assay.registry._sketches import Sketching
from assay.registry._stale import Warnings, stale, unsketched
from assay.registry._tensors import LiveTensors
from assay.values import Kin, Record, Report, WeightSketch

if TYPE_CHECKING:
    from assay.hashers import Hasher

__all__ = ["FILE", "Added", "Registry", "Where"]

PAGE = 64  # records in memory at a time
CANDIDATES = 200  # codes that are compared in full, at least: a near code is a lead only


class Registry:
    """The models that are known; ``with Registry.open(folder) as registry:``; threads may share it.

    Every method raises DamagedRegistry where the registry's file turns out to be damaged,
    AssayError where it is locked, read-only or the disk is full.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        codes, parts = LiveCodes(database), LiveCodes(database, OF_PARTS)
        self._known = Known(database, codes, parts, LiveTensors(database))
        self.keys = Keyring(database)
        self.log = Log(database)
        self.licenses, self.signers = Licenses(database), Signers(database)
        self._warnings = Warnings(database)

    @classmethod
    def open(cls, location: str | Path, create: bool = True) -> Registry:
        """The registry in the folder ``location``; a new one where ``create`` allows it.

        Raises:
            DamagedRegistry: what lies there is no registry, is damaged or from a newer assay.
            AssayError: there is none, and none can or may be made; or ``location`` is a URL.
        """
        url = re.match(r"([a-z][a-z0-9+.-]+):/", str(location), re.IGNORECASE)
        if url:  # not shown whole: it may hold a password
            raise AssayError(
                f"{url[1]}://…: registries on a server are not supported yet: give a folder"
            )
        return cls(Database(Path(location), create))

    def close(self) -> None:
        """Close the registry's file; closing twice is harmless."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __len__(self) -> int:
        """How many models are registered."""
        with self._database.read() as connection:
            return int(connection.execute("SELECT count(*) FROM models").fetchone()[0])

    def add(
        self,
        path: str | Path,
        *,
        owner: str | None = None,
        name: str | None = None,
        input_shape: Mapping[str, tuple[int, ...]] | None = None,
        base: bool = False,
    ) -> Added:
        """Register a model file; it is durable when this returns.

        ``name`` is the file's without suffix where none is given, and need not be unique.  ``base``
        marks a public base: what others have in common by it is explained.
        Raises UnreadableModel where the file is not a model; nothing is registered then.
        """
        hasher = self.hasher
        sketching = Sketching([self.keys.settled()], "registered")
        record = parted(self._read(path, input_shape, sketching, hasher), hasher)
        named = replace(record, name=name or default_name(str(path)), owner=owner, base=base)
        return self._register(named, hasher, str(Path(path).absolute()))

    def put(self, record: Record) -> Added:
        """Register what is known of a model; it is durable when this returns.

        Bytes that are known already are not registered again: an owner that is new to them is one
        more claim, and a code of another scheme or graph rules takes the old one's place.  Its
        sketch is not kept: only weights that the registry has read itself are evidence.

        Raises:
            AssayError: it has no sha256, or metadata that are not JSON.
            SchemeMismatch: its code is not as long as the others of its scheme.
        """
        named = replace(record, name=record.name or default_name(record.path), sketch=None)
        return self._register(named)

    def check(
        self,
        path: str | Path,
        *,
        top: int = 20,
        where: Where | None = None,
        tolerance: float = TOLERANCE,
        input_shape: Mapping[str, tuple[int, ...]] | None = None,
    ) -> Report:
        """Which registered models the file looks like: at most ``top``, best first, but what a
        license explains after what is to be reviewed.

        ``tolerance`` is the false alarm, corrected for all that was searched, up to which weights
        are called related.  Raises UnreadableModel where it is not a model.
        """
        sketched_by = self.keys.in_use()
        keys = [key for key in self.keys.known() if key.scheme in sketched_by]
        sketching = Sketching(keys, "tried") if keys else None
        hasher = self.hasher
        suspect = parted(self._read(path, input_shape, sketching, hasher), hasher)
        self._warnings.of_sketches(key.scheme for key in keys)
        sketches = sketching.made if sketching and suspect.sketch else {}
        return Report(suspect, self._related(suspect, sketches, top, where, tolerance)).first(top)

    def kin(
        self,
        record: Record,
        *,
        top: int = 20,
        where: Where | None = None,
        tolerance: float = TOLERANCE,
    ) -> tuple[Kin, ...]:
        """What is related to ``record`` among the models that pass ``where``, best first, ``top``.

        A model that was added under several paths or by several owners is listed for each.  Models
        whose code is of another scheme are not compared: see ``stale``; logged once for a scheme.
        """
        sketches = {record.sketch.scheme: record.sketch} if record.sketch else {}
        return self._related(record, sketches, top, where, tolerance)[:top]

    def list(self, where: Where | None = None) -> Iterator[Record]:
        """The models that pass ``where``, in the order in which they were added."""
        condition, arguments = (where or Where()).sql()
        sql = f"SELECT {COLUMNS} FROM models WHERE id > ? AND {condition} ORDER BY id LIMIT {PAGE}"
        last = 0
        while True:
            with self._database.read() as connection:
                rows = connection.execute(sql, [last, *arguments]).fetchall()
            if not rows:
                return
            last = rows[-1][0]
            yield from map(unpack, rows)

    def show(self, name_or_sha: str) -> Record:
        """The model of that name, path or sha256 (6 digits of it suffice).

        Raises UnknownModel, with candidates, where there is none or more than one.
        """
        with self._database.read() as connection:
            return get(connection, find(connection, name_or_sha))

    def owners(self, sha256: str) -> builtins.list[str]:
        """All who claim the model, first claim first; a name or path is understood too.

        Raises UnknownModel where there is none or more than one.
        """
        query = """SELECT owner FROM claims WHERE model = ? AND owner IS NOT NULL
            GROUP BY owner ORDER BY min(id)"""
        with self._database.read() as connection:
            return [owner for (owner,) in connection.execute(query, [find(connection, sha256)])]

    def remove(self, name_or_sha: str) -> Record:
        """Forget the model of that name, path or sha256, and every claim on it.

        Raises UnknownModel where there is none or more than one; nothing is removed then.
        """
        with self._database.write() as connection:
            key = find(connection, name_or_sha)
            record = get(connection, key)
            connection.execute("DELETE FROM models WHERE id = ?", [key])
        return record

    def rehash(self, hasher: Hasher) -> Iterator[Record]:
        """Give every model a code of ``hasher``, made from its stored graph, while iterated over.

        Yields the models whose code changed, once that is durable; what was done before an
        interruption is not done again.  ``add`` and ``check`` use ``hasher`` from then on, unless
        it is not one of HASHERS.
        """
        return recoded(self._database, hasher)

    def resketch(self) -> Iterator[tuple[Record, str]]:
        """Sketch the models that have no sketch by the current key, from the files they came from.

        Yields each with "", or with why it could not be: its file is gone, or another one now.
        """
        key, hasher = self.keys.settled(), self.hasher
        sketching = Sketching([key], "registered")

        def read(path: str) -> Record:
            return self._read(path, None, sketching, hasher)

        return resketched(self._database, key.scheme, read)

    def stale(self, scheme: str) -> int:
        """How many models a code of ``scheme`` is not compared with: theirs is of another one."""
        return stale(self._database, scheme)

    def unsketched(self) -> int:
        """How many models ``resketch`` would read."""
        return unsketched(self._database, [self.keys.settled().scheme])

    @property
    def hasher(self) -> Hasher:
        """What ``add`` and ``check`` make codes with: the last ``rehash``'s, or the default."""
        with self._database.read() as connection:
            hasher = recall(connection, self._database.folder)
        self._warnings.of_network(hasher.scheme)
        return hasher

    def use(self, hasher: Hasher) -> None:
        """Make codes with ``hasher``, in a registry that has made none yet.

        Raises BadOption where it makes codes with another one, which ``rehash`` changes.
        """
        with self._database.write() as connection:
            known = settle(connection, self._database.folder, hasher)
        if known.scheme != hasher.scheme:
            why = f"its codes are of {known.scheme}, not {hasher.scheme}"
            remedy = "'assay rehash' with the same options makes them all anew"
            raise BadOption(f"{self._database.folder}: {why}: {remedy}")

    def _register(
        self, record: Record, hasher: Hasher | None = None, file: str | None = None
    ) -> Added:
        sha256 = known_by(record)
        with self._database.write() as connection:
            if hasher is not None:
                record = coded(record, settle(connection, self._database.folder, hasher))
            name, status = register(connection, record, file)
        return Added(record.path, sha256, name, status)

    def _read(
        self,
        path: str | Path,
        input_shape: Mapping[str, tuple[int, ...]] | None,
        sketching: Sketching | None,
        hasher: Hasher,
    ) -> Record:
        from assay.examine import examine  # not above: it brings every format along

        return examine(path, input_shape=input_shape, hasher=hasher, sketcher=sketching)

    def _related(
        self,
        suspect: Record,
        sketches: Mapping[str, WeightSketch],
        top: int,
        where: Where | None,
        tolerance: float,
    ) -> tuple[Kin, ...]:
        if not 0 < tolerance < 1:
            raise BadOption(f"tolerance {tolerance:g}: a probability above 0 and below 1")
        self._warnings.of_structure(suspect)
        count = max(CANDIDATES, 5 * top)
        search = Search(suspect, sketches, count, where or Where(), tolerance, lambda: self.hasher)
        return tuple(related(self._known, search))
