"""Members of a tar archive, looked at where they lie [POSIX.1-2001, pax; GNU tar].

Only the headers are read.  Links and devices are no members: whoever asks what they lead to would
leave the archive.
"""

from __future__ import annotations

from dataclasses import dataclass

from assay.containers.sources import Source
from assay.errors import UnreadableModel

MOST_MEMBERS = 50_000
LONGEST_NOTE = 65_536  # bytes of a header that only names the next member
_BLOCK = 512
_FILES, _FOLDER, _LONG_NAME, _PAX, _PAX_GLOBAL = (b"0", b"\0", b"7"), b"5", b"L", b"x", b"g"


@dataclass(frozen=True, slots=True)
class Member:
    """A file in the archive."""

    name: str
    start: int
    size: int


def is_tar(head: bytes) -> bool:
    """Whether a file that begins so is a tar archive."""
    return len(head) >= _BLOCK and _sum_fits(head[:_BLOCK])


def members(source: Source) -> list[Member]:
    """The files in an archive, in its order.

    Raises UnreadableModel where it is none, is cut, or holds links or devices.
    """
    found: list[Member] = []
    at, name, seen = 0, "", 0
    while at + _BLOCK <= source.size:
        header = source.read(at, _BLOCK)
        if not header.strip(b"\0"):  # the end: a block of zeros
            return found
        if not _sum_fits(header):
            raise UnreadableModel("it is no tar archive, or damaged")
        seen += 1
        if seen > MOST_MEMBERS:
            raise UnreadableModel(f"it has more than {MOST_MEMBERS:,} members")
        size, kind, start = _number(header[124:136]), header[156:157], at + _BLOCK
        if start + size > source.size:
            raise UnreadableModel("it is cut: a member lies beyond its end")
        at = start + -(-size // _BLOCK) * _BLOCK
        if kind in (_LONG_NAME, _PAX, _PAX_GLOBAL):
            if size > LONGEST_NOTE:
                raise UnreadableModel(f"a header of {size:,} bytes")
            note = source.read(start, size)
            if kind != _PAX_GLOBAL:
                name = _text(note.rstrip(b"\0")) if kind == _LONG_NAME else _pax_path(note)
            continue
        name = name or _own_name(header)
        is_old_folder = kind == b"\0" and name.endswith("/")
        if kind in _FILES and not is_old_folder:
            found.append(Member(name, start, size))
        elif kind != _FOLDER and not is_old_folder:
            raise UnreadableModel(
                f"member {name!r:.200} is a link or device, which is not followed"
            )
        name = ""
    raise UnreadableModel("it is cut: it has no end")


def _sum_fits(header: bytes) -> bool:
    """Whether the header's checksum is right: the sum of its bytes, its own place as spaces."""
    digits = header[148:156].split(b"\0")[0].strip()
    if not digits or not all(48 <= digit < 56 for digit in digits):
        return False
    return int(digits, 8) == sum(header) - sum(header[148:156]) + 8 * 32


def _number(field: bytes) -> int:
    """Octal digits, or GNU's base 256."""
    if field[0] & 0x80:
        return int.from_bytes(field[1:], "big")
    digits = field.split(b"\0")[0].strip() or b"0"
    if not all(48 <= digit < 56 for digit in digits):
        raise UnreadableModel("it is no tar archive, or damaged")
    return int(digits, 8)


def _own_name(header: bytes) -> str:
    name, prefix = (_text(part.split(b"\0")[0]) for part in (header[:100], header[345:500]))
    has_prefix = header[257:263] == b"ustar\0" and prefix
    return f"{prefix}/{name}" if has_prefix else name


def _pax_path(note: bytes) -> str:
    """The path that a pax header gives; "" where it gives none.  Records: length, key=value."""
    at, path = 0, ""
    while at < len(note):
        length, _, _ = note[at : at + 20].partition(b" ")
        if not length.isdigit() or int(length) <= len(length) + 1:
            raise UnreadableModel("a damaged pax header")
        key, _, value = note[at + len(length) + 1 : at + int(length) - 1].partition(b"=")
        if key == b"size":
            raise UnreadableModel("a member of 8 GiB or more, in a way that is not read")
        if key.startswith(b"GNU.sparse."):
            raise UnreadableModel("a member with holes, which is not read")
        path = _text(value) if key == b"path" else path
        at += int(length)
    return path


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")
