"""The tensors of a Core ML program: small ones inside it, large ones in blob files.

[coremltools, MIL.proto, MILBlob/Blob/StorageFormat.hpp] A blob file has a head of 64 bytes; each
tensor in it has one too, with its type, its length and where its data lie.  Numbers of fewer than
8 bits follow each other without gaps, from the lowest bit on.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from math import prod
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.containers.messages import Message
from assay.errors import UnreadableModel
from assay.graphs.operators import MOST_AXES
from assay.weights.numbers import INTEGERS, Bytes, buffer, decode, region
from assay.weights.shapes import shape_of

Stored = NDArray[Any]
STRING = 2
# MIL's data types: name, bits, the code that blob files have for it (0: they have none).
TYPES: dict[int, tuple[str, int, int]] = {
    1: ("bool", 8, 0),
    10: ("float16", 16, 1),
    11: ("float32", 32, 2),
    12: ("float64", 64, 0),
    13: ("bfloat16", 16, 5),
    21: ("int8", 8, 4),
    22: ("int16", 16, 6),
    23: ("int32", 32, 14),
    24: ("int64", 64, 0),
    25: ("int4", 4, 8),
    31: ("uint8", 8, 3),
    32: ("uint16", 16, 7),
    33: ("uint32", 32, 15),
    34: ("uint64", 64, 0),
    35: ("uint4", 4, 11),
    36: ("uint2", 2, 10),
    37: ("uint1", 1, 9),
    38: ("uint6", 6, 13),
    39: ("uint3", 3, 12),
    40: ("float8_e4m3fn", 8, 16),
    41: ("float8_e5m2", 8, 17),
}
_SENTINEL, _VERSION = 0xDEADBEEF, 2
_FILE_HEAD, _HEAD = struct.Struct("<II"), struct.Struct("<IIQQ")
_FAR = 2**62
_FLOATS, _INTS, _BOOLS, _TEXTS, _LONGS, _DOUBLES, _BYTES = range(1, 8)  # fields of a tensor


@dataclass(frozen=True)
class Value:
    """A constant; its numbers are read when asked for."""

    dtype: str  # as stored; "" of a list or a dictionary
    shape: tuple[int, ...]
    read: Callable[[], Stored]
    text: str | None = None
    place: tuple[Path, int] | None = None  # in a blob file; None within the program
    compressed: bool = False  # ``read`` gives real values, whatever is stored

    @property
    def is_real(self) -> bool:
        """Whether its values are real ones; others count, index or choose."""
        return self.compressed or (self.dtype not in INTEGERS and self.dtype not in _SMALL)


_SMALL = {"uint1", "uint3", "uint6"}


@dataclass
class Blobs:
    """The folder that a program's blob files lie in; None where it may have none."""

    folder: Path | None
    files: dict[str, Path] = field(default_factory=dict)  # by the name that the program has

    def value(self, message: Message) -> Value:
        """A constant of the program.  Raises UnreadableModel where it is none that is known."""
        kind = message.message(2, 1)
        dtype = kind.integer(1)
        immediate = message.message(3, 1)
        if dtype == STRING or immediate.has(_TEXTS):
            texts = immediate.message(_TEXTS).texts(1)
            return Value("string", (), _nothing, texts[0] if texts else "")
        if dtype not in TYPES:
            if message.message(2).has(1):
                raise UnreadableModel(f"a tensor has the unknown data type {dtype}")
            return Value("", (), _nothing)  # a list, a tuple or a dictionary
        dims = dimensions(kind)
        if None in dims:
            raise UnreadableModel("a constant has a dimension of unknown size")
        shape = shape_of("a tensor", [dim for dim in dims if dim is not None])
        name = TYPES[dtype][0]
        if not message.has(5):
            return Value(name, shape, lambda: _immediate(immediate, dtype, shape))
        blob = message.message(5)
        path, start, needed = self._place(blob.text(1), blob.integer(2), dtype, shape)
        return Value(
            name,
            shape,
            lambda: unpack(buffer(path, start, needed), dtype, shape),
            place=(path, start),
        )

    def _file(self, name: str) -> Path:
        if self.folder is None:
            raise UnreadableModel(f"it keeps its weights in {name[:80]!r}, outside the file")
        if name not in self.files:
            path = inside(self.folder, name.removeprefix("@model_path/"))
            if not path.is_file():
                raise UnreadableModel(f"its weights {name[:80]!r} are missing")
            _, version = _FILE_HEAD.unpack(region(path, 0, _FILE_HEAD.size))
            if version != _VERSION:
                raise UnreadableModel(f"{path.name!r} is a blob file of version {version}, not 2")
            self.files[name] = path
        return self.files[name]

    def _place(
        self, name: str, offset: int, dtype: int, shape: tuple[int, ...]
    ) -> tuple[Path, int, int]:
        """File, start and length of the data, checked against the file and the tensor's shape."""
        path = self._file(name)
        kind, bits, code = TYPES[dtype]
        sentinel, stored, length, start = _HEAD.unpack(region(path, offset, _HEAD.size))
        if sentinel != _SENTINEL:
            raise UnreadableModel(f"no tensor begins at byte {offset:,} of {path.name!r}")
        if stored != code != 0:
            raise UnreadableModel(f"a tensor of {path.name!r} is not of the type {kind}")
        needed = -(-prod(shape) * bits // 8)
        if length < needed or start + needed > path.stat().st_size:
            raise UnreadableModel(f"a tensor of {path.name!r} has {length:,} bytes, not {needed:,}")
        return path, start, needed


def dimensions(kind: Message) -> list[int | None]:
    """The axes of a tensor's type; None where a size is unknown.

    Raises UnreadableModel where they are too many.
    """
    dims = kind.messages(3)
    if len(dims) > MOST_AXES:
        raise UnreadableModel(f"a tensor has more than {MOST_AXES} axes")
    return [dim.message(1).integer(1) if dim.has(1) else None for dim in dims]


def inside(folder: Path, name: str) -> Path:
    """The file of that name in a folder.

    Raises UnreadableModel where the name, or a link on the way, leads out of the folder.
    """
    place = PurePosixPath(name)
    sound = "\0" not in name and not place.is_absolute() and ".." not in place.parts
    if not sound or not (folder / place).resolve().is_relative_to(folder.resolve()):
        raise UnreadableModel(f"{name[:80]!r} lies outside the model's folder")
    return folder / place


def unpack(data: Bytes, dtype: int, shape: tuple[int, ...]) -> Stored:
    """The numbers that the bytes stand for: integers as they are, all others as float32."""
    name, bits, _ = TYPES[dtype]
    if bits < 8:
        return small_numbers(np.frombuffer(data, np.uint8), bits, shape, name == "int4")
    if name not in INTEGERS:
        return decode(data, name, prod(shape)).reshape(shape)
    kind = "?" if name == "bool" else np.dtype(name).newbyteorder("<")
    return np.frombuffer(data, kind, prod(shape)).reshape(shape)


def small_numbers(
    packed: NDArray[np.uint8], bits: int, shape: tuple[int, ...], signed: bool = False
) -> Stored:
    """Numbers of fewer than 8 bits, one to a byte."""
    count = prod(shape)
    each = np.unpackbits(packed, count=count * bits, bitorder="little").reshape(count, bits)
    values = np.packbits(each, axis=1, bitorder="little").reshape(shape)
    half = 1 << (bits - 1)
    return (values ^ half).astype(np.int8) - np.int8(half) if signed else values


def whole_numbers(values: Stored) -> list[int]:
    """A constant as integers, whatever it is; what is out of all bounds is cut to a bound."""
    flat = values.reshape(-1)
    listed = (np.nan_to_num(flat) if flat.dtype.kind == "f" else flat).tolist()
    return [max(-_FAR, min(_FAR, int(number))) for number in listed]


def _immediate(tensor: Message, dtype: int, shape: tuple[int, ...]) -> Stored:
    """The numbers of a constant that stands in the program."""
    count = prod(shape)
    if tensor.has(_BYTES):
        start, end = (tensor.message(_BYTES).spans(1) or [(0, 0)])[-1]
        needed = -(-count * TYPES[dtype][1] // 8)
        if end - start < needed:
            raise UnreadableModel(f"a tensor has {end - start:,} bytes, not {needed:,}")
        return unpack(bytes(tensor.source.data[start : start + needed]), dtype, shape)
    values: Stored = np.zeros(0, np.float32)
    for number in (_FLOATS, _DOUBLES):
        if tensor.has(number):
            values = tensor.message(number).floats(1, "<f4" if number == _FLOATS else "<f8")
    for number in (_INTS, _BOOLS, _LONGS):
        if tensor.has(number):
            values = np.array(tensor.message(number).integers(1), np.int64)
    if values.size < count:
        raise UnreadableModel(f"a tensor has {values.size:,} numbers, not {count:,}")
    return values[:count].reshape(shape)


def _nothing() -> Stored:
    return np.zeros(0, np.float32)
