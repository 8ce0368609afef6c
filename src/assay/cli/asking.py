"""Verbs that ask what a file is and whom it looks like."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from assay.cli import _apps as apps
from assay.cli import _options as options
from assay.cli._terminal import attempts, color, say, width
from assay.cli._writing import Outputs
from assay.comparisons import TOLERANCE
from assay.report import json_line, printable, text
from assay.values import Json, Record, Report

if TYPE_CHECKING:
    from assay.hashers import Hasher


@click.command("hash")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=options.FILE)
@options.hasher
@click.option("--raw", is_flag=True, help="Hash the layers as they are, not merged.")
@click.option(
    "--sketch",
    "sketched",
    is_flag=True,
    help="With --json: sketch the weights, too, with the public key; a lead, never a proof.",
)
@click.option(
    "--parts",
    "parted",
    is_flag=True,
    help="With --json: the codes of its parts, too, such as a backbone's.",
)
@options.input_shape
@options.as_json
@click.pass_context
def hash_(
    context: click.Context,
    files: tuple[str, ...],
    hasher_name: str | None,
    bits: int | None,
    weights: str | None,
    raw: bool,
    sketched: bool,
    parted: bool,
    input_shape: options.Shapes,
    as_json: bool,
) -> None:
    """Print the perceptual hash of each FILE, and of each model in an app.

    Near codes, near architectures.  Names, weights and the order of listing play no part.  "null"
    stands for a file without a graph.  A path with special characters is escaped, and its line
    begins with a backslash, as sha256sum does it.
    """
    from assay.examine import Sketcher, examine

    sketcher: Sketcher | None = None
    if sketched:
        if not as_json:
            raise click.UsageError("--sketch is for programs: give it with --json")
        from assay.sketches import sketch as sketcher  # not above: it brings NumPy along
    if parted and not as_json:
        raise click.UsageError("--parts is for programs: give it with --json")
    hasher = options.make_hasher(hasher_name, bits, weights)

    def read(path: str) -> Record:
        return examine(
            path,
            input_shape=input_shape,
            hasher=hasher,
            digest=False,
            raw=raw,
            sketcher=sketcher,
        )

    failed = False
    for path, record, wrong in attempts(apps.opened(files), read, "Hashing"):
        if record is None:
            failed = True
            if as_json:
                say(json_line({"path": path, "error": wrong}))
        else:
            about = record.summary()
            if parted:
                about["parts"] = parts_of(record, hasher)
            if record.sketch is not None:
                about["sketch"] = record.sketch.to_json()
            say(json_line(about) if as_json else code_line(record))
    context.exit(2 if failed else 0)


def parts_of(record: Record, hasher: Hasher) -> list[Json] | None:
    """The codes of a model's parts, and how much of it each is; None where it has no graph."""
    from assay.graphs.parts import parts

    graph = record.graph
    if graph is None or record.code is None:
        return None
    cut = zip(parts(graph), hasher.parts(graph), strict=True)
    return [
        {
            "part": part.kind,
            "layers": len(part.layers),
            "macs": sum(graph.layers[layer].macs for layer in part.layers),
            "code": str(code),
        }
        for part, code in cut
    ]


def code_line(record: Record) -> str:
    """Code and path; where the path needs escapes, a backslash goes before both."""
    shown = printable(record.path.replace("\\", "\\\\"))
    return f"{'' if shown == record.path else chr(92)}{record.code or 'null'}  {shown}"


@click.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=options.FILE)
@click.option(
    "--top",
    type=click.IntRange(min=1),
    default=10,
    metavar="N",
    help="How many matches to list at most; by default 10.",
)
@options.filters
@click.option(
    "--exclude-owner",
    metavar="NAME",
    help="Not the models that nobody but this owner claims, such as who uploads.",
)
@click.option(
    "--tolerance",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=TOLERANCE,
    metavar="P",
    help="False alarm, corrected for all that was searched, up to which weights are called"
    " related; by default 1e-6.",
)
@options.input_shape
@options.html
@options.sarif
@options.registry
@options.as_json
@click.pass_context
def check(
    context: click.Context,
    files: tuple[str, ...],
    top: int,
    owner: str | None,
    format_name: str | None,
    name: str | None,
    exclude_owner: str | None,
    tolerance: float,
    input_shape: options.Shapes,
    html_path: str | None,
    sarif_path: str | None,
    location: str | None,
    as_json: bool,
) -> None:
    """Say whom each FILE, and each model in an app, looks like, and why.

    Exit status: 0, nothing to review; 1, common-ancestor or more that no public base explains; 2,
    an error.  Equal structure is a lead and no finding: networks trained apart look the same.
    """
    where = options.where(owner, format_name, name, exclude_owner)
    outputs = Outputs(html_path, sarif_path)
    review = False
    reports: list[Report] = []  # for what is written only: a batch may be long
    failures: list[tuple[str, str]] = []
    with options.open_registry(location) as registry:

        def ask(path: str) -> Report:
            return registry.check(
                path, top=top, where=where, tolerance=tolerance, input_shape=input_shape
            )

        for path, report, wrong in attempts(apps.opened(files), ask, "Checking"):
            if report is not None:
                review |= report.needs_review
                reports += [report] if outputs.any else []
                answer(report, as_json)
            else:
                failures.append((path, wrong))
                unanswered(path, wrong, as_json)
    outputs.write(reports, failures)
    context.exit(2 if failures else int(review))


def answer(report: Report, as_json: bool) -> None:
    """Print a report."""
    say(json_line(report.to_json()) if as_json else text(report, width(), color()))


def unanswered(path: str, wrong: str, as_json: bool) -> None:
    """Print the report's place-holder: programs read the same keys of every line."""
    if as_json:
        failed: Json = {"path": path, "suspect": {"path": path}, "verdict": None, "matches": []}
        say(json_line({**failed, "error": wrong}))


VERBS = (hash_, check)
