"""HDF5 files that lie about places and sizes, lead elsewhere, or never end."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from samples.keras import (
    ATTRIBUTE,
    CONTINUED,
    EXTERNAL,
    FILTERS,
    LAYOUT,
    LINK,
    LINKS,
    UNDEFINED,
    Message,
    Writer,
    attribute,
    chunked,
    one_piece,
    space,
    text_type,
)

from hostile.building import attack, write

_TABLE = 17  # a message that tells where an old group's names lie


def saved(folder: Path, writer: Writer, members: dict[str, int], *messages: Message) -> Path:
    return write(folder, writer.bytes(writer.group(members, *messages)), "hostile.h5")


def of_data(folder: Path, shape: Sequence[int], *messages: Message) -> Path:
    writer = Writer()
    return saved(folder, writer, {"d": writer.odd_data(shape, *messages)})


def of_chunks(
    folder: Path, shape: Sequence[int], chunk: Sequence[int], content: bytes, *messages: Message
) -> Path:
    """One chunk, at the beginning."""
    writer = Writer()
    at, rank = writer.put(content), len(chunk)
    node = b"TREE\x01" + struct.pack("<BHQQ", 0, 1, UNDEFINED, UNDEFINED)
    node += struct.pack(f"<II{rank + 1}QQ", len(content), 0, *([0] * (rank + 1)), at)
    tree = writer.put(node)
    return saved(folder, writer, {"d": writer.odd_data(shape, chunked(tree, chunk), *messages)})


@attack("link to another file")
def h5_link_to_another_file(folder: Path) -> Path:
    body = struct.pack("<BBBB", 1, 8, 64, 4) + b"link" + struct.pack("<H", 12) + b"\0/etc\0passwd"
    return saved(folder, Writer(), {}, (LINK, body))


@attack("keeps its data in another file")
def h5_data_in_another_file(folder: Path) -> Path:
    return of_data(folder, [4], (EXTERNAL, bytes(40)), one_piece(96, 16))


@attack("are virtual")
def h5_data_that_are_virtual(folder: Path) -> Path:
    return of_data(folder, [4], (LAYOUT, struct.pack("<BBQI", 4, 3, 96, 0)))


@attack("holds no weights")
def h5_soft_links_in_a_circle(folder: Path) -> Path:
    names = ["a", "b"]
    links = [
        (LINK, struct.pack("<BBBB", 1, 8, 1, 1) + name.encode() + b"\x02\0/" + other.encode())
        for name, other in zip(names, reversed(names), strict=True)
    ]
    return saved(folder, Writer(), {}, *links)


@attack("holds no weights")
def h5_groups_that_hold_each_other(folder: Path) -> Path:
    writer = Writer()
    inner = writer.group({"up": 0x1000})
    writer.out += bytes(0x1000 - len(writer.out))
    return write(folder, writer.bytes(writer.group({"in": inner})), "hostile.h5")


@attack("circular")
def h5_header_that_continues_in_itself(folder: Path) -> Path:
    writer = Writer()
    at = len(writer.out) + 16
    root = writer.object((CONTINUED, struct.pack("<QQ", at, 24)), (LINKS, bytes(24)))
    return write(folder, writer.bytes(root), "hostile.h5")


@attack("too deep")
def h5_groups_nested_a_thousand_deep(folder: Path) -> Path:
    writer = Writer()
    inner = writer.group({})
    for _ in range(1000):
        inner = writer.group({"g": inner})
    return write(folder, writer.bytes(inner), "hostile.h5")


@attack("absurd shape")
def h5_shape_of_2_to_the_60(folder: Path) -> Path:
    return of_data(folder, [2**60], one_piece(96, 2**62))


@attack("absurd shape")
def h5_shape_whose_size_overflows(folder: Path) -> Path:
    return of_data(folder, [2**30, 2**30, 2**30], one_piece(96, 16))


@attack("would expand to")
def h5_zeros_of_a_terabyte(folder: Path) -> Path:
    return of_data(folder, [2**20, 2**18], chunked(UNDEFINED, [2**10, 2**10]))


@attack("are cut")
def h5_data_beyond_the_file(folder: Path) -> Path:
    return of_data(folder, [1000], one_piece(96, 4000))


@attack("are cut")
def h5_data_at_the_end_of_all_addresses(folder: Path) -> Path:
    return of_data(folder, [4], one_piece(2**64 - 9, 16))


@attack("the chunks of 'd' would expand")
def h5_chunk_of_an_exabyte(folder: Path) -> Path:
    return of_chunks(folder, [4, 4], [2**31, 2**27], bytes(64))


@attack("has 67,108,868 bytes")
def h5_chunk_that_is_a_bomb(folder: Path) -> Path:
    deflate = (FILTERS, struct.pack("<BB6x4H", 1, 1, 1, 0, 0, 0))
    packed = zlib.compress(bytes(2**27), 9)
    return of_chunks(folder, [2**24], [2**24], packed, deflate)


@attack("no HDF5 chunk tree")
def h5_chunk_tree_that_is_none(folder: Path) -> Path:
    return of_data(folder, [4], chunked(96, [4]))


@attack("circular")
def h5_chunk_tree_that_holds_itself(folder: Path) -> Path:
    writer = Writer()
    at = writer.put(b"")
    count = 3000
    node = b"TREE\x01" + struct.pack("<BHQQ", 1, count, UNDEFINED, UNDEFINED)
    writer.put(node + struct.pack("<IIQQQ", 16, 0, 0, 0, at) * count)
    data = writer.odd_data([4], chunked(at, [4]))
    return saved(folder, writer, {"d": data})


@attack("more than 200,000 chunks")
def h5_a_million_chunks_of_one_number(folder: Path) -> Path:
    writer = Writer()
    at = writer.put(bytes(2**20))
    row = struct.pack("<BBBBBIIBQ", 4, 2, 0, 2, 4, 1, 4, 2, at)
    return saved(folder, writer, {"d": writer.odd_data([2**20], (LAYOUT, row))})


@attack("is packed by the filter szip")
def h5_filter_that_is_not_read(folder: Path) -> Path:
    szip = (FILTERS, struct.pack("<BB6x4H", 1, 1, 4, 0, 0, 0))
    return of_chunks(folder, [4], [4], bytes(16), szip)


@attack("circular")
def h5_old_group_whose_tree_holds_itself(folder: Path) -> Path:
    writer = Writer()
    heap = writer.put(b"HEAP" + struct.pack("<4xQQQ", 0, 0, 96))
    at = writer.put(b"")
    writer.put(b"TREE\0\0" + struct.pack("<HQQ", 100, 0, 0) + struct.pack("<QQ", 0, at) * 101)
    root = writer.object((_TABLE, struct.pack("<QQ", at, at and heap)))
    return write(folder, writer.bytes(root), "hostile.h5")


@attack("no HDF5 symbol table")
def h5_old_group_whose_tree_is_none(folder: Path) -> Path:
    writer = Writer()
    heap = writer.put(b"HEAP" + struct.pack("<4xQQQ", 0, 0, 96))
    root = writer.object((_TABLE, struct.pack("<QQ", heap, heap)))
    return write(folder, writer.bytes(root), "hostile.h5")


@attack("no plain HDF5 heap")
def h5_group_whose_heap_is_none(folder: Path) -> Path:
    about = (LINKS, struct.pack("<BBQQ", 0, 0, 96, 96))
    writer = Writer()
    tree = writer.put(b"BTHD\0\x05" + struct.pack("<IHHBBQHQ", 512, 11, 0, 100, 40, 0, 1, 1))
    about = (LINKS, struct.pack("<BBQQ", 0, 0, 96, tree))
    return write(folder, writer.bytes(writer.object(about)), "hostile.h5")


@attack("text of")
def h5_text_of_four_gigabytes(folder: Path) -> Path:
    kind, content = attribute("model_config", "x" * 16)
    variable = struct.pack("<BBBBI", 0x19, 1, 0, 0, 16)
    writer = Writer()
    heap = writer.put(b"GCOL" + struct.pack("<4xQHH4xQ", 2**60, 1, 1, 2**40))
    place = struct.pack("<IQI", 2**32 - 1, heap, 1)
    body = content.replace(struct.pack("<BBBBI", 0x13, 0, 0, 0, 17), variable)
    body = body.replace(b"x" * 16 + b"\0", place)
    assert kind == ATTRIBUTE
    return saved(folder, writer, {}, (ATTRIBUTE, body))


@attack("")
def h5_weights_that_are_no_numbers(folder: Path) -> Path:
    writer = Writer()
    values = np.array([[np.nan, np.inf], [-np.inf, 0]], "<f4")
    return saved(folder, writer, {"kernel": writer.data(values)})


@attack("")
def h5_weights_that_are_empty(folder: Path) -> Path:
    writer = Writer()
    return saved(folder, writer, {"kernel": writer.data(np.zeros((0, 4)))})


@attack("unknown version 9")
def h5_first_block_of_the_future(folder: Path) -> Path:
    return write(folder, b"\x89HDF\r\n\x1a\n" + bytes([9]) * 100, "hostile.h5")


@attack("addresses are not of 8 bytes")
def h5_addresses_of_4_bytes(folder: Path) -> Path:
    content = bytearray(Writer().bytes(96))
    content[13:15] = b"\x04\x04"
    return write(folder, bytes(content), "hostile.h5")


@attack("truncated")
def h5_root_beyond_the_file(folder: Path) -> Path:
    return write(folder, Writer().bytes(2**40), "hostile.h5")


@attack("would expand to")
def h5_chunks_much_larger_than_what_they_hold(folder: Path) -> Path:
    """One chunk of 64 MiB, deflated, for each of a million numbers."""
    writer = Writer()
    packed = zlib.compress(bytes(2**24), 9)
    at = writer.put(packed)
    node = b"TREE\x01" + struct.pack("<BHQQ", 0, 2_000, UNDEFINED, UNDEFINED)
    node += b"".join(struct.pack("<IIQQQQ", len(packed), 0, 0, i, 0, at) for i in range(2_000))
    deflate = (FILTERS, struct.pack("<BB6x4H", 1, 1, 1, 0, 0, 0))
    data = writer.odd_data([1, 2_000], chunked(writer.put(node), [2**22, 1]), deflate)
    return saved(folder, writer, {"d": data})


@attack("its weights would expand to")
def h5_many_data_sets_that_are_one(folder: Path) -> Path:
    writer = Writer()
    at = writer.put(bytes(2**20))
    members = {f"d{i}": writer.odd_data([2**18], one_piece(at, 2**20)) for i in range(500)}
    return saved(folder, writer, members)


@attack("")
def h5_text_of_two_to_the_31_nothings(folder: Path) -> Path:
    """An attribute that lists as many texts of no length."""
    body = struct.pack("<BxHHH", 1, 13, 8, 16) + b"model_config".ljust(16, b"\0")
    body += text_type(0) + space([2**31 - 1])
    writer = Writer()
    return saved(folder, writer, {"d": writer.data([1.0])}, (ATTRIBUTE, body))


@attack("too deep")
def h5_names_of_a_thousand_letters_in_each_other(folder: Path) -> Path:
    writer = Writer()
    inner = writer.group({f"d{i}": writer.data([1.0]) for i in range(100)})
    for _ in range(20):
        inner = writer.group({"/".join("g" * 120): inner})
    return write(folder, writer.bytes(inner), "hostile.h5")


@attack("twice")
def h5_old_group_of_a_million_names_for_one(folder: Path) -> Path:
    writer = Writer()
    heap = writer.put(b"HEAP" + struct.pack("<4xQQQ", 1000, 0, 96))
    entry = struct.pack("<QQ24x", 0, writer.group({}))
    tables = writer.put(b"SNOD" + struct.pack("<BxH", 1, 60_000) + entry * 60_000)
    node = b"TREE\0\0" + struct.pack("<HQQ", 40, 0, 0) + struct.pack("<QQ", 0, tables) * 41
    root = writer.object((_TABLE, struct.pack("<QQ", writer.put(node), heap)))
    return write(folder, writer.bytes(root), "hostile.h5")
