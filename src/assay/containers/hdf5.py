"""HDF5 files as Keras writes them, read by structure alone [HDF5 file format, version 3.0].

Groups, attributes and data sets in a mapped file: every address and length is checked before it is
followed, each object header is visited once.  What lies outside the file (external links, external
and virtual data) is refused.  ``_hdf5_data`` reads the numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from mmap import mmap
from typing import Any

from assay.containers.hdf5_data import Kind, Layout, dataspace, datatype, filters, text_of
from assay.errors import UnreadableModel

SIGNATURE = b"\x89HDF\r\n\x1a\n"
UNDEFINED = 2**64 - 1
MOST_OBJECTS = 200_000
MOST_MESSAGES = 2_000_000
MOST_DEPTH = 32

Body = tuple[int, bytes]  # a message's type and content


@dataclass
class File:
    """A mapped HDF5 file, and how much of it may still be looked at."""

    data: mmap | bytes
    start: int = 0  # where in the bytes it begins
    size: int = -1  # of it; all the rest where not given
    left: int = MOST_MESSAGES
    root: int = field(init=False)

    def __post_init__(self) -> None:
        if self.size < 0:
            self.size = len(self.data) - self.start
        if self.bytes(0, 8) != SIGNATURE:
            raise UnreadableModel("not an HDF5 file")
        version = self.number(8, 1)
        places = {0: (13, 64), 1: (13, 68), 2: (9, 36), 3: (9, 36)}
        if version not in places:
            raise UnreadableModel(f"an HDF5 file of the unknown version {version}")
        sizes, root = places[version]
        if self.bytes(sizes, 2) != b"\x08\x08":
            raise UnreadableModel("an HDF5 file whose addresses are not of 8 bytes")
        self.root = self.number(root, 8)

    def bytes(self, at: int, count: int) -> bytes:
        """Bytes of the file.  Raises UnreadableModel where they lie outside."""
        if not 0 <= at <= at + count <= self.size:
            raise UnreadableModel(f"truncated: {count:,} bytes at byte {at:,} are not there")
        return bytes(self.data[self.start + at : self.start + at + count])

    def number(self, at: int, count: int) -> int:
        """An unsigned number."""
        return int.from_bytes(self.bytes(at, count), "little")

    def spend(self) -> None:
        """One more thing was looked at."""
        self.left -= 1
        if self.left < 0:
            raise UnreadableModel("the HDF5 file has too many objects, or they are circular")

    def messages(self, address: int) -> list[Body]:
        """The messages of the object header at an address."""
        if self.bytes(address, 4) == b"OHDR":
            return list(self._new_header(address))
        if self.number(address, 1) != 1:
            raise UnreadableModel(f"no HDF5 object is at byte {address:,}")
        return list(self._old_header(address))

    def _old_header(self, address: int) -> Iterator[Body]:
        blocks = [(address + 16, self.number(address + 8, 4))]
        for start, length in blocks:  # grows as blocks are continued
            at = start
            while at + 8 <= start + length:
                self.spend()
                kind, size = self.number(at, 2), self.number(at + 2, 2)
                body = self.bytes(at + 8, size)
                at += 8 + size
                if kind == 0x10:
                    blocks.append(_continued(body))
                else:
                    yield kind, body

    def _new_header(self, address: int) -> Iterator[Body]:
        flags = self.number(address + 5, 1)
        at = address + 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
        width = 1 << (flags & 3)
        head = 6 if flags & 4 else 4  # the order of creation may be kept
        blocks = [(at + width, self.number(at, width))]
        for start, length in blocks:
            at = start
            while at + head <= start + length:
                self.spend()
                kind, size = self.number(at, 1), self.number(at + 1, 2)
                body = self.bytes(at + head, size)
                at += head + size
                if kind == 0x10:
                    place, count = _continued(body)
                    if self.bytes(place, 4) != b"OCHK":
                        raise UnreadableModel("an HDF5 object is not continued where it says")
                    blocks.append((place + 4, count - 8))
                else:
                    yield kind, body


@dataclass
class Object:
    """A group or a data set."""

    file: File
    path: str
    address: int
    messages: list[Body]

    def _first(self, kind: int) -> bytes | None:
        return next((body for number, body in self.messages if number == kind), None)

    @property
    def is_data(self) -> bool:
        """Whether it is a data set."""
        return self._first(8) is not None

    def attribute(self, name: str) -> Any:
        """An attribute's value: text, a list of texts, or None where it is absent or a number."""
        for kind, body in self.messages:
            if kind == 0xC and (found := _attribute(self.file, body, name)) is not None:
                return found
        return None

    def links(self) -> Iterator[tuple[str, int]]:
        """Names in a group, with the addresses of what they name."""
        table = self._first(0x11)
        if table is not None and len(table) >= 16:
            tree, heap = _address(table, 0), _address(table, 8)
            yield from _old_links(self.file, tree, heap)
        for kind, body in self.messages:
            if kind == 6:
                yield from _link(body)
            if kind == 2 and len(body) >= 2:
                from assay.containers.hdf5_heaps import dense_links

                at = 2 + (8 if body[1] & 1 else 0)
                if _address(body, at) != UNDEFINED:
                    for link in dense_links(self.file, _address(body, at), _address(body, at + 8)):
                        yield from _link(link)

    def layout(self) -> Layout:
        """How a data set's numbers are stored."""
        if self._first(7) is not None:
            raise UnreadableModel(f"{self.path!r} keeps its data in another file")
        kind, space, stored = self._first(3), self._first(1), self._first(8)
        if kind is None or space is None or stored is None:
            raise UnreadableModel(f"{self.path!r} has no type or no shape")
        pipeline = self._first(0xB)
        applied = filters(pipeline) if pipeline is not None else []
        return Layout(self.path, datatype(kind), dataspace(space), stored, applied)


def walk(file: File) -> Iterator[Object]:
    """Every object, each once, groups before what is in them."""
    seen: set[int] = set()
    waiting = [("", file.root, 0)]
    while waiting:
        path, address, depth = waiting.pop()
        if address in seen:
            continue
        seen.add(address)
        if len(seen) > MOST_OBJECTS or depth > MOST_DEPTH:
            raise UnreadableModel("the HDF5 file has too many objects, or too deep ones")
        found = Object(file, path, address, file.messages(address))
        yield found
        if not found.is_data:
            inner = [(f"{path}/{name}".lstrip("/"), at, depth + 1) for name, at in found.links()]
            waiting += reversed(inner)


def _continued(body: bytes) -> tuple[int, int]:
    return _address(body, 0), _address(body, 8)


def _address(body: bytes, at: int) -> int:
    if at + 8 > len(body):
        raise UnreadableModel("an HDF5 message is cut")
    return int.from_bytes(body[at : at + 8], "little")


def _old_links(file: File, tree: int, heap: int) -> Iterator[tuple[str, int]]:
    """Links of a group in a tree of symbol tables; the names lie in a heap."""
    if file.bytes(heap, 4) != b"HEAP":
        raise UnreadableModel("an HDF5 group has no names")
    size, names = file.number(heap + 8, 8), file.number(heap + 24, 8)
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        file.spend()
        count = file.number(node + 6, 2)
        signature = file.bytes(node, 4)
        if signature == b"TREE":
            waiting += [file.number(node + 32 + 16 * i, 8) for i in reversed(range(count))]
            continue
        if signature != b"SNOD":
            raise UnreadableModel(f"no HDF5 symbol table is at byte {node:,}")
        for i in range(count):
            file.spend()
            entry = node + 8 + 40 * i
            if file.number(entry + 16, 4) == 2:
                continue  # a symbolic link: what it names is listed elsewhere
            place = file.number(entry, 8)
            if place >= size:
                raise UnreadableModel("an HDF5 name lies outside its heap")
            name = file.bytes(names + place, min(1024, size - place))
            yield text_of(name), file.number(entry + 8, 8)


def _link(body: bytes) -> Iterator[tuple[str, int]]:
    """One link message, where it is a hard link."""
    flags, at = body[1], 2
    kind = 0
    if flags & 8:
        kind, at = body[at], at + 1
    at += (8 if flags & 4 else 0) + (1 if flags & 0x10 else 0)
    width = 1 << (flags & 3)
    length = int.from_bytes(body[at : at + width], "little")
    name, at = body[at + width : at + width + length], at + width + length
    if kind == 64:
        raise UnreadableModel(f"{text_of(name)!r} is a link to another file")
    if kind == 0:
        yield text_of(name), _address(body, at)


def _attribute(file: File, body: bytes, wanted: str) -> Any:
    """The value of an attribute message of that name."""
    version = body[0]
    if version not in (1, 2, 3):
        raise UnreadableModel(f"an HDF5 attribute of the unknown version {version}")
    sizes = [int.from_bytes(body[i : i + 2], "little") for i in (2, 4, 6)]
    at = 9 if version == 3 else 8
    parts = []
    for size in sizes:
        parts.append(body[at : at + size])
        at += -(-size // 8) * 8 if version == 1 else size
    if text_of(parts[0]) != wanted:
        return None
    kind, shape = datatype(parts[1]), dataspace(parts[2])
    count = 1
    for d in shape:
        count *= d
    if not kind.is_text or count * kind.size > len(body) - at:
        return None
    pieces = [body[at + i * kind.size : at + (i + 1) * kind.size] for i in range(count)]
    texts = [_text(file, kind, piece) for piece in pieces]
    return texts if shape else texts[0]


def _text(file: File, kind: Kind, piece: bytes) -> str:
    if not kind.variable:
        return text_of(piece)
    heap, index = int.from_bytes(piece[4:12], "little"), int.from_bytes(piece[12:16], "little")
    length = int.from_bytes(piece[:4], "little")
    if file.bytes(heap, 4) != b"GCOL":
        raise UnreadableModel(f"no HDF5 heap is at byte {heap:,}")
    at, end = heap + 16, heap + file.number(heap + 8, 8)
    while at + 16 <= end:
        file.spend()
        size = file.number(at + 8, 8)
        if file.number(at, 2) == index:
            return text_of(file.bytes(at + 16, min(size, length)))
        at += 16 + -(-size // 8) * 8
    raise UnreadableModel("an HDF5 text is not in its heap")
