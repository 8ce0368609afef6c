"""TensorFlow checkpoints: a table of tensors and shards of their bytes [tensor_bundle, LevelDB].

The index is a table of blocks, each sorted and prefix-compressed; its entries tell type, shape,
shard and place.  Checksums are not verified; compressed blocks, which TensorFlow does not write,
are refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from math import prod
from mmap import mmap
from pathlib import Path

import numpy as np

from assay.containers.messages import Message, mapped
from assay.containers.protobuf import read_varint
from assay.errors import UnreadableModel
from assay.weights import Array
from assay.weights.shapes import shape_of

_MAGIC = 0xDB4775248B80FB57
_FOOTER = 48
MOST_ENTRIES = 500_000
MOST_SHARDS = 10_000
OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"
TYPES: dict[int, tuple[str, str]] = {
    1: ("float32", "<f4"),
    2: ("float64", "<f8"),
    3: ("int32", "<i4"),
    4: ("uint8", "u1"),
    5: ("int16", "<i2"),
    6: ("int8", "i1"),
    9: ("int64", "<i8"),
    10: ("bool", "?"),
    14: ("bfloat16", "<u2"),
    19: ("float16", "<f2"),
    22: ("uint32", "<u4"),
    23: ("uint64", "<u8"),
}


@dataclass(frozen=True)
class Entry:
    """One tensor of a checkpoint."""

    dtype: int
    shape: tuple[int, ...]
    shard: int
    offset: int
    size: int


@dataclass
class Bundle:
    """The checkpoint whose index is ``prefix`` + ``.index``."""

    prefix: Path
    entries: dict[str, Entry] = field(default_factory=dict)
    shards: dict[int, mmap] = field(default_factory=dict)
    files: list[Path] = field(default_factory=list)
    count: int = 1

    def __post_init__(self) -> None:
        index = self.prefix.with_name(self.prefix.name + ".index")
        self.files.append(index)
        for key, value in _table(mapped(index)):
            message = Message.of(value)
            if not key:
                self.count = message.integer(1)
                if not 0 <= self.count <= MOST_SHARDS or message.integer(2):
                    raise UnreadableModel("a checkpoint of big-endian numbers, or of many shards")
                continue
            if len(self.entries) >= MOST_ENTRIES:
                raise UnreadableModel("a checkpoint of too many tensors")
            dims = [dim.integer(1) for dim in message.message(2).messages(2)]
            name = key.decode("utf-8", "replace")
            shape = shape_of(f"tensor {name!r}", dims)
            numbers = (message.integer(n) for n in (3, 4, 5))
            self.entries[name] = Entry(message.integer(1), shape, *numbers)

    def bytes(self, name: str) -> bytes:
        """A tensor's bytes.  Raises UnreadableModel where they are not there."""
        entry = self.entries[name]
        shard = self._shard(entry.shard)
        if not 0 <= entry.offset <= entry.offset + entry.size <= len(shard):
            raise UnreadableModel(f"tensor {name!r} lies outside its shard")
        return shard[entry.offset : entry.offset + entry.size]

    def check(self, name: str) -> None:
        """Raises UnreadableModel where a tensor cannot be what its entry says."""
        entry = self.entries[name]
        size = prod(entry.shape) * np.dtype(TYPES[entry.dtype][1]).itemsize
        shard = self._shard(entry.shard)
        if entry.size != size or not 0 <= entry.offset <= len(shard) - size:
            raise UnreadableModel(f"tensor {name!r} has {entry.size:,} bytes, not {size:,}")

    def read(self, name: str) -> Array:
        """A tensor's numbers as float32."""
        entry = self.entries[name]
        values = np.frombuffer(self.bytes(name), TYPES[entry.dtype][1])
        if TYPES[entry.dtype][0] == "bfloat16":
            values = (values.astype(np.uint32) << 16).view(np.float32)
        return values.astype(np.float32).reshape(entry.shape)

    def _shard(self, number: int) -> mmap:
        if not 0 <= number < self.count:
            raise UnreadableModel(f"the checkpoint has no shard {number}")
        if number not in self.shards:
            name = f"{self.prefix.name}.data-{number:05d}-of-{self.count:05d}"
            path = self.prefix.with_name(name)
            if not path.is_file():
                raise UnreadableModel(f"the shard {name!r} is missing")
            self.files.append(path)
            self.shards[number] = mapped(path)
        return self.shards[number]

    def reader(self, name: str) -> partial[Array]:
        """What reads a tensor later."""
        return partial(self.read, name)


def _table(data: mmap) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of a table, in order."""
    if len(data) < _FOOTER or int.from_bytes(data[-8:], "little") != _MAGIC:
        raise UnreadableModel("the checkpoint's index is no table")
    at = len(data) - _FOOTER
    for _ in range(2):
        _, at = read_varint(data, at, len(data))  # type: ignore[arg-type]
    place, at = read_varint(data, at, len(data))  # type: ignore[arg-type]
    size, at = read_varint(data, at, len(data))  # type: ignore[arg-type]
    seen = 0
    for _, handle in _block(data, place, size):
        start, after = read_varint(handle, 0, len(handle))
        length, _ = read_varint(handle, after, len(handle))
        seen += length
        if seen > len(data):
            raise UnreadableModel("blocks of the checkpoint's index overlap")
        yield from _block(data, start, length)


def _block(data: mmap, start: int, size: int) -> Iterator[tuple[bytes, bytes]]:
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
        if shared > len(key) or at + own + length > end or shared + own > 65_536:
            raise UnreadableModel("the checkpoint's index is damaged")
        key = key[:shared] + block[at : at + own]
        yield key, block[at + own : at + own + length]
        at += own + length
