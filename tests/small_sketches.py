"""Registries of models with made-up sketches, and how to ask them; number i is always the same."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
from small_records import record

from assay.registry._changes import register
from assay.registry._database import Database
from assay.registry._segments import chain
from assay.registry._tensors import LiveTensors
from assay.values import TensorSketch, WeightSketch

EVERY = 40  # models of a segment, here
MANY = 130
BLANK = replace(record(0), graph=None, code=None)


def sketched(number: int, scheme: str = "scheme", tensors: int = 4) -> WeightSketch:
    """The sketch of model ``number``; always the same, of a few shapes."""
    draw = np.random.default_rng([number, len(scheme)])
    return WeightSketch(
        scheme,
        tuple(
            TensorSketch(f"w{i}", (64, 64 + i % 3), 1, "as stored", draw.bytes(32), draw.bytes(32))
            for i in range(tensors)
        ),
    )


def put(database: Database, *numbers: int, sketch: WeightSketch | None = None) -> None:
    """Register models; their keys are their numbers plus one where they are put in order."""
    with database.write() as connection:
        for number in numbers:
            sha256 = f"{number:064x}"
            made = replace(BLANK, sha256=sha256, name=f"m{number}", path=f"m{number}")
            register(connection, replace(made, sketch=sketch or sketched(number)))


def remove(database: Database, *numbers: int) -> None:
    with database.write() as connection:
        for number in numbers:
            connection.execute("DELETE FROM models WHERE name = ?", [f"m{number}"])


def first(live: LiveTensors, number: int, where: list[int] | None = None) -> int | None:
    """The number of the model with the most votes for the tensors of ``number``."""
    found = live.search(sketched(number), 3, where)
    return found[0] - 1 if found else None


def many(folder: Path) -> Path:
    """A registry of MANY models that was not searched yet, in ``folder``."""
    database = Database(folder, create=True)
    put(database, *range(MANY))
    database.close()
    return folder


def searched_copy(folder: Path, copy: Path) -> Path:
    """A copy of a registry, searched once: it has a segment."""
    shutil.copytree(folder, copy)
    assert all_found(copy)
    return copy


def all_found(folder: Path) -> bool:
    """Whether a fresh search finds exactly the models that SQLite has; one process's whole life."""
    database = Database(folder, create=False)
    with database.read() as connection:
        there = {key - 1 for (key,) in connection.execute("SELECT model FROM sketches")}
    live = LiveTensors(database)
    numbers = range(0, max(there) + 20, 7)
    right = [(first(live, number) == number) == (number in there) for number in numbers]
    database.close()
    return all(right)


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("tensors-*"))


def segments(database: Database) -> list[tuple[int, int]]:
    """How many models each has, and how many of them changed since."""
    with database.read() as connection:
        found = chain(database.folder, connection)
    return [(len(segment.table.keys), int(segment.gone.sum())) for segment in found]
