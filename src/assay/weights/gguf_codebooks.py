"""ggml's types of one to three bits, whose quants are numbers of vectors [ggml: IQ1 to IQ3].

A codebook lists vectors of four or eight numbers; a block has the places of its vectors in it, the
signs of their numbers, and a scale for each run of 16 or 32.  The codebooks are ggml's own
(``scripts/make_gguf_codebooks.py``).
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from assay.weights import Array
from assay.weights.gguf_bits import Blocks, Bytes, adjacent, half, scaled, words

CODEBOOKS = Path(__file__).with_name("gguf_codebooks.npz")
_DELTA = np.float32(0.125)  # what is added to all numbers of a run of IQ1, or taken away


@cache
def _codebook(name: str) -> Array:
    """Its vectors.  # (vectors, 4 or 8)."""
    with np.load(CODEBOOKS) as stored:
        vectors: NDArray[np.int8] = stored[name]
    return np.asarray(vectors, np.float32)


def _vectors(name: str, places: NDArray[np.integer]) -> Array:
    """The numbers at these places of a codebook.  # (n, places) → (n, 256)."""
    found: Array = _codebook(name)[places]
    return found.reshape(len(places), -1)


def _signed(values: Array, signs: Bytes) -> Array:
    """Each number turned where its bit is set.  # (n, 256), (n, 32) → (n, 256)."""
    is_negative = np.unpackbits(signs, axis=1, bitorder="little")
    return np.where(is_negative, -values, values)


def _even(signs: NDArray[np.integer]) -> Bytes:
    """Seven bits, and the eighth that makes the count of set ones even."""
    folded = signs ^ signs >> 4
    folded ^= folded >> 2
    folded ^= folded >> 1
    return (signs | (folded & 1) << 7).astype(np.uint8)


def _sevens(packed: NDArray[np.uint32]) -> Bytes:
    """The signs of 32 numbers in 28 bits.  # (n, 8) → (n, 32)."""
    parts = packed[:, :, None] >> np.arange(0, 28, 7, dtype=np.uint32) & np.uint32(127)
    return _even(parts.reshape(len(packed), -1))


def _iq2_xxs(b: Bytes) -> Array:
    runs = b[:, 2:].reshape(len(b), 8, 8)
    packed = words(runs[:, :, 4:].reshape(len(b), -1), 4).astype(np.uint32)
    values = _vectors("iq2_xxs", runs[:, :, :4].reshape(len(b), -1))
    d = half(b, 0) * (np.float32(0.5) + (packed >> 28).astype(np.float32)) * np.float32(0.25)
    return scaled(_signed(values, _sevens(packed)), d)


def _iq2_xs(b: Bytes) -> Array:
    q = words(b[:, 2:66], 2)
    values = _vectors("iq2_xs", q & 511)
    d = half(b, 0) * (np.float32(0.5) + adjacent(b[:, 66:], 4)) * np.float32(0.25)
    return scaled(_signed(values, _even(q >> 9)), d)


def _iq2_s(b: Bytes) -> Array:
    q = b[:, 2:34].astype(np.uint16) | adjacent(b[:, 66:74], 2).astype(np.uint16) << 8
    d = half(b, 0) * (np.float32(0.5) + adjacent(b[:, 74:], 4)) * np.float32(0.25)
    return scaled(_signed(_vectors("iq2_s", q), b[:, 34:66]), d)


def _iq3_xxs(b: Bytes) -> Array:
    packed = words(b[:, 66:], 4).astype(np.uint32)
    d = half(b, 0) * (np.float32(0.5) + (packed >> 28).astype(np.float32)) * np.float32(0.5)
    return scaled(_signed(_vectors("iq3_xxs", b[:, 2:66]), _sevens(packed)), d)


def _iq3_s(b: Bytes) -> Array:
    q = b[:, 2:66].astype(np.uint16) | adjacent(b[:, 66:74], 1).astype(np.uint16) << 8
    d = half(b, 0) * (1 + 2 * adjacent(b[:, 106:], 4))
    return scaled(_signed(_vectors("iq3_s", q), b[:, 74:106]), d)


def _triples(packed: NDArray[np.unsignedinteger]) -> NDArray[np.uint16]:
    """Four numbers of three bits in each.  # (n, w) → (n, 4 · w)."""
    shifts = np.arange(0, 12, 3, dtype=np.uint16)
    parts = packed[:, :, None].astype(np.uint16) >> shifts & np.uint16(7)
    return parts.reshape(len(packed), -1)


def _iq1_s(b: Bytes) -> Array:
    high = words(b[:, 34:], 2)
    q = b[:, 2:34].astype(np.uint16) | _triples(high) << 8
    d = half(b, 0) * (2 * (high >> 12 & 7) + 1)
    delta = np.where(high & 0x8000, -_DELTA, _DELTA)
    values = _vectors("iq1", q).reshape(len(b), 8, 32) + delta[:, :, None]
    return scaled(values.reshape(len(b), -1), d)


def _iq1_m(b: Bytes) -> Array:
    """The block's scale is in the highest four bits of four words; the rest are the runs'."""
    scales = words(b[:, 48:], 2)
    nibbles = (scales & 0xF000) >> np.array([12, 8, 4, 0], np.uint16)
    d = np.bitwise_or.reduce(nibbles, axis=1, keepdims=True).astype("<u2").view("<f2")
    high = adjacent(b[:, 32:48], 4)  # of each vector: three bits of its place, one of its delta
    q = b[:, :32].astype(np.uint16) | (high & 7).astype(np.uint16) << 8
    delta = np.where(high & 8, -_DELTA, _DELTA)
    values = _vectors("iq1", q).reshape(len(b), 32, 8) + delta[:, :, None]
    return scaled(values.reshape(len(b), -1), d.astype(np.float32) * (2 * _triples(scales) + 1))


DECODERS: dict[str, Blocks] = {
    "iq2_xxs": _iq2_xxs,
    "iq2_xs": _iq2_xs,
    "iq2_s": _iq2_s,
    "iq3_xxs": _iq3_xxs,
    "iq3_s": _iq3_s,
    "iq1_s": _iq1_s,
    "iq1_m": _iq1_m,
}
