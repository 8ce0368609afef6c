"""The codes of all registered tensors in files beside the registry [Bentley, Saxe, 1980].

A segment is a table of what was added between two changes.  A new one takes in those before it
that are not several times larger, so that there are few, and each code is written few times.  All
are copies that may be deleted at any time; one that is damaged, of another registry or of a lost
past of this one is not used.
"""

from __future__ import annotations

import logging
import re
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from assay.errors import DamagedRegistry
from assay.registry._moments import Moment, moment, setting, sweep
from assay.sketches.kinds import Codes
from assay.sketches.table_files import checksum, opened, write
from assay.sketches.tables import Table, Tensors

LARGER = 8  # times: a segment so much larger than a new one stays as it is

logger = logging.getLogger("assay.registry")


@dataclass(frozen=True, eq=False)
class Segment:
    """A table of models' codes as they were at a moment, less those that changed since."""

    table: Table
    after: int  # the change that the segment before it ends with
    moment: Moment
    checksum: int | None = None  # that its arrays have; None: it was not read from a file
    gone: NDArray[np.bool_] = field(init=False)  # (m) models that changed since

    def __post_init__(self) -> None:
        object.__setattr__(self, "gone", np.zeros(len(self.table.keys), np.bool_))

    @classmethod
    def of(cls, codes: Codes, after: int, moment: Moment) -> Self:
        """A segment in memory."""
        return cls(Table.of(codes), after, moment)

    def name(self) -> str:
        """Of its file: it says what the segment holds."""
        return f"{_prefix(self.moment)}{self.after}-{self.moment.seq}.table"

    def codes(self) -> Codes:
        """Those that are still there.  Raises DamagedRegistry where its file is damaged."""
        if self.checksum not in (None, checksum(self.table)):
            raise DamagedRegistry(f"{self.name()}: its checksum does not fit")
        return self.table.codes(self.gone)

    def forget(self, keys: NDArray[np.int64]) -> None:
        """These models were changed or removed."""
        places = np.searchsorted(self.table.keys, keys)
        keys, places = keys[places < len(self.gone)], places[places < len(self.gone)]
        self.gone[places[self.table.keys[places] == keys]] = True

    def search(
        self, tensors: Tensors, count: int, where: NDArray[np.int64] | None
    ) -> list[tuple[float, int]]:
        """Votes and keys of the models with the most votes among those of ``where``."""
        among = ~self.gone
        if where is not None:
            among &= np.isin(self.table.keys, where)
        return self.table.search(tensors, count, None if among.all() else among)


def chain(folder: Path, connection: sqlite3.Connection) -> list[Segment]:
    """The segments of a registry that lie in ``folder``, from the first change on."""
    found: list[Segment] = []
    registry = setting(connection, "id")
    while (segment := _next(folder, connection, registry, _end(found))) is not None:
        found.append(segment)
    for segment in found:
        changed = connection.execute(
            "SELECT DISTINCT model FROM changes WHERE seq > ?", [segment.moment.seq]
        )
        segment.forget(np.fromiter((key for (key,) in changed), np.int64))
    return found


def names(folder: Path, registry: str) -> frozenset[str]:
    """Of the files of segments in ``folder``, whether they can be used or not."""
    return frozenset(path.name for *_, path in _files(folder, registry))


def taken_in(segments: Sequence[Segment], codes: Codes, now: Moment) -> list[Segment]:
    """The segments with ``codes`` as a new one, which takes in the last ones that are small.

    Raises DamagedRegistry where one of those is damaged.
    """
    kept, parts = [*segments], [codes]
    while kept and len(kept[-1].table.models) < LARGER * sum(len(part.kinds) for part in parts):
        parts.insert(0, kept.pop().codes())
    return [*kept, Segment.of(Codes.joined(parts), _end(kept), now)]


def saved(folder: Path, segments: Sequence[Segment]) -> list[Segment]:
    """The segments, the last of them mapped from its file, which is written.  Raises OSError."""
    *kept, last = segments
    path = folder / last.name()
    sweep(folder, f"{_prefix(last.moment)}*")
    write(path, last.table, {"after": last.after, **asdict(last.moment)})
    used = {segment.name() for segment in segments}
    for _, seq, old in _files(folder, last.moment.registry):
        if seq <= last.moment.seq and old.name not in used:
            old.unlink(missing_ok=True)
    table, _, total = opened(path)
    return [*kept, replace(last, table=table, checksum=total)]


def _next(
    folder: Path, connection: sqlite3.Connection, registry: str, after: int
) -> Segment | None:
    """The longest segment that can be used of those that begin with the change ``after``."""
    for begin, seq, path in sorted(_files(folder, registry), reverse=True):
        if begin != after or seq <= after:
            continue
        try:
            table, about, total = opened(path)
        except FileNotFoundError:
            continue  # another process has just taken it in
        except (OSError, DamagedRegistry) as error:
            logger.warning("codes of weights come from SQLite, a table is not used: %s", error)
            continue
        now = moment(connection, seq)
        if about == {"after": after, **asdict(now)}:
            return Segment(table, after, now, total)
        logger.warning("%s: of another registry, codes of weights come from SQLite", path)
    return None


def _files(folder: Path, registry: str) -> Iterator[tuple[int, int, Path]]:
    """The files of segments: the change each begins after, its last one, and the path."""
    for path in folder.glob(f"tensors-{registry[:8]}-*.table"):
        if named := re.fullmatch(r"tensors-.{8}-(\d+)-(\d+)\.table", path.name):
            yield int(named[1]), int(named[2]), path


def _end(segments: Sequence[Segment]) -> int:
    return segments[-1].moment.seq if segments else 0


def _prefix(moment: Moment) -> str:
    return f"tensors-{moment.registry[:8]}-"
