"""The files that ``scripts/make_coreml_fixtures.py`` made."""

from __future__ import annotations

from pathlib import Path

from packed_fixtures import packed_fixture


def fixture(name: str) -> Path:
    """A file or folder by its name; it is not to be written to."""
    return packed_fixture("coreml/files.tar.xz", name)
