"""What the messages of an HDF5 object say: type, shape, filters, links [HDF5 file format, IV]."""

from __future__ import annotations

from dataclasses import dataclass

from assay.errors import UnreadableModel
from assay.weights.shapes import shape_of

UNDEFINED = 2**64 - 1
_HARD, _EXTERNAL = 0, 64
# Bits of a float: its size → place and size of the exponent, size of the mantissa.
_FLOATS = {2: (10, 5, 10), 4: (23, 8, 23), 8: (52, 11, 52)}
_BFLOAT16 = (7, 8, 7)


@dataclass(frozen=True)
class Kind:
    """A data type: NumPy's name of a number, or text."""

    name: str  # "" where it is neither
    numpy: str
    size: int  # bytes of an element
    is_text: bool = False
    is_variable: bool = False  # text of any length, which lies in a heap


@dataclass(frozen=True)
class Space:
    """A shape, and how large it may grow along each axis."""

    shape: tuple[int, ...]
    largest: tuple[int, ...]


def number(body: bytes, at: int, count: int) -> int:
    """An unsigned number.  Raises UnreadableModel where the message ends before."""
    if at + count > len(body):
        raise UnreadableModel("an HDF5 message is cut")
    return int.from_bytes(body[at : at + count], "little")


def text_of(piece: bytes) -> str:
    """Text up to its end."""
    return piece.split(b"\0", 1)[0].decode("utf-8", "replace")


def datatype(body: bytes) -> Kind:
    """The type that a message tells."""
    kind, flags, size = number(body, 0, 1) & 15, number(body, 1, 1), number(body, 4, 4)
    order = ">" if flags & 1 else "<"
    if kind == 0 and size in (1, 2, 4, 8):
        letter = "i" if flags & 8 else "u"
        return Kind(f"{'' if letter == 'i' else 'u'}int{8 * size}", f"{order}{letter}{size}", size)
    if kind == 1 and len(body) >= 20 and not flags & 0x40:
        bits = (body[12], body[13], body[15])
        if size == 2 and bits == _BFLOAT16:
            return Kind("bfloat16", f"{order}u2", 2)
        if bits == _FLOATS.get(size):
            return Kind(f"float{8 * size}", f"{order}f{size}", size)
    if kind == 3:
        return Kind("text", "", size, True)
    if kind == 8 and size == 1:
        return Kind("bool", "u1", 1)
    if kind == 9 and flags & 15 == 1:
        return Kind("text", "", 16, True, True)
    return Kind("", "", size)


def dataspace(body: bytes) -> Space:
    """The shape that a message tells."""
    version, rank, flags = number(body, 0, 1), number(body, 1, 1), number(body, 2, 1)
    if version not in (1, 2):
        raise UnreadableModel(f"an HDF5 shape of the unknown version {version}")
    if version == 2 and number(body, 3, 1) == 2:
        return Space((0,), (0,))
    start = 8 if version == 1 else 4
    dims = [number(body, start + 8 * i, 8) for i in range(rank * (2 if flags & 1 else 1))]
    shape = shape_of("an HDF5 data set", dims[:rank])
    return Space(shape, tuple(dims[rank:]) or shape)


def filters(body: bytes) -> list[int]:
    """The numbers of the filters that were applied, in order."""
    version, count = number(body, 0, 1), number(body, 1, 1)
    if version not in (1, 2):
        raise UnreadableModel(f"an HDF5 list of filters of the unknown version {version}")
    at, found = (8 if version == 1 else 2), []
    for _ in range(count):
        which = number(body, at, 2)
        is_named = version == 1 or which >= 256
        length = number(body, at + 2, 2) if is_named else 0
        at += 4 if is_named else 2
        values = number(body, at + 2, 2)
        at += 4 + (-(-length // 8) * 8 if version == 1 else length) + 4 * values
        at += 4 if version == 1 and values % 2 else 0
        found.append(which)
    return found


def fill_value(body: bytes) -> bytes:
    """What stands for numbers that were never written; nothing for zeros."""
    version = number(body, 0, 1)
    if version in (1, 2):
        if version == 2 and not number(body, 3, 1):
            return b""
        return body[8 : 8 + number(body, 4, 4)]
    if version == 3 and number(body, 1, 1) & 0x20:
        return body[6 : 6 + number(body, 2, 4)]
    return b""


def hard_link(body: bytes) -> tuple[str, int] | None:
    """Name and address that a link message tells; None of a symbolic link.

    What a symbolic link names is listed elsewhere, or is not there.  Raises UnreadableModel where
    the link leads to another file.
    """
    flags, at = number(body, 1, 1), 2
    kind = _HARD
    if flags & 8:
        kind, at = number(body, at, 1), at + 1
    at += (8 if flags & 4 else 0) + (1 if flags & 0x10 else 0)
    width = 1 << (flags & 3)
    length = number(body, at, width)
    name, at = text_of(body[at + width : at + width + length]), at + width + length
    if kind == _EXTERNAL:
        raise UnreadableModel(f"{name[:80]!r} is a link to another file")
    return (name, number(body, at, 8)) if kind == _HARD else None


@dataclass(frozen=True)
class Attribute:
    """An attribute message taken apart."""

    name: str
    kind: Kind
    shape: tuple[int, ...]
    content: bytes


def attribute(body: bytes) -> Attribute | None:
    """The attribute that a message tells; None where its type lies elsewhere in the file."""
    version = number(body, 0, 1)
    if version not in (1, 2, 3):
        raise UnreadableModel(f"an HDF5 attribute of the unknown version {version}")
    if version > 1 and number(body, 1, 1) & 3:
        return None
    at = 9 if version == 3 else 8
    parts = []
    for size in (number(body, i, 2) for i in (2, 4, 6)):
        parts.append(body[at : at + size])
        at += -(-size // 8) * 8 if version == 1 else size
    name, kind, space = text_of(parts[0]), datatype(parts[1]), dataspace(parts[2])
    return Attribute(name, kind, space.shape, body[at:])
