"""Answers as they are kept: one array for all models whose answers have one shape."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from ground import Lineage

from assay.durable import write_whole

Json = dict[str, Any]
Array = np.ndarray
Key = tuple[str, str, str]  # the questions, what they were made on, and what is kept
_RECORDS = "records"


class Kept:
    """Arrays by what they answer, and by model."""

    def __init__(self) -> None:
        self.arrays: dict[Key, dict[str, Array]] = {}

    def add(self, key: Key, model: str, array: Array | np.floating[Any]) -> None:
        """Keeps one."""
        self.arrays.setdefault(key, {})[model] = np.asarray(array)

    def of(self, key: Key) -> dict[str, Array]:
        """All models' by name; empty where nobody was asked."""
        return self.arrays.get(key, {})

    def update(self, other: Kept) -> None:
        """Takes over all that another has."""
        for key, found in other.arrays.items():
            self.arrays.setdefault(key, {}).update(found)


def save(kept: Kept, file: Path, lineage: Lineage | None = None) -> None:
    """Writes them whole, with the models' records where these are given."""
    parts: dict[str, Array] = {}
    table: list[Json] = []
    for key, found in kept.arrays.items():
        by_form: dict[tuple[Any, ...], list[str]] = {}
        for name, array in found.items():
            by_form.setdefault((array.shape, array.dtype.str), []).append(name)
        for names in by_form.values():
            parts[str(len(table))] = np.stack([found[name] for name in names])
            table.append({"key": key, "models": names})
    about = {"table": table, _RECORDS: None if lineage is None else lineage.records}
    text = json.dumps(about, separators=(",", ":")).encode()
    stream = io.BytesIO()
    np.savez_compressed(stream, about=np.frombuffer(text, np.uint8), **parts)  # type: ignore[arg-type]
    file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, stream.getvalue())


def load(file: Path) -> tuple[Kept, Lineage | None]:
    """What ``save`` has written."""
    kept = Kept()
    with np.load(file, allow_pickle=False) as held:
        about = json.loads(held["about"].tobytes())
        for number, entry in enumerate(about["table"]):
            stacked = held[str(number)]
            for name, array in zip(entry["models"], stacked, strict=True):
                kept.add(tuple(entry["key"]), name, array)
    records = about[_RECORDS]
    return kept, None if records is None else Lineage(tuple(records))


def joined(files: Iterable[Path]) -> Kept:
    """The answers of several jobs."""
    whole = Kept()
    for file in files:
        whole.update(load(file)[0])
    return whole
