"""The files that ``scripts/make_keras_fixtures.py`` made."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from packed_fixtures import packed_fixture


def fixture(name: str) -> Path:
    """A file or folder by its name; it is not to be written to."""
    made = packed_fixture("keras/files.tar.xz", name)
    return made if made.exists() else packed_fixture("keras/exports.tar.xz", name)


@cache
def values(network: str) -> dict[str, Any]:
    """The values of a network's variables, in Keras' layout, by place and name."""
    with np.load(fixture("values.npz")) as stored:
        return {
            key.partition("/")[2]: stored[key] for key in stored if key.startswith(f"{network}/")
        }
