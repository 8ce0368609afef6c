"""Files of the log's verbs: openings, heads, proofs, and what is hashed into them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from assay.durable import write_whole
from assay.errors import AssayError, BadOption, Unproved, UnreadableProof
from assay.keys import cryptography_for

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

    from assay.transparency import Opening, SignedHead

LARGEST = 2**24  # bytes of a proof, an opening, a head


def keep(opening: Opening, path: Path) -> None:
    """Write an opening to a file that nobody else may read; the same again is fine.

    Raises AssayError where another file is there.
    """
    content = (json.dumps({"assay opening": 1, **opening.to_json()}, indent=1) + "\n").encode()
    if path.exists():
        if path.read_bytes() != content:
            raise AssayError(f"{path}: is there already: an opening replaces nothing")
        return
    write_whole(path, content, mode=0o600)


def read_opening(file: str) -> Opening:
    """Raises UnreadableProof."""
    from assay.transparency import Opening, _strict

    with naming(file):
        row = _strict.loads(read_text(file), "opening")
        names = ("assay opening", "statement", "signature")
        found = {**_strict.fields(row, names, "opening")}
        if found.pop("assay opening") != 1:
            raise UnreadableProof("is an opening of a newer assay: upgrade")
        return Opening.from_json(found)


def read_head(file: str) -> SignedHead:
    """Raises UnreadableProof."""
    from assay.transparency import SignedHead

    with naming(file):
        return SignedHead.parse(read_text(file))


def read_text(file: str) -> str:
    """Raises UnreadableProof where it is too long or no text, OSError."""
    with Path(file).open("rb") as stream:
        content = stream.read(LARGEST + 1)
    try:
        if len(content) <= LARGEST:
            return content.decode()
    except UnicodeDecodeError:
        pass
    raise UnreadableProof("is no text, or too long")


def roots(file: str) -> list[Certificate]:
    """The certificates of authorities.  Raises UnreadableProof, MissingExtra."""
    with cryptography_for("time stamps"):
        from assay.transparency import stamps
    return stamps.roots(Path(file))


@contextmanager
def naming(file: str) -> Iterator[None]:
    """What is wrong with a file begins with its name."""
    try:
        yield
    except (UnreadableProof, Unproved) as error:
        raise type(error)(f"{file}: {error}") from error


def model_sha256(model: str) -> str:
    """Of a model file, as the registry knows it; a SHA-256 is taken as it is."""
    if re.fullmatch("[0-9a-f]{64}", model) and not Path(model).exists():
        return model
    from assay.examine import sha256
    from assay.formats import MISSING, read

    found = read(Path(model))
    if MISSING in found.metadata:
        raise BadOption(f"{model}: has no SHA-256: some of its files are missing")
    return sha256(found)


def file_sha256(file: str | None) -> str | None:
    """Of a file's bytes, where one is given."""
    from assay.weights.digests import file_sha256

    return None if file is None else file_sha256(Path(file))
