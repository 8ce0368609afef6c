"""Which tensor of a source one of a suspect may be: by its name, else by what no order changes.

A name may have a prefix more, as in a larger model.  Tensors without a namesake are compared by
prints: how values, rows, columns and places of kernels are distributed, which says nothing for
sure, but ranks the candidates.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np

from assay.alignment.matrices import Array, equilibrated

_QUANTILES = np.linspace(0.02, 0.98, 9)
_SOME = 2**16  # values whose quantiles are taken
_OF_SIZES = 0.125  # of the logarithm of sizes' ratio, in a distance


def namesake(name: str, suspect: Array, sources: Mapping[str, Array]) -> str | None:
    """The source's tensor of that name, or whose name has the longest end in common, if one has.

    Its kernel has as many places.
    """
    fitting = [other for other, each in sources.items() if each.shape[2] == suspect.shape[2]]
    return closest_name(name, fitting)


def closest_name(name: str, others: Collection[str]) -> str | None:
    """The same name, or the one whose end has the most parts in common, at least two."""
    if name in others:
        return name
    shares = {other: _shared(name, other) for other in others}
    longest = max(shares.values(), default=0)
    found = [other for other, shared in shares.items() if shared == longest]
    return found[0] if longest > 1 and len(found) == 1 else None


def _shared(one: str, other: str) -> int:
    """Parts that both names end with."""
    ours, theirs = one.split("."), other.split(".")
    pairs = zip(reversed(ours), reversed(theirs), strict=False)
    different = (place for place, (a, b) in enumerate(pairs) if a != b)
    return next(different, min(len(ours), len(theirs)))


class Prints:
    """A source's tensors, of which those that are most like a suspect's can be asked for."""

    def __init__(self, sources: Mapping[str, Array]) -> None:
        self._sources = sources
        self._known: dict[str, Array] = {}

    def ranked(self, suspect: Array) -> list[str]:
        """The tensors with as many places in a kernel, the likeliest ones first."""
        own, distances = _print(suspect), dict[str, float]()
        for other, matrix in self._sources.items():
            if matrix.shape[2] == suspect.shape[2]:
                if other not in self._known:
                    self._known[other] = _print(matrix)
                known = self._known[other]
                sizes = abs(np.log(matrix.size / suspect.size)) * _OF_SIZES
                distances[other] = float(np.abs(known - own).mean()) + sizes
        return sorted(distances, key=lambda other: distances[other])


def _print(matrix: Array) -> Array:
    """What neither orders nor scales of channels change in a matrix (r, c, k), roughly."""
    squares = np.square(equilibrated(matrix))
    some = squares.reshape(-1)[:: max(squares.size // _SOME, 1)]
    parts = [np.sqrt(np.quantile(some, _QUANTILES))]
    for axis in (1, 0):
        fourth = np.square(squares).mean((axis, 2)) / np.maximum(squares.mean((axis, 2)), 1e-30)
        parts.append(np.log1p(np.quantile(fourth, _QUANTILES)))
    places = np.sqrt(squares.mean((0, 1)))
    parts.append(np.quantile(places, _QUANTILES) if len(places) > 1 else np.ones(9))
    return np.concatenate(parts).astype(np.float32)
