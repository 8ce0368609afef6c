"""The verb that makes a model from others."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import click

from assay.cli import _options as options
from assay.cli._settings import settings
from assay.cli._terminal import Stages, remark, say
from assay.errors import Diverged, MissingExtra, UnfitModel
from assay.report import json_line, printable
from assay.values import Json

if TYPE_CHECKING:
    from torch import nn

    from assay.cli._model_files import Parent
    from assay.derivations import Derivation, Derived
    from assay.running.examples import Examples
    from assay.training import Progress

STATE = ("checkpoint-*.safetensors", "checkpoint-*.part")
EXAMPLES = """\b
Examples:
  assay derive model.onnx --method magnitude-prune --set rate=0.8 --output pruned.onnx
  assay derive model.onnx --method fine-tune --data fashion-mnist --output tuned.onnx \\
      --set layers=last --set training.epochs=3 --set training.optimizer.rate=0.001
  assay derive model.tflite --method distill --data mine.npz --student resnet --output small.pt2
  assay derive one.onnx two.onnx --method average --set shares=0.7,0.3 --output soup.onnx
  assay derive model.onnx teacher.onnx --method admm-prune --data mnist \\
      --set keep=0.05 --set soft_answers=0.9 --output pruned.onnx
"""


@dataclass(frozen=True)
class Sources:
    """What a derivation is made with besides its options."""

    parents: Sequence[Parent]
    data: Examples | None
    judge: Examples | None
    student: nn.Module | None
    seed: int


@click.command(epilog=EXAMPLES)
@click.argument("models", metavar="MODEL...", nargs=-1, required=True, type=options.FILE)
@click.option(
    "--method",
    required=True,
    callback=options.method_of("derivations"),
    metavar="NAME",
    help="What is done; 'assay methods' lists them.",
)
@click.option(
    "--output",
    type=options.FILE,
    required=True,
    metavar="FILE",
    help="Where the model goes: .onnx, .pt2 or, weights alone, .safetensors or .packed, which is"
    " small where many weights are zero or equal.  Its record goes to FILE.lineage.json.",
)
@options.given
@click.option(
    "--data",
    metavar="NAME_OR_PATH",
    help="Examples: a data set's name or folder, or an .npz file of inputs and labels; by default"
    " random inputs, where a method needs no more.",
)
@options.limit
@click.option(
    "--judge",
    metavar="NAME_OR_PATH",
    help="Examples to measure the accuracy on, before and after; by default those that a data set"
    " keeps for tests.",
)
@click.option(
    "--student",
    metavar="NAME_OR_FILE",
    help="Another architecture to train, for methods that do: a network of the zoo, or a file.",
)
@options.seed
@click.option(
    "--checkpoint",
    type=options.FILE,
    metavar="FOLDER",
    help="Where the state of trainings is kept meanwhile; by default beside FILE, and removed at"
    " the end.",
)
@click.option(
    "--resume/--no-resume",
    default=True,
    help="Whether to go on where the same command was stopped; by default yes.",
)
@options.input_shape
@options.as_json
def derive(
    models: tuple[str, ...],
    method: str,
    output: str,
    given: tuple[str, ...],
    data: str | None,
    limit: int | None,
    judge: str | None,
    student: str | None,
    seed: int,
    checkpoint: str | None,
    resume: bool,
    input_shape: options.Shapes,
    as_json: bool,
) -> None:
    """Make a model from MODEL, or from several, and a record of how.

    From several, methods merge them; or those after the first teach it, where it learns soft
    answers.

    Any file with a graph will do; it stays as it is.  The same command and seed give the same
    model, also where it was stopped or killed and went on.  Needs the extra torch.
    """
    derivation = make_derivation(method, given)
    from assay.cli._examples import data_for, judge_for, random_inputs
    from assay.cli._model_files import child_file, parents_of, student_for, write

    file = child_file(output)
    parents = parents_of(models, input_shape, file)
    known = data_for(derivation, data, limit, parents[0], seed)
    tests = judge_for(judge, data, parents[0])
    example = random_inputs(parents[0], seed).inputs
    learner = None if student is None else student_for(student, parents[0], example[:1], file, seed)
    sources = Sources(parents, known, tests, learner, seed)
    state = Path(checkpoint or f"{output}.checkpoint")
    if not resume:
        remove(state)
    try:
        derived = made(derivation, sources, state)
        record = write(derived, example[:1], file, parents, student)
    except KeyboardInterrupt:
        kept = f"goes on from {state}" if any(state.glob(STATE[0])) else "begins anew"
        remark(f"stopped: the same command {kept}")
        raise
    if checkpoint is None:
        remove(state)
    say(json_line(record) if as_json else text(record, models, file))


def make_derivation(name: str, given: Sequence[str]) -> Derivation:
    """The method with its options.

    Raises MissingExtra where it cannot run here, BadOption where it has no such option or value.
    """
    from assay.derivations import DERIVATIONS

    try:
        method: Callable[..., Derivation] = DERIVATIONS[name]
        import_module("assay.cli._model_files")
    except ModuleNotFoundError as error:
        raise MissingExtra(f"{name} needs PyTorch ({error}): pip install 'assay[torch]'") from error
    return method(**settings(method, name, given))


def made(method: Derivation, sources: Sources, state: Path) -> Derived:
    """The derived model, with a bar for each training.  Raises what the method does."""
    with Stages() as stages:

        def show(progress: Progress) -> None:
            note = f"epoch {progress.epoch}/{progress.epochs}, loss {progress.loss:.3f}"
            stages.show(progress.stage.capitalize(), progress.step, progress.steps, note)

        try:
            return method.derive(
                *(parent.module for parent in sources.parents),
                data=sources.data,
                student=sources.student,
                judge=sources.judge,
                seed=sources.seed,
                checkpoint=state,
                progress=show,
            )
        except (UnfitModel, Diverged) as error:
            paths = ", ".join(parent.path for parent in sources.parents)
            raise type(error)(f"{paths}: {error}") from error


def text(record: Json, models: Sequence[str], file: Path) -> str:
    """A record for people, and what to do next."""
    from assay.cli._model_files import record_of

    data, judged = record["data"], record["accuracy"]
    named = shlex.quote(str(file))
    rows = [
        ("model", f"{file}, {record['output']['bytes']:,} bytes"),
        ("method", record["method"]),
        ("parents", ", ".join(models)),
        ("data", f"{data['examples']:,} examples: {data['name']}" if data else "none"),
        ("accuracy", accuracy_text(judged) if judged else "not measured: say on what with --judge"),
        ("seconds", f"{record['seconds']:g}"),
        ("record", str(record_of(file))),
        ("to see how", f"assay compare {named} {shlex.quote(models[0])}"),
        ("alike it is", f"assay check {named}"),
    ]
    return "\n".join(f"{key:11}  {printable(value)}" for key, value in rows)


def accuracy_text(judged: Json) -> str:
    """Before and after; a model of other classes has none."""
    before, after = (
        ", ".join("other classes" if share is None else f"{share:.2%}" for share in shares)
        for shares in (judged["parents"], [judged["child"]])
    )
    return f"{before} → {after}"


def remove(state: Path) -> None:
    """Remove what trainings left in their checkpoint folder, and the folder if it is empty then."""
    if not state.is_dir():
        return
    for pattern in STATE:
        for file in state.glob(pattern):
            file.unlink()
    if not any(state.iterdir()):
        state.rmdir()


VERBS = (derive,)
