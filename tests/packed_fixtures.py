"""Fixtures that are packed into one archive, unpacked once."""

from __future__ import annotations

import tarfile
import tempfile
from functools import cache
from pathlib import Path

FIXTURES = Path(__file__).parent / "fixtures"


@cache
def _unpacked(archive: Path) -> tempfile.TemporaryDirectory[str]:
    folder = tempfile.TemporaryDirectory()
    with tarfile.open(archive) as packed:
        packed.extractall(folder.name, filter="data")
    return folder


def packed_fixture(archive: str, name: str) -> Path:
    """A file or folder by its archive's place and its name; it is not to be written to."""
    return Path(_unpacked(FIXTURES / archive).name) / name
