"""The verb that trains a hash network on a user's own models."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import click

from assay.cli import _options as options
from assay.cli._settings import settings
from assay.cli._terminal import Stages, remark, say
from assay.cli._trained_on import LEDGER, Given, packed
from assay.errors import AssayError, BadOption, MissingExtra
from assay.report import json_line, printable
from assay.values import Json

if TYPE_CHECKING:
    from assay.hashers import Hasher
    from assay.hashers._network_file import HashNetwork
    from assay.trainers import Trainer
    from assay.trainers._folder import Source

SHARE = 0.1  # of the layers that a copy lacks
JUDGED = 600  # copies, but one of each model at least
SHOWN = 12  # categories that are named
LABELS = {
    "distances": "Comparing",
    "epochs": "Training",
    "views": "Making views",
    "bits": "Choosing bits",
}


@click.command()
@click.argument("paths", metavar="[FOLDER_OR_ZOO]...", nargs=-1, type=options.FILE)
@click.option("--output", type=options.FILE, metavar="FILE", help="Where the network goes.")
@click.option(
    "--zoo",
    "packaged",
    is_flag=True,
    help="Train on the published architectures that come with assay, too; a family is a category.",
)
@click.option(
    "--pack",
    "packed_to",
    type=options.FILE,
    metavar="FILE",
    help="Write the layer graphs of all models as a zoo of your own, called *.jsonl.xz; without"
    " --output that is all that is done.",
)
@click.option(
    "--method",
    default="boosted-minhash",
    callback=options.method_of("trainers"),
    metavar="NAME",
    help="What to train; by default boosted-minhash.",
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
    paths: tuple[str, ...],
    output: str | None,
    packaged: bool,
    packed_to: str | None,
    method: str,
    bits: int | None,
    seed: int,
    given: tuple[str, ...],
    checkpoint: str | None,
    as_json: bool,
) -> None:
    """Train a hash network on models of your own, on published ones, or on both.

    A model's category is the folder in FOLDER that it lies in, however deep; a zoo says its own.
    Every model is trained on as it is and in changed copies, which the default method makes as it
    goes.  Stopped or killed, the same command goes on where it was, and ends with the same network.
    The default method needs no extra, others need torch.
    """
    from assay.zoo import SUFFIX

    if output is None and packed_to is None:
        raise click.UsageError("Missing option '--output', or '--pack'.")
    trainer = None if output is None else make_trainer(method, bits, given)
    file, pack = (None if each is None else writable(each, option)
                  for each, option in ((output, "--output"), (packed_to, "--pack")))  # fmt: skip
    if pack is not None and not pack.name.endswith(SUFFIX):
        raise BadOption(f"--pack {packed_to}: call it *{SUFFIX}, as zoos are known by it")
    wanted = Given.of(paths, packaged)
    state = Path(checkpoint or f"{output or packed_to}.checkpoint")
    with kept(state):
        models, failures = wanted.sources(state)
        about = written(pack, models) if pack is not None else {}
        if trainer is not None and file is not None:
            whole = trainer.distances == "none" and bool(wanted.of_zoos)
            copies = 0 if whole else trainer.copies
            network, graphs = trained(trainer, models, seed, state, copies=copies)
            network.save(file)
            about |= summary(file, network, models, seed) | {"graphs": graphs}
    if checkpoint is None:
        remove(state)
    about["failed"] = failures
    say(json_line(about) if as_json else text(about))
    context.exit(2 if failures else 0)


@contextmanager
def kept(state: Path) -> Iterator[None]:
    """A folder for what a stopped training goes on from; a refused one leaves no empty folder."""
    new = not state.exists()
    state.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except KeyboardInterrupt:
        remark(f"stopped: the same command goes on from {state}")
        raise
    except (AssayError, OSError):
        if new and not any(state.iterdir()):
            state.rmdir()
        raise


def written(file: Path, models: Sequence[Source]) -> Json:
    """Write the models as a zoo; what is said of it."""
    from assay.zoo import write_zoo

    found = packed(models)
    write_zoo(file, found)
    categories = sorted({each.family for each in found})
    return {"zoo": str(file), "packed": len(found), "families": categories}


def make_trainer(name: str, bits: int | None, given: Sequence[str]) -> Trainer:
    """The trainer that the options mean.

    Raises MissingExtra where it cannot run here, BadOption where it has no such option or value.
    """
    from assay.trainers import TRAINERS, NetworkTrainer

    try:
        method: Callable[..., Trainer] = TRAINERS[name]
        if issubclass(TRAINERS[name], NetworkTrainer):
            import_module("assay.trainers._loop")  # and with it all that training needs
    except ModuleNotFoundError as error:
        raise MissingExtra(
            f"{name} needs PyTorch and SciPy ({error}): pip install 'assay[torch]'"
        ) from error
    chosen = settings(method, name, given, without=("bits",))
    return method(**chosen | ({} if bits is None else {"bits": bits}))


def writable(output: str, option: str = "--output") -> Path:
    """The file to write.  Raises BadOption where none can be: to be known before the long work."""
    file = Path(output)
    part = file.with_name(f"{file.name}.part") if file.name else file
    try:
        if file.is_dir():
            raise IsADirectoryError(21, "Is a directory")
        part.touch()
        part.unlink()
    except OSError as error:
        raise BadOption(f"{option} {output}: cannot be written: {error.strerror}") from error
    return file


def trained(
    trainer: Trainer, models: Sequence[Source], seed: int, state: Path, copies: int
) -> tuple[HashNetwork, int]:
    """The network, and on how many graphs it was trained; with a bar for each stage."""
    from assay.trainers import Progress
    from assay.trainers import train as run
    from assay.trainers._folder import samples

    made = samples(models, seed, copies=copies, share=SHARE)
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
    each = max(1, min(3, JUDGED // len(models)))
    wholes = samples(models, seed, copies=0)
    copies = held_out(models, seed, copies=each, share=SHARE)
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
    rows: list[tuple[str, str]] = []
    if "zoo" in about:
        rows += [
            ("zoo", about["zoo"]),
            ("packed", f"{about['packed']} models of {len(about['families'])} families"),
            ("to use it", f"assay train {shlex.quote(about['zoo'])} --output FILE"),
        ]
    if "output" in about:
        rows += network_rows(about)
    return "\n".join(f"{key:10}  {printable(value)}" for key, value in rows)


def network_rows(about: Json) -> list[tuple[str, str]]:
    """What is said of a network."""
    held, categories = about["held_out"], list(map(printable, about["categories"]))
    more = [f"{len(categories) - SHOWN} more"] if len(categories) > SHOWN else []
    named = shlex.quote(about["output"])
    return [
        ("network", about["output"]),
        ("scheme", about["scheme"]),
        ("trained on", f"{about['graphs']} graphs of {about['models']} models"),
        ("categories", ", ".join(categories[:SHOWN] + more)),
        ("codes", f"{about['distinct_codes']} different ones of {about['models']} models,"
         f" bit entropy {about['bit_entropy']:.2f} of 1"),
        ("held out", f"{held['copies']} copies without a tenth of their layers:"
         f" {held['own_nearest']:.1%} nearest to their own model"
         f" (weisfeiler-lehman: {held['weisfeiler_lehman']:.1%})"),
        ("to use it", f"assay hash --weights {named} FILE"),
        ("", f"assay rehash --weights {named}"),
    ]  # fmt: skip


def remove(state: Path) -> None:
    """Remove what training left in its checkpoint folder, and the folder if it is empty then."""
    for pattern in (LEDGER, "distances-*.npz", "checkpoint-*.safetensors", "*.part"):
        for file in state.glob(pattern):
            file.unlink()
    if not any(state.iterdir()):
        state.rmdir()


VERBS = (train,)
