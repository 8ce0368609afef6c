"""Bytes that a reader may look at piece by piece: of a file, of a part of it, or unpacked.

A source knows its length, so that whatever a file claims is checked before it is believed.
"""

from __future__ import annotations

import lzma
import tempfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast

from assay.errors import UnreadableModel
from assay.weights.numbers import Bytes, buffer, region

_BLOCK = 2**16
_MOST_TURNS = 4  # times that a deflated source is unpacked again from its start
_IN_MEMORY = 2**24
_SIGN = 16  # bytes that tell how a stream is compressed
_MOST_STREAMS = 100_000  # one behind the other, as parallel compressors write them


class Source(Protocol):
    """A run of bytes."""

    @property
    def size(self) -> int: ...

    def read(self, start: int, length: int) -> bytes:
        """Exactly these bytes.  Raises UnreadableModel where they are not there."""
        ...

    def numbers(self, start: int, length: int) -> Bytes:
        """The same, for ``decode``: of a file in memory that may be written to."""
        ...


@dataclass(frozen=True, slots=True)
class FilePart:
    """A part of a file, opened for each piece."""

    path: Path
    base: int
    size: int

    def read(self, start: int, length: int) -> bytes:
        check_within(self, start, length)
        return region(self.path, self.base + start, length)

    def numbers(self, start: int, length: int) -> Bytes:
        check_within(self, start, length)
        return buffer(self.path, self.base + start, length)


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a source."""

    whole: Source
    base: int
    size: int

    def read(self, start: int, length: int) -> bytes:
        check_within(self, start, length)
        return self.whole.read(self.base + start, length)

    def numbers(self, start: int, length: int) -> Bytes:
        check_within(self, start, length)
        return self.whole.numbers(self.base + start, length)


@dataclass(frozen=True, slots=True)
class InMemory:
    """Bytes at hand."""

    content: bytes

    @property
    def size(self) -> int:
        return len(self.content)

    def read(self, start: int, length: int) -> bytes:
        check_within(self, start, length)
        return self.content[start : start + length]

    numbers = read


@dataclass(frozen=True, slots=True)
class Unpacked:
    """What was unpacked into a temporary file, which ends with the last reader."""

    file: BinaryIO
    size: int

    def __del__(self) -> None:
        self.file.close()

    def read(self, start: int, length: int) -> bytes:
        check_within(self, start, length)
        self.file.seek(start)
        return self.file.read(length)

    numbers = read


class Deflated:
    """A deflated source [RFC 1951], unpacked in order; for good where it is read to and fro."""

    def __init__(self, packed: Source, size: int) -> None:
        self.packed, self.size = packed, size
        self._pieces: Iterator[bytes] = iter(())
        self._piece, self._passed = b"", size + 1  # the last piece, and where it begins
        self._turns = 0
        self._whole: Unpacked | None = None

    def read(self, start: int, length: int) -> bytes:
        check_within(self, start, length)
        if self._whole is None and start < self._passed:
            self._turns += 1
            self._pieces, self._piece, self._passed = inflated(self.packed), b"", 0
            if self._turns > _MOST_TURNS:
                self._whole = self._unpacked()
        if self._whole is not None:
            return self._whole.read(start, length)
        content = bytearray()
        while True:
            begin = start + len(content) - self._passed
            content += self._piece[begin : begin + length - len(content)]
            if len(content) == length:
                return bytes(content)
            self._passed += len(self._piece)
            self._piece = self._next()

    numbers = read

    def _next(self) -> bytes:
        piece = next(self._pieces, b"")
        if not piece:
            raise UnreadableModel("a packed member is shorter than it claims")
        return piece

    def _unpacked(self) -> Unpacked:
        file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - kept
        whole = Unpacked(cast(BinaryIO, file), self.size)
        while file.tell() < self.size:
            file.write(self._next())
        return whole


def inflated(packed: Source) -> Iterator[bytes]:
    """What a deflated source holds [RFC 1951], in pieces.  Raises UnreadableModel."""
    return streamed(packed, zlib.decompressobj(-zlib.MAX_WBITS))


def streamed(
    packed: Source, unpacker: Any, another: Callable[[bytes], Any] = lambda rest: None
) -> Iterator[bytes]:
    """What a compressed source holds, in pieces of at most 1 MiB, none of them empty.

    ``unpacker`` is one of zlib, bz2 or lzma; ``another`` gives the one for what begins behind its
    stream, or None.  Raises UnreadableModel where it is damaged or cut.
    """
    at, pending, streams = 0, b"", 1
    while True:
        if unpacker.eof:
            pending = unpacker.unused_data
            if len(pending) < _SIGN and at < packed.size:
                more = packed.read(at, min(_BLOCK, packed.size - at))
                at += len(more)
                pending += more
            unpacker, streams = another(pending), streams + 1
            if unpacker is None:
                return
            if streams > _MOST_STREAMS:
                raise UnreadableModel(f"it is more than {_MOST_STREAMS:,} compressed streams")
        if not pending and at < packed.size and getattr(unpacker, "needs_input", True):
            pending = packed.read(at, min(_BLOCK, packed.size - at))
            at += len(pending)
        try:
            piece = unpacker.decompress(pending, 16 * _BLOCK)
        except (zlib.error, lzma.LZMAError, OSError, EOFError) as error:
            raise UnreadableModel(f"it is compressed, and damaged: {error}") from error
        pending = getattr(unpacker, "unconsumed_tail", b"")  # of zlib; others keep it themselves
        if piece:
            yield piece
        if not piece and not pending and at == packed.size and not unpacker.eof:
            raise UnreadableModel("it is compressed, and cut")


def opened(path: Path) -> BinaryIO:
    """A file to be read.  Raises UnreadableModel where it is a folder, or cannot be opened."""
    try:
        return path.open("rb")
    except OSError as error:
        raise UnreadableModel(f"{path.name!r}: {error.strerror or error}") from error


def source_of(path: Path) -> FilePart:
    """A whole file."""
    return FilePart(path, 0, path.stat().st_size)


def check_within(source: Source, start: int, length: int) -> None:
    """Raises UnreadableModel where a piece is not wholly inside."""
    if start < 0 or length < 0 or start + length > source.size:
        raise UnreadableModel(f"it ends before byte {start + length:,}, which it refers to")


class Stream:
    """A source that is read in order."""

    def __init__(self, source: Source, at: int = 0) -> None:
        self.source = source
        self._block, self._base, self._next = b"", at, 0

    @property
    def at(self) -> int:
        """The place of the next byte."""
        return self._base + self._next

    def skip(self, length: int) -> int:
        """The place of the next byte, then passes ``length`` bytes, which must be there."""
        at = self.at
        if length < 0 or length > self.source.size - at:
            raise UnreadableModel("it is cut, or claims more bytes than it has")
        if self._next + length <= len(self._block):
            self._next += length
        else:
            self._block, self._base, self._next = b"", at + length, 0
        return at

    def take(self, length: int) -> bytes:
        """The next bytes."""
        end = self._next + length
        if end > len(self._block) or length < 0:
            at = self.at
            self.skip(length)
            self._block = self.source.read(at, min(max(_BLOCK, length), self.source.size - at))
            self._base, self._next, end = at, 0, length
        piece = self._block[self._next : end]
        self._next = end
        return piece

    def line(self, longest: int) -> str:
        """The text up to the next line break."""
        text = bytearray()
        while True:
            if self._next == len(self._block):
                self.take(1)  # fetches a block; raises where there is none
                self._next -= 1
            end = self._block.find(b"\n", self._next)
            text += self._block[self._next : None if end < 0 else end]
            if len(text) > longest:
                raise UnreadableModel("it has a line that does not end")
            self._next = len(self._block) if end < 0 else end + 1
            if end >= 0:
                return text.decode("latin-1")
