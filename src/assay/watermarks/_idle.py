"""Channels that do nothing, told from weights alone [neural structural obfuscation: Yan, 2023].

Equal channels are one: what reads them reads their sum.  A channel that nobody reads, or only
channels that nobody reads, is none.  Each that is joined or left out may show others, layer by
layer; nothing is asked of the original.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from assay.values import Json
from assay.watermarks import Weights
from assay.watermarks._structure import agreed, located

EXTRA = "watermarks"
_EQUAL = 1e-5  # of a direction: channels with rows so near are one
_NOTHING = 1e-6  # of the largest: what weighs so little is not read

Array = NDArray[np.float64]
Index = NDArray[np.int64]


def active(weights: Weights, template: Json) -> list[int | None]:
    """(n,) how many channels of each marked layer do something; None where its tensors are not.

    Raises UnreadableModel.
    """
    network = _Network(weights, template)
    left = network.left()
    for _ in range(2 * len(left)):  # from the first layer to the last, and back
        before, left = left, network.joined().left()
        if left == before:
            break
    return left


class _Network:
    """The marked layers' channels, and which of them are one, or read by nobody."""

    def __init__(self, weights: Weights, template: Json) -> None:
        self.found = found = located(weights, template)
        self.sizes = [agreed(found, layer) for layer in template["layers"]]
        self.same: list[Index] = [np.arange(size or 0) for size in self.sizes]
        self.heard = [np.ones(size or 0, bool) for size in self.sizes]
        self.gives: dict[str, int] = {}  # tensors, and the layer whose channels they give
        self.reads: dict[str, int] = {}  # … or read
        for place, (layer, size) in enumerate(zip(template["layers"], self.sizes, strict=True)):
            columns = [name for name, each in layer["columns"]
                if size and name in found and found[name].shape[1] == size * each]  # fmt: skip
            for name in columns if len(columns) == len(layer["columns"]) else ():
                self.reads[name] = place
            self.gives |= dict.fromkeys(layer["rows"] if size else (), place)

    def left(self) -> list[int | None]:
        """How many of each layer do something, as far as is known."""
        each = zip(self.sizes, self.same, self.heard, strict=True)
        return [None if n is None else len(np.unique(s[h])) for n, s, h in each]

    def joined(self) -> _Network:
        """With what is equal joined, and what is not heard left out."""
        for place, size in enumerate(self.sizes):
            if size:
                givers = self._of(self.gives, place)
                rows = [self._folded(name).reshape(size, -1) for name in givers]
                self.same[place] = _classes(np.concatenate(rows, axis=1))
                readers = self._of(self.reads, place)
                heard = [self._is_heard(name) for name in readers]
                self.heard[place] = np.any(heard, axis=0) if heard else np.ones(size, bool)
        return self

    def _of(self, known: dict[str, int], place: int) -> list[str]:
        return [name for name, other in known.items() if other == place]

    def _values(self, name: str) -> Array:
        """(outputs, inputs, …); read each time: a model may be larger than memory."""
        return np.nan_to_num(np.asarray(self.found[name].read(), np.float64), posinf=0, neginf=0)

    def _folded(self, name: str) -> Array:
        """(outputs, classes, …) a tensor's values, those that read equal channels added up."""
        values = self._values(name)
        if name not in self.reads:
            return values
        same = self.same[self.reads[name]]
        each = np.moveaxis(values.reshape(len(values), len(same), -1), 1, 0)
        together = np.zeros((int(same.max()) + 1, *each.shape[1:]))
        np.add.at(together, same, each)
        return np.moveaxis(together, 0, 1)

    def _is_heard(self, name: str) -> NDArray[np.bool_]:
        """(size,) which channels a reader hears that is heard itself."""
        values, same = self._folded(name), self.same[self.reads[name]]
        least = _NOTHING * np.abs(self._values(name)).max(initial=0)
        if name in self.gives:
            values = values[self.heard[self.gives[name]]]
        heard: NDArray[np.bool_] = (np.abs(values) > least).any((0, 2))[same]
        return heard


def _classes(rows: Array) -> Index:
    """(size,) numbers of channels, the same for those whose rows have one direction."""
    norms = np.linalg.norm(rows, axis=1)
    unit = rows / np.maximum(norms, 1e-30)[:, None]
    order = np.argsort(unit @ np.random.default_rng(0).standard_normal(rows.shape[1]))
    apart = np.linalg.norm(np.diff(unit[order], axis=0), axis=1) > _EQUAL
    apart |= norms[order][1:] == 0  # of a row that is empty, no direction is known
    found = np.empty(len(rows), np.int64)
    found[order] = np.concatenate([[0], np.cumsum(apart)])
    return found
