"""GGUF headers that lie about counts, texts, tensors and the other parts of a split model."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from samples import gguf

from hostile.building import attack, write


def gguf_of(folder: Path, content: bytes) -> Path:
    return write(folder, b"GGUF" + content + bytes(64), "hostile.gguf")


START = struct.pack("<IQQ", 3, 0, 1) + gguf.text("key")


@attack("claims 1,152,921,504,606,846,976 tensors")
def gguf_of_2_to_the_60_tensors(folder: Path) -> Path:
    return gguf_of(folder, struct.pack("<IQQ", 3, 2**60, 0))


@attack("has 1,152,921,504,606,846,976 bytes")
def gguf_with_a_name_of_2_to_the_60(folder: Path) -> Path:
    return gguf_of(folder, struct.pack("<IQQQ", 3, 0, 1, 2**60))


@attack("longer than the file")
def gguf_with_a_text_beyond_its_end(folder: Path) -> Path:
    return gguf_of(folder, START + struct.pack("<IQ", 8, 2**19))


@attack("longer than the file")
def gguf_with_a_list_of_2_to_the_60(folder: Path) -> Path:
    return gguf_of(folder, START + struct.pack("<IIQ", 9, 0, 2**60))


@attack("more than 1,000,000 texts")
def gguf_with_2_to_the_60_texts(folder: Path) -> Path:
    return gguf_of(folder, START + struct.pack("<IIQ", 9, 8, 2**60))


@attack("")
def gguf_with_a_million_words(folder: Path) -> Path:
    words = START + struct.pack("<IIQ", 9, 8, 1_000_000) + gguf.text("ab") * 1_000_000
    return write(folder, b"GGUF" + words + bytes(64), "hostile.gguf")


@attack("lists in lists")
def gguf_with_nested_lists(folder: Path) -> Path:
    return gguf_of(folder, START + struct.pack("<I", 9) + struct.pack("<IQ", 9, 1) * 10_000)


@attack("aligned to 7 bytes")
def gguf_with_an_odd_alignment(folder: Path) -> Path:
    entry = gguf.entry("general.alignment", 7)
    return gguf_of(folder, struct.pack("<IQQ", 3, 0, 1) + entry)


def tensors(folder: Path, *given: tuple[str, tuple[int, ...], int, bytes]) -> Path:
    return gguf.written(folder / "hostile.gguf", given)


@attack("absurd shape")
def gguf_of_2_to_the_60_numbers(folder: Path) -> Path:
    return tensors(folder, ("a", (2**30, 2**30), 0, bytes(8)))


@attack("absurd shape")
def gguf_of_2_to_the_60_times_nothing(folder: Path) -> Path:
    return tensors(folder, ("a", (2**30, 2**30, 0), 0, b""))


@attack("past the end of the file")
def gguf_of_a_terabyte(folder: Path) -> Path:
    return tensors(folder, ("a", (2**20, 2**20), 16, bytes(66)))


@attack("the unknown type 99")
def gguf_of_an_unknown_type(folder: Path) -> Path:
    return tensors(folder, ("a", (2,), 99, bytes(8)))


@attack("no whole blocks of q4_0")
def gguf_of_half_a_block(folder: Path) -> Path:
    return tensors(folder, ("a", (33,), 2, bytes(36)))


@attack("no whole blocks of q6_k")
def gguf_of_a_block_without_axes(folder: Path) -> Path:
    return tensors(folder, ("a", (), 14, bytes(210)))


def moved(folder: Path, offset: int) -> Path:
    """The second of two tensors of 32 bytes begins at ``offset``."""
    path = tensors(folder, ("a", (8,), 0, bytes(32)), ("b", (8,), 0, bytes(32)))
    content = path.read_bytes()
    at = content.index(gguf.text("b")) + 9 + 4 + 8 + 4
    path.write_bytes(content[:at] + struct.pack("<Q", offset) + content[at + 8 :])
    return path


@attack("overlaps another")
def gguf_that_overlaps(folder: Path) -> Path:
    return moved(folder, 0)


@attack("is not aligned")
def gguf_that_is_not_aligned(folder: Path) -> Path:
    path = moved(folder, 33)
    path.write_bytes(path.read_bytes() + bytes(32))
    return path


@attack("past the end of the file")
def gguf_that_begins_at_2_to_the_63(folder: Path) -> Path:
    return moved(folder, 2**63)


@attack("claims to be split into")
def gguf_of_four_billion_parts(folder: Path) -> Path:
    path = folder / "hostile-00001-of-00002.gguf"
    return gguf.of_arrays(path, {"a": np.zeros(2, "f4")}, {"split.count": 2**32 - 1})


@attack("outside the folder")
def gguf_whose_other_part_is_a_link(folder: Path) -> Path:
    names = [f"hostile-0000{number}-of-00002.gguf" for number in (1, 2)]
    (folder / names[1]).symlink_to("/etc/passwd")
    return gguf.of_arrays(folder / names[0], {"a": np.zeros(2, "f4")}, {"split.count": 2})


@attack("")
def gguf_of_codebooks_out_of_random_bytes(folder: Path) -> Path:
    random = np.random.default_rng(0)
    lengths = {16: 66, 17: 74, 18: 98, 19: 50, 21: 110, 22: 82, 29: 56, 34: 54}
    return tensors(folder, *((f"t{c}", (256,), c, random.bytes(n)) for c, n in lengths.items()))
