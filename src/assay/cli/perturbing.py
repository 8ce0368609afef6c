"""Verbs of graded answers: a model that its owner runs answers each user as well as he may."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import click

from assay.cli import _options as options
from assay.cli import _secrets as secrets
from assay.cli._license_options import output, owner_key
from assay.cli._settings import settings, value
from assay.cli._terminal import say
from assay.cli._writing import new_file
from assay.durable import write_whole
from assay.errors import BadData, BadOption
from assay.report import json_line, printable, table
from assay.values import Json


@click.command()
@click.argument("model", metavar="MODEL", type=options.FILE)
@output
@click.option(
    "--judge",
    required=True,
    metavar="NAME_OR_PATH",
    help="Examples with labels to measure accuracies on, which MODEL has not learned from: a data"
    " set's name or folder, of which those kept for tests are taken, or an .npz file.",
)
@click.option("--levels", metavar="SHARES", help="Accuracies of levels 1, 2 …, as 0.92,0.82,0.72.")
@click.option(
    "--set",
    "given",
    multiple=True,
    metavar="NAME=VALUE",
    help="where=output or input: what noise is added to; unit: to multiples of which inputs are"
    " rounded; clip: where logits end.  May be repeated.",
)
@options.seed
@options.input_shape
@options.as_json
def calibrate(
    model: str,
    output_file: str,
    judge: str,
    levels: str | None,
    given: tuple[str, ...],
    seed: int,
    input_shape: options.Shapes,
    as_json: bool,
) -> None:
    """Find how much noise leaves MODEL's answers each level's accuracy, for 'license answer'.

    MODEL stays with its owner, who answers for it.  FILE is no secret, and holds no part of it.
    """
    from assay.cli._answering import answering
    from assay.running.predictors.perturbed import LEVELS, Perturbation
    from assay.zoo.datasets import load

    new_file(output_file, model, judge)
    how = Perturbation(**settings(Perturbation, "the perturbation", given))
    try:
        wanted = LEVELS if levels is None else value(tuple[float, ...], levels)
    except ValueError as error:
        raise BadOption(f"--levels {levels}: are not numbers as 0.92,0.82,0.72") from error
    predictor = answering(model, input_shape)
    graded = how.calibrate(predictor, load(judge, "test"), wanted, seed)
    write_whole(Path(output_file), graded.text.encode())
    names = [*map(str, range(len(graded.levels) - 1)), "no key"]
    rows = [
        (name, f"{each.accuracy:.4f}", f"{each.scale:.4g}")
        for name, each in zip(names, graded.levels, strict=True)
    ]
    about: Json = {
        "file": output_file,
        "levels": [{"accuracy": each.accuracy, "scale": each.scale} for each in graded.levels],
    }
    text = "\n".join(table(("LEVEL", "ACCURACY", "NOISE"), rows))
    say(json_line(about) if as_json else text)


@click.command()
@click.argument("model", metavar="MODEL", type=options.FILE)
@click.option(
    "--calibration", type=options.FILE, required=True, metavar="FILE",
    help="What 'assay license calibrate' wrote for MODEL.",
)  # fmt: skip
@click.option(
    "--inputs", required=True, metavar="NAME_OR_PATH",
    help="What is asked: an .npz file with inputs, a data set's name or folder.",
)  # fmt: skip
@click.option("--user", required=True, metavar="NAME", help="Who asks, as you know for certain.")
@click.option(
    "--level", type=click.IntRange(0), metavar="N",
    help="The level that he may have; by default none, and he is answered near chance.",
)  # fmt: skip
@owner_key
@secrets.passphrase_file
@output
@options.input_shape
@options.as_json
def answer(
    model: str,
    calibration: str,
    inputs: str,
    user: str,
    level: int | None,
    owner_file: str,
    passphrase_file: str | None,
    output_file: str,
    input_shape: options.Shapes,
    as_json: bool,
) -> None:
    """Answer for MODEL as one user may have it, into FILE, an .npz file.

    It holds labels and, where MODEL tells them, probabilities.  The noise follows from the owner's
    key, the user's name and each input: the same is always answered to the same.
    """
    import numpy as np

    from assay.cli._answering import answering
    from assay.running.predictors.perturbed import Graded
    from assay.zoo.datasets import arrays, load

    new_file(output_file, model, owner_file, passphrase_file, calibration, inputs)
    try:
        graded = Graded.parse(Path(calibration).read_text(encoding="utf-8"))
    except (BadData, UnicodeDecodeError) as error:
        raise BadData(f"{calibration}: is no file that 'assay license calibrate' wrote") from error
    owner = secrets.signing_key(owner_file, passphrase_file)
    key = owner.derive(b"perturbation of " + user.encode(errors="surrogateescape"))
    asked = arrays.read_whole(Path(inputs)) if Path(inputs).is_file() else load(inputs, "test")
    found = graded.answering(answering(model, input_shape), key, level).ask(asked.inputs)
    stream = BytesIO()
    if found.is_hard:
        np.savez(stream, labels=found.labels)
    else:
        np.savez(stream, labels=found.labels, probabilities=found.probabilities)
    write_whole(Path(output_file), stream.getvalue())
    about: Json = {"output": output_file, "user": user, "level": level, "answers": len(found)}
    which = "no level" if level is None else f"level {level}"
    text = f"{len(found)} answers to {printable(user)}, {which}  ({printable(output_file)})"
    say(json_line(about) if as_json else text)


VERBS = (calibrate, answer)  # of the group ``license``
