"""Passphrases: from a file, from the environment, or asked for on a terminal."""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from assay.cli import _options as options
from assay.errors import BadOption, UnreadableKey
from assay.keys import cryptography_for, read

if TYPE_CHECKING:
    from assay.keys.signing import SigningKey

VARIABLE = "ASSAY_PASSPHRASE"
passphrase_option = partial(
    click.option,
    "--passphrase-file",
    type=options.FILE,
    metavar="FILE",
    help="The key's passphrase is the first line of FILE; by default it is read from"
    f" {VARIABLE}, else asked for.",
)
passphrase_file = passphrase_option()


def of_file(file: str) -> str:
    """A file's first line.  Raises BadOption where it is empty or no text."""
    try:
        with Path(file).open(encoding="utf-8") as lines:
            found = lines.readline().rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise BadOption(f"--passphrase-file {file}: is not UTF-8 text") from error
    if not found:
        raise BadOption(f"--passphrase-file {file}: its first line is empty")
    return found


def new(file: str | None, wanted: bool) -> str | None:
    """The passphrase of a key that is made; None where it is to have none.

    Raises BadOption where it cannot be asked for.
    """
    found = _given(file) if wanted or file is not None else None
    if found is not None or not wanted:
        return found
    if not sys.stdin.isatty():
        raise BadOption("--passphrase: is asked for on a terminal: give --passphrase-file")
    typed: str = click.prompt("Passphrase", hide_input=True, confirmation_prompt=True, err=True)
    return typed


def known(key: Path, is_sealed: bool, file: str | None) -> str | None:
    """The passphrase of a key that is there; None where it has none.

    Raises UnreadableKey where it cannot be asked for.
    """
    if not is_sealed:
        return None
    found = _given(file)
    if found is not None:
        return found
    if not sys.stdin.isatty():
        raise UnreadableKey(f"{key}: is sealed by a passphrase: give --passphrase-file")
    typed: str = click.prompt(f"Passphrase of {key}", hide_input=True, err=True)
    return typed


def signing_key(file: str, passphrase_file: str | None) -> SigningKey:
    """The owner's key in a file.  Raises as ``SigningKey.read`` does, or MissingExtra."""
    with cryptography_for("owners' keys"):
        from assay.keys.signing import SigningKey

    path = Path(file)
    return SigningKey.read(path, passphrase=known(path, bool(read(path).sealed), passphrase_file))


def _given(file: str | None) -> str | None:
    """What need not be asked for."""
    if file is not None:
        return of_file(file)
    found = os.environ.get(VARIABLE)
    if found == "":
        raise BadOption(f"{VARIABLE}: is empty: unset it to be asked")
    return found
