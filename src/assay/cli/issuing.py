"""The owner's verbs of licenses: a model in several grades, and a key for a licensee."""

from __future__ import annotations

from glob import escape
from pathlib import Path

import click

from assay.cli import _license_options as license_options
from assay.cli import _options as options
from assay.cli import _secrets as secrets
from assay.cli._license_words import described, shown
from assay.cli._settings import settings
from assay.cli._terminal import Stages, remark, say
from assay.cli._tracers import trace, trace_set, tracer
from assay.cli._writing import new_file
from assay.durable import write_whole
from assay.errors import BadOption
from assay.report import json_line, printable
from assay.values import Json


@click.command()
@click.argument("model", metavar="MODEL", type=options.FILE)
@license_options.output
@license_options.owner_key
@secrets.passphrase_file
@license_options.examples
@license_options.judge
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
@license_options.graph
@click.option(
    "--hardening",
    type=click.IntRange(0),
    metavar="STEPS",
    help="Let what needs no key be drawn anew, and in so many steps made slow to tune; 80 is much."
    "  By default it is a rest of the model.",
)
@click.option("--to", "licensee", metavar="NAME", help="The only licensee whom it is for.")
@license_options.expires
@trace
@trace_set
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
    hardening: int | None,
    licensee: str | None,
    expires: str | None,
    seed: int,
    input_shape: options.Shapes,
    as_json: bool,
) -> None:
    """Make a distributable of MODEL, an .onnx or .safetensors file.

    Written are FILE, a model that runs and answers near chance; FILE.manifest.json, which its owner
    has signed; and for each level a sealed part.  Level 0 is the original, byte for byte; the
    larger a level's number, the less it is.  Keep the owner's key: it makes all others.  With
    --trace copies differ, and FILE.ledger is the owner's, to be kept.
    Needs the extra torch, too.
    """
    from assay.licenses import LICENSES
    from assay.zoo.datasets import load

    with license_options.torch_needed():
        from assay.cli._examples import fitted, some
        from assay.cli._license_files import licensed

    _new_distributable(output_file, model, owner_file, passphrase_file, data, judge, graph)
    given = given if levels is None else (*given, f"levels={levels}")
    made = LICENSES[method](**settings(LICENSES[method], method, given))
    marks = tracer(click.get_current_context())
    owner = secrets.signing_key(owner_file, passphrase_file)
    known = some(load(data, "train"), limit, seed)
    source = licensed(model, graph, input_shape, known)
    tests = some(load(judge or data, "test"), limit, seed)
    with Stages() as stages:
        found = made.issue(
            source.module, Path(output_file), owner, fitted(known, source.shape),
            judge=fitted(tests, source.shape), original=Path(model), write=source.write,
            expires=expires, licensee=licensee, trace=marks, hardening=hardening, seed=seed,
            progress=lambda stage: stages.show(stage, 0, 1),
        )  # fmt: skip
    say(json_line(described(output_file, found)) if as_json else shown(output_file, found))
    for number, level in enumerate(found.levels):
        if "missed" in level.about:
            missed, copies = (printable(level.about[name]) for name in ("missed", "copies"))
            remark(f"level {number}: copies have {copies}: they miss {missed}")


def _new_distributable(output: str, *others: str | None) -> None:
    """Raises BadOption where it is there, or would take the place of a file that is read."""
    from assay.licenses._distributable import ledger_of, manifest_of, part_of

    new_file(output, *others)
    if manifest_of(Path(output)).exists():
        raise BadOption(
            f"--output {output}: is a distributable already, and its licenses would be void:"
            " name another file, or remove its manifest"
        )
    parts = Path(output).parent.glob(f"{escape(part_of(Path(output), 0).name[:-1])}*")
    for beside in (*parts, ledger_of(Path(output))):
        new_file(str(beside), *others)


@click.command("key")
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
@license_options.owner_key
@secrets.passphrase_file
@license_options.output
@license_options.expires
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
    new_file(output_file, model, owner_file, passphrase_file)
    owner = secrets.signing_key(owner_file, passphrase_file)
    from assay.licenses._distributable import files_of, read_manifest
    from assay.licenses._granting import granted
    from assay.licenses._signed import today

    new_file(output_file, *map(str, files_of(Path(model), read_manifest(Path(model)))))
    grant = granted(Path(model), owner, level, licensee, public, expires)
    write_whole(Path(output_file), grant.text.encode())
    about: Json = {
        "license": output_file, "level": level, "licensee": licensee, "expires": grant.expires
    }  # fmt: skip
    until = f"until {grant.expires}" if grant.expires else "without end"
    if grant.expires is not None and grant.expires < today():
        until += ", which has passed"
    text = f"level {level} for {printable(licensee)}, {until}  ({printable(output_file)})"
    say(json_line(about) if as_json else text)


VERBS = (issue, give_key)
