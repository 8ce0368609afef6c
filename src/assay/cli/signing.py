"""Verbs that make and show keys."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import click

from assay.cli import _options as options
from assay.cli import _secrets as secrets
from assay.cli._terminal import attempts, say
from assay.keys import KeyFile, cryptography_for, read
from assay.report import json_line, printable
from assay.values import Json


@click.group("key")
def key() -> None:
    """Make and show keys, each in a file of its own."""


def new_owner(path: Path, passphrase: str | None) -> KeyFile:
    """A key that signs what an owner commits to."""
    with cryptography_for("keys"):
        from assay.keys.signing import SigningKey
    return SigningKey.new("owner").write(path, passphrase)


def new_licensee(path: Path, passphrase: str | None) -> KeyFile:
    """A key that opens licenses."""
    with cryptography_for("keys"):
        from assay.keys.wrapping import ReceivingKey
    return ReceivingKey.new("licensee").write(path, passphrase)


# What makes a key of each kind; a kind of `assay.keys.KINDS` that is made otherwise is not here.
MAKERS: Mapping[str, Callable[[Path, str | None], KeyFile]] = {
    "owner": new_owner,
    "licensee": new_licensee,
}


@key.command()
@click.argument("file", metavar="FILE", type=options.FILE)
@click.option(
    "--kind",
    type=click.Choice([*MAKERS]),
    default="owner",
    help="What the key is for; by default owner: to sign what 'assay log commit' commits to, and"
    " licenses.  licensee: to open licenses.",
)
@click.option("--passphrase", is_flag=True, help="Ask for a passphrase that seals the key.")
@click.option(
    "--passphrase-file",
    type=options.FILE,
    metavar="FILE",
    help="Seal the key by the passphrase in the first line of FILE.",
)
@options.as_json
def new(file: str, kind: str, passphrase: bool, passphrase_file: str | None, as_json: bool) -> None:
    """Make a new key in FILE, which must not be there.

    What is printed is the public part.  Keep a copy of FILE where it is safe: a lost key cannot be
    made again, and nobody else can open what was committed to with it.  Needs the extra crypto.
    """
    path = Path(file)
    made = MAKERS[kind](path, secrets.new(passphrase_file, passphrase))
    show_one(file, made, as_json)


@key.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=options.FILE)
@options.as_json
@click.pass_context
def show(context: click.Context, files: tuple[str, ...], as_json: bool) -> None:
    """Show the public part of each key; no passphrase is needed."""
    failed = False
    for path, found, _ in attempts(files, lambda path: read(Path(path))):
        failed |= found is None
        if found is not None:
            show_one(path, found, as_json)
    context.exit(2 if failed else 0)


def show_one(path: str, found: KeyFile, as_json: bool) -> None:
    """One line on a key, without its secret."""
    about: Json = {
        "path": path,
        "kind": found.kind,
        "public": found.public or None,
        "sealed": bool(found.sealed),
    }
    if as_json:
        say(json_line(about))
    else:
        sealed = "sealed" if found.sealed else "not sealed"
        say(f"{found.kind}  {found.public or '-'}  {sealed}  ({printable(path)})")


VERBS = (key,)
