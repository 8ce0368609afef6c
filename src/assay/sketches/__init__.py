"""Sketches of weights: short codes whose distance tells how near two tensors are.

A weight is read as a matrix (``readings``), left out where it tells nothing (``formulas``), and
projected with a key (``projections``); ``nulls`` says how likely a distance is between strangers.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import prod

from assay.sketches.formulas import formula
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
    shape: tuple[int, ...]  # of the matrix, (r, c); as stored where there is no code
    reading: str = ""  # the layout that it was read in
    code: bytes | None = None  # 32 bytes; None where it tells nothing
    left_out: str | None = None  # why there is no code

    @property
    def size(self) -> int:
        """Values of the weight."""
        return prod(self.shape)

    def to_json(self) -> list[object]:
        code = None if self.code is None else b64encode(self.code).decode()
        return [self.name, list(self.shape), self.reading, code, self.left_out]

    @classmethod
    def from_json(cls, data: Sequence[object]) -> TensorSketch:
        name, shape, reading, code, left_out = data
        assert isinstance(shape, list)
        kept = None if code is None else b64decode(str(code), validate=True)
        why = None if left_out is None else str(left_out)
        return cls(str(name), tuple(shape), str(reading), kept, why)


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
    tensors = tuple(tensor for weight in weights for tensor in _tensors(weight, key, readings))
    return WeightSketch(name, tensors)


def _tensors(weight: Weight, key: bytes, readings: Readings) -> Iterator[TensorSketch]:
    left_out = None
    if has_one_axis(weight.shape):
        left_out = "one axis"
    elif weight.size < SMALLEST:
        left_out = f"fewer than {SMALLEST} values"
    elif weight.dtype in INDICES:
        left_out = "whole numbers"
    if left_out is not None:
        yield TensorSketch(weight.name, weight.shape, left_out=left_out)
        return
    values = weight.read()
    for reading in readings(weight):
        matrix = reading.matrix(weight, values)
        why = formula(matrix, key)
        code = None if why else projected(matrix, key)
        if code is None and why is None:
            why = "not finite"
        yield TensorSketch(weight.name, matrix.shape, reading.name, code, why)
