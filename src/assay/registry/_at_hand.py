"""The weights of three models, where their files are at hand: what codes are too short for.

Two children of one base that were trained alike on the same data, by different people, differ from
it in nearly the same direction: cosines up to .99 were measured.  So only what is equal but for
rounding is a copy of a child: apart from it by a twentieth of what the child is from the base.  And
what is computed from the base alone, pruned or quantized, anybody may have computed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from assay.comparisons._tensor_pairs import Tensor, informative, matched
from assay.errors import AssayError
from assay.examine import sha256
from assay.formats import read
from assay.registry._database import Database
from assay.registry._find import files
from assay.sketches.readings import tried
from assay.values import Kin, Record
from assay.weights import Array, Weight

_SHARE = 0.05  # of what a child differs from its base by: no more is rounding
_NEAR = 4.0  # bits between codes, on average: beyond, two models differ by more than rounding
_FEWEST = 2  # tensors that are copies, …
_VALUES = 0.05  # … of one model's values
_TURNED = 0.01  # of neighbors by the base's values: fewer change places where these decide

Files = Mapping[str, Weight]


class AtHand:
    """The files of a suspect and of registered models, each verified once in a search."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[str | None, Files | None] = {}

    def is_copy(self, suspect: Record, one: Kin, base: Record) -> bool:
        """Whether ``suspect`` is a model but for rounding, while that is not ``base``.

        No where their codes are too far apart for it, and where one of the files is not where it
        was, or not what it was.
        """
        means = [found.detail["mean"] for found in one.evidence if "mean" in found.detail]
        if any(mean is None or mean > _NEAR for mean in means):
            return False
        models, files = [], []
        for record in (suspect, one.record, base):
            weights = self._weights(record)
            if weights is None or record.sketch is None:
                return False
            models.append(informative(record.sketch))
            files.append(weights)
        count, share = _copied(models, files)
        return count >= _FEWEST and share >= _VALUES

    def _weights(self, record: Record) -> Files | None:
        """Those of a model's file; None where it is not there, or is another one."""
        if record.sha256 not in self._known:
            with self._database.read() as connection:
                paths = [*files(connection, record.sha256), record.path]
            found = (_verified(path, record.sha256) for path in paths)
            self._known[record.sha256] = next((file for file in found if file is not None), None)
        return self._known[record.sha256]


def _verified(path: str, digest: str | None) -> Files | None:
    try:
        model = read(Path(path), None)
        return model.weights if sha256(model) == digest else None
    except (AssayError, OSError):  # as if it were not there: no accusation comes of it
        return None


def _copied(models: list[tuple[Tensor, ...]], weights: list[Files]) -> tuple[int, float]:
    """How many tensors the suspect has of the source, not of the base; their share of values."""
    ours, theirs, common = models
    to_base = {pair.ours: pair.theirs for pair in matched(theirs, common).pairs}
    shared = matched(ours, theirs)
    own = []
    for pair in shared.pairs:
        if pair.permuted or pair.theirs not in to_base:
            continue
        three = (ours[pair.ours], theirs[pair.theirs], common[to_base[pair.theirs]])
        rows = _alike([[*_matrices(t, file)] for t, file in zip(three, weights, strict=True)])
        if rows is not None and _is_copied(*map(_unit, rows)):
            own.append(pair)
    return len(own), max(shared.shares(own))


def _is_copied(suspect: Array, source: Array, base: Array) -> bool:
    apart, moved = np.square(suspect - source).sum(), np.square(source - base).sum()
    return bool(moved > 0 and apart <= _SHARE**2 * moved) and not _is_computed(source, base)


def _is_computed(source: Array, base: Array) -> bool:
    """Whether values keep their order in each row: pruned, rounded, clustered or scaled ones do."""
    order = np.argsort(base, axis=1, kind="stable")
    steps = np.diff(np.take_along_axis(source, order, axis=1), axis=1)
    return bool((steps < 0).mean() < _TURNED)


def _matrices(tensor: Tensor, file: Files) -> Iterator[Array]:
    """The tensor's weight in each of its readings."""
    weight = file[tensor.codes[0].name]
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
