"""Verbs of licenses: a model in several grades, a key to each."""

from __future__ import annotations

from pathlib import Path

import click

from assay.cli import _options as options
from assay.cli import _secrets as secrets
from assay.cli._license_words import described, shown
from assay.cli._settings import settings
from assay.cli._terminal import Stages, say
from assay.cli._writing import new_file
from assay.durable import write_whole
from assay.errors import BadOption, Unlicensed, UnreadableLicense
from assay.keys import cryptography_for, read
from assay.report import json_line, printable
from assay.values import Json

EXAMPLES = """\b
Examples:
  assay license issue model.onnx --data fashion-mnist --levels 0.88,0.8,0.7 \\
      --owner-key ann.key --output shipped.onnx
  assay license key shipped.onnx --level 2 --to "Bob Ltd" --public 64_DIGITS \\
      --owner-key ann.key --output bob.license --expires 2027-12-31
  assay license activate shipped.onnx --license bob.license --key bob.key --output mine.onnx
"""
owner_key = click.option(
    "--owner-key",
    "owner_file",
    type=options.FILE,
    metavar="FILE",
    required=True,
    help="The owner's key, as 'assay key new' makes it.",
)
pinned_owner = click.option(
    "--owner",
    metavar="PUBLIC",
    help="The owner's public key, which you know from himself: another's signature is refused.",
)
output = click.option(
    "-o",
    "--output",
    "output_file",
    type=options.FILE,
    metavar="FILE",
    required=True,
    help="The file to write.",
)
expires = click.option(
    "--expires", metavar="DATE", help="The last day of use, as 2027-01-31; by default none is."
)


@click.group("license", epilog=EXAMPLES)
def license_() -> None:
    """Hand out one model in several grades of accuracy, with a key to each.

    First 'license issue'; everybody may have what it writes, which answers near chance.  A licensee
    makes a key with 'assay key new --kind licensee' and tells its public part; 'license key' gives
    him a level, 'license activate' opens it.  Needs the extra crypto.
    """


@license_.command()
@click.argument("model", metavar="MODEL", type=options.FILE)
@output
@owner_key
@secrets.passphrase_file
@click.option(
    "--data",
    required=True,
    metavar="NAME_OR_PATH",
    help="Examples: a data set's name or folder, or an .npz file of inputs and labels.",
)
@click.option(
    "--judge",
    metavar="NAME_OR_PATH",
    help="Examples to measure accuracies on; by default those that a data set keeps for tests.",
)
@options.limit
@click.option("--levels", metavar="SHARES", help="Accuracies of levels 1, 2 …, as 0.92,0.82,0.72.")
@click.option(
    "--method",
    default="pruning",
    callback=options.method_of("licenses"),
    metavar="NAME",
    help="How levels are made; by default pruning.  'assay methods' lists them.",
)
@options.given
@click.option(
    "--graph",
    metavar="NAME_OR_FILE",
    help="For a file without a graph: the zoo's network that it is, or an .onnx file whose weights"
    " have the same names.",
)
@click.option("--to", "licensee", metavar="NAME", help="The only licensee whom it is for.")
@expires
@options.seed
@options.input_shape
@options.as_json
def issue(
    model: str,
    output_file: str,
    owner_file: str,
    passphrase_file: str | None,
    data: str,
    judge: str | None,
    limit: int | None,
    levels: str | None,
    method: str,
    given: tuple[str, ...],
    graph: str | None,
    licensee: str | None,
    expires: str | None,
    seed: int,
    input_shape: options.Shapes,
    as_json: bool,
) -> None:
    """Make a distributable of MODEL, an .onnx or .safetensors file.

    Written are FILE, a model that runs and answers near chance; FILE.manifest.json, which its owner
    has signed; and for each level a sealed part.  Level 0 is the original, byte for byte; the
    larger a level's number, the less it is.  Keep the owner's key: it makes all others.
    Needs the extra torch, too.
    """
    from assay.cli._examples import fitted, some
    from assay.cli._license_files import licensed
    from assay.licenses import LICENSES
    from assay.licenses._distributable import manifest_of
    from assay.zoo.datasets import load

    new_file(output_file, model, owner_file)
    if manifest_of(Path(output_file)).exists():
        raise BadOption(
            f"--output {output_file}: is a distributable already, and its licenses would be void:"
            " name another file, or remove its manifest"
        )
    given = given if levels is None else (*given, f"levels={levels}")
    made = LICENSES[method](**settings(LICENSES[method], method, given))
    owner = secrets.signing_key(owner_file, passphrase_file)
    known = some(load(data, "train"), limit, seed)
    source = licensed(model, graph, input_shape, known)
    tests = some(load(judge or data, "test"), limit, seed)
    with Stages() as stages:
        found = made.issue(
            source.module, Path(output_file), owner, fitted(known, source.shape),
            judge=fitted(tests, source.shape), original=Path(model), write=source.write,
            expires=expires, licensee=licensee, seed=seed,
            progress=lambda stage: stages.show(stage, 0, 1),
        )  # fmt: skip
    say(json_line(described(output_file, found)) if as_json else shown(output_file, found))


@license_.command("key")
@click.argument("model", metavar="FILE", type=options.FILE)
@click.option(
    "--level",
    type=click.IntRange(0),
    required=True,
    metavar="N",
    help="The level; 0: the original.",
)
@click.option("--to", "licensee", required=True, metavar="NAME", help="The licensee's name.")
@click.option(
    "--public", required=True, metavar="DIGITS", help="The licensee's public key, 64 digits."
)
@owner_key
@secrets.passphrase_file
@output
@expires
@options.as_json
def give_key(
    model: str,
    level: int,
    licensee: str,
    public: str,
    owner_file: str,
    passphrase_file: str | None,
    output_file: str,
    expires: str | None,
    as_json: bool,
) -> None:
    """Write a license for a level of FILE, a distributable.

    It holds the level's key, wrapped for the licensee's public key: nobody else can use it.
    """
    new_file(output_file, model, owner_file)
    owner = secrets.signing_key(owner_file, passphrase_file)
    from assay.licenses._distributable import files_of, read_manifest
    from assay.licenses._grants import Grant

    manifest = read_manifest(Path(model))
    new_file(output_file, *map(str, files_of(Path(model), manifest)))
    try:
        grant = Grant.make(manifest, owner, level, licensee, public, expires)
    except (Unlicensed, UnreadableLicense) as error:
        raise type(error)(f"{model}: {error}") from error
    write_whole(Path(output_file), grant.text.encode())
    about: Json = {
        "license": output_file, "level": level, "licensee": licensee, "expires": grant.expires
    }  # fmt: skip
    until = f"until {grant.expires}" if grant.expires else "without end"
    text = f"level {level} for {printable(licensee)}, {until}  ({printable(output_file)})"
    say(json_line(about) if as_json else text)


@license_.command()
@click.argument("model", metavar="FILE", type=options.FILE)
@click.option(
    "--license", "license_file", type=options.FILE, required=True, metavar="FILE",
    help="The license, as 'assay license key' wrote it.",
)  # fmt: skip
@click.option(
    "--key", "key_file", type=options.FILE, required=True, metavar="FILE",
    help="Your key, whose public part the license was made for.",
)  # fmt: skip
@secrets.passphrase_file
@pinned_owner
@output
@options.as_json
def activate(
    model: str,
    license_file: str,
    key_file: str,
    passphrase_file: str | None,
    owner: str | None,
    output_file: str,
    as_json: bool,
) -> None:
    """Open FILE, a distributable, at the level of a license.

    Nothing is written where a file was changed, or the license is another's, for another model, or
    has expired.
    """
    with cryptography_for("licenses"):
        from assay.keys.wrapping import ReceivingKey
        from assay.licenses._distributable import activate as open_level
        from assay.licenses._grants import Grant

    new_file(output_file, model, license_file, key_file)
    path = Path(key_file)
    passphrase = secrets.known(path, bool(read(path).sealed), passphrase_file)
    key = ReceivingKey.read(path, passphrase=passphrase)
    try:
        grant = Grant.read(Path(license_file))
        made = open_level(Path(model), grant, key, Path(output_file), owner=owner)
    except (Unlicensed, UnreadableLicense) as error:
        culprit = "" if str(error).startswith(str(Path(model))) else f"{license_file}: "
        raise type(error)(f"{culprit}{error}") from error
    about: Json = {
        "model": output_file, "level": made.level, "licensee": made.licensee,
        "sha256": made.content.sha256, **{"about": {**made.about}},
    }  # fmt: skip
    accuracy = made.about.get("accuracy", "-")
    text = f"level {made.level}, accuracy {accuracy}, {printable(made.licensee)}"
    say(json_line(about) if as_json else f"{text}  ({printable(output_file)})")


@license_.command()
@click.argument("file", metavar="FILE", type=options.FILE)
@pinned_owner
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
        rows = {n: v for n, v in grant.document.items() if n not in ("wrapped", "signature")}
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


VERBS = (license_,)
