"""Codes of weights made bit by bit, so that each distance is what a test says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from assay.values import Record, TensorSketch, WeightSketch

SHAPE = (64, 64)
PLACES = 9  # of a kernel: so many make an invariant code sure
SCHEME = "projection-256@test+s2"


def tensor(
    seed: int, shape: tuple[int, int] = SHAPE, learned: float = 1.0, invariant: bool = False
) -> TensorSketch:
    """A stranger to every tensor of another seed, 128 bits away or nearly so."""
    random = np.random.default_rng(seed)
    drawn, sums = random.bytes(64), random.standard_normal(32)
    second = drawn[32:] if invariant else None
    kept = np.rint(sums * (32767 / np.linalg.norm(sums))).astype("<i2").tobytes()
    codes = drawn[:32], second, None
    return TensorSketch(f"w{seed}", shape, PLACES, "as stored", *codes, learned, kept)


def tensors(count: int, first: int = 0) -> list[TensorSketch]:
    """Strangers of one size."""
    return [tensor(seed) for seed in range(first, first + count)]


def moved(sketch: TensorSketch, bits: int, first: int = 0) -> TensorSketch:
    """A tensor whose code differs in so many bits, from the given one on."""
    return replace(sketch, code=_flipped(sketch.code, bits, first))


def turned(sketch: TensorSketch, angle: float) -> TensorSketch:
    """A tensor whose sums say that it is so many radians away."""
    assert sketch.sums is not None
    sums = np.frombuffer(sketch.sums, "<i2").astype(float)
    across = np.random.default_rng(7).standard_normal(sums.size)
    across -= sums * (across @ sums) / (sums @ sums)
    across *= np.linalg.norm(sums) / np.linalg.norm(across)
    away = np.rint(np.cos(angle) * sums + np.sin(angle) * across).astype("<i2")
    return replace(sketch, sums=away.tobytes())


def permuted(sketch: TensorSketch, bits: int, seed: int = 1000) -> TensorSketch:
    """A tensor of which only the second code is near; it differs in so many bits."""
    other = tensor(seed + int(sketch.name[1:]), sketch.shape)
    return replace(sketch, code=other.code, invariant=_flipped(sketch.invariant, bits, 0))


def record(listed: Sequence[TensorSketch], scheme: str = SCHEME) -> Record:
    return Record("a.onnx", "onnx", sketch=WeightSketch(scheme, tuple(listed)))


def _flipped(code: bytes | None, bits: int, first: int) -> bytes:
    assert code is not None
    return (int.from_bytes(code) ^ ((1 << bits) - 1) << first).to_bytes(32)
