"""The tensors of a Core ML program: small ones inside it, large ones in blob files.

[coremltools, MIL.proto, MILBlob] A blob file has a head of 64 bytes; each tensor in it has a head
of 64 bytes too, with its type, its length and where its data lie.  Types of fewer than 8 bits are
packed from the lowest bit on.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from math import prod
from mmap import mmap
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.containers.messages import Message, mapped
from assay.errors import UnreadableModel
from assay.weights.shapes import shape_of

Stored = NDArray[Any]
_SENTINEL = 0xDEADBEEF
_HEAD = struct.Struct("<IIQQQ")
_INLINE = {1: ("<f4", 1), 2: ("int", 1), 3: ("int", 1), 5: ("int", 1), 6: ("<f8", 1)}
# MIL's data types: name, NumPy's type, bits.
TYPES: dict[int, tuple[str, str, int]] = {
    1: ("bool", "?", 8),
    10: ("float16", "<f2", 16),
    11: ("float32", "<f4", 32),
    12: ("float64", "<f8", 64),
    13: ("bfloat16", "<u2", 16),
    21: ("int8", "i1", 8),
    22: ("int16", "<i2", 16),
    23: ("int32", "<i4", 32),
    24: ("int64", "<i8", 64),
    25: ("int4", "u1", 4),
    31: ("uint8", "u1", 8),
    32: ("uint16", "<u2", 16),
    33: ("uint32", "<u4", 32),
    34: ("uint64", "<u8", 64),
    35: ("uint4", "u1", 4),
    36: ("uint2", "u1", 2),
    37: ("uint1", "u1", 1),
    38: ("uint6", "u1", 6),
    39: ("uint3", "u1", 3),
}
STRING = 2


@dataclass(frozen=True)
class Value:
    """A constant; its numbers are read when asked for."""

    dtype: str
    shape: tuple[int, ...]
    read: Callable[[], Stored]
    text: str | None = None
    inline: bool = True  # within the program, not in a blob file


@dataclass
class Blobs:
    """The folder that a program's blob files lie in."""

    folder: Path | None
    files: dict[Path, mmap] = field(default_factory=dict)

    def value(self, message: Message) -> Value:
        """A constant of the program.  Raises UnreadableModel where it is none that is known."""
        kind = message.message(2, 1)
        dtype = kind.integer(1)
        dims = [dim.message(1).integer(1) for dim in kind.messages(3)]
        immediate = message.message(3, 1)
        if dtype == STRING or immediate.has(4):
            texts = immediate.message(4).texts(1)
            return Value("string", (), _none, texts[0] if texts else "")
        if dtype not in TYPES:
            if message.message(2).has(1):
                raise UnreadableModel(f"a tensor has the unknown data type {dtype}")
            return Value("", (), _none)  # a list, a tuple or a dictionary
        shape = shape_of("a tensor", dims)
        name = TYPES[dtype][0]
        if message.has(5):
            blob = message.message(5)
            start, end = self._place(blob.text(1), blob.integer(2), dtype, shape)
            file = self._file(blob.text(1))
            return Value(name, shape, lambda: unpack(file[start:end], dtype, shape), inline=False)
        return Value(name, shape, lambda: _inline(immediate, dtype, shape))

    def _file(self, name: str) -> mmap:
        if self.folder is None:
            raise UnreadableModel(f"it keeps its weights in {name!r}, outside the file")
        place = PurePosixPath(name.removeprefix("@model_path/"))
        root = self.folder.resolve()
        path = (root / place).resolve()
        if place.is_absolute() or ".." in place.parts or not path.is_relative_to(root):
            raise UnreadableModel(f"its weights {name!r} lie outside the model's folder")
        if path not in self.files:
            if not path.is_file():
                raise UnreadableModel(f"its weights {name!r} are missing")
            self.files[path] = mapped(path)
        return self.files[path]

    def _place(self, name: str, offset: int, dtype: int, shape: tuple[int, ...]) -> tuple[int, int]:
        """Where the data lie, checked against the file and the tensor's shape."""
        file = self._file(name)
        if not 0 <= offset <= len(file) - _HEAD.size:
            raise UnreadableModel(f"a tensor's head lies at byte {offset:,}, outside {name!r}")
        sentinel, _, length, start, _ = _HEAD.unpack_from(file, offset)
        if sentinel != _SENTINEL:
            raise UnreadableModel(f"no tensor begins at byte {offset:,} of {name!r}")
        needed = -(-prod(shape) * TYPES[dtype][2] // 8)
        if length < needed or start + needed > len(file):
            raise UnreadableModel(f"a tensor of {name!r} has {length:,} bytes, not {needed:,}")
        return start, start + needed


def unpack(data: bytes, dtype: int, shape: tuple[int, ...]) -> Stored:
    """The numbers that the bytes stand for."""
    name, numpy_type, bits = TYPES[dtype]
    if bits >= 8:
        values: Stored = np.frombuffer(data, numpy_type)
        if name == "bfloat16":
            values = (values.astype(np.uint32) << 16).view(np.float32)
        return values.reshape(shape)
    packed = np.frombuffer(data, np.uint8)
    count = prod(shape)
    places = np.unpackbits(packed, count=count * bits, bitorder="little").reshape(count, bits)
    values = np.packbits(places, axis=1, bitorder="little")[:, 0]
    if name == "int4":
        values = ((values ^ 8).astype(np.int8) - 8).astype(np.int8)
    return values.reshape(shape)


def _inline(tensor: Message, dtype: int, shape: tuple[int, ...]) -> Stored:
    count = prod(shape)
    if tensor.has(7):
        start, end = (tensor.message(7).spans(1) or [(0, 0)])[-1]
        needed = -(-count * TYPES[dtype][2] // 8)
        if end - start < needed:
            raise UnreadableModel(f"a tensor has {end - start:,} bytes, not {needed:,}")
        return unpack(bytes(tensor.source.data[start : start + needed]), dtype, shape)
    for number, (kind, inner) in _INLINE.items():
        if tensor.has(number):
            packed = tensor.message(number)
            values: Stored = (
                np.array(packed.integers(inner), np.int64)
                if kind == "int"
                else packed.floats(inner, kind)
            )
            if values.size < count:
                raise UnreadableModel(f"a tensor has {values.size:,} numbers, not {count:,}")
            return values[:count].reshape(shape)
    if count:
        raise UnreadableModel("a tensor has no values")
    return np.zeros(shape, np.float32)


def _none() -> Stored:
    return np.zeros(0, np.float32)
