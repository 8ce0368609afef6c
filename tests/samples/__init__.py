"""A small sound file of each format, one module each.

``small`` writes it into a folder, ``OPS`` are its merged layers (None where the format has no
graph), ``WEIGHTS`` its weights in the canonical layout.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, cast


class Sample(Protocol):
    """What a module in this folder holds."""

    OPS: Sequence[str] | None
    WEIGHTS: Mapping[str, Any]  # nested lists

    def small(self, folder: Path) -> Path: ...


def sample(name: str) -> Sample:
    """That of the format called ``name``."""
    return cast(Sample, import_module(f"samples.{name.replace('-', '_')}"))
