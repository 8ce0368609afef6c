"""CIFAR-10 and CIFAR-100, the binary and the Python version [Krizhevsky, 2009].

A picture is 3,072 bytes: 32 x 32 of red, then of green, then of blue.  In the binary version it
stands behind its labels.  The Python version are pickles; they are read, and never run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.containers.pickle_opcodes import Entries, Known, Pickled
from assay.containers.pickled_arrays import CONSTRUCTORS, Pending, encoded
from assay.containers.sources import source_of
from assay.errors import BadData
from assay.running.examples import Examples
from assay.zoo.datasets.pictures import Split, pictures, reading

_PIXELS = 3 * 32 * 32
_KNOWN = CONSTRUCTORS | {"_codecs.encode": encoded}
Batch = tuple[NDArray[np.uint8], NDArray[Any]]  # (n, 3072) and (n,)


@dataclass(frozen=True)
class _Edition:
    """How one of the two data sets is stored."""

    train: tuple[str, ...]  # names of files; those of the binary version end with .bin
    test: tuple[str, ...]
    labels: int  # bytes before each picture; the last one counts
    key: str  # of the labels in the Python version


_EDITIONS = (
    _Edition(tuple(f"data_batch_{i}" for i in range(1, 6)), ("test_batch",), 1, "labels"),
    _Edition(("train",), ("test",), 2, "fine_labels"),
)


def is_in(folder: Path) -> bool:
    """Whether a folder has CIFAR's batches."""
    return _find(folder) is not None


def read(folder: Path, split: Split) -> Examples:
    """The examples of a split.  Raises BadData."""
    found = _find(folder)
    if found is None:
        raise BadData(f"{folder}: there is no file of CIFAR-10 or CIFAR-100")
    edition, suffix = found
    names = edition.train if split == "train" else edition.test
    batch = _binary if suffix else _pickled
    batches = [batch(folder / f"{name}{suffix}", edition) for name in names]
    pixels, labels = (np.concatenate(parts) for parts in zip(*batches, strict=True))
    with reading(folder):
        return pictures(pixels.reshape(-1, 3, 32, 32), labels)


def _find(folder: Path) -> tuple[_Edition, str] | None:
    for edition in _EDITIONS:
        for suffix in (".bin", ""):
            names = edition.train + edition.test
            if any((folder / f"{name}{suffix}").is_file() for name in names):
                return edition, suffix
    return None


def _binary(path: Path, edition: _Edition) -> Batch:
    with reading(path):
        content = path.read_bytes()
        record = edition.labels + _PIXELS
        if not content or len(content) % record:
            raise BadData(f"{len(content):,} bytes are no pictures of {record:,} bytes each")
        rows = np.frombuffer(content, np.uint8).reshape(-1, record)
        return rows[:, edition.labels :], rows[:, edition.labels - 1]


def _pickled(path: Path, edition: _Edition) -> Batch:
    with reading(path):
        held = _by_name(Pickled(source_of(path), Known(_KNOWN)).load())
        data, labels = held.get("data"), held.get(edition.key, [])
        tensor = data.tensor if isinstance(data, Pending) else None
        if tensor is None or tensor.dtype != "uint8" or tensor.shape[1:] != (_PIXELS,):
            raise BadData(f"its pickle has no 'data' of (n, {_PIXELS}) bytes")
        count = tensor.shape[0]
        is_whole = isinstance(labels, list) and all(type(label) is int for label in labels)
        if not is_whole or len(labels) != count:
            raise BadData(f"its pickle has not {count:,} whole numbers in {edition.key!r}")
        return tensor.read().astype(np.uint8), np.array(labels)


def _by_name(value: Any) -> dict[str, Any]:
    """A dictionary's values; Python 2 wrote its keys as bytes, which others keep as such."""
    pairs: Sequence[tuple[Any, Any]] = value if isinstance(value, Entries) else ()
    return {
        key if isinstance(key, str) else key.decode("latin-1"): held
        for key, held in pairs
        if isinstance(key, str | bytes)
    }
