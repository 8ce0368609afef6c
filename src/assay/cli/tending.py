"""Verbs that look after a registry: codes and sketches made anew, and its secret key."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from assay.cli import _options as options
from assay.cli._terminal import progress, remark, say, width
from assay.report import json_line, table
from assay.values import Json

if TYPE_CHECKING:
    from assay.registry import Registry

HEADINGS = ("SCHEME", "MADE", "MODELS", "CURRENT")


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


VERBS = (rehash, registry_)
