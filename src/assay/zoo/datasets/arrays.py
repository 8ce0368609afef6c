"""Data of one's own: NumPy arrays ``inputs`` and, where they are known, ``labels``.

An ``.npz`` file, a folder of ``inputs.npy`` and ``labels.npy``, or a folder of ``train.npz`` and
``test.npz``.  Bytes are pixels and are divided by 255; other numbers stay as they are.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.errors import BadData
from assay.running.examples import Examples
from assay.zoo.datasets.pictures import Split, part, reading

_INPUTS, _LABELS = "inputs.npy", "labels.npy"
_MAGIC = b"\x93NUMPY"


def is_in(folder: Path) -> bool:
    """Whether a folder has arrays of one's own."""
    return any((folder / name).is_file() for name in (_INPUTS, "train.npz", "test.npz"))


def read(folder: Path, split: Split) -> Examples:
    """The examples of a split.  Raises BadData."""
    if not (folder / _INPUTS).is_file():
        return _packed(folder / f"{split}.npz")
    inputs = _array(folder / _INPUTS)
    labels = _array(folder / _LABELS) if (folder / _LABELS).is_file() else None
    with reading(folder):
        return part(_examples(inputs, labels), split)


def read_file(path: Path, split: Split) -> Examples:
    """Those of an ``.npz`` file.  Raises BadData."""
    examples = _packed(path)
    with reading(path):
        return part(examples, split)


def read_whole(path: Path) -> Examples:
    """All of an ``.npz`` file.  Raises BadData."""
    return _packed(path)


def _packed(path: Path) -> Examples:
    with reading(path), path.open("rb") as stream:
        if not zipfile.is_zipfile(stream):
            raise BadData("it is not an .npz file as numpy.savez writes it, or a part of one")
        stream.seek(0)
        with np.load(stream) as held, _plain():  # reads no pickle
            arrays = {name: held[name] for name in ("inputs", "labels") if name in held}
        if "inputs" not in arrays:
            raise BadData("there is no array 'inputs' in it")
        return _examples(arrays["inputs"], arrays.get("labels"))


@contextmanager
def _plain() -> Iterator[None]:
    """Where NumPy would speak of options of its own."""
    try:
        yield
    except ValueError as error:
        raise BadData("an array is damaged, or holds Python objects") from error


def _array(path: Path) -> NDArray[Any]:
    with reading(path), path.open("rb") as stream:
        if stream.read(len(_MAGIC)) != _MAGIC:
            several = zipfile.is_zipfile(stream)
            raise BadData(
                "it holds several arrays: name it .npz" if several else "it is no .npy file"
            )
        stream.seek(0)
        with _plain():
            array: NDArray[Any] = np.load(stream)
        return array


def _examples(inputs: NDArray[Any], labels: NDArray[Any] | None) -> Examples:
    if inputs.dtype == np.uint8:
        inputs = inputs.astype(np.float32) / 255
    if inputs.dtype.kind not in "fiu":
        raise BadData(f"inputs are of type {inputs.dtype}, not numbers")
    return Examples(inputs, labels)
