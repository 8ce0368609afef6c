"""Passphrases: from a file, or asked for on a terminal."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from assay.cli import _options as options
from assay.errors import BadOption, UnreadableKey

passphrase_file = click.option(
    "--passphrase-file",
    type=options.FILE,
    metavar="FILE",
    help="The key's passphrase is the first line of FILE; by default it is asked for.",
)


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
    """The passphrase of a key that is made; None where it is to have none."""
    if file is not None:
        return of_file(file)
    if not wanted:
        return None
    given: str = click.prompt("Passphrase", hide_input=True, confirmation_prompt=True, err=True)
    return given


def known(key: Path, file: str | None) -> str | None:
    """The passphrase of a key that is there; None where it has none.

    Raises UnreadableKey where it cannot be asked for, or ``key`` is no key; OSError.
    """
    from assay.keys import read

    if not read(key).sealed:
        return None
    if file is not None:
        return of_file(file)
    if not sys.stdin.isatty():
        raise UnreadableKey(f"{key}: is sealed by a passphrase: give --passphrase-file")
    given: str = click.prompt(f"Passphrase of {key}", hide_input=True, err=True)
    return given
