"""TensorFlow checkpoints: a table of tensors and shards of their bytes [tensor_bundle, LevelDB].

The index is a table of blocks, each sorted and prefix-compressed; its entries tell type, shape,
shard and place.  Checksums are not verified.  TensorFlow compresses no block, so one that is
compressed is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from math import prod
from mmap import mmap
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.containers.beside import beside
from assay.containers.messages import Message, mapped
from assay.containers.protobuf import read_varint
from assay.errors import UnreadableModel
from assay.weights import Array
from assay.weights.layout import Stored
from assay.weights.shapes import shape_of

MOST_ENTRIES = 100_000
MOST_NAMES = 2**26  # bytes of all their names, which the index spells by what they share
MOST_SHARDS = 10_000
OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"
LONGEST_KEY = 10_000  # bytes
TYPES: dict[int, tuple[str, str]] = {  # by code: a type's name, and NumPy's of its bytes
    1: ("float32", "<f4"),
    2: ("float64", "<f8"),
    3: ("int32", "<i4"),
    4: ("uint8", "u1"),
    5: ("int16", "<i2"),
    6: ("int8", "i1"),
    9: ("int64", "<i8"),
    10: ("bool", "?"),
    14: ("bfloat16", "<u2"),
    17: ("uint16", "<u2"),
    19: ("float16", "<f2"),
    22: ("uint32", "<u4"),
    23: ("uint64", "<u8"),
}
VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"  # behind the names of objects' variables; left out here
_MAGIC = 0xDB4775248B80FB57
_FOOTER = 48


def as_float32(values: NDArray[Any], kind: str) -> Array:
    """Numbers of a type as they are stored."""
    if kind == "bfloat16":
        return (values.astype(np.uint32) << 16).view(np.float32)
    return values.astype(np.float32)


Slice = tuple[tuple[int, int], ...]  # start and length along each axis; length -1: the whole axis


@dataclass(frozen=True, slots=True)
class Entry:
    """One tensor of a checkpoint."""

    dtype: int
    shape: tuple[int, ...]
    shard: int
    offset: int
    size: int
    slices: tuple[Slice, ...] = ()  # of a tensor that is stored in parts


@dataclass
class Bundle:
    """The checkpoint of an index; its shards lie beside it."""

    index: Path
    entries: dict[str, Entry] = field(default_factory=dict)
    files: list[Path] = field(default_factory=list)
    _shards: dict[int, mmap] = field(default_factory=dict)
    _count: int = 1

    def __post_init__(self) -> None:
        self.files.append(self.index)
        named, last = 0, None
        for key, value in _table(mapped(self.index)):
            if last is not None and key <= last:
                raise UnreadableModel("the checkpoint's index is not sorted")
            last = key
            named += len(key)
            if named > MOST_NAMES or len(self.entries) >= MOST_ENTRIES:
                raise UnreadableModel(f"a checkpoint of more than {MOST_ENTRIES:,} tensors")
            message = Message.of(value)
            if not key:
                self._header(message)
                continue
            dims = [dim.integer(1) for dim in message.message(2).messages(2)]
            name = key.decode("utf-8", "surrogateescape")
            shape = shape_of(f"tensor {name!r}", dims)
            shard, offset, size = (message.integer(number) for number in (3, 4, 5))
            slices = tuple(_slice(each) for each in message.messages(7))
            self.entries[name] = Entry(message.integer(1), shape, shard, offset, size, slices)

    def stored(self) -> dict[str, Stored]:
        """The tensors that are numbers, by name.  Raises UnreadableModel where one is not there.

        Parts of a tensor are called as graphs restore them: ``name[0,5:-]``.
        """
        found = {}
        for name, entry in self._tensors():
            self._check(name, entry)
            read = partial(self._read, name, entry)
            found[name] = Stored(entry.shape, TYPES[entry.dtype][0], read)
        whole = sum(entry.size for _, entry in self._tensors())
        if whole > sum(map(len, self._shards.values())):
            raise UnreadableModel("tensors of the checkpoint overlap")
        return {name.removesuffix(VALUE): tensor for name, tensor in found.items()}

    def names(self) -> dict[str, str]:
        """What objects' variables were called in the program → their names here.

        A graph tells variables of one name apart by a number at the end.
        """
        entry = self.entries.get(OBJECT_GRAPH)
        if entry is None:
            return {}
        data = self._bytes(OBJECT_GRAPH, entry)
        length, at = read_varint(data, 0, len(data))  # of a text, then a checksum, then the text
        if at + 4 + length > len(data):
            raise UnreadableModel("the checkpoint's object graph is cut")
        found, counts = dict[str, str](), dict[str, int]()
        for node in Message.of(data[at + 4 : at + 4 + length]).messages(1):
            for attribute in node.messages(2):
                full, key = attribute.text(2), attribute.text(3)
                if full and key.endswith(VALUE):
                    count = counts[full] = counts.get(full, -1) + 1
                    name = f"{full}_{count}" if count else full
                    found.setdefault(name, key.removesuffix(VALUE))
        return found

    def _header(self, message: Message) -> None:
        self._count = message.integer(1)
        if message.integer(2):
            raise UnreadableModel("a checkpoint of big-endian numbers")
        if not 0 <= self._count <= MOST_SHARDS:
            raise UnreadableModel(f"a checkpoint of {self._count:,} shards")

    def _tensors(self) -> Iterator[tuple[str, Entry]]:
        """Those of numbers; for one in parts, its parts, which are known by odd keys."""
        for name, entry in self.entries.items():
            if entry.dtype not in TYPES or name.startswith("\0"):
                continue
            if not entry.slices:
                yield name, entry
            for each in entry.slices:
                key = slice_key(name, each).decode("utf-8", "surrogateescape")
                if key not in self.entries:
                    raise UnreadableModel(f"a part of tensor {name!r} is missing")
                yield f"{name}[{_spelled(each)}]", self.entries[key]

    def _check(self, name: str, entry: Entry) -> None:
        if entry.dtype not in TYPES:
            raise UnreadableModel(f"tensor {name!r} is of no type that is known")
        size = prod(entry.shape) * np.dtype(TYPES[entry.dtype][1]).itemsize
        if entry.size != size:
            raise UnreadableModel(f"tensor {name!r} has {entry.size:,} bytes, not {size:,}")
        if not 0 <= entry.offset <= len(self._shard(entry.shard)) - size:
            raise UnreadableModel(f"tensor {name!r} lies outside its shard")

    def _read(self, name: str, entry: Entry) -> Array:
        kind, dtype = TYPES[entry.dtype]
        values = np.frombuffer(self._bytes(name, entry), dtype)
        return as_float32(values, kind).reshape(entry.shape)

    def _bytes(self, name: str, entry: Entry) -> bytes:
        shard = self._shard(entry.shard)
        if not 0 <= entry.offset <= entry.offset + entry.size <= len(shard):
            raise UnreadableModel(f"tensor {name!r} lies outside its shard")
        return shard[entry.offset : entry.offset + entry.size]

    def _shard(self, number: int) -> mmap:
        if not 0 <= number < self._count:
            raise UnreadableModel(f"the checkpoint has no shard {number}")
        if number not in self._shards:
            name = f"{self.index.stem}.data-{number:05d}-of-{self._count:05d}"
            path = beside(self.index, name)
            if path is None:
                raise UnreadableModel(f"its file {name!r} is missing")
            self.files.append(path)
            self._shards[number] = mapped(path)
        return self._shards[number]


def _slice(message: Message) -> Slice:
    return tuple(
        (extent.integer(1), extent.integer(2) if extent.has(2) else -1)
        for extent in message.messages(1)
    )


def _spelled(each: Slice) -> str:
    return ":".join("-" if length < 0 else f"{start},{length}" for start, length in each)


def slice_key(name: str, each: Slice) -> bytes:
    """The key of a part of a tensor: numbers and texts written so that they sort."""
    text = name.encode("utf-8", "surrogateescape")
    escaped = text.replace(b"\xff", b"\xff\0").replace(b"\0", b"\0\xff")
    head = b"\0" + escaped + b"\0\1" + bytes([1, len(each)])
    return head + b"".join(_sorting(number) for extent in each for number in extent)


def _sorting(number: int) -> bytes:
    """As many leading ones as it takes bytes, then the number; of negative ones the reverse."""
    size = (~number if number < 0 else number).bit_length() // 7 + 1
    ones = (1 << size) - 1 << 7 * size
    whole = int.from_bytes(number.to_bytes(size, "big", signed=True), "big")
    return (whole ^ ones).to_bytes(size, "big")


def _table(data: mmap) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of a table, in order."""
    if len(data) < _FOOTER or int.from_bytes(data[-8:], "little") != _MAGIC:
        raise UnreadableModel("the checkpoint's index is no table")
    footer, at = data[-_FOOTER:], 0
    for _ in range(2):  # where a block of filters lies, which TensorFlow does not write
        _, at = read_varint(footer, at, len(footer))
    place, at = read_varint(footer, at, len(footer))
    size, at = read_varint(footer, at, len(footer))
    seen = 0
    for _, handle in _block(data, place, size):
        start, after = read_varint(handle, 0, len(handle))
        length, _ = read_varint(handle, after, len(handle))
        seen += length
        if seen > len(data):
            raise UnreadableModel("blocks of the checkpoint's index overlap")
        yield from _block(data, start, length)


def _block(data: mmap, start: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of a block; behind it stand its compression and a checksum."""
    if not size >= 4 or not 0 <= start <= len(data) - size - 5:
        raise UnreadableModel("a block of the checkpoint's index lies outside it")
    if data[start + size]:
        raise UnreadableModel("a block of the checkpoint's index is compressed")
    block = data[start : start + size]
    end = size - 4 - 4 * int.from_bytes(block[-4:], "little")
    at, key = 0, b""
    while at < end:
        shared, at = read_varint(block, at, end)
        own, at = read_varint(block, at, end)
        length, at = read_varint(block, at, end)
        if shared > len(key) or at + own + length > end or shared + own > LONGEST_KEY:
            raise UnreadableModel("the checkpoint's index is damaged")
        key = key[:shared] + block[at : at + own]
        yield key, block[at + own : at + own + length]
        at += own + length
