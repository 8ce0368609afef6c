"""Parts of packed blocks that ggml's quantized types share [ggml: the block layouts].

Blocks are bytes (n, bytes of a block); what is unpacked is (n, numbers).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from assay.weights import Array

Bytes = NDArray[np.uint8]  # (n, bytes)
Blocks = Callable[[Bytes], Array]  # (n, bytes of a block) → (n, numbers of a block)
Words = NDArray[np.uint16] | NDArray[np.uint32]


def half(blocks: Bytes, at: int) -> Array:
    """A float16 of each block.  # (n, 1)."""
    return np.ascontiguousarray(blocks[:, at : at + 2]).view("<f2").astype(np.float32)


def words(blocks: Bytes, size: int) -> Words:
    """Whole numbers of ``size`` bytes.  # (n, size · w) → (n, w)."""
    found: Words = np.ascontiguousarray(blocks).view(f"<u{size}")
    return found


def bits(codes: Bytes, width: int) -> Bytes:
    """Quants of ``width`` bits; the lowest of all bytes first.  # (n, b) → (n, 8 / width · b)."""
    shifts = np.arange(0, 8, width, dtype=np.uint8)
    parts = codes[:, None, :] >> shifts[None, :, None] & np.uint8(2**width - 1)
    return parts.reshape(len(codes), -1)


def halves(codes: Bytes, width: int) -> Bytes:
    """As ``bits``, in runs of 32 bytes.  # (n, 32 · r) → (n, 8 / width · 32 · r)."""
    return bits(codes.reshape(-1, 32), width).reshape(len(codes), -1)


def adjacent(codes: Bytes, width: int) -> Bytes:
    """Quants of ``width`` bits; those of the first byte first.  # (n, b) → (n, 8 / width · b)."""
    parts = codes[:, :, None] >> np.arange(0, 8, width, dtype=np.uint8) & np.uint8(2**width - 1)
    return parts.reshape(len(codes), -1)


def fifth(blocks: Bytes, at: int) -> Bytes:
    """The fifth bits of 32 quants, one after the other.  # (n, 32)."""
    return np.unpackbits(blocks[:, at : at + 4], axis=1, bitorder="little")


def scaled(q: Array, d: Array) -> Array:
    """A scale for each run of quants.  # (n, 256), (n, runs) → (n, 256)."""
    n, runs = d.shape
    return (q.reshape(n, runs, -1) * d[:, :, None]).reshape(n, -1)


def spread(m: Array, count: int) -> Array:
    """Each number for a run of them.  # (n, runs) → (n, count)."""
    return np.repeat(m, count // m.shape[1], axis=1)
