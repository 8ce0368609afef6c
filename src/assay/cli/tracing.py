"""The owner's verbs about copies that he has licensed: whose a suspect is, and what is recorded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from assay.cli import _license_options as license_options
from assay.cli import _options as options
from assay.cli import _secrets as secrets
from assay.cli._terminal import remark, say
from assay.cli._writing import new_file
from assay.comparisons import TOLERANCE
from assay.errors import BadOption, Unlicensed, UnreadableLicense
from assay.keys import cryptography_for
from assay.report import json_line, printable, table
from assay.report.words import false_alarm_text
from assay.values import Json, Licensed

if TYPE_CHECKING:
    from assay.licenses._grants import Grant
    from assay.licenses._manifest import Manifest
    from assay.licenses._tracing import Traced

HEADINGS = ("LICENSEE", "TRACED", "FALSE ALARM", "SCORE", "PUBLIC KEY")


@click.command()
@click.argument("suspect", metavar="SUSPECT", type=options.FILE)
@click.argument("model", metavar="FILE", type=options.FILE)
@license_options.owner_key
@secrets.passphrase_file
@click.option(
    "--licenses",
    "paths",
    multiple=True,
    type=options.FILE,
    metavar="FILE_OR_DIR",
    help="Licenses that were given, or a folder with them; may be repeated.  By default those that"
    " a registry has recorded.",
)
@click.option(
    "--tolerance",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=TOLERANCE,
    metavar="P",
    help="The false alarm, corrected for all who were asked, up to which a licensee is named; by"
    " default 1e-6.",
)
@options.input_shape
@options.registry
@options.as_json
@click.pass_context
def trace(
    context: click.Context,
    suspect: str,
    model: str,
    owner_file: str,
    passphrase_file: str | None,
    paths: tuple[str, ...],
    tolerance: float,
    input_shape: options.Shapes,
    location: str | None,
    as_json: bool,
) -> None:
    """Say whose copies of FILE, a distributable, SUSPECT was made of.

    FILE was issued with --trace, and its ledger lies beside it.  Several licensees who averaged
    their copies may all be named.  Exit status: 0, somebody is; 1, nobody; 2, an error.
    """
    with cryptography_for("licenses"):
        from assay.licenses._distributable import read_manifest
        from assay.licenses._granting import read_ledger
        from assay.licenses._tracing import traced
    from assay.formats import naming, read

    owner = secrets.signing_key(owner_file, passphrase_file)
    manifest = read_manifest(Path(model), owner.public)
    try:
        ledger = read_ledger(Path(model), manifest, owner)
    except (Unlicensed, UnreadableLicense) as error:
        raise type(error)(f"{model}: {error}") from error
    asked = _licensees(paths, manifest) if paths else _recorded(location, manifest)
    words = {person: ledger.words(owner, person[1]) for person in asked}
    with naming(suspect):
        found = traced(read(Path(suspect), input_shape).weights, ledger, words)
    rows = [each.to_json(tolerance) for each in found]
    if as_json:
        say(json_line({"suspect": suspect, "manifest": manifest.digest, "licensees": rows}))
    else:
        say("\n".join([printable(suspect), *_lines(found, rows)]))
    context.exit(int(not any(row["traced"] for row in rows)))


def _lines(found: Sequence[Traced], rows: Sequence[Json]) -> list[str]:
    cells = [
        (
            printable(each.licensee),
            "yes" if row["traced"] else "no",
            false_alarm_text(each.log10_false_alarm),
            f"{each.score:.3f}",
            each.key[:12],
        )
        for each, row in zip(found, rows, strict=True)
    ]
    return table(HEADINGS, cells)


def _licensees(paths: Sequence[str], manifest: Manifest) -> list[tuple[str, str]]:
    """Name and public key of whom licenses of a distributable were given to; nobody twice."""
    from assay.licenses._grants import Grant

    found: dict[str, str] = {}
    left_out = 0
    for path, is_named in _files(paths):
        try:
            grant = Grant.read(path)
        except UnreadableLicense as error:
            if is_named:
                raise UnreadableLicense(f"{path}: {error}") from error
            left_out += 1
            continue
        if grant.manifest == manifest.digest and grant.owner == manifest.owner:
            found.setdefault(grant.key, grant.licensee)
        elif is_named:
            raise Unlicensed(f"{path}: is for another model than this")
        else:
            left_out += 1
    if left_out:
        remark(f"left out, no licenses of this model: {left_out}")
    if not found:
        raise BadOption("--licenses: there is no license of this model")
    return [(name, key) for key, name in found.items()]


def _files(paths: Sequence[str]) -> Iterator[tuple[Path, bool]]:
    """Files, and whether each was named itself."""
    for path in map(Path, paths):
        if path.is_dir():
            yield from ((each, False) for each in sorted(path.iterdir()) if each.is_file())
        else:
            yield path, True


def _recorded(location: str | None, manifest: Manifest) -> list[tuple[str, str]]:
    with options.open_registry(location) as registry:
        found = {each.key: each.licensee for each in registry.licenses.of(manifest.digest)}
    if not found:
        raise BadOption("no license of this model is recorded: name some with --licenses")
    return [(name, key) for key, name in found.items()]


@click.command()
@click.argument("model", metavar="FILE", type=options.FILE)
@license_options.license_file
@license_options.owner_key
@secrets.passphrase_file
@license_options.output
@click.option(
    "--owner",
    metavar="NAME",
    help="Who claims the model: whose license it is.  The first key that a name comes with has it.",
)
@options.registry
@options.as_json
def record(
    model: str,
    license_file: str,
    owner_file: str,
    passphrase_file: str | None,
    output_file: str,
    owner: str | None,
    location: str | None,
    as_json: bool,
) -> None:
    """Register the copy that a license makes of FILE, and whose it is.

    The copy is written to --output, and registered as 'assay add' does it; where 'assay check'
    meets it again it says to whom it is licensed, and until when.  Recorded are names, public keys
    and hashes, nothing that opens a level.  A name that stands for another key is refused.
    """
    with cryptography_for("licenses"):
        from assay.licenses._distributable import files_of, read_manifest
        from assay.licenses._granting import copied
        from assay.licenses._grants import Grant

    new_file(output_file, model, owner_file, passphrase_file, license_file)
    key = secrets.signing_key(owner_file, passphrase_file)
    new_file(output_file, *map(str, files_of(Path(model), read_manifest(Path(model), key.public))))
    if owner and options.has_registry(location):  # before anything is written
        with options.open_registry(location) as registry:
            registry.signers.check(owner, key.public)
    try:
        grant = Grant.read(Path(license_file))
        copied(Path(model), grant, key, Path(output_file))
    except (Unlicensed, UnreadableLicense) as error:
        culprit = "" if str(error).startswith(str(Path(model))) else f"{license_file}: "
        raise type(error)(f"{culprit}{error}") from error
    known = _licensed(grant)
    name = f"{Path(model).name}, {known}"
    with options.open_registry(location, create=True) as registry:
        if owner and registry.signers.settle(owner, key.public) == "added":
            remark(f"{printable(owner)}: the name stands for the key {key.public[:12]} from now on")
        added = registry.add(output_file, owner=owner, name=name)
        status = registry.licenses.record(added.sha256, known)
    about: Json = {"model": output_file, "sha256": added.sha256, "status": status}
    about["licensed"] = known.to_json()
    say(json_line(about) if as_json else f"{status:6}  {printable(name)}")


def _licensed(grant: Grant) -> Licensed:
    return Licensed(
        grant.licensee, grant.key, grant.owner, grant.manifest, grant.digest, grant.level,
        grant.expires,
    )  # fmt: skip


VERBS = (trace, record)
