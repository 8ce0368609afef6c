"""All codes of a registry in one file beside it, to fill the memory from at once.

It is a copy that may be deleted at any time.  One that is missing, damaged (its last 32 bytes are
the SHA-256 of the others), of another registry or of a lost past of this one is not used.

    magic, a line · header, a line of JSON · for each scheme: keys, words · SHA-256
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from assay.durable import writing
from assay.errors import DamagedRegistry
from assay.registry._moments import Moment, sweep
from assay.values import Json

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAGIC = b"assay codes 1\n"


@dataclass(frozen=True, eq=False)
class Codes:
    """The n codes of one scheme."""

    scheme: str
    bits: int  # of a code
    keys: NDArray[np.int64]  # (n) ascending
    words: NDArray[np.uint64]  # (n, w) digests, filled up with zeros to whole words


def path_of(folder: Path, registry: str, name: str = "codes") -> Path:
    """Where the snapshot of ``registry`` lies; ``name``: of what."""
    return folder / f"{name}-{registry[:8]}.snapshot"


def write(path: Path, moment: Moment, parts: Sequence[Codes]) -> None:
    """Put a whole snapshot in the place of the old one, or leave the old one.  Raises OSError."""
    header = {
        "registry": moment.registry,
        "seq": moment.seq,
        "token": moment.token,
        "schemes": [[part.scheme, part.bits, *part.words.shape] for part in parts],
    }
    sweep(path.parent, path.name)
    checksum = hashlib.sha256()
    with writing(path) as file:
        for chunk in _chunks(header, parts):
            checksum.update(chunk)
            file.write(chunk)
        file.write(checksum.digest())


def _chunks(header: Json, parts: Sequence[Codes]) -> Iterator[bytes]:
    line = json.dumps(header).encode()
    yield MAGIC + line + b" " * (-(len(MAGIC) + len(line) + 1) % 8) + b"\n"  # words are aligned
    for part in parts:
        yield part.keys.astype("<i8", copy=False).tobytes()
        yield part.words.T.tobytes()  # column after column: the scan reads them so


def read(path: Path) -> tuple[Moment, list[Codes]]:
    """What ``write`` wrote.  Raises DamagedRegistry where it is anything else, OSError."""
    import numpy as np

    content = memoryview(path.read_bytes())
    if bytes(content[: len(MAGIC)]) != MAGIC or len(content) < len(MAGIC) + 32:
        raise DamagedRegistry(f"{path}: not a snapshot")
    if hashlib.sha256(content[:-32]).digest() != content[-32:]:
        raise DamagedRegistry(f"{path}: its checksum does not fit")
    end = bytes(content[: 2**20]).index(b"\n", len(MAGIC)) + 1
    header = json.loads(bytes(content[len(MAGIC) : end]))
    parts = []
    for scheme, bits, n, w in header["schemes"]:
        keys = np.frombuffer(content, "<i8", n, end).astype(np.int64, copy=False)
        words = np.frombuffer(content, np.uint64, n * w, end + 8 * n).reshape(w, n).T
        parts.append(Codes(scheme, bits, keys, words))
        end += 8 * n * (1 + w)
    return Moment(header["registry"], header["seq"], header["token"]), parts
