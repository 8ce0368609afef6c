"""Arrays that list the chunks of newer HDF5 data sets [HDF5 file format, VII.C and VII.D].

A fixed array has one block, an extensible one blocks of growing size.  A long block is cut into
pages, and what was never written is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, repeat
from typing import TYPE_CHECKING

from assay.containers.hdf5.messages import UNDEFINED
from assay.errors import UnreadableModel

if TYPE_CHECKING:
    from assay.containers.hdf5.file import File

_CHECK = 4  # bytes of a checksum
_PREFIX = 14  # bytes before what a block holds
_MOST_BITS = 32
Places = Iterator[int | None]  # where in the file each entry lies; None of one that is left out


@dataclass(frozen=True)
class Array:
    """A header of either kind, with what it says of all blocks."""

    file: File
    address: int
    width: int  # bytes of an entry
    page: int  # entries of a page

    @classmethod
    def at(cls, file: File, address: int, signature: bytes, least: int) -> Array:
        """The header at an address, whose entries have ``least`` bytes or more."""
        place_of_bits = 7 if signature == b"FAHD" else 11
        width, bits = file.number(address + 6, 1), file.number(address + place_of_bits, 1)
        is_array = file.piece(address, 4) == signature and least <= width <= 24
        if not is_array or bits > _MOST_BITS:
            raise UnreadableModel(f"no HDF5 array of chunks is at byte {address:,}")
        return cls(file, address, width, 1 << bits)

    def fixed(self) -> Places:
        """The entries of a fixed array."""
        count, block = (self.file.number(self.address + at, 8) for at in (8, 16))
        if block == UNDEFINED:
            return iter(())
        self._expect(block, b"FADB")
        pages = -(-count // self.page) if count > self.page else 0
        start = block + _PREFIX
        if not pages:
            return self._run(start, count)
        return self._pages(start + -(-pages // 8), count, start)

    def extensible(self) -> Places:
        """The entries of an extensible array: some in its index, the rest in blocks."""
        file, bits = self.file, self.file.number(self.address + 7, 1)
        first, least, pointers = (file.number(self.address + at, 1) for at in (8, 9, 10))
        index = file.number(self.address + 60, 8)
        if index == UNDEFINED:
            return
        self._expect(index, b"EAIB")
        if not least or not pointers or bits > 64:
            raise UnreadableModel(f"no HDF5 array of chunks is at byte {self.address:,}")
        at = index + _PREFIX
        yield from self._run(at, first)
        at += first * self.width
        offset = -(-bits // 8)
        direct = 2 * (pointers.bit_length() - 1)
        for level in range(1 + bits - (least.bit_length() - 1)):
            count, blocks = least << (level + 1) // 2, 1 << level // 2
            if level < direct:
                yield from self._blocks(at, blocks, count, offset)
                at += 8 * blocks
                continue
            table = file.number(at, 8)
            at += 8
            if table == UNDEFINED:
                yield from repeat(None, blocks * count)
                continue
            self._expect(table, b"EASB")
            bitmap = -(-(count // self.page) // 8) if count > self.page else 0
            inside = table + _PREFIX + offset
            yield from self._blocks(inside + blocks * bitmap, blocks, count, offset)

    def _blocks(self, at: int, blocks: int, count: int, offset: int) -> Places:
        """The entries of blocks whose addresses are listed one after another."""
        for place in range(at, at + 8 * blocks, 8):
            self.file.spend()
            block = self.file.number(place, 8)
            if block == UNDEFINED:
                yield from repeat(None, count)
                continue
            self._expect(block, b"EADB")
            start = block + _PREFIX + offset
            paged = count > self.page
            yield from self._pages(start, count, None) if paged else self._run(start, count)

    def _run(self, start: int, count: int) -> Places:
        return iter(range(start, start + count * self.width, self.width))

    def _pages(self, start: int, count: int, bitmap: int | None) -> Places:
        """Entries in pages, each with a checksum; a bitmap tells which of them were written."""
        at, found = start + _CHECK, []
        for number, done in enumerate(range(0, count, self.page)):
            held = min(self.page, count - done)
            is_written = bitmap is None or self._bit(bitmap, number)
            found.append(self._run(at, held) if is_written else repeat(None, held))
            at += held * self.width + _CHECK
            self.file.spend()
        return chain.from_iterable(found)

    def _bit(self, bitmap: int, number: int) -> bool:
        return bool(self.file.number(bitmap + number // 8, 1) >> (7 - number % 8) & 1)

    def _expect(self, address: int, signature: bytes) -> None:
        if self.file.piece(address, 4) != signature:
            raise UnreadableModel(f"no HDF5 array of chunks is at byte {address:,}")
