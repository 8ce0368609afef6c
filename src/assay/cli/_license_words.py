"""Distributables in words: as JSON, and for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from assay.report import printable, table
from assay.values import Json

if TYPE_CHECKING:
    from assay.licenses._manifest import Manifest

HEADINGS = ("LEVEL", "ACCURACY", "BYTES", "ABOUT")


def described(file: str, manifest: Manifest) -> Json:
    """A distributable as JSON."""
    body = {n: v for n, v in manifest.document.items() if n not in ("signature", "assay manifest")}
    return {"file": file, "manifest": manifest.digest, **body}


def shown(file: str, manifest: Manifest) -> str:
    """A distributable for people."""

    def cells(level: str, size: int, about: Mapping[str, str]) -> tuple[str, ...]:
        rest = ", ".join(_note(*each) for each in about.items() if each[0] != "accuracy")
        return level, about.get("accuracy", "-"), f"{size:,}", printable(rest) or "-"

    rows = [
        cells(str(number), level.restored.size, level.about)
        for number, level in enumerate(manifest.levels)
    ]
    rows.append(cells("no key", manifest.model.size, manifest.about))
    head = f"{printable(file)}  owner {manifest.owner}\n{printable(manifest.method)}"
    bounds = [
        f"for {printable(manifest.licensee)} alone" if manifest.licensee else "",
        f"until {manifest.expires}" if manifest.expires else "",
    ]
    return "\n".join([head, *filter(None, bounds), *table(HEADINGS, rows)])


def _note(name: str, value: str) -> str:
    """``multiply_adds 1234567`` as people read it."""
    spelled = f"{int(value):,}" if value.isascii() and value.isdigit() else value
    return f"{name.replace('_', ' ')} {spelled}"
