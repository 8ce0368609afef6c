"""The licensee's verbs of licenses: a level opened, and what a file is."""

from __future__ import annotations

from pathlib import Path

import click

from assay.cli import _license_options as license_options
from assay.cli import _options as options
from assay.cli import _secrets as secrets
from assay.cli._license_words import described, shown
from assay.cli._terminal import say
from assay.cli._writing import new_file
from assay.errors import BadOption, Unlicensed, UnreadableLicense
from assay.keys import cryptography_for, read
from assay.report import json_line, printable
from assay.values import Json


@click.command()
@click.argument("model", metavar="FILE", type=options.FILE)
@license_options.license_file
@click.option(
    "--key", "key_file", type=options.FILE, required=True, metavar="FILE",
    help="Your key, whose public part the license was made for.",
)  # fmt: skip
@secrets.passphrase_file
@license_options.pinned_owner
@license_options.output
@click.option(
    "--data",
    metavar="NAME_OR_PATH",
    help="Your examples, where a license opens how to tune its level.  Needs the extra torch.",
)
@license_options.judge
@options.limit
@license_options.graph
@options.input_shape
@options.as_json
def activate(
    model: str,
    license_file: str,
    key_file: str,
    passphrase_file: str | None,
    owner: str | None,
    output_file: str,
    data: str | None,
    judge: str | None,
    limit: int | None,
    graph: str | None,
    input_shape: options.Shapes,
    as_json: bool,
) -> None:
    """Open FILE, a distributable, at the level of a license; or tune it, where that opens how.

    Nothing is written where a file was changed, or the license is another's, for another model, or
    has expired.
    """
    with cryptography_for("licenses"):
        from assay.keys.wrapping import ReceivingKey
        from assay.licenses._distributable import activate as open_level
        from assay.licenses._grants import Grant
    from assay.licenses._recipes import recipe_of

    new_file(output_file, model, license_file, key_file, passphrase_file, data, judge, graph)
    path = Path(key_file)
    passphrase = secrets.known(path, bool(read(path).sealed), passphrase_file)
    key = ReceivingKey.read(path, passphrase=passphrase)
    try:
        grant = Grant.read(Path(license_file))
        recipe = recipe_of(Path(model), grant, key, owner)
        if recipe is None and data is None:
            made = open_level(Path(model), grant, key, Path(output_file), owner=owner)
    except (Unlicensed, UnreadableLicense) as error:
        culprit = "" if str(error).startswith(str(Path(model))) else f"{license_file}: "
        raise type(error)(f"{culprit}{error}") from error
    if recipe is None and data is not None:
        raise BadOption(f"--data {data}: level {grant.level} is a model: there is nothing to tune")
    if recipe is not None:
        if data is None:
            raise BadOption(f"{license_file}: opens how to tune level {grant.level}: give --data")
        with license_options.torch_needed():
            from assay.cli._holder_tuning import Own, made_by_holder
        own = Own(data, judge, limit, graph, input_shape)
        say(made_by_holder(Path(model), grant, recipe, Path(output_file), own, as_json))
        return
    about: Json = {
        "model": output_file, "level": made.level, "licensee": made.licensee,
        "sha256": made.content.sha256, **{"about": {**made.about}},
    }  # fmt: skip
    accuracy = made.about.get("accuracy", "-")
    text = f"level {made.level}, accuracy {accuracy}, {printable(made.licensee)}"
    say(json_line(about) if as_json else f"{text}  ({printable(output_file)})")


@click.command()
@click.argument("file", metavar="FILE", type=options.FILE)
@license_options.pinned_owner
@options.as_json
@click.pass_context
def inspect(context: click.Context, file: str, owner: str | None, as_json: bool) -> None:
    """Show what a distributable or a license is, and whether it is whole.

    Exit status: 0, whole; 2, changed, damaged, or neither of them.
    """
    with cryptography_for("licenses"):
        from assay.licenses._distributable import damaged, manifest_of, read_manifest
        from assay.licenses._grants import Grant

    path = Path(file)
    if not manifest_of(path).exists():
        try:
            grant = Grant.read(path)
        except UnreadableLicense as error:
            raise UnreadableLicense(f"{file}: {error}") from error
        if owner not in (None, grant.owner):
            raise Unlicensed(f"{file}: is signed by {grant.owner}, not by {owner}")
        secret = ("copy", "wrapped", "signature")
        rows: Json = {n: v for n, v in grant.document.items() if n not in secret}
        if grant.copy is not None:
            rows["copy"] = grant.copy.content.sha256
        lines = [
            f"{name:<14} {'-' if v is None else printable(str(v))}" for name, v in rows.items()
        ]
        say(json_line(rows) if as_json else "\n".join(lines))
        return
    manifest = read_manifest(path, owner)
    wrong = damaged(path, manifest)
    if as_json:
        say(json_line({**described(file, manifest), "damaged": wrong}))
    else:
        say("\n".join([shown(file, manifest), *(f"changed or missing: {name}" for name in wrong)]))
    context.exit(2 if wrong else 0)


VERBS = (activate, inspect)
