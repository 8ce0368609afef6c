"""How a registry sketches weights: with its secret keys, in the readings that a side needs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal

from assay.registry._keys import SecretKey
from assay.values import WeightSketch

if TYPE_CHECKING:
    from assay.weights import Weight


class Sketching:
    """Sketches a model by each of several keys; the last one's is the record's own."""

    def __init__(self, keys: Sequence[SecretKey], readings: Literal["registered", "tried"]) -> None:
        self._keys, self._readings = keys, readings
        self.made: dict[str, WeightSketch] = {}  # by scheme, of the model that was sketched last

    def __call__(self, weights: Iterable[Weight]) -> WeightSketch:
        from assay.sketches import readings, sketch  # not above: it brings NumPy along

        listed, seen_in = tuple(weights), getattr(readings, self._readings)
        self.made = {each.scheme: sketch(listed, each.key, seen_in) for each in self._keys}
        return self.made[self._keys[-1].scheme]
