"""Codes of weights made bit by bit, so that each distance is what a test says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from assay.values import Record, TensorSketch, WeightSketch

SHAPE = (64, 64)
PLACES = 9  # of a kernel: so many make an invariant code sure
SCHEME = "projection-256@test+s1"


def tensor(
    seed: int, shape: tuple[int, int] = SHAPE, learned: float = 1.0, invariant: bool = False
) -> TensorSketch:
    """A stranger to every tensor of another seed, 128 bits away or nearly so."""
    drawn = np.random.default_rng(seed).bytes(128)
    second = drawn[32:64] if invariant else None
    codes = drawn[:32], second, None
    return TensorSketch(f"w{seed}", shape, PLACES, "as stored", *codes, learned, drawn[64:])


def tensors(count: int, first: int = 0) -> list[TensorSketch]:
    """Strangers of one size."""
    return [tensor(seed) for seed in range(first, first + count)]


def moved(sketch: TensorSketch, bits: int, first: int = 0) -> TensorSketch:
    """A tensor whose code differs in so many bits, from the given one on."""
    return replace(sketch, code=_flipped(sketch.code, bits, first))


def permuted(sketch: TensorSketch, bits: int, seed: int = 1000) -> TensorSketch:
    """A tensor of which only the second code is near; it differs in so many bits."""
    other = tensor(seed + int(sketch.name[1:]), sketch.shape)
    return replace(sketch, code=other.code, invariant=_flipped(sketch.invariant, bits, 0))


def record(listed: Sequence[TensorSketch], scheme: str = SCHEME) -> Record:
    return Record("a.onnx", "onnx", sketch=WeightSketch(scheme, tuple(listed)))


def _flipped(code: bytes | None, bits: int, first: int) -> bytes:
    assert code is not None
    return (int.from_bytes(code) ^ ((1 << bits) - 1) << first).to_bytes(32)
