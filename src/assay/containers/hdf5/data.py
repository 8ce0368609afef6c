"""The stored numbers of HDF5 data sets [HDF5 file format, IV.A.2.i].

Numbers lie in one piece, in the object's header, or in chunks, which may be shuffled, deflated and
checksummed.  What a data set expands to is bounded by the file's size.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from assay.containers.hdf5.chunks import Chunk, Chunks
from assay.containers.hdf5.messages import UNDEFINED, Kind, Space, number
from assay.errors import UnreadableModel
from assay.weights import Array

if TYPE_CHECKING:
    from assay.containers.hdf5.file import File

MOST_TIMES = 64  # times the file's size that its data may expand to
SLACK = 2**26  # bytes that those of any file may
_DEFLATE, _SHUFFLE, _CHECKSUM = 1, 2, 3
_OTHERS = {4: "szip", 5: "nbit", 6: "scale-offset", 32000: "LZF", 32001: "Blosc"}
_COMPACT, _ONE_PIECE, _CHUNKED = 0, 1, 2
_CHECK = 4  # bytes of a checksum


@dataclass(frozen=True)
class Layout:
    """How a data set is stored."""

    path: str
    kind: Kind
    space: Space
    stored: bytes  # the layout message
    filters: list[int]
    fill: bytes  # one element, where none was written; nothing for zero

    @property
    def shape(self) -> tuple[int, ...]:
        return self.space.shape

    @property
    def size(self) -> int:
        """Bytes of all numbers."""
        return prod(self.shape) * self.kind.size

    def read(self, file: File) -> Array:
        """The values as float32."""
        self.check(file)
        if not self.kind.numpy:
            raise UnreadableModel(f"{self.path!r} holds no numbers")
        values = self._values(file)
        if self.kind.name == "bfloat16":
            return (values.astype(np.uint32) << 16).view(np.float32)
        with np.errstate(all="ignore"):  # what is too large for float32 becomes infinite
            return values.astype(np.float32, copy=False)

    def check(self, file: File) -> None:
        """Raises UnreadableModel where the data cannot be where the file says."""
        version, place = number(self.stored, 0, 1), self._class()
        if version not in (3, 4) or place > _CHUNKED:
            what = "are virtual" if place == 3 else f"are stored as version {version} has it"
            raise UnreadableModel(f"the data of {self.path!r} {what}, which is not read")
        check_expanded(repr(self.path), self.size, file)
        if place == _COMPACT and min(number(self.stored, 2, 2), len(self.stored) - 4) < self.size:
            raise UnreadableModel(f"the data of {self.path!r} are cut")
        if place == _ONE_PIECE and self.size:
            address, length = self._piece()
            if address != UNDEFINED and (length < self.size or address + self.size > file.size):
                raise UnreadableModel(f"the data of {self.path!r} are cut")

    def _class(self) -> int:
        return number(self.stored, 1, 1)

    def _piece(self) -> tuple[int, int]:
        return number(self.stored, 2, 8), number(self.stored, 10, 8)

    def _values(self, file: File) -> NDArray[Any]:
        if self._class() == _CHUNKED:
            return self._chunked(file)
        if self._class() == _COMPACT:
            content = self.stored[4 : 4 + self.size]
        else:
            address, _ = self._piece()
            if address == UNDEFINED:
                return self._unwritten()
            content = file.piece(address, self.size) if self.size else b""
        return np.frombuffer(content, self.kind.numpy).reshape(self.shape)

    def _unwritten(self) -> NDArray[Any]:
        whole = np.zeros(self.shape, self.kind.numpy)
        if len(self.fill) == self.kind.size and any(self.fill):
            whole[...] = np.frombuffer(self.fill, self.kind.numpy)[0]
        return whole

    def _chunked(self, file: File) -> NDArray[Any]:
        """All chunks put together."""
        chunks = self._chunks()
        left = prod(_cut(self.shape, chunks.chunk))
        check_expanded(f"the chunks of {self.path!r}", left * chunks.size, file)
        whole = self._unwritten()
        for chunk in chunks.listed(file) if self.size else ():
            if any(o >= d for o, d in zip(chunk.offsets, self.shape, strict=True)):
                if chunks.grid != _cut(self.shape, chunks.chunk):
                    continue  # of a part that the data set has lost since
                raise UnreadableModel(f"a chunk of {self.path!r} lies outside its shape")
            left -= 1
            if left < 0:
                raise UnreadableModel(f"{self.path!r} has more chunks than fit its shape")
            part = np.frombuffer(self._plain(file, chunk, chunks.size), self.kind.numpy)
            place = tuple(
                slice(o, min(o + c, d))
                for o, c, d in zip(chunk.offsets, chunks.chunk, self.shape, strict=True)
            )
            inner = tuple(slice(0, s.stop - s.start) for s in place)
            whole[place] = part.reshape(chunks.chunk)[inner]
        return whole

    def _chunks(self) -> Chunks:
        """How the data set is cut; the last of the chunk's sizes is that of an element."""
        if self.stored[0] == 3:
            rank, start, width = number(self.stored, 2, 1) - 1, 11, 4
        else:
            rank, start, width = number(self.stored, 3, 1) - 1, 5, number(self.stored, 4, 1)
        chunk = tuple(number(self.stored, start + width * i, width) for i in range(max(rank, 0)))
        if rank != len(self.shape) or not all(chunk):
            raise UnreadableModel(f"the chunks of {self.path!r} do not fit its shape")
        size = prod(chunk) * self.kind.size
        endless = [axis for axis, most in enumerate(self.space.largest) if most == UNDEFINED]
        most = tuple(
            now if axis in endless else largest
            for axis, (now, largest) in enumerate(zip(self.shape, self.space.largest, strict=True))
        )
        order = sorted(range(rank), key=lambda axis: (axis not in endless, axis))
        grid = _cut(most, chunk)
        return Chunks(self.stored, chunk, grid, tuple(order), size, bool(self.filters))

    def _plain(self, file: File, chunk: Chunk, size: int) -> bytes:
        """A chunk with its filters undone."""
        content = file.piece(chunk.address, chunk.size)
        for i in reversed(range(len(self.filters))):
            if chunk.mask >> i & 1:
                continue
            content = self._undone(self.filters[i], content, size + _CHECK)
        if len(content) != size:
            raise UnreadableModel(f"a chunk of {self.path!r} has {len(content):,} bytes")
        return content

    def _undone(self, which: int, content: bytes, most: int) -> bytes:
        if which == _DEFLATE:
            try:
                return zlib.decompressobj().decompress(content, most)
            except zlib.error as error:
                raise UnreadableModel(f"a chunk of {self.path!r} is damaged") from error
        if which == _CHECKSUM:
            return content[:-_CHECK]
        if which == _SHUFFLE:
            if len(content) % self.kind.size:
                raise UnreadableModel(f"a chunk of {self.path!r} is cut")
            planes = np.frombuffer(content, np.uint8).reshape(self.kind.size, -1)
            return planes.T.tobytes()
        name = _OTHERS.get(which, f"number {which}")
        raise UnreadableModel(f"{self.path!r} is packed by the filter {name}, which is not read")


def check_expanded(what: str, size: int, file: File) -> None:
    """Raises UnreadableModel where data expand to more than a file of that size may hold."""
    if size > MOST_TIMES * (file.packed or file.size) + SLACK:
        raise UnreadableModel(f"{what} would expand to {size:,} bytes")


def _cut(shape: tuple[int, ...], chunk: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(-(-d // c) for d, c in zip(shape, chunk, strict=True))
