"""Block-wise quantized numbers, decoded [ggml: the block layouts and their formulas].

A tensor is a row of equal blocks of 32 or 256 numbers; each block has its scales (d), its minima
(m) and the quants (q) in few bits.  Each decoder takes blocks as bytes (n, bytes of a block) and
gives (n, numbers of a block); letters are those of ggml's structures.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from assay.weights import Array
from assay.weights.numbers import bytes_of, decode

Bytes = NDArray[np.uint8]  # (n, bytes)
Blocks = Callable[[Bytes], Array]

_AT_ONCE = 2**13  # blocks
_NONLINEAR = np.array(  # the sixteen values of IQ4
    [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113], np.float32
)
_E2M1 = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6, 0, -0.5, -1, -1.5, -2, -3, -4, -6], np.float32)


@dataclass(frozen=True, slots=True)
class Kind:
    """A type of tensors."""

    name: str
    block: int  # numbers of a block
    length: int  # bytes of a block
    decode: Callable[[bytes, int], Array] | None = None  # the first so many numbers; None: not read


def _half(blocks: Bytes, at: int) -> Array:
    """A float16 of each block.  # (n, 1)."""
    return np.ascontiguousarray(blocks[:, at : at + 2]).view("<f2").astype(np.float32)


def _bits(codes: Bytes, width: int) -> Bytes:
    """Quants of ``width`` bits; the lowest of all bytes first.  # (n, b) → (n, 8 / width · b)."""
    shifts = np.arange(0, 8, width, dtype=np.uint8)
    parts = codes[:, None, :] >> shifts[None, :, None] & np.uint8(2**width - 1)
    return parts.reshape(len(codes), -1)


def _fifth(blocks: Bytes, at: int) -> Bytes:
    """The fifth bits of 32 quants, one after the other.  # (n, 32)."""
    return np.unpackbits(blocks[:, at : at + 4], axis=1, bitorder="little")


def _q4_0(b: Bytes) -> Array:
    return _half(b, 0) * (_bits(b[:, 2:], 4).astype(np.float32) - 8)


def _q4_1(b: Bytes) -> Array:
    return _half(b, 0) * _bits(b[:, 4:], 4) + _half(b, 2)


def _q5_0(b: Bytes) -> Array:
    q = _bits(b[:, 6:], 4) | _fifth(b, 2) << 4
    return _half(b, 0) * (q.astype(np.float32) - 16)


def _q5_1(b: Bytes) -> Array:
    q = _bits(b[:, 8:], 4) | _fifth(b, 4) << 4
    return _half(b, 0) * q + _half(b, 2)


def _q8_0(b: Bytes) -> Array:
    return _half(b, 0) * b[:, 2:].view(np.int8)


def _halves(codes: Bytes, width: int) -> Bytes:
    """As ``_bits``, in runs of 32 bytes.  # (n, 32 · r) → (n, 8 / width · 32 · r)."""
    return _bits(codes.reshape(-1, 32), width).reshape(len(codes), -1)


def _scaled(q: Array, d: Array) -> Array:
    """A scale for each run of quants.  # (n, 256), (n, runs) → (n, 256)."""
    n, runs = d.shape
    return (q.reshape(n, runs, -1) * d[:, :, None]).reshape(n, -1)


def _spread(m: Array, count: int) -> Array:
    return np.repeat(m, count // m.shape[1], axis=1)


def _q2_k(b: Bytes) -> Array:
    scales = b[:, :16]  # low bits: scale; high bits: minimum
    d, m = _half(b, 80) * (scales & 15), _half(b, 82) * (scales >> 4)
    q = _halves(b[:, 16:80], 2).astype(np.float32)
    return _scaled(q, d) - _spread(m, 256)


def _q3_k(b: Bytes) -> Array:
    low = _bits(b[:, 96:104], 4)  # (n, 16)
    high = _bits(b[:, 104:108], 2)  # (n, 16)
    d = _half(b, 108) * ((low | high << 4).astype(np.float32) - 32)
    unset = 1 - _bits(b[:, :32], 1)  # (n, 256): bit k of 32 bytes is of the k-th run of 32
    q = _halves(b[:, 32:96], 2).astype(np.float32) - 4 * unset.astype(np.float32)
    return _scaled(q, d)


def _six_bits(s: Bytes) -> tuple[Bytes, Bytes]:
    """Eight scales and eight minima of six bits each, in twelve bytes."""
    low, mid, high = s[:, :4], s[:, 4:8], s[:, 8:12]
    d = np.concatenate([low & 63, high & 15 | low >> 6 << 4], axis=1)
    m = np.concatenate([mid & 63, high >> 4 | mid >> 6 << 4], axis=1)
    return d, m


def _q4_k(b: Bytes) -> Array:
    d, m = _six_bits(b[:, 4:16])
    q = _halves(b[:, 16:], 4).astype(np.float32)
    return _scaled(q, _half(b, 0) * d) - _spread(_half(b, 2) * m, 256)


def _q5_k(b: Bytes) -> Array:
    d, m = _six_bits(b[:, 4:16])
    q = _halves(b[:, 48:], 4) | _bits(b[:, 16:48], 1) << 4
    return _scaled(q.astype(np.float32), _half(b, 0) * d) - _spread(_half(b, 2) * m, 256)


def _q6_k(b: Bytes) -> Array:
    n = len(b)
    low = _bits(b[:, :128].reshape(-1, 64), 4).reshape(n, -1)  # runs of 64 bytes
    q = low | _halves(b[:, 128:192], 2) << 4
    return _scaled(q.astype(np.float32) - 32, _half(b, 208) * b[:, 192:208].view(np.int8))


def _q8_k(b: Bytes) -> Array:
    d = np.ascontiguousarray(b[:, :4]).view("<f4")
    return d * b[:, 4:260].view(np.int8)


def _iq4_nl(b: Bytes) -> Array:
    return _half(b, 0) * _NONLINEAR[_bits(b[:, 2:], 4)]


def _iq4_xs(b: Bytes) -> Array:
    n = len(b)
    high = _bits(b[:, 2:4], 2).reshape(n, 4, 2).transpose(0, 2, 1).reshape(n, 8)
    low = _bits(b[:, 4:8], 4).reshape(n, 2, 4).transpose(0, 2, 1).reshape(n, 8)
    d = _half(b, 0) * ((low | high << 4).astype(np.float32) - 32)
    q = _bits(b[:, 8:].reshape(-1, 16), 4).reshape(n, -1)
    return _scaled(_NONLINEAR[q], d)


def _tq2_0(b: Bytes) -> Array:
    return _half(b, 64) * (_halves(b[:, :64], 2).astype(np.float32) - 1)


def _mxfp4(b: Bytes) -> Array:
    d = decode(b[:, 0].tobytes(), "float8_e8m0fnu", len(b))
    return d[:, None] * _E2M1[_bits(b[:, 1:], 4)]


def _decode(blocks: Blocks, block: int, length: int, content: bytes, count: int) -> Array:
    """All blocks, some at once."""
    n = count // block
    data = np.frombuffer(content, np.uint8, n * length).reshape(n, length)
    found = np.empty((n, block), np.float32)
    with np.errstate(all="ignore"):  # a scale may be infinite, or no number
        for at in range(0, n, _AT_ONCE):
            found[at : at + _AT_ONCE] = blocks(data[at : at + _AT_ONCE])
    return found.reshape(-1)


def _plain(dtype: str) -> Kind:
    return Kind(dtype, 1, bytes_of(dtype, 1), lambda content, count: decode(content, dtype, count))


def _of(name: str, block: int, length: int, blocks: Blocks | None = None) -> Kind:
    read = None if blocks is None else partial(_decode, blocks, block, length)
    return Kind(name, block, length, read)


KINDS: dict[int, Kind] = {  # by ggml's number of the type
    0: _plain("float32"), 1: _plain("float16"), 24: _plain("int8"), 25: _plain("int16"),
    26: _plain("int32"), 27: _plain("int64"), 28: _plain("float64"), 30: _plain("bfloat16"),
    2: _of("q4_0", 32, 18, _q4_0), 3: _of("q4_1", 32, 20, _q4_1),
    6: _of("q5_0", 32, 22, _q5_0), 7: _of("q5_1", 32, 24, _q5_1),
    8: _of("q8_0", 32, 34, _q8_0),
    10: _of("q2_k", 256, 84, _q2_k), 11: _of("q3_k", 256, 110, _q3_k),
    12: _of("q4_k", 256, 144, _q4_k), 13: _of("q5_k", 256, 176, _q5_k),
    14: _of("q6_k", 256, 210, _q6_k), 15: _of("q8_k", 256, 292, _q8_k),
    16: _of("iq2_xxs", 256, 66), 17: _of("iq2_xs", 256, 74), 18: _of("iq3_xxs", 256, 98),
    19: _of("iq1_s", 256, 50), 20: _of("iq4_nl", 32, 18, _iq4_nl), 21: _of("iq3_s", 256, 110),
    22: _of("iq2_s", 256, 82), 23: _of("iq4_xs", 256, 136, _iq4_xs), 29: _of("iq1_m", 256, 56),
    34: _of("tq1_0", 256, 54), 35: _of("tq2_0", 256, 66, _tq2_0), 39: _of("mxfp4", 32, 17, _mxfp4),
}  # fmt: skip
