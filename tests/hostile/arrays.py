"""NumPy files and compressed pickles that lie about sizes, or unpack to too much."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

from hostile.building import attack
from hostile.pickles import plain_file


def npy(header: str, content: bytes = b"") -> bytes:
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header.encode() + content


def header(descr: str = "<f4", shape: str = "(2, 3)") -> str:
    return f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape}}}\n"


def lz4(*blocks: bytes, flags: int = 0x60) -> bytes:
    """A frame of blocks, which are written as they are."""
    head = b"\x04\x22\x4d\x18" + bytes([flags, 0x70, 0])
    return head + b"".join(struct.pack("<I", len(b)) + b for b in blocks) + bytes(4)


@attack("reaches beyond its storage")
def array_of_a_terabyte(folder: Path) -> Path:
    return plain_file(folder, npy(header(shape=f"({2**20}, {2**18})"), bytes(24)), "a.npy")


@attack("absurd shape")
def array_of_2_to_the_60(folder: Path) -> Path:
    return plain_file(folder, npy(header(shape=f"({2**30}, {2**30})"), bytes(24)), "a.npy")


@attack("absurd shape")
def array_whose_size_overflows(folder: Path) -> Path:
    return plain_file(folder, npy(header(shape=f"({2**40}, {2**40})"), bytes(24)), "a.npy")


@attack("absurd shape")
def array_of_2_to_the_60_times_nothing(folder: Path) -> Path:
    return plain_file(folder, npy(header(shape=f"(0, {2**30}, {2**30})"), bytes(24)), "a.npy")


@attack("header has no shape")
def array_of_a_negative_size(folder: Path) -> Path:
    return plain_file(folder, npy(header(shape="(-1, 3)"), bytes(24)), "a.npy")


@attack("header is damaged")
def header_that_calls(folder: Path) -> Path:
    return plain_file(folder, npy("__import__('os').system('touch canary')\n"), "a.npy")


@attack("header is damaged")
def header_of_nested_brackets(folder: Path) -> Path:
    return plain_file(folder, npy("(" * 9000), "a.npy")


@attack("longer than")
def header_that_is_too_long(folder: Path) -> Path:
    return plain_file(folder, npy(" " * 20_000), "a.npy")


@attack("unpacks to more than")
def gzip_bomb(folder: Path) -> Path:
    return plain_file(folder, gzip.compress(bytes(2**28), 1), "a.pkl")


@attack("unpacks to more than")
def lz4_bomb(folder: Path) -> Path:
    """Each block repeats one zero four million times, in 16 kB."""
    block = b"\x1f\0\1\0" + b"\xff" * 16_000 + b"\0" + b"\0"
    return plain_file(folder, lz4(*[block] * 100), "a.lz4")


@attack("LZ4 block")
def lz4_that_looks_before_its_beginning(folder: Path) -> Path:
    return plain_file(folder, lz4(b"\x10\0\x09\0\0"), "a.lz4")


@attack("longer than its frame allows")
def lz4_block_of_2_gigabytes(folder: Path) -> Path:
    content = lz4()[:-4] + struct.pack("<I", 0x7FFFFFFF)
    return plain_file(folder, content, "a.lz4")


@attack("an array ends before")
def pickled_array_that_is_shorter_than_its_shape(folder: Path) -> Path:
    content = b"\x80\x02cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\0\x85C\1btR"
    state = b"(K\1J" + struct.pack("<i", 10**6) + b"\x85cnumpy\ndtype\n(X\2\0\0\0f4K\0K\1tR"
    pairs = b"\x89X" + struct.pack("<I", 5000) + b"x" * 5000 + b"tb."
    return plain_file(folder, content + state + pairs, "a.pkl")
