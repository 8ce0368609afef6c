"""Keys of marks that a command line names: read, or drawn; and their passphrases."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from assay.cli._settings import settings
from assay.errors import BadOption, MissingExtra

if TYPE_CHECKING:
    from assay.watermarks import Watermark, Weights
    from assay.watermarks._key import Key

PASSPHRASE = "ASSAY_PASSPHRASE"


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


def read_key(path: Path) -> Key:
    """The key of a file; asks for its passphrase.  Raises as ``load_key`` does, or MissingExtra."""
    try:
        from assay.watermarks._key import is_sealed, load_key
    except ModuleNotFoundError as error:
        raise MissingExtra(
            f"keys need a package more ({error}): pip install 'assay[watermarks]'"
        ) from error
    return load_key(path, _passphrase(new=False) if is_sealed(path) else None)


def key_for(
    watermark: Watermark, path: Path, payload: str | None, weights: Weights, model: str
) -> tuple[Key, bool]:
    """The key of a file, or a new one, with the payload that it is to carry; whether it is new.

    Raises BadOption where the key is another mark's.
    """
    said = _payload(payload)
    if path.exists():
        key = read_key(path)
        if key.payload:
            if said not in (None, key.payload):
                raise BadOption(f"--key {path}: is of a mark that says {key.payload.hex()}")
            return key, False
    else:
        key = watermark.new_key(weights, 8 * len(said) if said is not None else 128)
    if said is None:
        text = f"assay mark {key.digest} {model}"
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


def save_key(key: Key, path: Path, sealed: bool) -> None:
    """Write a new key; to be done before the model that needs it."""
    key.save(path, _passphrase(new=True) if sealed else None)


def _passphrase(new: bool) -> str:
    given = os.environ.get(PASSPHRASE)
    if given == "":
        raise BadOption(f"{PASSPHRASE}: is empty: unset it to be asked")
    if given is not None:
        return given
    asked: str = click.prompt(
        "Passphrase of the key", hide_input=True, confirmation_prompt=new, err=True
    )
    return asked
