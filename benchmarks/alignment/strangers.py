"""What an alignment makes of networks that are known to be independent, and of twins.

Every kind of alignment is measured by itself, also where ``align`` would not choose it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from math import atanh, log10, sqrt, tanh
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.alignment.candidates import candidates, completed
from assay.alignment.carried import carried
from assay.alignment.matrices import canonical, equilibrated, kernels, taken
from assay.alignment.nulls import ALIKE, free_values_of, log10_orders
from assay.alignment.orders import Order, Orders
from assay.alignment.rotation import rotated as turned
from assay.alignment.rotation import turned_back
from assay.alignment.search import WAYS, Found, given, judged
from assay.formats import read

Array = NDArray[np.float32]
LEVEL = -6.0  # log₁₀ of the false alarm whose correlation is compared with the largest one
BORROWED = ("carried", "rotated", "rotated, one axis searched")  # others told what was undone
KINDS = {(): "given", (0,): "rows searched", (1,): "columns searched", (0, 1): "both searched"}


@dataclass(frozen=True)
class Network:
    """A trained one: network, task and seed are its name."""

    path: Path

    @property
    def design(self) -> str:
        return self.path.name.split(".")[0]

    @property
    def task(self) -> str:
        return self.path.name.split(".")[1]

    @property
    def seed(self) -> str:
        return self.path.name.split(".")[2]


def networks(folder: Path) -> dict[str, list[Network]]:
    """Trained from the start, by design."""
    found: dict[str, list[Network]] = defaultdict(list)
    for path in sorted(folder.glob("*.safetensors")):
        if path.name.count(".") == 3:
            found[Network(path).design].append(Network(path))
    return found


def pairs(
    nets: list[Network], count: int, random: np.random.Generator
) -> dict[str, list[tuple[Network, Network]]]:
    """Some strangers, whose seeds differ, and twins: one seed, other data."""
    every = [*combinations(nets, 2)]
    order = [every[place] for place in random.permutation(len(every))]
    return {
        "strangers": [(a, b) for a, b in order if a.seed != b.seed][:count],
        "twins": [(a, b) for a, b in order if a.seed == b.seed and a.task != b.task][:count],
    }


def values(path: Path) -> dict[str, Array]:
    """Of all tensors of a file, by name."""
    return {name: weight.read() for name, weight in read(path).weights.items()}


def matrices(path: Path) -> dict[str, Array]:
    """(r, c, k) by name."""
    return {name: kernels(value) for name, value in values(path).items() if value.ndim > 1}


def measured(ours: Mapping[str, Array], theirs: Mapping[str, Array]) -> Iterator[dict[str, Any]]:
    """Each kind of alignment of each tensor: correlation, and the one that would be evidence.

    Both are (r, c, k) by the same names.
    """
    orders = Orders()
    for name, matrix in theirs.items():
        as_it_is = given(ours[name], matrix)
        if as_it_is is not None:
            yield row(name, "given", as_it_is, ours[name], matrix)
        parts = equilibrated(ours[name]), equilibrated(matrix)
        for candidate in candidates(*parts):
            rows, columns, axes = completed(*parts, candidate)
            tried = log10_orders([(ours[name].shape[axis], matrix.shape[axis]) for axis in axes])
            found = judged(ours[name], matrix, rows, columns, tried)
            yield row(name, KINDS[axes], found, ours[name], matrix)
            for axis in axes:
                order = Order((rows, columns)[axis], matrix.shape[axis], frozenset([name]))
                orders.add((name, axis, axes, tuple(rows)), order)
    for name, matrix in theirs.items():
        for found in carried(ours[name], matrix, name, orders):
            kind = "carried, one axis searched" if found.searched else "carried"
            yield row(name, kind, found, ours[name], matrix)
    yield from rotated(ours, theirs)


def rotated(ours: Mapping[str, Array], theirs: Mapping[str, Array]) -> Iterator[dict[str, Any]]:
    """Turned back by what fits the other tensors best, however little their angles are alike."""
    names = {name: name for name in theirs}
    for name, _, found in turned_back(ours, theirs, names, -2.0):
        assert found.turn is not None
        kind = "rotated, one axis searched" if found.searched else "rotated"
        back = turned(ours[name], found.turn[1], found.turn[0])
        yield row(name, kind, found, back, theirs[name])


def row(name: str, kind: str, found: Found, ours: Array, theirs: Array) -> dict[str, Any]:
    """What is kept of one alignment of one tensor."""
    kept = taken(theirs, np.flatnonzero(found.rows >= 0), np.flatnonzero(found.columns >= 0))
    own = taken(ours, found.rows[found.rows >= 0], found.columns[found.columns >= 0])
    free = free_values_of(canonical(own), canonical(kept))
    exponent = 2 * (LEVEL - found.log10_searched - log10(WAYS)) / max(free - 1, 1e-9)
    evidence = sqrt(1 - 10**exponent)
    if kind in BORROWED:
        evidence = tanh(atanh(min(evidence, 1 - 1e-9)) + atanh(ALIKE))
    return {
        "tensor": name,
        "shape": [theirs.shape[0], theirs[0].size],
        "kind": kind,
        "correlation": round(found.correlation, 4),
        "evidence_from": round(evidence, 4),
        "tail": round(found.log10_false_alarm, 2),
    }
