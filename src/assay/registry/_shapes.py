"""Models with the suspect's tensor shapes: the structural lead where one of them has no graph.

Every shape of a model is a row.  Candidates are those that have the suspect's rarest shapes, the
nearest are those of the largest overlap.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import Any

from assay.values import Shapes

MOST_MODELS = 20_000  # with one shape, that are looked at; such a shape tells little
RAREST = 6  # shapes that candidates come from


def keep(connection: sqlite3.Connection, key: int, shapes: Shapes) -> None:
    """Put ``shapes`` in the place of what is known of the model ``key``."""
    connection.execute("DELETE FROM shapes WHERE model = ?", [key])
    connection.executemany(
        "INSERT INTO shapes(shape, model, tensors) VALUES (?, ?, ?)",
        [(spelled(sizes), key, count) for sizes, count in shapes],
    )


def nearest(
    connection: sqlite3.Connection, shapes: Shapes, count: int, passing: tuple[str, Sequence[Any]]
) -> list[int]:
    """The ``count`` models of largest overlap among those that pass a condition, best first."""
    condition, arguments = passing
    having = f"SELECT model FROM shapes JOIN models ON id = model WHERE shape = ? AND {condition}"
    of_shape = [
        connection.execute(f"{having} LIMIT {MOST_MODELS}", [spelled(sizes), *arguments]).fetchall()
        for sizes, _ in shapes
    ]
    found = sorted((models for models in of_shape if models), key=len)[:RAREST]
    candidates = sorted({key for models in found for (key,) in models})
    ours = {spelled(sizes): tensors for sizes, tensors in shapes}
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
    candidates.sort(key=lambda key: -shared[key] / (size + total[key] - shared[key]))  # Jaccard
    return candidates[:count]


def spelled(sizes: Sequence[int]) -> str:
    """3x3x16x32."""
    return "x".join(map(str, sizes))
