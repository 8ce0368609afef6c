"""A small sound file of each format, one module each.

``small`` writes it into a folder, ``OPS`` are its merged layers (None where the format has no
graph), ``WEIGHTS`` its weights in the canonical layout, ``FORMAT`` what it is read as.
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
    FORMAT: str  # the module's name, but for what only packs another format

    def small(self, folder: Path) -> Path: ...


def sample(name: str) -> Sample:
    """That of the format called ``name``."""
    module = import_module(f"samples.{name.replace('-', '_')}")
    module.__dict__.setdefault("FORMAT", name)
    return cast(Sample, module)
