"""Compressed files, unpacked within bounds: LZ4 frames, zlib, gzip, bzip2, xz [LZ4 frame format].

What is unpacked goes to a temporary file without a name.  LZ4 is unpacked here: arrays of weights
hardly compress, so their blocks are few and long, and no dependency is needed for them.
"""

from __future__ import annotations

import bz2
import lzma
import tempfile
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO, cast

from assay.containers.sources import Source, Stream, Unpacked, streamed
from assay.errors import UnreadableModel

MOST_UNPACKED = 2**30  # bytes
MOST_TIMES = 64  # times the file's length
SLACK = 64 * 2**20  # bytes that may be unpacked of any file
MOST_SEQUENCES = 4_000_000  # of LZ4
LZ4 = b"\x04\x22\x4d\x18"
_BLOCK = 2**16
_WINDOW = 2**16  # bytes that an LZ4 block may look back
_IN_MEMORY = 2**24
_MOST_MEMORY = 2**27  # of the xz decoder


def is_compressed(head: bytes) -> bool:
    """Whether a file that begins so is compressed in a known way."""
    return head.startswith(LZ4) or _unpacker(head) is not None


def beginning(head: bytes) -> bytes:
    """The first bytes of what a file holds that begins so; none where more of it is needed."""
    unpacker = _unpacker(head)
    if unpacker is None:
        return b""
    try:
        return bytes(unpacker.decompress(head, _BLOCK))
    except (zlib.error, lzma.LZMAError, OSError, EOFError):
        return b""


def unpacked(source: Source, most: int = MOST_UNPACKED) -> Source:
    """What a compressed source holds.

    Raises UnreadableModel where it is damaged or unpacks to more than ``most`` bytes.
    """
    head = source.read(0, min(8, source.size))
    is_lz4 = head.startswith(LZ4)
    pieces = _lz4(source) if is_lz4 else streamed(source, _unpacker(head), _unpacker)
    most = min(most, MOST_TIMES * source.size + SLACK)
    file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - kept by the source
    size = 0
    try:
        for piece in pieces:
            size += len(piece)
            if size > most:
                raise UnreadableModel(f"it unpacks to more than {most:,} bytes")
            file.write(piece)
    except UnreadableModel:
        file.close()
        raise
    return Unpacked(cast(BinaryIO, file), size)


def _unpacker(head: bytes) -> Any:
    if head.startswith(b"\x1f\x8b"):
        return zlib.decompressobj(zlib.MAX_WBITS | 16)
    if head.startswith(b"BZh"):
        return bz2.BZ2Decompressor()
    if head.startswith((b"\xfd7zXZ\x00", b"]\x00\x00")):
        return lzma.LZMADecompressor(memlimit=_MOST_MEMORY)
    if len(head) > 1 and head[0] == 0x78 and int.from_bytes(head[:2], "big") % 31 == 0:
        return zlib.decompressobj()
    return None


def _lz4(source: Source) -> Iterator[bytes]:
    """The blocks of an LZ4 frame.  Its checksums are not looked at."""
    stream = Stream(source, len(LZ4))
    flags, size = stream.take(1)[0], stream.take(1)[0] >> 4 & 7
    if flags >> 6 != 1 or size < 4:
        raise UnreadableModel("an LZ4 frame of an unknown version")
    stream.skip(1 + (8 if flags & 8 else 0) + (4 if flags & 1 else 0))
    largest, is_linked = 1 << (2 * size + 8), not flags & 0x20
    window = bytearray()
    left = MOST_SEQUENCES
    while length := int.from_bytes(stream.take(4), "little"):
        is_plain, length = bool(length >> 31), length & 0x7FFFFFFF
        if length > largest:
            raise UnreadableModel("an LZ4 block is longer than its frame allows")
        block = stream.take(length)
        if flags & 0x10:
            stream.skip(4)
        before = window if is_linked else bytearray()
        if is_plain:
            content = block
        else:
            content, left = _lz4_block(block, before, largest, left)
        yield content
        window = (before + content)[-_WINDOW:]
    if flags & 4:
        stream.skip(4)


def _lz4_block(block: bytes, before: bytearray, largest: int, left: int) -> tuple[bytes, int]:
    """One block unpacked, and how many sequences the frame may still have [LZ4 block format]."""
    out = bytearray(before)
    most = len(before) + largest
    at, end = 0, len(block)
    try:
        while at < end:
            left -= 1
            token = block[at]
            at += 1
            length, at = _lz4_length(block, at, token >> 4)
            if at + length > end:
                raise UnreadableModel("an LZ4 block is cut")
            out += block[at : at + length]
            at += length
            if at >= end:
                break
            distance = block[at] | block[at + 1] << 8
            length, at = _lz4_length(block, at + 2, token & 15)
            length += 4
            begin = len(out) - distance
            if left < 0 or not 0 < distance <= len(out) or len(out) + length > most:
                raise UnreadableModel("an LZ4 block is damaged, or too long")
            piece = out[begin : begin + length]
            if distance < length:
                piece = (piece * (length // distance + 1))[:length]
            out += piece
    except IndexError as error:
        raise UnreadableModel("an LZ4 block is cut") from error
    if len(out) > most:
        raise UnreadableModel("an LZ4 block is longer than its frame allows")
    return bytes(out[len(before) :]), left


def _lz4_length(block: bytes, at: int, length: int) -> tuple[int, int]:
    if length == 15:
        while True:
            more = block[at]
            at += 1
            length += more
            if more != 255:
                break
    return length, at
