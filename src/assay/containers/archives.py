"""Members of a zip archive, looked at where they lie [PKWARE APPNOTE].

Only the directory is read.  Stored members are parts of the file; deflated ones are unpacked piece
by piece.  Nothing is ever extracted under a name that an archive gives.
"""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path

from assay.containers.sources import Deflated, FilePart, Source
from assay.errors import UnreadableModel

ZIP = b"PK\x03\x04"  # how an archive begins
MOST_DIRECTORY = 16 * 2**20  # bytes
MOST_UNPACKED = 64  # times the file's length
SLACK = 64 * 2**20  # bytes that may be unpacked of any file
_LOCAL = struct.Struct("<4s22xHH")
_DAMAGED = (zipfile.BadZipFile, EOFError, NotImplementedError, OverflowError, ValueError)


class _Bounded(io.FileIO):
    """A file of which no more than a directory's length is read at once."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0:
            here = self.tell()
            size = self.seek(0, io.SEEK_END) - here
            self.seek(here)
        if size > MOST_DIRECTORY:
            raise UnreadableModel(f"its directory is longer than {MOST_DIRECTORY:,} bytes")
        return super().read(size) or b""


def members(path: Path) -> dict[str, zipfile.ZipInfo]:
    """The members of an archive, by name.

    Raises UnreadableModel where it is none, is encrypted, or claims what it cannot hold.
    """
    size = path.stat().st_size
    try:
        with _Bounded(path) as file, zipfile.ZipFile(file) as archive:
            listed = archive.infolist()
    except (*_DAMAGED, struct.error) as error:
        raise UnreadableModel(f"not a zip archive, or cut: {error}") from error
    found: dict[str, zipfile.ZipInfo] = {}
    for info in listed:
        if info.filename in found:
            raise UnreadableModel(f"two members have the name {info.filename!r:.200}")
        if info.flag_bits & 1:
            raise UnreadableModel("it is encrypted")
        if info.header_offset < 0 or info.header_offset + info.compress_size > size:
            raise UnreadableModel(f"member {info.filename!r:.200} lies beyond the end of the file")
        found[info.filename] = info
    if sum(info.file_size for info in listed) > MOST_UNPACKED * size + SLACK:
        raise UnreadableModel(f"it claims to unpack to more than {MOST_UNPACKED} times its size")
    return found


def member(path: Path, info: zipfile.ZipInfo) -> Source:
    """What a member holds.  Raises UnreadableModel where it is not there, or not readable so."""
    size = path.stat().st_size
    head = FilePart(path, 0, size).read(info.header_offset, _LOCAL.size)
    sign, name, extra = _LOCAL.unpack(head)
    base = info.header_offset + _LOCAL.size + name + extra
    if sign != ZIP or base + info.compress_size > size:
        raise UnreadableModel(f"member {info.filename!r:.200} is cut")
    packed = FilePart(path, base, info.compress_size)
    if info.compress_type == zipfile.ZIP_DEFLATED:
        return Deflated(packed, info.file_size)
    if info.compress_type != zipfile.ZIP_STORED or info.compress_size != info.file_size:
        raise UnreadableModel(f"member {info.filename!r:.200} is packed in an unknown way")
    return packed
