"""The files that ``scripts/make_coreml_fixtures.py`` made, unpacked once."""

from __future__ import annotations

import tarfile
import tempfile
from functools import cache
from pathlib import Path

_ARCHIVE = Path(__file__).parent / "fixtures" / "coreml" / "files.tar.xz"


@cache
def _unpacked() -> tempfile.TemporaryDirectory[str]:
    folder = tempfile.TemporaryDirectory()
    with tarfile.open(_ARCHIVE) as packed:
        packed.extractall(folder.name, filter="data")
    return folder


def fixture(name: str) -> Path:
    """A file or folder by its name; it is not to be written to."""
    return Path(_unpacked().name) / name
