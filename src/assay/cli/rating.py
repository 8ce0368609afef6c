"""Verbs of licenses that prune and tune: which rates are of use, and if a model does as is said."""

from __future__ import annotations

from pathlib import Path

import click

from assay.cli import _license_options as license_options
from assay.cli import _options as options
from assay.cli._terminal import Stages, say
from assay.report import json_line, printable, table

SHARE = click.FloatRange(0, 1)
trained = click.option(
    "--set",
    "given",
    multiple=True,
    metavar="NAME=VALUE",
    help="How it is tuned, as training.epochs=3, and cap, the share of one layer's channels that"
    " may go; may be repeated.",
)


def numbers(context: click.Context, option: click.Parameter, text: str) -> tuple[float, ...]:
    """``0.01,0.02`` as numbers."""
    try:
        return tuple(map(float, text.split(",")))
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is not like 0.01,0.02") from error


@click.command()
@click.argument("model", metavar="MODEL", type=options.FILE)
@click.option(
    "--rates", required=True, callback=numbers, metavar="SHARES",
    help="Shares of the channels that are taken out, as 0.01,0.02,0.1.",
)  # fmt: skip
@license_options.examples
@license_options.judge
@options.limit
@trained
@license_options.graph
@options.seed
@options.input_shape
@options.as_json
def rates(
    model: str,
    rates: tuple[float, ...],
    data: str,
    judge: str | None,
    limit: int | None,
    given: tuple[str, ...],
    graph: str | None,
    seed: int,
    input_shape: options.Shapes,
    as_json: bool,
) -> None:
    """Show what pruning MODEL by each rate does, and what tuning brings back.

    A rate is of use for levels that an owner or a holder tunes where the pruned model is near
    chance and tuning regains half of what was lost.  Needs the extra torch.
    """
    with license_options.torch_needed():
        from assay.cli._rating import key_of, work_of
        from assay.licenses._rates import pairs

    key = key_of(given, None)
    with Stages() as stages:
        work = work_of(model, data, judge, limit, graph, input_shape, seed)
        work.progress = lambda stage: stages.show(stage, 0, 1)
        rows = [*pairs(work, rates, key)]
    if as_json:
        for pair in rows:
            say(json_line(pair.to_json()))
        return
    cells = [
        (f"{p.rate:g}", f"{p.pruned:.4f}", f"{p.tuned:.4f}", p.fault or "of use") for p in rows
    ]
    whole = f"{printable(model)}: {rows[0].whole:.4f}, near chance up to {rows[0].chance:.4f}"
    say("\n".join([whole, *table(("RATE", "PRUNED", "TUNED", "USE"), cells)]))


@click.command()
@click.argument("model", metavar="MODEL", type=options.FILE)
@license_options.examples
@license_options.judge
@options.limit
@click.option(
    "--rate", type=SHARE, metavar="R", help="The share of the channels that is taken out."
)
@click.option(
    "--steps", type=click.FloatRange(0), metavar="S", help="Of the tuning; by default all of it."
)
@trained
@click.option(
    "--claim", type=options.FILE, metavar="FILE",
    help="The distributable whose manifest says what is claimed, of --level, and how it is tuned;"
    " --set says otherwise.",
)  # fmt: skip
@click.option("--level", type=click.IntRange(1), default=1, metavar="N", help="By default 1.")
@license_options.pinned_owner
@click.option("--pruned", type=SHARE, metavar="SHARE", help="The claimed accuracy when pruned.")
@click.option("--tuned", type=SHARE, metavar="SHARE", help="The claimed accuracy when tuned.")
@license_options.graph
@options.seed
@options.input_shape
@options.as_json
@click.pass_context
def verify(
    context: click.Context,
    model: str,
    data: str,
    judge: str | None,
    limit: int | None,
    rate: float | None,
    steps: float | None,
    given: tuple[str, ...],
    claim: str | None,
    level: int,
    owner: str | None,
    pruned: float | None,
    tuned: float | None,
    graph: str | None,
    seed: int,
    input_shape: options.Shapes,
    as_json: bool,
) -> None:
    """Prune and tune MODEL as its owner says, and compare both accuracies with his.

    Exit status: 0, both agree within what chance allows; 1, one does not; 2, an error.  That both
    agree is weak evidence: models of one architecture that learned one task often agree, too.  It
    accuses nobody.  Needs the extra torch.
    """
    with license_options.torch_needed():
        from assay.cli._rating import Claim, claimed, compared, followed, key_of, work_of

    wanted = Claim(rate, steps, pruned, tuned)
    if claim is not None:
        wanted = claimed(Path(claim), level, owner, wanted)
    wanted.check()
    key = key_of((*wanted.how, *given), wanted.steps)
    work = work_of(model, data, judge, limit, graph, input_shape, seed)
    if claim is not None:
        followed(Path(claim), key, len(work.data), given)
    found = compared(work, key, wanted)
    say(json_line(found.to_json(model)) if as_json else found.text(model))
    context.exit(int(not found.agrees))


VERBS = (rates, verify)
