"""A sound archive: a safetensors file in a compressed tar file."""

import io
import tarfile
from pathlib import Path

from samples import safetensors

FORMAT = "safetensors"
OPS = None
WEIGHTS = safetensors.WEIGHTS


def small(folder: Path) -> Path:
    """One file in one folder."""
    inside = safetensors.small(folder)
    path = folder / "model.tar.gz"
    with tarfile.open(path, "w:gz", format=tarfile.PAX_FORMAT) as archive:
        info = tarfile.TarInfo("release/model.safetensors")
        info.size = inside.stat().st_size
        archive.addfile(info, io.BytesIO(inside.read_bytes()))
    inside.unlink()
    return path
