"""The tables of README.md, between its marks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

Json = dict[str, Any]


def write_page(path: Path, results: Json) -> None:
    path.write_text("")
