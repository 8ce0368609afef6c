"""What layers that were aligned are worth together: of both models' values, and by chance.

Tensors of one model that are equal, such as an embedding and the head that is tied to it, are one:
what ties one of them to another model ties all, and must not count twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import log10
from typing import Any

import numpy as np

from assay.comparisons._claims import FLOOR, LEARNED, combined
from assay.comparisons._spellings import Read
from assay.diagnosis.models import Listed, Matched
from assay.sketches.keys import PUBLIC
from assay.sketches.starts import learned
from assay.weights import Array

_ROUNDED = ("float32", "float16", "bfloat16", "int8")  # numbers that are no other model
_SOME = 64  # values by which tensors are told apart before they are compared

_Side = tuple[list[str], Read, Mapping[str, str]]  # a model's matched tensors; all; their equals


@dataclass(frozen=True)
class Models:
    """The suspect's tensors and the source's, of which some were matched."""

    ours: Read
    theirs: Read

    @cached_property
    def shapes(self) -> tuple[Listed, Listed]:
        """Of the source's and of the suspect's tensors."""
        source, suspect = (
            {name: values.shape for name, values in each.items()}
            for each in (self.theirs, self.ours)
        )
        return source, suspect

    @cached_property
    def equals(self) -> tuple[Mapping[str, str], Mapping[str, str]]:
        """Of both models: name of a tensor → the first one that is equal."""
        return _first_equal(self.ours), _first_equal(self.theirs)

    def count(self, layers: Sequence[Matched]) -> int:
        """How many different tensors are matched, in the model that has fewer."""
        return min(len({first[name] for name in names}) for names, _, first in self._sides(layers))

    def shares(self, layers: Sequence[Matched]) -> list[float]:
        """Of the suspect's and of the source's values, the share in matched tensors."""
        sides = self._sides(layers)
        return [round(_size(names, own) / _size(own, own), 4) for names, own, _ in sides]

    def copied(self, layers: Sequence[Matched]) -> dict[str, Any]:
        """Learned tensors whose values are the source's: how many, and of both models' values."""
        copies = [(layer, changed) for layer, changed in layers if changed.is_copy]
        trained = [
            (layer, changed)
            for layer, changed in copies
            if learned(matrix(self.theirs[layer.source]), PUBLIC) >= LEARNED
        ]
        rounded = [
            (layer, changed)
            for layer, changed in copies
            if not changed.pruned
            and changed.numbers.split()[0] in _ROUNDED
            and not {"removed", "added"} & {*layer.undone}
        ]
        return {
            "tensors": self.count(trained),
            "values": self.shares(trained),
            "rounded": self.shares(rounded),
        }

    def score(self, layers: Sequence[Matched]) -> float:
        """Mean correlation of both models' values; that of values without a match is 0."""
        found = 0.0
        of_source = {layer.source: (layer, changed) for layer, changed in layers}
        for chosen, name, own in (
            (layers, "suspect", self.ours),
            ([*of_source.values()], "source", self.theirs),
        ):
            parts = (own[getattr(m, name)].size * max(m.correlation, 0.0) for m, _ in chosen)
            found += sum(parts) / _size(own, own)
        return round(min(found / 2, 1.0), 4)

    def log10_false_alarm(self, layers: Sequence[Matched]) -> float:
        """That of the models: from either one's tensors, the weaker of both.

        Each tensor was compared with all of the other model, and counts once.
        """
        alarms = []
        sides = self._sides(layers)
        for (names, own, first), other in zip(sides, (self.theirs, self.ours), strict=True):
            best: dict[str, float] = {}
            for name, (layer, _) in zip(names, layers, strict=True):
                tail = max(layer.log10_false_alarm or 0.0, FLOOR) + log10(len(other))
                best[first[name]] = min(best.get(first[name], 0.0), tail)
            alarms.append(combined([*best.values()], len(own)))
        return round(max(alarms), 2)

    def _sides(self, layers: Sequence[Matched]) -> tuple[_Side, _Side]:
        return (
            ([layer.suspect for layer, _ in layers], self.ours, self.equals[0]),
            ([layer.source for layer, _ in layers], self.theirs, self.equals[1]),
        )


def matrix(values: Array) -> Array:
    """(r, …) with axes of size 1 left out."""
    return values.reshape([size for size in values.shape if size != 1])


def _first_equal(tensors: Read) -> dict[str, str]:
    """Name → the first name of an equal tensor."""
    found: dict[str, str] = {}
    alike: dict[tuple[tuple[int, ...], bytes], list[str]] = {}  # by shapes and first values
    for name, values in tensors.items():
        others = alike.setdefault((values.shape, values.flat[:_SOME].tobytes()), [])
        equal = (other for other in others if np.array_equal(tensors[other], values))
        found[name] = next(equal, name)
        others += [name] if found[name] == name else []
    return found


def _size(names: Iterable[str], tensors: Read) -> int:
    """Values of some tensors, each counted once."""
    return sum(tensors[name].size for name in {*names})
