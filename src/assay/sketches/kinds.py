"""The codes of a sketch, each with its kind: only codes of one kind say anything of each other.

A kind is a scheme, which of the two codes it is, and the shape of the matrix.  It is kept as a
64-bit hash, so that codes of all models lie in one array.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from assay.sketches.nulls import log10_tail, log10_tail_invariant, log10_tail_of_cosine
from assay.sketches.projections import BITS, cosines
from assay.values import TensorSketch, WeightSketch

Words = NDArray[np.uint64]  # (n, 4) codes
_SLIGHT = 0.25  # a cosine of sums below is none that strangers have not
Kind = tuple[str, tuple[int, ...], int]  # which code; of a matrix of which shape, and places


@dataclass(frozen=True, eq=False)
class Codes:
    """The n codes of models."""

    kinds: NDArray[np.uint64]  # (n)
    words: Words  # (n, 4)
    models: NDArray[np.int64]  # (n) keys of the models whose they are

    @classmethod
    def of(cls, sketch: WeightSketch, model: int) -> Codes:
        """Those of one registered model."""
        flat = [code for readings in told(sketch) for each in readings for code in codes_of(each)]
        kinds = np.array([hashed(sketch.scheme, kind) for kind, _ in flat], np.uint64)
        words = np.frombuffer(b"".join(code for _, code in flat), np.uint64).reshape(-1, 4)
        return cls(kinds, words, np.full(len(flat), model, np.int64))

    @classmethod
    def joined(cls, parts: Sequence[Codes]) -> Codes:
        """All of them, in one."""
        return cls(
            np.concatenate([np.empty(0, np.uint64), *(part.kinds for part in parts)]),
            np.concatenate([np.empty((0, 4), np.uint64), *(part.words for part in parts)]),
            np.concatenate([np.empty(0, np.int64), *(part.models for part in parts)]),
        )


@dataclass(frozen=True, eq=False)
class Asked:
    """One code of a suspect's tensor."""

    kind: np.uint64
    words: Words  # (4)
    evidence: NDArray[np.float32]  # (257) -log₁₀ of the false alarm of each distance


def asked(sketch: WeightSketch) -> list[list[Asked]]:
    """The codes of each tensor of a suspect that tells something."""
    return [
        [
            Asked(hashed(sketch.scheme, kind), np.frombuffer(code, np.uint64), evidence(kind))
            for each in readings
            for kind, code in codes_of(each)
        ]
        for readings in told(sketch)
    ]


@lru_cache(maxsize=2**16)  # most shapes are in many models
def hashed(scheme: str, kind: Kind) -> np.uint64:
    """64 bits for a kind of code of one scheme."""
    text = f"{scheme}|{kind}".encode()
    return np.uint64(int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little"))


@lru_cache(maxsize=4096)
def tails(kind: Kind) -> NDArray[np.float64]:
    """log₁₀ of the false alarm at each distance (257)."""
    which, shape, _ = kind
    distances = range(BITS + 1)
    if which == "invariant":
        return np.array([log10_tail_invariant(distance) for distance in distances])
    rows, columns = shape
    return np.array([log10_tail(distance, rows, columns) for distance in distances])


@dataclass(frozen=True, eq=False)
class Cells:
    """The cells of n matrices of one shape."""

    values: NDArray[np.int8]  # (n, 256)
    given: NDArray[np.float64]  # (n) cosines that changing a tenth of each can give it

    @classmethod
    def of(cls, tensors: Sequence[TensorSketch]) -> Cells | None:
        """Those of tensors, if all have some."""
        kept = [tensor.cells for tensor in tensors if tensor.cells is not None]
        if len(kept) < len(tensors):
            return None
        values = np.frombuffer(b"".join(kept), np.int8).reshape(len(tensors), -1)
        return cls(values, np.array([tensor.given for tensor in tensors]))

    def part(self, chosen: slice) -> Cells:
        """Those of some of the matrices."""
        return Cells(self.values[chosen], self.given[chosen])

    def tails(self, other: Cells, shape: tuple[int, ...]) -> NDArray[np.float64]:
        """log₁₀ of the false alarms (n, m) beside those of m matrices.

        0 where one is above any use, so that only few are looked up.
        """
        found, sums = cosines(self.values, other.values, shape)
        given = np.maximum(self.given[:, None], other.given)
        alarms = np.zeros_like(found)
        rows, columns = shape
        for at in zip(*np.nonzero(found >= _SLIGHT), strict=True):
            alarms[at] = log10_tail_of_cosine(found[at], sums[at], rows, columns, float(given[at]))
        return alarms


@lru_cache(maxsize=4096)
def evidence(kind: Kind) -> NDArray[np.float32]:
    """What each distance is worth (257): -log₁₀ of its false alarm."""
    return (-tails(kind)).astype(np.float32)


def told(sketch: WeightSketch) -> list[list[TensorSketch]]:
    """The readings of each weight that tells something; a formula in one is one in all."""
    readings: dict[str, list[TensorSketch]] = defaultdict(list)
    for tensor in sketch.tensors:
        readings[tensor.name].append(tensor)
    return [each for each in readings.values() if not any(tensor.left_out for tensor in each)]


def codes_of(tensor: TensorSketch) -> Iterator[tuple[Kind, bytes]]:
    """The codes of a weight in one reading, each with its kind."""
    if tensor.code is not None:
        yield ("code", tensor.shape, 1), tensor.code
    if tensor.invariant is not None:
        yield ("invariant", tensor.shape, tensor.places), tensor.invariant
