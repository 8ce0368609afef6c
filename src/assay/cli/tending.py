"""Verbs that look after a registry: codes and sketches made anew, and its secret key."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from assay.cli import _options as options
from assay.cli._terminal import progress, remark, say, width
from assay.errors import BadOption
from assay.report import json_line, table
from assay.values import Json

if TYPE_CHECKING:
    from assay.registry import Registry

HEADINGS = ("SCHEME", "MADE", "MODELS", "CURRENT")
SIGNERS = ("OWNER", "SINCE", "PUBLIC KEY")


@click.command()
@options.hasher
@options.registry
@options.as_json
def rehash(
    hasher_name: str | None,
    bits: int | None,
    weights: str | None,
    location: str | None,
    as_json: bool,
) -> None:
    """Hash every registered model again, and sketch those that lack a sketch.

    Hashes need no files.  Weights are read again only for models that were not sketched with the
    registry's current key, where their files are where they were.
    """
    hasher = options.make_hasher(hasher_name, bits, weights)
    with options.open_registry(location) as registry:
        with progress(registry.rehash(hasher), len(registry), "Hashing") as done:
            count = sum(1 for _ in done)
        sketched, failed = read_again(registry)
    if as_json:
        about = {"rehashed": count, "scheme": hasher.scheme}
        say(json_line({**about, "sketched": sketched, "not_sketched": failed}))
    else:
        say(f"{count} rehashed: {hasher.scheme}")
        if sketched or failed:
            say(f"{sketched} sketched, {failed} not")


def read_again(registry: Registry) -> tuple[int, int]:
    """Sketch models whose sketch is missing or of an older key; how many were, and were not."""
    total, failed = 0, 0
    waiting = registry.unsketched()
    with progress(registry.resketch(), waiting, "Sketching") as done:
        for _, wrong in done:
            total += 1
            if wrong:
                failed += 1
                remark(f"not sketched: {wrong}")
    return total - failed, failed


@click.group("registry")
def registry_() -> None:
    """Look after a registry."""


@registry_.command()
@click.option("--backup", type=options.FILE, metavar="FILE", help="Write the keys to FILE.")
@click.option("--restore", type=options.FILE, metavar="FILE", help="Take up the keys in FILE.")
@click.option("--rotate", is_flag=True, help="Draw a new key, and sketch all models with it.")
@options.registry
@options.as_json
def key(
    backup: str | None, restore: str | None, rotate: bool, location: str | None, as_json: bool
) -> None:
    """Show, back up, restore or rotate the secret key that weights are sketched with.

    Who knows the key can make a model that is wrongly found, or wrongly not: keep it as any secret.
    Registries that share one have the same codes.  After a rotation a model stays sketched with an
    older key where its file cannot be read again; it is compared all the same.
    """
    if sum((backup is not None, restore is not None, rotate)) > 1:
        raise click.UsageError("--backup, --restore, --rotate: give one of them")
    about: Json = {}
    with options.open_registry(location, create=restore is not None) as registry:
        if backup is not None:
            registry.keys.backup(Path(backup))
        elif restore is not None:
            registry.keys.restore(Path(restore))
        elif rotate:
            registry.keys.rotate()
            sketched, failed = read_again(registry)
            about = {"sketched": sketched, "not_sketched": failed}
        known, in_use, current = registry.keys.known(), registry.keys.in_use(), None
        if known:
            current = registry.keys.settled().scheme
    rows: list[Json] = [
        {"scheme": each.scheme, "made": each.made, "models": in_use.get(each.scheme, 0),
         "current": each.scheme == current}
        for each in known
    ]  # fmt: skip
    if as_json:
        say(json_line({"keys": rows, **about}))
        return
    shown = [
        (row["scheme"], row["made"][:10], str(row["models"]), "yes" if row["current"] else "")
        for row in rows
    ]
    say("\n".join(table(HEADINGS, shown, width())))


@registry_.command()
@click.argument("name", metavar="[NAME]", required=False)
@click.option("--public", metavar="DIGITS", help="The public key of who has the name, 64 digits.")
@click.option("--replace", is_flag=True, help="Also where the name stands for another key.")
@options.registry
@options.as_json
def owner(
    name: str | None, public: str | None, replace: bool, location: str | None, as_json: bool
) -> None:
    """Show whose keys owners' names stand for; with --public, let NAME stand for a key.

    A license clears the models under a name only where the name's key has signed it.  A name is
    its first license's that is recorded, and so of who comes first: say whose it is before.  With
    --replace, which is for who keeps the registry, licenses of the old key clear nobody any more.
    """
    if name is None and (public is not None or replace):
        raise click.UsageError("--public, --replace: give the NAME, too")
    if replace and public is None:
        raise click.UsageError("--replace: give --public, too")
    about: Json = {}
    with options.open_registry(location, create=public is not None) as registry:
        if name is not None and public is not None:
            about["status"] = registry.signers.settle(name, public, replace=replace)
        found = [each for each in registry.signers.all() if name in (None, each.name)]
    if name is not None and not found:
        raise BadOption(f"owner {name!r}: the name stands for no key here: give --public")
    if as_json:
        for each in found:
            row = {"owner": each.name, "public": each.key, "since": each.since}
            say(json_line({**row, **about}))
        return
    rows = [(each.name, each.since[:10], each.key) for each in found]
    say("\n".join(table(SIGNERS, rows)))


VERBS = (rehash, registry_)
