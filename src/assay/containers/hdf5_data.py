"""Types, shapes and stored numbers of HDF5 data sets [HDF5 file format, version 3.0].

Numbers lie in one piece, in the object's header, or in chunks that a tree lists, which may be
shuffled, deflated and checksummed.  What a data set expands to is bounded by the file's size.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from assay.errors import UnreadableModel
from assay.weights import Array
from assay.weights.shapes import shape_of

if TYPE_CHECKING:
    from assay.containers.hdf5 import File

MOST_GROWTH = 256  # times the file's size that a data set may expand to
_DEFLATE, _SHUFFLE, _CHECKSUM = 1, 2, 3
_UNDEFINED = 2**64 - 1
_COMPACT, _ONE_PIECE, _CHUNKED = 0, 1, 2


@dataclass(frozen=True)
class Kind:
    """A data type: NumPy's name of a number, or text."""

    name: str  # "" where it is neither
    numpy: str
    size: int  # bytes of an element
    is_text: bool = False
    variable: bool = False


@dataclass(frozen=True)
class Layout:
    """How a data set is stored."""

    path: str
    kind: Kind
    shape: tuple[int, ...]
    stored: bytes  # the layout message
    filters: list[int]

    def read(self, file: File) -> Array:
        """The values as float32."""
        return _real(self._raw(file), self.kind).reshape(self.shape)

    def check(self, file: File) -> None:
        """Raises UnreadableModel where the data cannot be where the file says."""
        version, place = self.stored[0], self._class()
        if version not in (3, 4) or place > _CHUNKED:
            what = "are virtual" if place == 3 else f"are stored as version {version} has it"
            raise UnreadableModel(f"the data of {self.path!r} {what}, which is not read")
        if self._size() > MOST_GROWTH * file.size:
            raise UnreadableModel(f"{self.path!r} would expand to {self._size():,} bytes")
        if place == _ONE_PIECE and self._size():
            address, length = self._piece()
            if length < self._size() or address + self._size() > file.size:
                raise UnreadableModel(f"the data of {self.path!r} are cut")

    def _class(self) -> int:
        return self.stored[1] if len(self.stored) > 1 else 255

    def _size(self) -> int:
        return prod(self.shape) * self.kind.size

    def _piece(self) -> tuple[int, int]:
        return _number(self.stored, 2, 8), _number(self.stored, 10, 8)

    def _raw(self, file: File) -> bytes:
        self.check(file)
        size = self._size()
        if self._class() == _COMPACT:
            return self.stored[4 : 4 + size]
        if self._class() == _ONE_PIECE:
            return file.bytes(self._piece()[0], size) if size else b""
        return self._chunks(file)

    def _chunks(self, file: File) -> bytes:
        """All chunks put together."""
        if self.stored[0] != 3:
            raise UnreadableModel(f"the chunks of {self.path!r} are listed in a way not read")
        rank, tree = self.stored[2] - 1, _number(self.stored, 3, 8)
        chunk = tuple(_number(self.stored, 11 + 4 * i, 4) for i in range(rank))
        if rank != len(self.shape) or not all(chunk):
            raise UnreadableModel(f"the chunks of {self.path!r} do not fit its shape")
        size = prod(chunk) * self.kind.size
        if size > MOST_GROWTH * file.size:
            raise UnreadableModel(f"a chunk of {self.path!r} would expand to {size:,} bytes")
        whole = np.zeros((*self.shape, self.kind.size), np.uint8)
        missing = prod(-(-d // c) for d, c in zip(self.shape, chunk, strict=True))
        for offsets, content, mask in _listed(file, tree, rank) if tree != _UNDEFINED else ():
            missing -= 1
            if missing < 0 or any(o >= d for o, d in zip(offsets, self.shape, strict=True)):
                raise UnreadableModel(f"a chunk of {self.path!r} lies outside its shape")
            part = np.frombuffer(self._plain(content, mask, size), np.uint8)
            place = tuple(
                slice(o, min(o + c, d)) for o, c, d in zip(offsets, chunk, self.shape, strict=True)
            )
            inner = tuple(slice(0, s.stop - s.start) for s in place)
            whole[place] = part.reshape(*chunk, self.kind.size)[inner]
        return whole.tobytes()

    def _plain(self, content: bytes, mask: int, size: int) -> bytes:
        """A chunk with its filters undone."""
        for i in reversed(range(len(self.filters))):
            if mask >> i & 1:
                continue
            if self.filters[i] == _DEFLATE:
                try:
                    content = zlib.decompressobj().decompress(content, size + 4)
                except zlib.error as error:
                    raise UnreadableModel(f"a chunk of {self.path!r} is damaged") from error
            elif self.filters[i] == _CHECKSUM:
                content = content[:-4]
            elif self.filters[i] == _SHUFFLE:
                planes = np.frombuffer(content, np.uint8)
                content = planes.reshape(self.kind.size, -1).T.tobytes()
            else:
                raise UnreadableModel(f"{self.path!r} is packed by filter {self.filters[i]}")
        if len(content) != size:
            raise UnreadableModel(f"a chunk of {self.path!r} has {len(content):,} bytes")
        return content


def _listed(file: File, tree: int, rank: int) -> Iterator[tuple[tuple[int, ...], bytes, int]]:
    """Where each chunk belongs, its content, and the filters that it left out."""
    step = 8 + 8 * (rank + 1) + 8
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        file.spend()
        if file.bytes(node, 5) != b"TREE\x01":
            raise UnreadableModel(f"no HDF5 chunk tree is at byte {node:,}")
        level, count = file.number(node + 5, 1), file.number(node + 6, 2)
        for i in range(count):
            file.spend()
            key = node + 24 + step * i
            child = file.number(key + step - 8, 8)
            if level:
                waiting.append(child)
                continue
            offsets = tuple(file.number(key + 8 + 8 * axis, 8) for axis in range(rank))
            yield offsets, file.bytes(child, file.number(key, 4)), file.number(key + 4, 4)


def datatype(body: bytes) -> Kind:
    """The type that a message tells."""
    kind, flags, size = body[0] & 15, body[1], _number(body, 4, 4)
    order = ">" if flags & 1 else "<"
    if kind == 0 and size in (1, 2, 4, 8):
        letter = "i" if flags & 8 else "u"
        return Kind(f"{'' if letter == 'i' else 'u'}int{8 * size}", f"{order}{letter}{size}", size)
    if kind == 1 and size in (2, 4, 8):
        exponent = body[13] if len(body) > 13 else 0
        if size == 2 and exponent == 8:
            return Kind("bfloat16", f"{order}u2", 2)
        return Kind(f"float{8 * size}", f"{order}f{size}", size)
    if kind == 3:
        return Kind("text", "", size, True)
    if kind == 8 and size == 1:
        return Kind("bool", "u1", 1)
    if kind == 9 and flags & 15 == 1:
        return Kind("text", "", 16, True, True)
    return Kind("", "", size)


def dataspace(body: bytes) -> tuple[int, ...]:
    """The shape that a message tells."""
    version, rank = body[0], body[1]
    if version not in (1, 2):
        raise UnreadableModel(f"an HDF5 shape of the unknown version {version}")
    if version == 2 and body[3] == 2:
        return (0,)
    start = 8 if version == 1 else 4
    return shape_of("an HDF5 data set", (_number(body, start + 8 * i, 8) for i in range(rank)))


def filters(body: bytes) -> list[int]:
    """The numbers of the filters that were applied, in order."""
    version, count = body[0], body[1]
    at, found = (8 if version == 1 else 2), []
    for _ in range(count):
        number = _number(body, at, 2)
        named = version == 1 or number >= 256
        length = _number(body, at + 2, 2) if named else 0
        at += 4 if named else 2
        values = _number(body, at + 2, 2)
        at += 4 + (-(-length // 8) * 8 if version == 1 else length) + 4 * values
        at += 4 if version == 1 and values % 2 else 0
        found.append(number)
    return found


def text_of(piece: bytes) -> str:
    """Text up to its end."""
    return piece.split(b"\0", 1)[0].decode("utf-8", "replace")


def _number(body: bytes, at: int, count: int) -> int:
    if at + count > len(body):
        raise UnreadableModel("an HDF5 message is cut")
    return int.from_bytes(body[at : at + count], "little")


def _real(raw: bytes, kind: Kind) -> Array:
    if not kind.numpy:
        raise UnreadableModel("a data set holds no numbers")
    values = np.frombuffer(raw, kind.numpy)
    if kind.name == "bfloat16":
        return (values.astype(np.uint32) << 16).view(np.float32)
    return values.astype(np.float32)
