"""What a search does not compare, since it was hashed or sketched in another way: said once."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable

from assay.graphs import VERSION
from assay.registry._database import Database
from assay.registry._hasher import came_earlier
from assay.registry._parts import lacking
from assay.values import Record

UNSKETCHED = """id NOT IN (SELECT model FROM sketches
    WHERE scheme IN (SELECT value FROM json_each(?)))"""  # a list of schemes as JSON

logger = logging.getLogger("assay.registry")


def stale(database: Database, scheme: str) -> int:
    """How many models have a code of another scheme."""
    query = "SELECT count(*) FROM models WHERE scheme <> ?"
    with database.read() as connection:
        return int(connection.execute(query, [scheme]).fetchone()[0])


def unsketched(database: Database, schemes: Iterable[str]) -> int:
    """How many models have no sketch of one of these schemes."""
    query = f"SELECT count(*) FROM models WHERE {UNSKETCHED}"
    with database.read() as connection:
        return int(connection.execute(query, [json.dumps([*schemes])]).fetchone()[0])


class Warnings:
    """Logs each of them once for a registry."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._said: set[str] = set()

    def of_network(self, scheme: str) -> None:
        """That the registry's own hasher is not the newest, and what it therefore lacks."""
        if scheme not in self._said and came_earlier(scheme):
            count = lacking(self._database, f"{scheme}+{VERSION}")
            logger.warning(
                "codes are of %s, a network of an older assay: they are compared as they are%s;"
                " 'assay rehash' makes all anew with the newest one, and needs no files",
                scheme,
                f" (models without codes of their parts: {count})" if count else "",
            )
            self._said |= {"parts"} if count else set()  # the remedy is the same
        self._said.add(scheme)

    def of_structure(self, suspect: Record) -> None:
        """What the codes of ``suspect`` and of its parts are not compared with."""
        if suspect.code is not None:
            self._of_codes(suspect.code.scheme)
        if suspect.code is not None and suspect.parts is not None:
            self._of_parts(suspect.code.scheme)

    def _of_codes(self, scheme: str) -> None:
        """Models whose codes are of another scheme than the suspect's."""
        count = 0 if scheme in self._said else stale(self._database, scheme)
        self._said.add(scheme)
        if count:
            logger.warning(
                "models that were not compared, because their codes are not of scheme %s: %d:"
                " run 'assay rehash', or add their files again if the graph rules changed",
                scheme,
                count,
            )

    def _of_parts(self, scheme: str) -> None:
        """Models whose codes are compared, but that have none of their parts."""
        count = 0 if "parts" in self._said else lacking(self._database, scheme)
        self._said.add("parts")
        if count:
            logger.warning(
                "models whose parts were not looked for, because they have no codes of them: %d:"
                " 'assay rehash' makes them, and needs no files",
                count,
            )

    def of_sketches(self, schemes: Iterable[str]) -> None:
        """Models that have no sketch which the suspect's can be compared with."""
        count = 0 if "sketches" in self._said else unsketched(self._database, schemes)
        self._said.add("sketches")
        if count:
            logger.warning(
                "models whose weights were not compared, because they were not read: %d:"
                " 'assay rehash' reads those whose files are where they were",
                count,
            )
