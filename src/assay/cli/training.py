"""The verb that trains a hash network on a user's own models."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from assay.cli import _options as options
from assay.cli._settings import settings
from assay.cli._terminal import Stages, attempts, complain, remark, say
from assay.cli.keeping import collect
from assay.errors import AssayError, BadOption, MissingExtra
from assay.report import json_line, printable
from assay.values import Json

if TYPE_CHECKING:
    from assay.hashers import Hasher
    from assay.hashers._network_file import HashNetwork
    from assay.trainers import Trainer
    from assay.trainers._folder import Source

SHARE = 0.1  # of the layers that a copy lacks
LABELS = {"distances": "Comparing", "epochs": "Training"}
LEDGER = "models.jsonl"


@click.command()
@click.argument("folders", metavar="FOLDER...", nargs=-1, required=True, type=options.FILE)
@click.option(
    "--output", type=options.FILE, required=True, metavar="FILE", help="Where the network goes."
)
@click.option(
    "--method",
    default="contrastive-gin",
    callback=options.method_of("trainers"),
    metavar="NAME",
    help="What to train; by default contrastive-gin.",
)
@click.option("--bits", type=int, metavar="N", help="Length of the codes; by default the method's.")
@options.seed
@click.option(
    "--set",
    "given",
    multiple=True,
    metavar="NAME=VALUE",
    help="Another option of the method, as 'assay methods' lists them; may be repeated.",
)
@click.option(
    "--checkpoint",
    type=options.FILE,
    metavar="FOLDER",
    help="Where the state is kept meanwhile; by default beside FILE, and removed at the end.  What"
    " was read and compared stays in a folder that is given, for trainings with other options.",
)
@options.as_json
@click.pass_context
def train(
    context: click.Context,
    folders: tuple[str, ...],
    output: str,
    method: str,
    bits: int | None,
    seed: int,
    given: tuple[str, ...],
    checkpoint: str | None,
    as_json: bool,
) -> None:
    """Train a hash network on models of your own.

    A model's category is the folder in FOLDER that it lies in, however deep.  Every model is
    trained on as it is and in copies that lack a tenth of its layers.  Stopped or killed, the same
    command goes on where it was, and ends with the same network.  Needs the extra torch.
    """
    trainer = make_trainer(method, bits, given)
    file = writable(output)
    categories, closed = categorized(folders)
    state = Path(checkpoint or f"{output}.checkpoint")
    state.mkdir(parents=True, exist_ok=True)
    try:
        models, failures = sources(categories, closed, state)
        network, graphs = trained(trainer, models, seed, state)
    except KeyboardInterrupt:
        remark(f"stopped: the same command goes on from {state}")
        raise
    network.save(file)
    about = summary(file, network, models, seed) | {"graphs": graphs, "failed": failures}
    if checkpoint is None:
        remove(state)
    say(json_line(about) if as_json else text(about))
    context.exit(2 if failures else 0)


def make_trainer(name: str, bits: int | None, given: Sequence[str]) -> Trainer:
    """The trainer that the options mean.

    Raises MissingExtra where it cannot run here, BadOption where it has no such option or value.
    """
    from assay.trainers import TRAINERS

    try:
        import_module("assay.trainers._loop")  # and with it all that training needs
        method: Callable[..., Trainer] = TRAINERS[name]
    except ModuleNotFoundError as error:
        raise MissingExtra(
            f"training needs PyTorch and SciPy ({error}): pip install 'assay[torch]'"
        ) from error
    chosen = settings(method, name, given, without=("bits",))
    return method(**chosen | ({} if bits is None else {"bits": bits}))


def writable(output: str) -> Path:
    """The file to write.  Raises BadOption where none can be: to be known before the long work."""
    file = Path(output)
    part = file.with_name(f"{file.name}.part") if file.name else file
    try:
        if file.is_dir():
            raise IsADirectoryError(21, "Is a directory")
        part.touch()
        part.unlink()
    except OSError as error:
        raise BadOption(f"--output {output}: cannot be written: {error.strerror}") from error
    return file


def sources(
    categories: Mapping[str, str], closed: Mapping[str, OSError], state: Path
) -> tuple[list[Source], list[Json]]:
    """The models of the files in ``categories``; path and error of each that is of no use.

    Raises AssayError where all are.
    """
    from assay.trainers._folder import Ledger, Source, distinct

    ledger = Ledger(state / LEDGER)
    found, failures = [], []

    def read(path: str) -> Any:
        if path in closed:
            raise closed[path]
        return ledger.graph(path)

    for path, graph, wrong in attempts([*categories], read, "Reading"):
        if graph is None:
            failures.append({"path": path, "error": wrong})
        else:
            ledger.keep(path, graph)
            found.append(Source(path, categories[path], graph))
    sorted_out = distinct(found)
    for source, original in sorted_out.conflicts:
        wrong = f"{source.path}: has the layers of {original.path}, of another category"
        complain(wrong)
        failures.append({"path": source.path, "error": wrong})
    if sorted_out.repeats:
        remark(f"left out, the layers of another model: {len(sorted_out.repeats)}")
    if not sorted_out.models:
        raise AssayError("none of the files can be trained on")
    return sorted_out.models, failures


def categorized(folders: Sequence[str]) -> tuple[dict[str, str], dict[str, OSError]]:
    """Category by path, ordered by both; folders that are closed.

    Raises BadOption where there is nothing to train on.
    """
    found: dict[str, str] = {}
    closed: dict[str, OSError] = {}
    outside = 0
    for folder in folders:
        if not Path(folder).is_dir():
            raise BadOption(f"{folder}: not a folder: give one with a folder for each category")
        files, left_out, shut = collect([folder])
        closed |= shut
        for reason, number in sorted(left_out.items()):
            remark(f"left out, {reason}: {number}")
        for path in files:
            place = Path(path).relative_to(folder).parts
            if len(place) > 1 or path in shut:
                found[path] = place[0] if place else ""
            else:
                outside += 1
    if not found:
        why = "in no folder of their category" if outside else "not there"
        raise BadOption(f"{folders[0]}: models are {why}: put them into {folders[0]}/<category>/")
    if outside:
        remark(f"left out, in no category's folder: {outside}")
    return dict(sorted(found.items(), key=lambda item: (item[1], item[0]))), closed


def trained(
    trainer: Trainer, models: Sequence[Source], seed: int, state: Path
) -> tuple[HashNetwork, int]:
    """The network, and on how many graphs it was trained; with a bar for each stage."""
    from assay.trainers import Progress
    from assay.trainers import train as run
    from assay.trainers._folder import samples

    made = samples(models, seed, share=SHARE)
    with Stages() as stages:

        def show(progress: Progress) -> None:
            loss = f"loss {sum(progress.losses.values()):.3f}" if progress.losses else ""
            stages.show(LABELS[progress.stage], progress.done, progress.total, loss)

        return run(trainer, made, seed=seed, checkpoint=state, progress=show), len(made)


def summary(file: Path, network: HashNetwork, models: Sequence[Source], seed: int) -> Json:
    """What became of a training, as JSON; the baseline needs none, and is judged alike."""
    from assay.cli._judging import judged
    from assay.hashers import HASHERS
    from assay.trainers._folder import held_out, samples

    learned: Callable[..., Hasher] = HASHERS[network.method]
    baseline: Callable[..., Hasher] = HASHERS["weisfeiler-lehman"]
    hasher = learned(weights=str(file))
    wholes, copies = samples(models, seed, copies=0), held_out(models, seed, share=SHARE)
    judgment = judged(hasher, wholes, copies)
    return {
        "output": str(file),
        "scheme": f"{hasher.scheme}+{models[0].graph.rules}",
        "categories": sorted({model.category for model in models}),
        "models": len(models),
        "distinct_codes": judgment.distinct_codes,
        "bit_entropy": judgment.bit_entropy,
        "held_out": {
            "copies": len(copies),
            "own_nearest": judgment.own_nearest,
            "weisfeiler_lehman": judged(baseline(bits=network.bits), wholes, copies).own_nearest,
        },
    }


def text(about: Json) -> str:
    """The same for people, and what to do next."""
    held, categories = about["held_out"], ", ".join(map(printable, about["categories"]))
    named = shlex.quote(about["output"])
    rows = [
        ("network", about["output"]),
        ("scheme", about["scheme"]),
        ("trained on", f"{about['graphs']} graphs of {about['models']} models"),
        ("categories", categories),
        ("codes", f"{about['distinct_codes']} different ones of {about['models']} models,"
         f" bit entropy {about['bit_entropy']:.2f} of 1"),
        ("held out", f"{held['copies']} copies without a tenth of their layers:"
         f" {held['own_nearest']:.1%} nearest to their own model"
         f" (weisfeiler-lehman: {held['weisfeiler_lehman']:.1%})"),
        ("to use it", f"assay hash --weights {named} FILE"),
        ("", f"assay rehash --weights {named}"),
    ]  # fmt: skip
    return "\n".join(f"{key:10}  {printable(value)}" for key, value in rows)


def remove(state: Path) -> None:
    """Remove what training left in its checkpoint folder, and the folder if it is empty then."""
    for pattern in (LEDGER, "distances-*.npz", "checkpoint-*.safetensors", "*.part"):
        for file in state.glob(pattern):
            file.unlink()
    if not any(state.iterdir()):
        state.rmdir()


VERBS = (train,)
