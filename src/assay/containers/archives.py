"""Members of a zip archive, looked at where they lie [PKWARE APPNOTE].

Only the directory is read.  Stored members are parts of the file; deflated ones are unpacked piece
by piece.  Nothing is ever extracted under a name that an archive gives.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from assay.containers.sources import Deflated, Part, Source, inflated, source_of
from assay.errors import UnreadableModel

ZIP = b"PK\x03\x04"  # how an archive begins
MARK = "!/"  # between an archive's path and a member's name [JarURLConnection]
MOST_DIRECTORY = 16 * 2**20  # bytes
MOST_UNPACKED = 64  # times the file's length
SLACK = 64 * 2**20  # bytes that may be unpacked of any file
_PIECE, _FEW = 2**20, 2**12  # bytes
_END, _LONG_LOCATOR, _LONG_END = b"PK\5\6", 20, 56
_TAIL = 2**16 + 22 + _LONG_LOCATOR + _LONG_END  # bytes in which its end is looked for
_LOCAL = struct.Struct("<4s22xHH")
_DAMAGED = (zipfile.BadZipFile, EOFError, NotImplementedError, OverflowError, ValueError)


class _Bounded(io.RawIOBase):
    """A source as a file, of which no more than a directory's length is read at once."""

    def __init__(self, source: Source) -> None:
        self._source, self._at = source, 0

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, place: int, whence: int = io.SEEK_SET, /) -> int:
        self._at = place + {io.SEEK_SET: 0, io.SEEK_CUR: self._at}.get(whence, self._source.size)
        if self._at < 0:
            raise ValueError("a place before its beginning")
        return self._at

    def read(self, size: int | None = -1, /) -> bytes:
        left = max(0, self._source.size - self._at)
        size = left if size is None or size < 0 else min(size, left)
        if size > MOST_DIRECTORY:
            raise UnreadableModel(f"its directory is longer than {MOST_DIRECTORY:,} bytes")
        content = self._source.read(self._at, size)
        self._at += size
        return content


def members(archived: Path | Source) -> dict[str, zipfile.ZipInfo]:
    """The members of an archive, by name.

    Raises UnreadableModel where it is none, is encrypted, or claims what it cannot hold.
    """
    found: dict[str, zipfile.ZipInfo] = {}
    names: set[str] = set()
    for info in directory(archived):
        if info.filename.lower() in names:  # PyTorch's reader looks names up without case
            raise UnreadableModel(f"two members have the name {info.filename!r:.200}")
        names.add(info.filename.lower())
        if is_encrypted(info):
            raise UnreadableModel("it is encrypted")
        found[info.filename] = info
    return found


def place(path: Path) -> tuple[Path, str] | None:
    """Archive and member of a path such as ``app.apk!/assets/model.tflite``; None of any other."""
    whole = path.as_posix()
    if path.exists():
        return None
    at = whole.find(MARK)
    while at >= 0:
        archive = Path(whole[:at])
        if archive.is_file():
            return archive, whole[at + len(MARK) :]
        at = whole.find(MARK, at + 1)
    return None


def is_encrypted(info: zipfile.ZipInfo) -> bool:
    """Whether a member is read with a password only."""
    return bool(info.flag_bits & 1)


def is_link(info: zipfile.ZipInfo) -> bool:
    """Whether a member only says where another file lies."""
    return info.external_attr >> 28 == 0xA


def directory(archived: Path | Source) -> list[zipfile.ZipInfo]:
    """The members of an archive as its directory lists them; names may come twice.

    Raises UnreadableModel where it is none, or claims what it cannot hold.
    """
    source = _source(archived)
    size = source.size
    try:
        with _Bounded(source) as file, zipfile.ZipFile(file) as archive:
            listed, start = archive.infolist(), archive.start_dir
    except (*_DAMAGED, struct.error) as error:
        raise UnreadableModel(f"not a zip archive, or cut: {error}") from error
    _check_directory(source, start)
    for info in listed:
        if info.header_offset < 0 or info.header_offset + info.compress_size > size:
            raise UnreadableModel(f"member {info.filename!r:.200} lies beyond the end of the file")
    if sum(info.file_size for info in listed) > MOST_UNPACKED * size + SLACK:
        raise UnreadableModel(f"it claims to unpack to more than {MOST_UNPACKED} times its size")
    return listed


def _check_directory(source: Source, start: int) -> None:
    """Raises UnreadableModel where readers may disagree on which directory is the archive's.

    Some believe the place that its end gives, others what stands before the end.
    """
    tail = source.read(max(0, source.size - _TAIL), min(source.size, _TAIL))
    end = tail.rfind(_END)
    place = int.from_bytes(tail[end + 16 : end + 20], "little")
    record = end - _LONG_LOCATOR - _LONG_END
    if tail[end - _LONG_LOCATOR : end].startswith(b"PK\6\7"):  # the long form [APPNOTE, 4.3.15]
        at = int.from_bytes(tail[end - 12 : end - 4], "little")
        if at != source.size - len(tail) + record:
            raise UnreadableModel("it has more than one directory")
        place = int.from_bytes(tail[record + 48 : record + 56], "little")
    behind = int.from_bytes(tail[end + 20 : end + 22], "little")  # bytes of its comment
    if end < 0 or end + 22 + behind != len(tail) or place != start:
        raise UnreadableModel("it has more than one directory, or something before it")


def pieces(path: Path, info: zipfile.ZipInfo) -> Iterator[bytes]:
    """What a member holds, in order, its checksum verified.  Raises UnreadableModel."""
    content = member(path, info)
    if isinstance(content, Deflated):
        found = inflated(content.packed)
    else:
        places = range(0, content.size, _PIECE)
        found = (content.read(at, min(_PIECE, content.size - at)) for at in places)
    size = checksum = 0
    for piece in found:
        size, checksum = size + len(piece), zlib.crc32(piece, checksum)
        if size > info.file_size:
            break
        yield piece
    if (size, checksum) != (info.file_size, info.CRC):
        raise UnreadableModel(f"member {info.filename!r:.200} is damaged: it is not what it claims")


def beginning(archived: Path | Source, info: zipfile.ZipInfo, length: int) -> bytes:
    """The first bytes of what a member holds; nothing more is unpacked.  Raises UnreadableModel."""
    content = member(archived, info)
    length = min(length, content.size)
    if not isinstance(content, Deflated):
        return content.read(0, length)
    unpacker, found, at = zlib.decompressobj(-zlib.MAX_WBITS), b"", 0
    while len(found) < length and not unpacker.eof:
        packed = content.packed.read(at, min(_FEW, content.packed.size - at))
        at += len(packed)
        try:
            found += unpacker.decompress(unpacker.unconsumed_tail + packed, length - len(found))
        except zlib.error as error:
            raise UnreadableModel(f"it is compressed, and damaged: {error}") from error
        if not packed and not unpacker.unconsumed_tail:
            break
    return found


def member(archived: Path | Source, info: zipfile.ZipInfo) -> Source:
    """What a member holds.  Raises UnreadableModel where it is not there, or not readable so."""
    source = _source(archived)
    head = source.read(info.header_offset, _LOCAL.size)
    sign, name, extra = _LOCAL.unpack(head)
    base = info.header_offset + _LOCAL.size + name + extra
    if sign != ZIP or base + info.compress_size > source.size:
        raise UnreadableModel(f"member {info.filename!r:.200} is cut")
    packed = Part(source, base, info.compress_size)
    if info.compress_type == zipfile.ZIP_DEFLATED:
        return Deflated(packed, info.file_size)
    if info.compress_type != zipfile.ZIP_STORED or info.compress_size != info.file_size:
        raise UnreadableModel(f"member {info.filename!r:.200} is packed in an unknown way")
    return packed


def _source(archived: Path | Source) -> Source:
    return source_of(archived) if isinstance(archived, Path) else archived
