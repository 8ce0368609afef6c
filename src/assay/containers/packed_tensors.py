"""Pruned tensors of a few values, in as many bits as they take [Han et al., ICLR 2016].

A tensor is where its numbers are that are not zero, and what they are.  Places are gaps between
them, in Rice codes; a tensor without zeros has none.  The numbers are indices into a codebook, or
the numbers themselves in the shortest type that has them all.  What is read is, bit for bit, what
was written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.containers.bit_streams import (
    WIDEST,
    counts_of,
    low_bits,
    packed,
    unary,
    unpacked,
    width_of,
)
from assay.errors import UnreadableModel
from assay.weights import Array
from assay.weights.numbers import bytes_of, decode, encode

PLAIN = ("float16", "bfloat16", "float32")  # the shortest that has all numbers is taken
MOST_VALUES = 2**16  # of a codebook


@dataclass(frozen=True, slots=True)
class Layout:
    """How one tensor is stored: all that is needed to find and to read its parts."""

    shape: tuple[int, ...]
    left: int  # numbers that are not zero, or all
    dtype: str  # "shared": of a codebook; else what the numbers are stored as
    values: int = 0  # of the codebook
    low: int = 0  # bits of each gap that lie apart
    unary: int = 0  # bytes of what the gaps count beside; 0: there is no zero

    @property
    def size(self) -> int:
        """Elements."""
        return prod(self.shape)

    @property
    def bits(self) -> int:
        """Of an index into the codebook."""
        return width_of(self.values)

    @property
    def lengths(self) -> tuple[int, int, int]:
        """Bytes of its parts: indices, places, and codebook or numbers."""
        places = (self.left * self.low + 7) // 8 + self.unary
        if self.dtype == "shared":
            return (self.left * self.bits + 7) // 8, places, bytes_of("float32", self.values)
        return 0, places, bytes_of(self.dtype, self.left)

    def to_json(self) -> list[Any]:
        return [list(self.shape), self.left, self.dtype, self.values, self.low, self.unary]


def layout_of(entry: object) -> Layout:
    """What ``to_json`` gave, checked.  Raises UnreadableModel where it is none."""
    if not isinstance(entry, list) or len(entry) != 6:
        raise UnreadableModel("it is not described")
    shape, left, dtype, values, low, unary_bytes = entry
    numbers = (left, values, low, unary_bytes)
    if not all(type(number) is int and number >= 0 for number in numbers):
        raise UnreadableModel("its description has numbers that are none")
    if dtype != "shared" and dtype not in PLAIN:
        raise UnreadableModel(f"it has the unknown type {str(dtype)[:20]!r}")
    found = Layout(tuple(shape), left, dtype, values, low, unary_bytes)
    is_dense = found.unary == 0  # or has nothing at all
    fits = left in (0, found.size) and low == 0 if is_dense else 0 < left < found.size
    if not fits or low > WIDEST:
        raise UnreadableModel(f"{left:,} numbers do not fit its shape")
    least, most = (min(left, 1), min(left, MOST_VALUES)) if dtype == "shared" else (0, 0)
    if not least <= values <= most:
        raise UnreadableModel(f"{values:,} values do not fit {left:,} numbers")
    return found


def pack(array: Array) -> tuple[Layout, tuple[bytes, bytes, bytes]]:
    """A tensor's layout and parts: the smallest that give it again, bit for bit."""
    flat = np.ascontiguousarray(array, "<f4").reshape(-1).view("<u4")
    places = np.flatnonzero(flat)  # a negative zero is none
    low, where = _pack_places(places, flat.size)
    left = flat[places] if where else flat
    values, indices = np.unique(left, return_inverse=True)
    plain = next(dtype for dtype in PLAIN if _has(dtype, left))
    shared = len(values) * 32 + len(left) * width_of(len(values))
    unary_bytes = len(where) - (len(left) * low + 7) // 8
    shape = tuple(array.shape)
    if len(values) > MOST_VALUES or shared > 8 * bytes_of(plain, len(left)):
        layout = Layout(shape, len(left), plain, 0, low, unary_bytes)
        return layout, (b"", where, encode(left.view("<f4"), plain))
    layout = Layout(shape, len(left), "shared", len(values), low, unary_bytes)
    return layout, (packed(indices, layout.bits), where, values.astype("<u4").tobytes())


def unpack(layout: Layout, parts: Sequence[bytes]) -> Array:
    """The tensor.  Raises UnreadableModel where the parts are not those of ``layout``."""
    indices, where, numbers = parts
    if layout.dtype == "shared":
        which = unpacked(indices, layout.bits, layout.left)
        if layout.left and which.max() >= layout.values:
            raise UnreadableModel(f"an index lies outside of {layout.values:,} values")
        left = decode(numbers, "float32", layout.values)[which]
    else:
        left = decode(numbers, layout.dtype, layout.left)
    if layout.left == layout.size:
        return left.reshape(layout.shape)
    dense = np.zeros(layout.size, np.float32)
    dense[_unpack_places(layout, where)] = left
    return dense.reshape(layout.shape)


def _pack_places(places: NDArray[np.int64], size: int) -> tuple[int, bytes]:
    """Low bits of a gap, and both streams; nothing where every place is taken."""
    if len(places) == size or not len(places):
        return 0, b""
    gaps = np.diff(places, prepend=-1) - 1
    low = low_bits(gaps)
    return low, packed(gaps & (1 << low) - 1, low) + unary(gaps >> low)


def _unpack_places(layout: Layout, where: bytes) -> NDArray[np.int64]:
    if not layout.left:
        return np.zeros(0, np.int64)
    middle = len(where) - layout.unary
    high = counts_of(where[middle:], layout.left)
    low = unpacked(where[:middle], layout.low, layout.left)
    if int(high.max()) << layout.low > layout.size:
        raise UnreadableModel("a gap leads out of the tensor")
    places = ((high << layout.low | low) + 1).cumsum() - 1
    if places.max() >= layout.size:  # not the last: sums of many gaps may overflow
        raise UnreadableModel("its last places lie behind its end")
    return places


def _has(dtype: str, numbers: NDArray[np.uint32]) -> bool:
    """Whether a type has these float32, given as patterns, exactly."""
    if dtype == "float32":
        return True
    again = decode(encode(numbers.view("<f4"), dtype), dtype, len(numbers))
    return np.array_equal(again.view("<u4"), numbers)
