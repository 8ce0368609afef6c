"""Packed files that lie: about their length, their numbers, and what these unpack to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from assay.formats.packed import MAGIC
from hostile.building import attack, write


def packed(folder: Path, entries: dict[str, Any] | bytes, data: bytes = b"") -> Path:
    """A file of this header."""
    header = entries if isinstance(entries, bytes) else json.dumps(entries).encode()
    return write(folder, MAGIC + len(header).to_bytes(4, "little") + header + data, "a.packed")


def one(folder: Path, entry: Any, data: bytes = b"") -> Path:
    return packed(folder, {"w": entry}, data)


@attack("no header of the length it says")
def packed_header_longer_than_the_file(folder: Path) -> Path:
    return write(folder, MAGIC + b"\xff\xff\xff\x7f{}", "a.packed")


@attack("numbers in a file of its size")
def packed_zeros_without_end(folder: Path) -> Path:
    return one(folder, [[2**20, 2**20], 0, "shared", 0, 0, 0])


@attack("numbers in a file of its size")
def packed_ones_without_end(folder: Path) -> Path:
    return one(folder, [[2**25], 2**25, "shared", 1, 0, 0], bytes(4))


@attack("")
def packed_ones_up_to_the_limit(folder: Path) -> Path:
    return one(folder, [[2**24], 2**24, "shared", 1, 0, 0], b"\0\0\x80\x3f")


@attack("absurd shape")
def packed_shape_of_2_to_the_60(folder: Path) -> Path:
    return one(folder, [[2**30, 2**30], 0, "shared", 0, 0, 0])


@attack("absurd shape")
def packed_negative_shape(folder: Path) -> Path:
    return one(folder, [[-1], 0, "shared", 0, 0, 0])


@attack("do not fill the file")
def packed_tensor_past_the_end(folder: Path) -> Path:
    return one(folder, [[2], 2, "float32", 0, 0, 0], bytes(4))


@attack("do not fill the file")
def packed_file_with_more_behind(folder: Path) -> Path:
    return one(folder, [[2], 2, "float32", 0, 0, 0], bytes(12))


@attack("do not fit its shape")
def packed_more_numbers_than_places(folder: Path) -> Path:
    return one(folder, [[2], 3, "float32", 0, 0, 1], bytes(13))


@attack("do not fit 4 numbers")
def packed_more_values_than_numbers(folder: Path) -> Path:
    return one(folder, [[8], 4, "shared", 5, 0, 1], bytes(30))


@attack("an index lies outside")
def packed_index_past_the_codebook(folder: Path) -> Path:
    return one(folder, [[4], 4, "shared", 3, 0, 0], b"\xff" + bytes(12))


@attack("2 places where 1 values are")
def packed_place_too_many(folder: Path) -> Path:
    return one(folder, [[4], 1, "float32", 0, 0, 1], b"\x03" + bytes(4))


@attack("a gap leads out of the tensor")
def packed_gap_out_of_the_tensor(folder: Path) -> Path:
    return one(folder, [[4], 1, "float32", 0, 32, 1], bytes(4) + b"\x80" + bytes(4))


@attack("lie behind its end")
def packed_places_behind_the_end(folder: Path) -> Path:
    return one(folder, [[4], 1, "float32", 0, 3, 1], b"\x07\x01" + bytes(4))


@attack("bits behind the last number")
def packed_bits_behind_the_last_number(folder: Path) -> Path:
    return one(folder, [[2], 2, "shared", 2, 0, 0], b"\x04" + bytes(8))


@attack("bytes behind the last place")
def packed_bytes_behind_the_last_place(folder: Path) -> Path:
    return one(folder, [[4], 1, "float32", 0, 0, 2], b"\x01\x00" + bytes(4))


@attack("is not described")
def packed_tensor_that_is_not_described(folder: Path) -> Path:
    return one(folder, [[2], 2])


@attack("numbers that are none")
def packed_fractions(folder: Path) -> Path:
    return one(folder, [[2], 2.0, "float32", 0, 0, 0], bytes(8))


@attack("unknown type 'object'")
def packed_objects(folder: Path) -> Path:
    return one(folder, [[2], 2, "object", 0, 0, 0], bytes(16))


@attack("not JSON")
def packed_header_that_is_none(folder: Path) -> Path:
    return packed(folder, b"[[[[")


@attack("twice")
def packed_two_of_one_name(folder: Path) -> Path:
    return packed(folder, b'{"w":[[0],0,"float32",0,0,0],"w":[[0],0,"float32",0,0,0]}')
