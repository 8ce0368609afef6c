"""The weights of three models, where their files are at hand: what codes are too short for.

Two children of one base that were trained alike on the same data, by different people, differ from
it in nearly the same direction: cosines up to .99 were measured.  So only what is equal but for
rounding is a copy of a child: apart from it by a twentieth of what the child is from the base.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from assay.comparisons._tensor_pairs import Tensor, informative, matched
from assay.errors import AssayError
from assay.examine import sha256
from assay.formats import read
from assay.sketches.readings import tried
from assay.values import Record
from assay.weights import Array, Weight

_SHARE = 0.05  # of what a child differs from its base by: no more is rounding
_VALUES = 0.5  # of one model's values must be compared

Files = Mapping[str, Weight]


def is_copy(suspect: Record, source: Record, base: Record) -> bool:
    """Whether ``suspect`` is ``source`` but for rounding, while ``source`` is not ``base``.

    No where one of the files is not where it was, or not what it was.
    """
    sketches = [record.sketch for record in (suspect, source, base)]
    if any(sketch is None for sketch in sketches):
        return False
    try:
        files = [_weights(record) for record in (suspect, source, base)]
        apart, moved, share = _differences([informative(s) for s in sketches if s], files)
    except (AssayError, OSError):  # as if it were not there: no accusation comes of it
        return False
    return share >= _VALUES and moved > 0 and apart <= _SHARE**2 * moved


def _weights(record: Record) -> Files:
    """Raises AssayError or OSError where the model's file is not there, or is another one."""
    model = read(Path(record.path), None)
    if sha256(model) != record.sha256:
        raise AssayError(f"{record.path}: is another file now")
    return model.weights


def _differences(
    models: list[tuple[Tensor, ...]], files: list[Files]
) -> tuple[float, float, float]:
    """Squared norms of suspect − source and source − base; the share of values looked at."""
    ours, theirs, common = models
    to_base = {pair.ours: pair.theirs for pair in matched(theirs, common).pairs}
    apart = moved = 0.0
    looked_at = 0
    for pair in matched(ours, theirs).pairs:
        if pair.permuted or pair.theirs not in to_base:
            continue
        three = (ours[pair.ours], theirs[pair.theirs], common[to_base[pair.theirs]])
        rows = _alike([[*_matrices(t, file)] for t, file in zip(three, files, strict=True)])
        if rows is not None:
            suspect, source, base = map(_unit, rows)
            apart += float(np.square(suspect - source).sum())
            moved += float(np.square(source - base).sum())
            looked_at += three[0].size
    return apart, moved, looked_at / min(sum(t.size for t in ours), sum(t.size for t in theirs))


def _matrices(tensor: Tensor, file: Files) -> Iterator[Array]:
    """The tensor's weight in each of its readings."""
    for code in tensor.codes[:1]:
        weight = file[code.name]
        values = weight.read()
        for reading in tried(weight):
            matrix = reading.matrix(values)
            yield matrix.reshape(len(matrix), -1)


def _alike(seen: list[list[Array]]) -> list[Array] | None:
    """Of each model the reading that is nearest to the source's first one."""
    ours, theirs, common = seen
    source = theirs[0]
    chosen = []
    for readings in (ours, [source], common):
        fitting = [matrix for matrix in readings if matrix.shape == source.shape]
        if not fitting:
            return None
        chosen.append(min(fitting, key=lambda matrix: float(np.square(matrix - source).sum())))
    return chosen


def _unit(matrix: Array) -> Array:
    """Rows centered and scaled to unit norm: folded scales play no part."""
    centered = matrix - matrix.mean(1, keepdims=True)
    norm = np.sqrt(np.square(centered).sum(1, keepdims=True))
    unit: Array = centered / np.where(norm > 0, norm, 1)
    return unit
