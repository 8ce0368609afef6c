"""Whole numbers as streams of bits, the first number in the lowest bits.

Numbers of one width lie side by side.  Gaps, of which small ones are frequent, are Rice codes
[Rice and Plaunt, 1971], in two streams: the low bits of all, then how often the rest counts, in
unary.  That takes half a bit a gap more than an arithmetic coder where gaps are random.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from assay.errors import UnreadableModel

Numbers = NDArray[np.int64]

WIDEST = 32  # bits of a number
_BLOCK = 2**16  # numbers at once: a multiple of eight, so that each block fills its bytes


def width_of(count: int) -> int:
    """The bits that tell ``count`` values apart: none for a single one."""
    return max(0, count - 1).bit_length()


def packed(numbers: Numbers, width: int) -> bytes:
    """Numbers (n,) of ``width`` bits; bits that are left in the last byte are zero."""
    places = np.arange(width)
    blocks = (
        numbers[at : at + _BLOCK, None] >> places & 1 for at in range(0, len(numbers), _BLOCK)
    )
    return b"".join(
        np.packbits(block.astype(np.uint8), axis=None, bitorder="little").tobytes()
        for block in blocks
    )


def unpacked(content: bytes, width: int, count: int) -> Numbers:
    """The inverse.  Raises UnreadableModel where ``content`` is not ``count`` such numbers."""
    if len(content) != (count * width + 7) // 8:
        raise UnreadableModel(f"{len(content):,} bytes are not {count:,} numbers of {width} bits")
    bits = np.unpackbits(np.frombuffer(content, np.uint8), bitorder="little")
    if bits[count * width :].any():
        raise UnreadableModel("bits behind the last number are not zero")
    numbers = np.zeros(count, np.int64)
    for place in range(width):
        numbers |= bits[place : count * width : width].astype(np.int64) << place
    return numbers


def low_bits(gaps: Numbers) -> int:
    """How many low bits of gaps (n,) lie apart where both streams are shortest together."""
    sizes = [len(gaps) * width + int((gaps >> width).sum()) for width in range(WIDEST)]
    return int(np.argmin(sizes))


def unary(counts: Numbers) -> bytes:
    """Of each count that many zeros, and a one."""
    bits = np.zeros(int(counts.sum()) + len(counts), np.uint8)
    bits[(counts + 1).cumsum() - 1] = 1
    return np.packbits(bits, bitorder="little").tobytes()


def counts_of(content: bytes, count: int) -> Numbers:
    """The inverse.  Raises UnreadableModel where ``content`` has not exactly ``count`` ones."""
    bits = np.unpackbits(np.frombuffer(content, np.uint8), bitorder="little")
    ends = np.flatnonzero(bits)
    if len(ends) != count:
        raise UnreadableModel(f"it has {len(ends):,} places where {count:,} values are")
    if len(bits) - (ends[-1] + 1 if count else 0) >= 8:
        raise UnreadableModel("bytes behind the last place")
    return np.diff(ends, prepend=-1) - 1
