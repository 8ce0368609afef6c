"""Models that share exact values with a suspect: leads where no layer has its shape [Broder 1997].

Of a model, the smallest hashes of each tensor are rows of a table; more of the suspect's are looked
up.  Of what very many models hold the first ones are leads: the oldest, such as a public base.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Sequence
from itertools import chain, islice, zip_longest
from typing import Any

from assay.values import WeightSketch

KEPT = 64  # hashes of a model, at most
ASKED = 16  # hashes of a suspect's tensor, at most: its smallest
CROWD = 200  # models that hold a hash, of those that are leads


def keep(connection: sqlite3.Connection, key: int, sketch: WeightSketch) -> None:
    """Put a sketch's hashes in the place of what is known of the model ``key``.

    The smallest one of each tensor, then the second smallest, until there are enough.
    """
    in_turn = chain.from_iterable(zip_longest(*_hashes(sketch)))
    chosen = islice(dict.fromkeys(each for each in in_turn if each is not None), KEPT)
    connection.execute("DELETE FROM fragments WHERE model = ?", [key])
    connection.executemany("INSERT INTO fragments VALUES (?, ?)", [(one, key) for one in chosen])


def holders(
    connection: sqlite3.Connection,
    sketch: WeightSketch,
    count: int,
    passing: tuple[str, Sequence[Any]],
) -> list[int]:
    """The ``count`` models with most of the hashes, of those that pass a condition, best first."""
    condition, arguments = passing
    query = f"""SELECT model FROM fragments JOIN models ON models.id = model
        WHERE hash = ? AND {condition} ORDER BY model LIMIT {CROWD}"""
    votes = Counter[int]()
    for each in {*chain.from_iterable(_hashes(sketch))}:
        votes.update(key for (key,) in connection.execute(query, [each, *arguments]))
    return sorted(votes, key=lambda key: (-votes[key], key))[:count]


def _hashes(sketch: WeightSketch) -> list[list[int]]:
    """Of each tensor, as the numbers that SQLite keeps: of 64 bits, with a sign."""
    from assay.sketches.fragments import hashes_of

    return [
        [each - 2**64 if each >= 2**63 else each for each in hashes_of(tensor.fragments)[:ASKED]]
        for tensor in sketch.tensors
    ]
