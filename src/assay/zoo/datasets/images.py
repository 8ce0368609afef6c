"""A folder of pictures of one's own, in the size that a model reads; Pillow opens them.

Where they lie in folders, each folder is a class, in the order of their names.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.errors import BadData
from assay.running.examples import Examples
from assay.zoo.datasets.pictures import reading

SUFFIXES = {".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}
_MODES = {1: "L", 3: "RGB"}


def files(folder: Path) -> list[Path]:
    """The pictures in a folder and those right below it, by name."""
    if not folder.is_dir():
        return []
    found = [each for pattern in ("*", "*/*") for each in folder.glob(pattern)]
    return sorted(each for each in found if each.suffix.lower() in SUFFIXES)


def read(folder: Path, shape: tuple[int, ...], most: int = 5000) -> Examples:
    """Pictures (n, *shape) with values 0 … 1, at most so many, evenly chosen.

    Args:
        folder: Where they lie.
        shape: (channels, height, width), of 1 or 3 channels: colors and size are changed to it.
        most: Pictures that are read.

    Raises:
        BadData: there are none, one cannot be read, the shape is no picture's, or Pillow is
            missing.
    """
    found = files(folder)
    if not found:
        raise BadData(f"{folder}: no pictures in it")
    if len(shape) != 3 or shape[0] not in _MODES:
        raise BadData(f"{folder}: pictures do not fit a model that reads {[*shape]}")
    found = [found[place] for place in np.unique(np.linspace(0, len(found) - 1, most).astype(int))]
    pixels = np.stack([_pixels(file, shape) for file in found])
    homes = [file.parent for file in found]
    classes = sorted({*homes})
    whole = folder not in classes and len(classes) > 1
    labels = np.array([classes.index(home) for home in homes]) if whole else None
    return Examples(pixels, labels, name=folder.name)


def _pixels(file: Path, shape: tuple[int, ...]) -> NDArray[Any]:  # -> (c, h, w)
    channels, height, width = shape
    with reading(file):
        try:
            from PIL import Image
        except ImportError as error:
            raise BadData(f"pictures need Pillow ({error}): pip install 'assay[zoo]'") from error
        try:
            with warnings.catch_warnings(action="error"), Image.open(file) as held:
                small = held.convert(_MODES[channels]).resize((width, height))
                array = np.asarray(small, np.float32) / 255
        except (SyntaxError, Image.DecompressionBombError, Warning) as error:
            raise BadData(f"it is no picture that can be read: {error}") from error
    return array.reshape(height, width, channels).transpose(2, 0, 1)
