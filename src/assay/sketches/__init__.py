"""Sketches of weights: short codes whose distance tells how near two tensors are.

A weight is read as a matrix (``readings``), left out where it tells nothing (``formulas``), and
projected with a key (``projections``), twice where it is not too large: the second code stays when
channels change places (``invariants``).  ``nulls`` says how likely a distance is between strangers.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from assay.sketches.formulas import formula
from assay.sketches.invariants import chosen, invariant
from assay.sketches.keys import PUBLIC, scheme
from assay.sketches.projections import projected
from assay.sketches.readings import Reading, registered
from assay.values import Json
from assay.weights import Weight
from assay.weights.indices import INDICES
from assay.weights.shapes import has_one_axis

SMALLEST = 256  # values: fewer bits of code than values, or the code says nothing

Readings = Callable[[Weight], Sequence[Reading]]


@dataclass(frozen=True, slots=True)
class TensorSketch:
    """The code of one weight in one reading."""

    name: str  # of the weight, as the file has it
    shape: tuple[int, ...]  # of the matrix, (r, c); as stored where it was not read
    places: int = 1  # of a kernel: columns that belong to one input channel
    reading: str = ""  # the layout that it was read in
    code: bytes | None = None  # 32 bytes; None where it tells nothing
    invariant: bytes | None = None  # 32 bytes that stay when channels change places; None: has none
    left_out: str | None = None  # why there is no code

    @property
    def size(self) -> int:
        """Values of the weight."""
        return prod(self.shape)

    def to_json(self) -> list[Any]:
        codes = [None if c is None else b64encode(c).decode() for c in (self.code, self.invariant)]
        return [self.name, list(self.shape), self.places, self.reading, *codes, self.left_out]

    @classmethod
    def from_json(cls, data: list[Any]) -> TensorSketch:
        name, shape, places, reading, *codes, left_out = data
        code, invariant = (None if text is None else b64decode(text) for text in codes)
        return cls(name, tuple(shape), places, reading, code, invariant, left_out)


@dataclass(frozen=True, slots=True)
class WeightSketch:
    """The codes of a model's weights, made with one key."""

    scheme: str  # bits, key and version: whatever decides a bit
    tensors: tuple[TensorSketch, ...]  # as the file lists them; a weight may have several readings

    def to_json(self) -> Json:
        return {"scheme": self.scheme, "tensors": [tensor.to_json() for tensor in self.tensors]}

    @classmethod
    def from_json(cls, data: Json) -> WeightSketch:
        return cls(data["scheme"], tuple(TensorSketch.from_json(row) for row in data["tensors"]))


def sketch(
    weights: Iterable[Weight], key: bytes = PUBLIC, readings: Readings = registered
) -> WeightSketch:
    """Sketches weights one by one; no more than one of them is in memory.

    ``readings`` says in which layouts: ``registered``, or ``tried`` for a suspect.  Raises
    UnreadableModel where a weight is damaged, BadOption where the key is no key.
    """
    name = scheme(key)
    listed = tuple(weights)
    permutable = chosen(listed)
    return WeightSketch(
        name,
        tuple(
            tensor
            for place, weight in enumerate(listed)
            for tensor in _tensors(weight, key, readings, place in permutable)
        ),
    )


def _tensors(
    weight: Weight, key: bytes, readings: Readings, is_permutable: bool
) -> Iterator[TensorSketch]:
    """The sketch of one weight in each reading, or why it has none."""
    left_out = _left_out(weight)
    if left_out is not None:
        yield TensorSketch(weight.name, weight.shape, left_out=left_out)
        return
    values = weight.read()
    for reading in readings(weight):
        matrix, places = reading.matrix(values), reading.places(weight)
        why = formula(matrix, key)
        code = None if why else projected(matrix, key)
        if code is None:
            why = why or "values that are not finite"
        second = invariant(matrix, places, key) if code and is_permutable else None
        yield TensorSketch(
            weight.name, reading.shape(weight), places, reading.name, code, second, why
        )


def _left_out(weight: Weight) -> str | None:
    """Why a weight tells nothing, as far as can be said without reading it."""
    if has_one_axis(weight.shape):
        return "one axis"
    if weight.size < SMALLEST:
        return f"fewer than {SMALLEST} values"
    return "whole numbers" if weight.dtype in INDICES else None
