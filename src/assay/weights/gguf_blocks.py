"""Block-wise quantized numbers, decoded [ggml: the block layouts and their formulas].

A tensor is a row of equal blocks of 32 to 256 numbers; each block has its scales (d), its minima
(m) and the quants (q) in few bits.  Each decoder takes blocks as bytes
(n, bytes of a block) and gives (n, numbers of a block); letters are those of ggml's structures.
"""

from __future__ import annotations

import numpy as np

from assay.weights import Array
from assay.weights.gguf_bits import (
    Blocks,
    Bytes,
    adjacent,
    bits,
    fifth,
    half,
    halves,
    scaled,
    spread,
)
from assay.weights.numbers import decode

_NONLINEAR = np.array(  # the sixteen values of IQ4
    [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113], np.float32
)
_E2M1 = np.array([0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12], np.float32)  # doubled
_E4M3: Array = np.nan_to_num(np.abs(decode(bytes(range(256)), "float8_e4m3fn", 256)))
_E4M3[255] = 480  # ggml takes the one for no number, and not the other


def _q4_0(b: Bytes) -> Array:
    return half(b, 0) * (bits(b[:, 2:], 4).astype(np.float32) - 8)


def _q4_1(b: Bytes) -> Array:
    return half(b, 0) * bits(b[:, 4:], 4) + half(b, 2)


def _q5_0(b: Bytes) -> Array:
    q = bits(b[:, 6:], 4) | fifth(b, 2) << 4
    return half(b, 0) * (q.astype(np.float32) - 16)


def _q5_1(b: Bytes) -> Array:
    q = bits(b[:, 8:], 4) | fifth(b, 4) << 4
    return half(b, 0) * q + half(b, 2)


def _q8_0(b: Bytes) -> Array:
    return half(b, 0) * b[:, 2:].view(np.int8)


def _q2_k(b: Bytes) -> Array:
    scales = b[:, :16]  # low bits: scale; high bits: minimum
    d, m = half(b, 80) * (scales & 15), half(b, 82) * (scales >> 4)
    q = halves(b[:, 16:80], 2).astype(np.float32)
    return scaled(q, d) - spread(m, 256)


def _q3_k(b: Bytes) -> Array:
    low = bits(b[:, 96:104], 4)  # (n, 16)
    high = bits(b[:, 104:108], 2)  # (n, 16)
    d = half(b, 108) * ((low | high << 4).astype(np.float32) - 32)
    unset = 1 - bits(b[:, :32], 1)  # (n, 256): bit k of 32 bytes is of the k-th run of 32
    q = halves(b[:, 32:96], 2).astype(np.float32) - 4 * unset.astype(np.float32)
    return scaled(q, d)


def _six_bits(s: Bytes) -> tuple[Bytes, Bytes]:
    """Eight scales and eight minima of six bits each, in twelve bytes."""
    low, mid, high = s[:, :4], s[:, 4:8], s[:, 8:12]
    d = np.concatenate([low & 63, high & 15 | low >> 6 << 4], axis=1)
    m = np.concatenate([mid & 63, high >> 4 | mid >> 6 << 4], axis=1)
    return d, m


def _q4_k(b: Bytes) -> Array:
    d, m = _six_bits(b[:, 4:16])
    q = halves(b[:, 16:], 4).astype(np.float32)
    return scaled(q, half(b, 0) * d) - spread(half(b, 2) * m, 256)


def _q5_k(b: Bytes) -> Array:
    d, m = _six_bits(b[:, 4:16])
    q = halves(b[:, 48:], 4) | bits(b[:, 16:48], 1) << 4
    return scaled(q.astype(np.float32), half(b, 0) * d) - spread(half(b, 2) * m, 256)


def _q6_k(b: Bytes) -> Array:
    n = len(b)
    low = bits(b[:, :128].reshape(-1, 64), 4).reshape(n, -1)  # runs of 64 bytes
    q = low | halves(b[:, 128:192], 2) << 4
    return scaled(q.astype(np.float32) - 32, half(b, 208) * b[:, 192:208].view(np.int8))


def _q8_k(b: Bytes) -> Array:
    d = np.ascontiguousarray(b[:, :4]).view("<f4")
    return d * b[:, 4:260].view(np.int8)


def _iq4_nl(b: Bytes) -> Array:
    return half(b, 0) * _NONLINEAR[bits(b[:, 2:], 4)]


def _iq4_xs(b: Bytes) -> Array:
    n = len(b)
    high = bits(b[:, 2:4], 2).reshape(n, 4, 2).transpose(0, 2, 1).reshape(n, 8)
    low = bits(b[:, 4:8], 4).reshape(n, 2, 4).transpose(0, 2, 1).reshape(n, 8)
    d = half(b, 0) * ((low | high << 4).astype(np.float32) - 32)
    q = bits(b[:, 8:].reshape(-1, 16), 4).reshape(n, -1)
    return scaled(_NONLINEAR[q], d)


def _tq2_0(b: Bytes) -> Array:
    return half(b, 64) * (halves(b[:, :64], 2).astype(np.float32) - 1)


def _q8_1(b: Bytes) -> Array:
    return half(b, 0) * b[:, 4:].view(np.int8)


def _tq1_0(b: Bytes) -> Array:
    """Five digits of base three in a byte, as a fraction of 256; the last four bytes have four."""
    runs = ((b[:, :32], 5), (b[:, 32:48], 5), (b[:, 48:52], 4))
    powers = np.array([1, 3, 9, 27, 81], np.uint8)
    digits = [
        (codes[:, None, :] * powers[None, :count, None]).reshape(len(b), -1)
        for codes, count in runs
    ]
    q = np.concatenate(digits, axis=1).astype(np.uint16) * 3 >> 8
    return half(b, 52) * (q.astype(np.float32) - 1)


def _mxfp4(b: Bytes) -> Array:
    d = np.ldexp(np.float32(1), b[:, :1].astype(np.int32) - 128)
    return d * _E2M1[bits(b[:, 1:], 4)]


def _nvfp4(b: Bytes) -> Array:
    """Four runs of sixteen, each with a scale of eight bits, of which the sign is not read."""
    d: Array = _E4M3[b[:, :4]] * np.float32(0.5)
    q = bits(b[:, 4:].reshape(-1, 8), 4).reshape(len(b), -1)
    return scaled(_E2M1[q], d)


def _q1_0(b: Bytes) -> Array:
    return half(b, 0) * (2 * adjacent(b[:, 2:], 1).astype(np.float32) - 1)


DECODERS: dict[str, Blocks] = {
    "q4_0": _q4_0,
    "q4_1": _q4_1,
    "q5_0": _q5_0,
    "q5_1": _q5_1,
    "q8_0": _q8_0,
    "q2_k": _q2_k,
    "q3_k": _q3_k,
    "q4_k": _q4_k,
    "q5_k": _q5_k,
    "q6_k": _q6_k,
    "q8_k": _q8_k,
    "iq4_nl": _iq4_nl,
    "iq4_xs": _iq4_xs,
    "tq2_0": _tq2_0,
    "q8_1": _q8_1,
    "tq1_0": _tq1_0,
    "mxfp4": _mxfp4,
    "nvfp4": _nvfp4,
    "q1_0": _q1_0,
}
