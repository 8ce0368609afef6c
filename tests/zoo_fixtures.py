"""Reads the zoo fixtures: torchvision's networks as ONNX without weights, and torch's own counts.

See ``fixtures/README.md`` for what they are and ``scripts/make_zoo_fixtures.py`` for how they are
made. Nothing is unpacked to disk; an archive is read when one of its variants is asked for.
"""

from __future__ import annotations

import json
import tarfile
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "fixtures" / "zoo"
SUFFIX = ".tar.xz"
ARCHITECTURES = tuple(sorted(path.name.removesuffix(SUFFIX) for path in FOLDER.glob("*" + SUFFIX)))


@cache
def _files(architecture: str) -> dict[str, bytes]:
    files = {}
    with tarfile.open(FOLDER / (architecture + SUFFIX)) as archive:
        for member in archive:
            content = archive.extractfile(member)
            assert content is not None  # every member is a regular file
            files[member.name] = content.read()
    return files


def variants(architecture: str, size: int = 224) -> dict[str, bytes]:
    """Variant name → ONNX bytes, of exports for one image of 3×size×size.

    Raises:
        FileNotFoundError: there is no such architecture.
        ValueError: it was not exported at this size.
    """
    prefix = f"{size}/"
    files = _files(architecture)
    found = {
        name.removeprefix(prefix).removesuffix(".onnx"): content
        for name, content in files.items()
        if name.startswith(prefix)
    }
    if not found:
        sizes = sorted({name.split("/")[0] for name in files})
        raise ValueError(f"{architecture} was exported at {', '.join(sizes)}, not at {size}")
    return found


@cache
def _truth() -> dict[str, Any]:
    truth: dict[str, Any] = json.loads((FOLDER / "truth.json").read_bytes())
    return truth


def sizes(architecture: str) -> tuple[int, ...]:
    """The image sizes at which the architecture was exported."""
    return tuple(int(size) for size in _truth()["architectures"][architecture]["sizes"])


def parameters(architecture: str) -> int:
    """Elements of the network's parameters, as torch counts them."""
    count: int = _truth()["architectures"][architecture]["parameters"]
    return count


def macs(architecture: str, size: int = 224) -> int:
    """Multiply-accumulates of convolutions and matrix products, as torch counts them."""
    count: int = _truth()["architectures"][architecture]["sizes"][str(size)]["macs"]
    return count
