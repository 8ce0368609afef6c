"""A sound ``.pt2`` archive."""

from pathlib import Path

from hostile import archives

OPS = ["Relu"]
WEIGHTS: dict[str, list[float]] = {}


def small(folder: Path) -> Path:
    """One Relu."""
    return archives.archive(folder, archives.program())
