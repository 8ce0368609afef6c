"""A table of codes in a file that is opened without being read: its arrays are mapped.

The sizes in its header must be those of the file.  What tables are merged from has a checksum,
which is looked at where the file is small, and when it is read whole anyway.

    magic, a line · checksum of the header, header, a line of JSON · the arrays, each aligned
"""

from __future__ import annotations

import json
import mmap
import zlib
from dataclasses import fields
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from assay.durable import writing
from assay.errors import DamagedRegistry
from assay.sketches.tables import Table, lists
from assay.values import Json

MAGIC = b"assay tensors 1\n"
SMALL = 2**24  # bytes of a file that is checked whole when it is opened
_ALIGNED = 64  # bytes
_LONGEST_HEADER = 2**20
_TYPES = {
    "keys": "<i8",
    "kinds": "<u8",
    "starts": "<i8",
    "holders": "<i8",
    "models": "<u4",
    "words": "<u8",
    "rows": "<u4",
    "begins": "<u4",
}
_LISTS = ("rows", "begins")  # made anew when tables are merged


def write(path: Path, table: Table, about: Json) -> None:
    """Put a whole table in the place of an old one; only its owner may read it.  Raises OSError.

    Codes that were made with a secret key are secret: who knows them can aim at them.
    """
    arrays = {name: np.asarray(getattr(table, name), kind) for name, kind in _TYPES.items()}
    header = {
        "about": about,
        "checksum": checksum(table),
        "sizes": {name: array.shape for name, array in arrays.items()},
    }
    line = json.dumps(header).encode()
    with writing(path, 0o600) as stream:
        stream.write(MAGIC + b"%08x " % zlib.crc32(line) + line + b"\n")
        for array in arrays.values():
            stream.write(bytes(-stream.tell() % _ALIGNED))
            stream.write(_bytes(array))


def opened(path: Path) -> tuple[Table, Json, int]:
    """A table, what was said about it, and the checksum that it has.

    Raises DamagedRegistry where the file is anything but what ``write`` wrote, OSError.
    """
    with path.open("rb") as stream:
        header, end = _header(path, stream)
        stream.seek(0, 2)
        size = stream.tell()
        places, past = {}, end
        for name, kind in _TYPES.items():
            places[name] = past + -past % _ALIGNED
            past = places[name] + prod(header["sizes"][name]) * np.dtype(kind).itemsize
        if past != size:
            raise DamagedRegistry(f"{path}: has {size} bytes, not {past}")
        content = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
    arrays: dict[str, NDArray[Any]] = {
        name: np.frombuffer(content, kind, prod(shape), places[name]).reshape(shape)
        for (name, kind), shape in zip(_TYPES.items(), header["sizes"].values(), strict=True)
    }
    table = Table(**{field.name: arrays[field.name] for field in fields(Table)})
    if not _fits(table) or (size <= SMALL and checksum(table) != header["checksum"]):
        raise DamagedRegistry(f"{path}: its arrays do not fit together")
    return table, header["about"], header["checksum"]


def checksum(table: Table) -> int:
    """Of all arrays but the lists, which are made from them."""
    total = 0
    for name, kind in _TYPES.items():
        if name not in _LISTS:
            total = zlib.crc32(_bytes(np.asarray(getattr(table, name), kind)), total)
    return total


def _bytes(array: NDArray[Any]) -> memoryview:
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


def _header(path: Path, stream: BinaryIO) -> tuple[Json, int]:
    """The header, and where it ends."""
    if stream.readline(len(MAGIC)) != MAGIC:
        raise DamagedRegistry(f"{path}: not a table of codes")
    line = stream.readline(_LONGEST_HEADER)
    if line[:9] != b"%08x " % zlib.crc32(line[9:-1]):
        raise DamagedRegistry(f"{path}: its header is damaged")
    header: Json = json.loads(line[9:])
    return header, stream.tell()


def _fits(table: Table) -> bool:
    """Whether the arrays are as long as they must be, and kinds lie one after the other."""
    kinds, count = len(table.kinds), len(table.models)
    if (len(table.starts), len(table.holders)) != (kinds + 1, kinds):
        return False
    if table.words.shape != (count, 4) or (np.diff(table.starts) <= 0).any():
        return False
    ends = table.starts[0] == 0 and table.starts[-1] == count
    return bool(ends) and lists(table.starts)[1] == (table.rows.size, table.begins.size)
