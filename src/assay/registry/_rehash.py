"""Models hashed anew from their stored graphs, and sketched anew from their files.

Both go page by page, each page durable before the next: what was done before an interruption is not
done again.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from assay.errors import AssayError
from assay.hashers import parted
from assay.registry._changes import recode, resketch
from assay.registry._database import Database
from assay.registry._find import claims, files
from assay.registry._hasher import recall, remember
from assay.registry._parts import LACKING
from assay.registry._rows import COLUMNS, Where, unpack
from assay.registry._stale import UNSKETCHED
from assay.values import Record, WeightSketch

if TYPE_CHECKING:
    from assay.hashers import Hasher

PAGE = 64  # models of one transaction

logger = logging.getLogger("assay.registry")

Sketching = Callable[[str], Record]  # a file's record, with its sha256 and its sketch


def recoded(database: Database, hasher: Hasher) -> Iterator[Record]:
    """Give every model, and its parts, codes of ``hasher``, made from its stored graph.

    Those that changed, or whose parts had none.
    """
    with database.write() as connection:
        if remember(connection, database.folder, hasher):
            hasher = recall(connection, database.folder)  # its network is in the folder
        else:
            logger.warning("%r is no method of assay: add and check keep their own", hasher)
    condition = f"(rules IS NOT NULL AND scheme IS NOT ? || '+' || rules OR {LACKING})"
    for page in _pages(database, condition, [hasher.scheme, hasher.scheme]):
        codes = [
            (key, record, parted(replace(record, code=hasher(record.graph)), hasher))
            for key, record in page
            if record.graph is not None and record.graph.layers  # examine gives no code either
        ]
        with database.write() as connection:
            changed = [new for key, old, new in codes if recode(connection, key, old, new)]
        yield from changed


def resketched(
    database: Database, scheme: str, sketching: Sketching
) -> Iterator[tuple[Record, str]]:
    """Sketch every model whose sketch is not of ``scheme``, from its file if it is where it was.

    Each with "", or with why it could not be: it is not found by its weights, or by an older key.
    """
    for page in _pages(database, UNSKETCHED, [json.dumps([scheme])]):
        for key, record in page:
            sketch, wrong = _read_again(database, record, sketching)
            with database.write() as connection:
                resketch(connection, key, sketch)
            yield record, wrong


def _read_again(
    database: Database, record: Record, sketching: Sketching
) -> tuple[WeightSketch | None, str]:
    """The sketch of a model's file, from wherever it was added; or why there is none."""
    with database.read() as connection:
        given = [path for _, path, _ in claims(connection, record.sha256, Where())]
        paths = dict.fromkeys([*files(connection, record.sha256), *given])
    wrong = ""
    for path in paths:
        try:
            found = sketching(path)
        except (AssayError, OSError) as error:
            wrong = str(error)
            continue
        if found.sha256 == record.sha256:
            return found.sketch, ""
        wrong = f"{path}: is another file now"
    return None, wrong


def _pages(
    database: Database, condition: str, arguments: list[str]
) -> Iterator[list[tuple[int, Record]]]:
    """The models that a condition holds for, by their keys."""
    query = f"SELECT {COLUMNS} FROM models WHERE id > ? AND {condition} ORDER BY id LIMIT {PAGE}"
    last = 0
    while True:
        with database.read() as connection:
            rows = connection.execute(query, [last, *arguments]).fetchall()
        if not rows:
            return
        last = rows[-1][0]
        yield [(row[0], unpack(row)) for row in rows]
