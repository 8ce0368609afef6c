"""HDF5 files as Keras writes them, read by structure alone [HDF5 file format, version 3.0].

Groups, attributes and data sets in a mapped file: every address and length is checked before it is
followed, each object header is visited once.  What lies outside the file (external links, external
and virtual data) is refused.  ``data`` reads the numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import prod
from mmap import mmap

from assay.containers.hdf5 import SIGNATURE
from assay.containers.hdf5.data import Layout
from assay.containers.hdf5.heaps import ATTRIBUTES, LINKS, listed
from assay.containers.hdf5.messages import (
    UNDEFINED,
    Kind,
    attribute,
    dataspace,
    datatype,
    fill_value,
    filters,
    hard_link,
    number,
    text_of,
)
from assay.errors import UnreadableModel

MOST_OBJECTS = 200_000
MOST_MESSAGES = 1_000_000
MOST_DEPTH = 32
MOST_TEXT = 32 * 2**20  # bytes of an attribute
_LONGEST_NAME, _LONGEST_PATH = 1024, 2048
_SPACE, _LINKS, _TYPE, _FILL, _LINK, _EXTERNAL = 1, 2, 3, 5, 6, 7
_LAYOUT, _FILTERS, _ATTRIBUTE, _CONTINUED, _TABLE, _ATTRIBUTES = 8, 11, 12, 16, 17, 21
# Where the first block of each version has the widths of addresses, the file's end, the root.
_SUPERBLOCKS = {0: (13, 40, 64), 1: (13, 44, 68), 2: (9, 28, 36), 3: (9, 28, 36)}
_SHARED = 2  # flag of a message that lies elsewhere
_SYMBOLIC = 2  # kind of an entry in an old group

Body = tuple[int, bytes]  # a message's type and content


@dataclass
class File:
    """A mapped HDF5 file, and how much of it may still be looked at."""

    data: mmap | bytes
    start: int = 0  # where in the bytes it begins
    size: int = -1  # of it; all the rest where not given
    left: int = MOST_MESSAGES
    packed: int = 0  # bytes that it takes where it is compressed
    root: int = field(init=False)

    def __post_init__(self) -> None:
        if self.size < 0:
            self.size = len(self.data) - self.start
        if self.piece(0, 8) != SIGNATURE:
            raise UnreadableModel("not an HDF5 file")
        version = self.number(8, 1)
        if version not in _SUPERBLOCKS:
            raise UnreadableModel(f"an HDF5 file of the unknown version {version}")
        sizes, end, root = _SUPERBLOCKS[version]
        if self.piece(sizes, 2) != b"\x08\x08":
            raise UnreadableModel("an HDF5 file whose addresses are not of 8 bytes")
        if self.number(end, 8) > self.size:
            raise UnreadableModel(f"truncated: {self.size:,} of {self.number(end, 8):,} bytes")
        self.root = self.number(root, 8)

    def piece(self, at: int, count: int) -> bytes:
        """Bytes of the file.  Raises UnreadableModel where they lie outside."""
        if not 0 <= at <= at + count <= self.size:
            raise UnreadableModel(f"truncated: {count:,} bytes at byte {at:,} are not there")
        return bytes(self.data[self.start + at : self.start + at + count])

    def number(self, at: int, count: int) -> int:
        """An unsigned number."""
        return int.from_bytes(self.piece(at, count), "little")

    def spend(self, count: int = 1) -> None:
        """So many more things are looked at."""
        self.left -= count
        if self.left < 0:
            raise UnreadableModel("the HDF5 file has too many objects, or they are circular")

    def messages(self, address: int) -> list[Body]:
        """The messages of the object header at an address; shared types are fetched."""
        return [
            (kind, self._shared(body) if flags & _SHARED and kind == _TYPE else body)
            for kind, flags, body in self._messages(address)
        ]

    def _messages(self, address: int) -> Iterator[tuple[int, int, bytes]]:
        if self.piece(address, 4) == b"OHDR":
            return self._new_header(address)
        if self.number(address, 1) != 1:
            raise UnreadableModel(f"no HDF5 object is at byte {address:,}")
        return self._old_header(address)

    def _shared(self, body: bytes) -> bytes:
        """The type that several data sets have, which is an object of its own."""
        version, kind = number(body, 0, 1), number(body, 1, 1)
        if version not in (1, 2, 3) or (version == 3 and kind == 1):
            raise UnreadableModel("an HDF5 type is shared in a way that is not read")
        place = number(body, 8 if version == 1 else 2, 8)
        for found, flags, content in self._messages(place):
            if found == _TYPE and not flags & _SHARED:
                return content
        raise UnreadableModel(f"no HDF5 type is at byte {place:,}")

    def _old_header(self, address: int) -> Iterator[tuple[int, int, bytes]]:
        blocks = [(address + 16, self.number(address + 8, 4))]
        for start, length in blocks:  # grows as blocks are continued
            at = start
            self.spend()
            while at + 8 <= start + length:
                self.spend()
                kind, size = self.number(at, 2), self.number(at + 2, 2)
                flags, body = self.number(at + 4, 1), self.piece(at + 8, size)
                at += 8 + size
                if kind == _CONTINUED:
                    blocks.append((number(body, 0, 8), number(body, 8, 8)))
                else:
                    yield kind, flags, body

    def _new_header(self, address: int) -> Iterator[tuple[int, int, bytes]]:
        flags = self.number(address + 5, 1)
        at = address + 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
        width = 1 << (flags & 3)
        head = 6 if flags & 4 else 4  # the order of creation may be kept
        blocks = [(at + width, self.number(at, width))]
        for start, length in blocks:
            at = start
            self.spend()
            while at + head <= start + length:
                self.spend()
                kind, size = self.number(at, 1), self.number(at + 1, 2)
                own, body = self.number(at + 3, 1), self.piece(at + head, size)
                at += head + size
                if kind == _CONTINUED:
                    place, count = number(body, 0, 8), number(body, 8, 8)
                    if self.piece(place, 4) != b"OCHK":
                        raise UnreadableModel("an HDF5 object is not continued where it says")
                    blocks.append((place + 4, count - 8))
                else:
                    yield kind, own, body


@dataclass
class Object:
    """A group or a data set."""

    file: File
    path: str
    messages: list[Body]

    def _first(self, kind: int) -> bytes | None:
        return next((body for found, body in self.messages if found == kind), None)

    @property
    def is_data(self) -> bool:
        """Whether it is a data set."""
        return self._first(_LAYOUT) is not None

    def text(self, name: str) -> str | None:
        """The text that an attribute holds; None where it is absent or anything else."""
        for body in self._attributes():
            found = attribute(body)
            if found is not None and found.name == name:
                is_one = found.kind.is_text and prod(found.shape) == 1
                return _text(self.file, found.kind, found.content) if is_one else None
        return None

    def _attributes(self) -> Iterator[bytes]:
        yield from (body for kind, body in self.messages if kind == _ATTRIBUTE)
        about = self._first(_ATTRIBUTES)
        if about is not None:
            at = 2 + (2 if number(about, 1, 1) & 1 else 0)
            yield from self._dense(about, at, ATTRIBUTES)

    def _dense(self, about: bytes, at: int, kinds: dict[int, int]) -> Iterator[bytes]:
        """Messages that are too many for the header: in a heap that a tree lists."""
        heap, tree = number(about, at, 8), number(about, at + 8, 8)
        if heap != UNDEFINED:
            yield from listed(self.file, heap, tree, kinds)

    def links(self) -> Iterator[tuple[str, int]]:
        """Names in a group, with the addresses of what they name."""
        table = self._first(_TABLE)
        if table is not None:
            yield from _old_links(self.file, number(table, 0, 8), number(table, 8, 8))
        for body in self._links():
            link = hard_link(body)
            if link is not None:
                yield link

    def _links(self) -> Iterator[bytes]:
        yield from (body for kind, body in self.messages if kind == _LINK)
        about = self._first(_LINKS)
        if about is not None:
            yield from self._dense(about, 2 + (8 if number(about, 1, 1) & 1 else 0), LINKS)

    def layout(self) -> Layout:
        """How a data set's numbers are stored."""
        if self._first(_EXTERNAL) is not None:
            raise UnreadableModel(f"{self.path!r} keeps its data in another file")
        kind, space, stored = (self._first(which) for which in (_TYPE, _SPACE, _LAYOUT))
        if kind is None or space is None or stored is None:
            raise UnreadableModel(f"{self.path!r} has no type or no shape")
        pipeline, fill = self._first(_FILTERS), self._first(_FILL)
        applied = filters(pipeline) if pipeline is not None else []
        unwritten = fill_value(fill) if fill is not None else b""
        return Layout(self.path, datatype(kind), dataspace(space), stored, applied, unwritten)


def walk(file: File) -> Iterator[Object]:
    """Every object, each once, groups before what is in them."""
    seen: set[int] = set()
    entered = [iter([("", file.root)])]  # the members of groups within groups
    while entered:
        path, address = next(entered[-1], ("", -1))
        if address < 0:
            entered.pop()
        elif address not in seen:
            seen.add(address)
            if len(seen) > MOST_OBJECTS or len(entered) > MOST_DEPTH or len(path) > _LONGEST_PATH:
                raise UnreadableModel("the HDF5 file has too many objects, or too deep ones")
            found = Object(file, path, file.messages(address))
            yield found
            if not found.is_data:
                entered.append(_members(found))


def _members(group: Object) -> Iterator[tuple[str, int]]:
    """The path and the address of all that a group names."""
    names: set[str] = set()
    for name, address in group.links():
        if name in names:
            raise UnreadableModel(f"{group.path!r} names {name[:80]!r} twice")
        names.add(name)
        yield f"{group.path}/{name}".lstrip("/"), address


def _old_links(file: File, tree: int, heap: int) -> Iterator[tuple[str, int]]:
    """Links of a group in a tree of symbol tables; the names lie in a heap."""
    if file.piece(heap, 4) != b"HEAP":
        raise UnreadableModel("an HDF5 group has no names")
    size, names = file.number(heap + 8, 8), file.number(heap + 24, 8)
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        file.spend()
        signature, count = file.piece(node, 4), file.number(node + 6, 2)
        if signature == b"TREE":
            file.spend(count)
            waiting += [file.number(node + 32 + 16 * i, 8) for i in reversed(range(count))]
            continue
        if signature != b"SNOD":
            raise UnreadableModel(f"no HDF5 symbol table is at byte {node:,}")
        for entry in range(node + 8, node + 8 + 40 * count, 40):
            file.spend()
            if file.number(entry + 16, 4) == _SYMBOLIC:
                continue  # what it names is listed elsewhere, or is not there
            place = file.number(entry, 8)
            if place >= size:
                raise UnreadableModel("an HDF5 name lies outside its heap")
            name = file.piece(names + place, min(_LONGEST_NAME, size - place))
            yield text_of(name), file.number(entry + 8, 8)


def _text(file: File, kind: Kind, piece: bytes) -> str:
    """A text that lies in the attribute, or in a heap where it may be of any length."""
    if not kind.is_variable:
        return text_of(piece[: kind.size])
    length, heap, index = (number(piece, at, n) for at, n in ((0, 4), (4, 8), (12, 4)))
    if not length:
        return ""
    if file.piece(heap, 4) != b"GCOL":
        raise UnreadableModel(f"no HDF5 heap is at byte {heap:,}")
    at, end = heap + 16, heap + file.number(heap + 8, 8)
    while at + 16 <= end:
        file.spend()
        size = file.number(at + 8, 8)
        if file.number(at, 2) == index:
            if min(size, length) > MOST_TEXT:
                raise UnreadableModel(f"an HDF5 text of {length:,} bytes")
            return text_of(file.piece(at + 16, min(size, length)))
        at += 16 + -(-size // 8) * 8
    raise UnreadableModel("an HDF5 text is not in its heap")
