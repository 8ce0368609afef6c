"""The files that ``scripts/make_keras_fixtures.py`` made, unpacked once."""

from __future__ import annotations

import tarfile
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

_ARCHIVES = Path(__file__).parent / "fixtures" / "keras"


@cache
def _unpacked() -> tempfile.TemporaryDirectory[str]:
    folder = tempfile.TemporaryDirectory()
    for name in ("files.tar.xz", "exports.tar.xz"):
        with tarfile.open(_ARCHIVES / name) as packed:
            packed.extractall(folder.name, filter="data")
    return folder


def fixture(name: str) -> Path:
    """A file or folder by its name; it is not to be written to."""
    return Path(_unpacked().name) / name


@cache
def values(network: str) -> dict[str, Any]:
    """The values of a network's variables, in Keras' layout, by place and name."""
    with np.load(fixture("values.npz")) as stored:
        return {
            key.partition("/")[2]: stored[key] for key in stored if key.startswith(f"{network}/")
        }
