"""Keys of marks that a command line names: read, or drawn."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.cli import _secrets as secrets
from assay.cli._settings import settings
from assay.errors import BadOption, MissingExtra

if TYPE_CHECKING:
    from torch import nn

    from assay.running.examples import Examples
    from assay.watermarks import Watermark, Weights
    from assay.watermarks._key import Key


def make_watermark(name: str, given: Sequence[str]) -> Watermark:
    """The method with its options.  Raises MissingExtra or BadOption."""
    from assay.watermarks import WATERMARKS

    try:
        method: Callable[..., Watermark] = WATERMARKS[name]
    except ModuleNotFoundError as error:
        raise MissingExtra(
            f"{name} needs a package more ({error}): pip install 'assay[watermarks]'"
        ) from error
    return method(**settings(method, name, given))


def read_key(path: Path, passphrase_file: str | None) -> Key:
    """The key of a file.  Raises as ``load_key`` does, or UnreadableKey or MissingExtra."""
    load_key, is_sealed = _reader()
    return load_key(path, secrets.known(path, is_sealed(path), passphrase_file))


def passphrase_for(path: Path, wanted: bool, passphrase_file: str | None) -> str | None:
    """That of a key which is there, or of one that will be written."""
    if path.exists() and _reader()[1](path):
        return secrets.known(path, True, passphrase_file)
    return secrets.new(passphrase_file, wanted)


def _reader() -> tuple[Callable[[Path, str | None], Key], Callable[[Path], bool]]:
    try:
        from assay.watermarks._key import is_sealed, load_key
    except ModuleNotFoundError as error:
        raise MissingExtra(
            f"keys need a package more ({error}): pip install 'assay[watermarks]'"
        ) from error
    return load_key, is_sealed


def key_for(
    watermark: Watermark,
    path: Path,
    passphrase: str | None,
    payload: str | None,
    model: Weights | nn.Module,
    sha256: str,
    data: Examples | None = None,
    students: Sequence[nn.Module] = (),
) -> tuple[Key, bool]:
    """The key of a file, or a new one, with the payload that it is to carry; whether it is new.

    ``students``: for a mark that keeps their answers, too.  Raises BadOption where the key is
    another mark's.
    """
    from assay.watermarks import BITS

    said = _payload(payload)
    if path.exists():
        if students:
            raise BadOption(f"--reference: {path} is there, and a key keeps what it was made of")
        key = _reader()[0](path, passphrase)
        if key.payload:
            if said not in (None, key.payload):
                raise BadOption(f"--key {path}: is of a mark that says {key.payload.hex()}")
            return key, False
    else:
        bits = 8 * len(said) if said is not None else BITS
        new_key: Any = watermark.new_key
        key = new_key(model, bits, data=data, **({"students": students} if students else {}))
    if said is None:
        text = f"assay mark {key.digest} {sha256}"
        said = hashlib.sha256(text.encode()).digest()[: key.template["payload_bytes"]]
    return key.carrying(said), True


def _payload(given: str | None) -> bytes | None:
    if given is None:
        return None
    try:
        found = bytes.fromhex(given)
    except ValueError:
        found = b""
    if not found:
        raise BadOption(f"--payload {given}: is no hexadecimal number of whole bytes")
    return found
