"""Models with the suspect's tensor shapes: the lead to parts, and where one has no graph.

Every shape of a model is a row.  Candidates are those that have the suspect's rarest shapes, the
nearest are those of the largest overlap.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import Any

from assay.values import Record, Shapes

MOST_MODELS = 2_000  # that are looked at; a shape that more have tells little


def keep(connection: sqlite3.Connection, key: int, record: Record) -> None:
    """Put a record's shapes in the place of what is known of the model ``key``."""
    coded = record.code is not None
    connection.execute("DELETE FROM shapes WHERE model = ?", [key])
    connection.executemany(
        "INSERT INTO shapes(shape, coded, model, tensors) VALUES (?, ?, ?, ?)",
        [(spelled(sizes), coded, key, count) for sizes, count in record.shapes],
    )


def nearest(
    connection: sqlite3.Connection, suspect: Record, count: int, passing: tuple[str, Sequence[Any]]
) -> list[int]:
    """The ``count`` models of largest overlap among those that pass a condition, best first.

    A part of the suspect, and what the suspect is a part of, overlap with it in full.
    """
    candidates = _candidates(connection, suspect.shapes, passing)
    ours = {spelled(sizes): tensors for sizes, tensors in suspect.shapes}
    shared: dict[int, int] = dict.fromkeys(candidates, 0)
    total: dict[int, int] = dict.fromkeys(candidates, 0)
    rows = connection.execute(
        "SELECT model, shape, tensors FROM shapes WHERE model IN (SELECT value FROM json_each(?))",
        [json.dumps(candidates)],
    )
    for key, shape, tensors in rows:
        shared[key] += min(tensors, ours.get(shape, 0))
        total[key] += tensors
    size = sum(ours.values())
    candidates.sort(  # Szymkiewicz, Simpson; then Jaccard
        key=lambda key: (
            -shared[key] / min(size, total[key]),
            -shared[key] / (size + total[key] - shared[key]),
        )
    )
    return candidates[:count]


def _candidates(
    connection: sqlite3.Connection, shapes: Shapes, passing: tuple[str, Sequence[Any]]
) -> list[int]:
    """Models with one of the shapes, the rarest shapes first, as many as are looked at."""
    condition, arguments = passing
    having = "FROM shapes WHERE shape = ?"
    frequency = {}
    for sizes, _ in shapes:
        query = f"SELECT count(*) FROM (SELECT 1 {having} LIMIT {MOST_MODELS})"
        ((frequency[spelled(sizes)],),) = connection.execute(query, [spelled(sizes)])
    rarest = sorted((shape for shape in frequency if frequency[shape]), key=frequency.__getitem__)
    found: dict[int, None] = {}
    for shape in rarest:
        query = f"SELECT id {having.replace('WHERE', 'JOIN models ON id = model WHERE')}"
        rows = connection.execute(
            f"{query} AND {condition} LIMIT {MOST_MODELS}", [shape, *arguments]
        )
        found |= dict.fromkeys(key for (key,) in rows)
        if len(found) >= MOST_MODELS:
            break
    return [*found][:MOST_MODELS]


def spelled(sizes: Sequence[int]) -> str:
    """3x3x16x32."""
    return "x".join(map(str, sizes))
