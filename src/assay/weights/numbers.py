"""Numbers as files store them, turned into float32 [IEEE 754; OCP 8-bit floating point, 1.0].

A model file names the type of a tensor and gives its bytes.  Types are known here by one name
each, whichever format they come from; all are little-endian.  Those of fewer than eight bits are
packed, the first number in the lowest bits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.errors import UnreadableModel
from assay.weights import Array
from assay.weights.digests import BLOCK, opened

Bytes = bytes | memoryview  # of a tensor, as stored

MOST_AT_ONCE = 2**32  # elements of one tensor that is read; the largest table known has 2^31
_PLAIN = {
    "float64": "<f8", "float32": "<f4", "float16": "<f2", "bool": "u1",
    "int64": "<i8", "int32": "<i4", "int16": "<i2", "int8": "i1",
    "uint64": "<u8", "uint32": "<u4", "uint16": "<u2", "uint8": "u1",
}  # fmt: skip
# name → bits, bits of the mantissa, bias of the exponent, and what the largest patterns mean
_SMALL = {
    "float8_e4m3fn": (8, 3, 7, "fn"),
    "float8_e5m2": (8, 2, 15, "ieee"),
    "float8_e4m3fnuz": (8, 3, 8, "fnuz"),
    "float8_e5m2fnuz": (8, 2, 16, "fnuz"),
    "float4_e2m1": (4, 1, 1, "finite"),
}
_PACKED = {"int4": 4, "uint4": 4, "float4_e2m1": 4, "int2": 2, "uint2": 2}
BITS: dict[str, int] = {
    **{name: 8 * np.dtype(code).itemsize for name, code in _PLAIN.items()},
    **{name: bits for name, (bits, _, _, _) in _SMALL.items()},
    **_PACKED,
    "bfloat16": 16,
    "float8_e8m0fnu": 8,
    "float6_e2m3": 6,
    "float6_e3m2": 6,
    "complex64": 64,
    "complex128": 128,
}
_LISTED_ONLY = frozenset({"float6_e2m3", "float6_e3m2", "complex64", "complex128"})
INTEGERS = frozenset(name for name in BITS if name.startswith(("int", "uint", "bool")))


def elements(shape: Sequence[int]) -> int:
    """Their number; exact, however absurd."""
    return math.prod(shape)


def bytes_of(dtype: str, count: int) -> int:
    """What ``count`` numbers take, in whole bytes."""
    return (count * BITS[dtype] + 7) // 8


def region(path: Path, offset: int, length: int) -> bytes:
    """A part of a file.  Raises UnreadableModel where the file has become shorter, or is gone."""
    return buffer(path, offset, length).tobytes()


def buffer(path: Path, offset: int, length: int) -> memoryview:
    """As ``region``, for the numbers of a tensor: memory of their own, which may be written to.

    They are read, not mapped: who shortens a mapped file ends the process that looks at it.  NumPy
    takes large pages for large arrays, so that reading takes little longer than mapping.
    """
    try:
        with opened(path) as file:
            size = file.seek(0, 2)
            if offset < 0 or length < 0 or offset + length > size:
                raise UnreadableModel(f"{path.name!r} ends before the tensor at byte {offset:,}")
            file.seek(offset)
            content = np.empty(length, np.uint8).data
            filled = 0
            while filled < length:
                more = file.readinto(content[filled : filled + BLOCK])
                if not more:
                    raise UnreadableModel(f"{path.name!r} became shorter while it was read")
                filled += more
    except OSError as error:
        raise UnreadableModel(f"{path.name!r}: {error.strerror or error}") from error
    return content


def decode(content: Bytes, dtype: str, count: int) -> Array:
    """The first ``count`` numbers, which may be written to: in ``content``, if that may be, too.

    Raises UnreadableModel where they are not there.
    """
    if dtype in _LISTED_ONLY:
        raise UnreadableModel(f"numbers of type {dtype} are not read")
    if len(content) < bytes_of(dtype, count):
        raise UnreadableModel(f"{len(content):,} bytes are not {count:,} numbers of type {dtype}")
    if count > MOST_AT_ONCE:
        raise UnreadableModel(f"a tensor of {count:,} numbers is too large to be read")
    with np.errstate(all="ignore"):  # what is too large for float32 becomes infinite
        if dtype == "bool":
            truth: Array = (np.frombuffer(content, np.uint8, count) != 0).astype(np.float32)
            return truth
        if dtype in _PLAIN:
            return float32(np.frombuffer(content, _PLAIN[dtype], count))
        if dtype == "bfloat16":
            halves = np.frombuffer(content, "<u2", count)
            wide: NDArray[np.uint32] = np.left_shift(halves, np.uint32(16))
            return wide.view(np.float32)
        codes = np.frombuffer(content, np.uint8)
        if dtype in _PACKED:
            codes = _unpacked(codes, _PACKED[dtype], count)
        return _table(dtype)[codes[:count]]


def float32(stored: NDArray[Any]) -> Array:
    """Numbers as float32 that may be written to; a copy only where they are not that already."""
    values: Array = stored.astype(np.float32, copy=not stored.flags.writeable)
    return values


def encode(values: Array, dtype: str) -> bytes:
    """The inverse of ``decode``, rounding to nearest, for types of 8 bits and more.

    Raises UnreadableModel for small floats and packed numbers, which are not written.
    """
    with np.errstate(all="ignore"):
        if dtype == "bfloat16":
            bits = np.ascontiguousarray(values, "<f4").view(np.uint32)
            rounded = (bits + (0x7FFF + (bits >> 16 & 1))) >> 16
            rounded = np.where(np.isnan(values), bits >> 16 | 0x40, rounded)
            return rounded.astype("<u2").tobytes()
        if dtype not in _PLAIN:
            raise UnreadableModel(f"numbers of type {dtype} are not written")
        kind = np.dtype(_PLAIN[dtype])
        if dtype in INTEGERS:
            bounds = np.iinfo(kind)
            values = np.clip(np.rint(np.nan_to_num(values)), bounds.min, bounds.max)
        return values.astype(kind).tobytes()


def _unpacked(codes: NDArray[np.uint8], bits: int, count: int) -> NDArray[np.uint8]:
    """Each byte's numbers, lowest bits first."""
    codes = codes[: (count * bits + 7) // 8]
    shifts = np.arange(0, 8, bits, dtype=np.uint8)
    parts: NDArray[np.uint8] = codes[:, None] >> shifts & np.uint8(2**bits - 1)
    return parts.reshape(-1)  # (bytes, numbers in a byte) → (numbers)


@cache
def _table(dtype: str) -> Array:
    """The value of each bit pattern."""
    if dtype == "float8_e8m0fnu":
        return np.array([math.ldexp(1.0, code - 127) for code in range(255)] + [np.nan], np.float32)
    if dtype.startswith("uint"):
        return np.arange(2 ** BITS[dtype], dtype=np.float32)
    if dtype.startswith("int"):
        half = 2 ** (BITS[dtype] - 1)
        return np.array([*range(half), *range(-half, 0)], np.float32)
    bits, mantissa, bias, kind = _SMALL[dtype]
    return np.array([_float(code, bits, mantissa, bias, kind) for code in range(2**bits)], "f4")


def _float(code: int, bits: int, mantissa: int, bias: int, kind: str) -> float:
    """One bit pattern of a small float: sign, exponent, mantissa."""
    sign = -1.0 if code >> (bits - 1) else 1.0
    rest = code & (2 ** (bits - 1) - 1)
    exponent, fraction = rest >> mantissa, rest & (2**mantissa - 1)
    highest = 2 ** (bits - 1 - mantissa) - 1
    if kind == "ieee" and exponent == highest:
        return math.nan if fraction else sign * math.inf
    if kind == "fn" and rest == 2 ** (bits - 1) - 1:
        return math.nan
    if kind == "fnuz" and code == 2 ** (bits - 1):
        return math.nan
    if exponent == 0:
        return sign * math.ldexp(fraction, 1 - bias - mantissa)
    return sign * math.ldexp(2**mantissa + fraction, exponent - bias - mantissa)
