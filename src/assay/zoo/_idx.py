"""IDX files, packed by gzip or not: MNIST and what took over its form [LeCun, Cortes and Burges].

A file is two zero bytes, the type (8: bytes), the number of axes, their sizes, the numbers.
"""

from __future__ import annotations

import math
import re
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from assay.containers.compressed import is_compressed, unpacked
from assay.containers.sources import Source, Stream, source_of
from assay.errors import BadData
from assay.running.examples import Examples
from assay.zoo._pictures import Split, pictures, reading

_NAME = re.compile(r"(train|t10k|test)[-_.](images|labels)[-_.]idx[13][-_.]ubyte(\.gz)?")
_BYTES = 8  # the type


def is_in(folder: Path) -> bool:
    return any(_NAME.fullmatch(path.name) for path in folder.iterdir())


def read(folder: Path, split: Split) -> Examples:
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
        source: Source = source_of(path)
        if is_compressed(source.read(0, min(8, source.size))):
            source = unpacked(source)
        stream = Stream(source)
        zeros, kind, count = struct.unpack(">HBB", stream.take(4))
        if (zeros, kind, count) != (0, _BYTES, axes):
            start = source.read(0, 4).hex(" ")
            raise BadData(f"not an IDX file of bytes in {axes} axes: it begins with {start}")
        shape = struct.unpack(f">{axes}I", stream.take(4 * axes))
        size = math.prod(shape)
        if source.size - stream.at != size:
            sizes = " x ".join(map(str, shape))
            raise BadData(f"it claims {sizes} numbers and holds {source.size - stream.at:,}")
        return np.frombuffer(stream.take(size), np.uint8).reshape(shape)


def _file(folder: Path, split: Split, what: str) -> Path:
    splits = ("train",) if split == "train" else ("t10k", "test")
    for path in sorted(folder.iterdir()):
        match = _NAME.fullmatch(path.name)
        if match and match[1] in splits and match[2] == what:
            return path
    name = f"{splits[0]}-{what}-idx{3 if what == 'images' else 1}-ubyte"
    raise BadData(f"{folder}: there is no {name}, with .gz or without")
