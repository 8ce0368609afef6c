"""The types of GGUF's tensors, by ggml's numbers of them [ggml: ggml.h]."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from assay.weights import Array, gguf_blocks, gguf_codebooks
from assay.weights.gguf_bits import Blocks
from assay.weights.numbers import Bytes, bytes_of, decode

_AT_ONCE = 2**13  # blocks
_DECODERS = {**gguf_blocks.DECODERS, **gguf_codebooks.DECODERS}


@dataclass(frozen=True, slots=True)
class Kind:
    """A type of tensors."""

    name: str
    block: int  # numbers of a block
    length: int  # bytes of a block
    decode: Callable[[Bytes, int], Array]  # the first so many numbers


def _decode(decode_blocks: Blocks, block: int, length: int, content: Bytes, count: int) -> Array:
    """All blocks, some at once."""
    n = count // block
    data = np.frombuffer(content, np.uint8, n * length).reshape(n, length)
    found = np.empty((n, block), np.float32)
    with np.errstate(all="ignore"):  # a scale may be infinite, or no number
        for at in range(0, n, _AT_ONCE):
            found[at : at + _AT_ONCE] = decode_blocks(data[at : at + _AT_ONCE])
    return found.reshape(-1)


def _plain(dtype: str) -> Kind:
    return Kind(dtype, 1, bytes_of(dtype, 1), lambda content, count: decode(content, dtype, count))


def _of(name: str, block: int, length: int) -> Kind:
    return Kind(name, block, length, partial(_decode, _DECODERS[name], block, length))


KINDS: dict[int, Kind] = {
    0: _plain("float32"), 1: _plain("float16"), 24: _plain("int8"), 25: _plain("int16"),
    26: _plain("int32"), 27: _plain("int64"), 28: _plain("float64"), 30: _plain("bfloat16"),
    2: _of("q4_0", 32, 18), 3: _of("q4_1", 32, 20),
    6: _of("q5_0", 32, 22), 7: _of("q5_1", 32, 24),
    8: _of("q8_0", 32, 34), 9: _of("q8_1", 32, 36),
    10: _of("q2_k", 256, 84), 11: _of("q3_k", 256, 110), 12: _of("q4_k", 256, 144),
    13: _of("q5_k", 256, 176), 14: _of("q6_k", 256, 210), 15: _of("q8_k", 256, 292),
    16: _of("iq2_xxs", 256, 66), 17: _of("iq2_xs", 256, 74),
    18: _of("iq3_xxs", 256, 98), 19: _of("iq1_s", 256, 50),
    20: _of("iq4_nl", 32, 18), 21: _of("iq3_s", 256, 110),
    22: _of("iq2_s", 256, 82), 23: _of("iq4_xs", 256, 136),
    29: _of("iq1_m", 256, 56), 34: _of("tq1_0", 256, 54),
    35: _of("tq2_0", 256, 66), 39: _of("mxfp4", 32, 17), 40: _of("nvfp4", 64, 36),
    41: _of("q1_0", 128, 18),
}  # fmt: skip
