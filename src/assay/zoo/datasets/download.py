"""Files from the network, believed only where their SHA-256 is the expected one."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from http.client import HTTPException
from pathlib import Path
from urllib.request import urlopen

from assay.durable import write_whole
from assay.errors import BadData

_PATIENCE = 30  # seconds without an answer
_LONGEST = 2**28  # bytes of one file


def download(address: str, digests: Mapping[str, str], folder: Path) -> None:
    """Put the files ``digests`` names, with their SHA-256, into ``folder``; those there stay.

    Raises BadData where one cannot be had, or is not the expected one.
    """
    for name, digest in digests.items():
        path = folder / name
        if path.is_file():
            continue
        try:
            with urlopen(f"{address}{name}", timeout=_PATIENCE) as answer:
                content = answer.read(_LONGEST)
            if hashlib.sha256(content).hexdigest() != digest:
                raise BadData(f"{address}{name} is not the file that it was: another SHA-256")
            folder.mkdir(parents=True, exist_ok=True)
            write_whole(path, content)
        except (OSError, HTTPException) as error:
            reason = getattr(error, "reason", None) or error
            raise BadData(f"{address}{name} cannot be had: {reason}") from error
