"""Edit distances of all pairs of samples, kept in a file so that many trainings share them.

Two samples of one model know which layers they have in common; that map is where the search for
an upper bound begins.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import numpy as np
from numpy.typing import NDArray

from assay.durable import write_whole
from assay.graphs.edit_distance import PreparedGraph, edit_distance
from assay.trainers import Progress, Sample
from assay.trainers._digest import digest

EXTRA = "torch"
Table = NDArray[np.int32]
SAVE_EVERY_S = 20.0


@dataclass(frozen=True, slots=True)
class Distances:
    """Bounds of the edit distance of each pair of s samples."""

    lower: Table  # (s, s)
    upper: Table  # (s, s)
    size: Table  # (s, s) layers and edges of both: the largest that a distance can be


def compute(
    samples: Sequence[Sample],
    limit: int | None,
    cache: Path | None,
    progress: Callable[[Progress], None] | None,
) -> Distances:
    """See ``assay.trainers.pairwise_distances``."""
    count = len(samples)
    pairs = [(i, j) for i in range(count) for j in range(i)]
    file = cache / f"distances-{_name(samples, limit)}.npz" if cache else None
    found = _read(file, len(pairs))  # (done, 3)
    done, new, saved = len(found), [], monotonic()
    prepared = [PreparedGraph.of(sample.graph) for sample in samples] if done < len(pairs) else []
    for place in range(done, len(pairs)):
        i, j = pairs[place]
        known = lineage(samples[i], samples[j])
        one = edit_distance(prepared[i], prepared[j], lineage=known, limit=limit)
        new.append((one.lower, one.upper, one.size))
        if monotonic() - saved > SAVE_EVERY_S or place + 1 == len(pairs):
            found, new = np.concatenate([found, np.array(new, np.int32)]), []
            _write(file, found)
            saved = monotonic()
        if progress and (place % 100 == 0 or place + 1 == len(pairs)):
            progress(Progress("distances", place + 1, len(pairs)))
    tables = np.zeros((3, count, count), np.int32)
    rows, columns = np.array(pairs, np.intp).reshape(-1, 2).T
    tables[:, rows, columns] = tables[:, columns, rows] = found.T
    return Distances(*tables)


def _name(samples: Sequence[Sample], limit: int | None) -> str:
    return f"{digest(samples)[:16]}-{'all' if limit is None else limit}"


def lineage(a: Sample, b: Sample) -> list[int] | None:
    """Which layer of ``b`` each of ``a`` is; None where that is not known."""
    if a.model != b.model or a.kept is None or b.kept is None:
        return None
    place = {layer: index for index, layer in enumerate(b.kept)}
    return [place.get(layer, -1) for layer in a.kept]


def _read(file: Path | None, most: int) -> Table:
    """What was kept (pairs, 3); nothing where there is no file, or it is damaged."""
    nothing = np.zeros((0, 3), np.int32)
    if file is None or not file.exists():
        return nothing
    try:
        with np.load(file, allow_pickle=False) as stored:
            found: Table = stored["bounds"]
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return nothing  # they can be computed again
    fits = found.ndim == 2 and found.shape[1] == 3 and len(found) <= most
    return found if fits and found.dtype == np.int32 else nothing


def _write(file: Path | None, found: Table) -> None:
    if file is None:
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    stream = io.BytesIO()
    np.savez(stream, bounds=found)
    write_whole(file, stream.getvalue())
