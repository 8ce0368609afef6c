"""The verb that marks a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from assay.cli import _options as options
from assay.cli import _secrets as secrets
from assay.cli._keys import key_for, make_watermark, passphrase_for
from assay.cli._mark_words import listed, text
from assay.cli._terminal import Stages, say
from assay.cli._writing import writable
from assay.errors import BadOption, Diverged, UnfitModel
from assay.report import json_line
from assay.values import Json

if TYPE_CHECKING:
    from torch import nn

    from assay.running.examples import Examples
    from assay.training import Progress
    from assay.watermarks import Marked, Watermark, Weights
    from assay.watermarks._key import Key

EXAMPLES = """\b
Examples:
  assay mark model.onnx --plan --set survive=0.95
  assay mark model.safetensors --key mine.key --output marked.safetensors
  assay mark model.onnx --key mine.key --payload 00112233445566778899aabbccddeeff \\
      --output marked.onnx --data fashion-mnist --set training.epochs=3
"""


@click.command(epilog=EXAMPLES)
@click.argument("model", metavar="MODEL", type=options.FILE)
@click.option(
    "--method",
    default="constant-weight",
    callback=options.method_of("watermarks"),
    metavar="NAME",
    help="The watermark; by default constant-weight.  'assay methods' lists them.",
)
@click.option(
    "--key",
    "key_path",
    type=options.FILE,
    metavar="FILE",
    help="The key.  Where there is no such file, a new one is drawn and written; keep it secret,"
    " and keep it: without it the mark cannot be found.",
)
@click.option(
    "--passphrase",
    is_flag=True,
    help="Put a new key under a passphrase.",
)
@secrets.passphrase_file
@click.option(
    "--payload",
    metavar="HEX",
    help="What the mark says; by default 128 bits that key and model give.",
)
@click.option(
    "-o", "--output", type=options.FILE, metavar="FILE", help="Where the marked model goes."
)
@options.given
@click.option(
    "--data",
    metavar="NAME_OR_PATH",
    help="Examples on which the model is tuned while it is marked; by default its weights are"
    " marked as they are.",
)
@options.limit
@click.option(
    "--reference",
    "references",
    multiple=True,
    type=options.FILE,
    metavar="FILE",
    help="A student that learned of MODEL as it is, unmarked; again for more.  For a new key of a"
    " mark that keeps answers (ingrain), which reads surer with them.",
)
@click.option("--plan", is_flag=True, help="Say what the mark would be and outlive; make none.")
@click.option(
    "--bits",
    type=int,
    default=128,
    metavar="N",
    help="With --plan: of the payload; by default 128.",
)
@options.seed
@options.input_shape
@options.as_json
def mark(
    model: str,
    method: str,
    key_path: str | None,
    passphrase: bool,
    passphrase_file: str | None,
    payload: str | None,
    output: str | None,
    given: tuple[str, ...],
    data: str | None,
    limit: int | None,
    references: tuple[str, ...],
    plan: bool,
    bits: int,
    seed: int,
    input_shape: options.Shapes,
    as_json: bool,
) -> None:
    """Put a mark into MODEL that only the key finds, also once the model was pruned or tuned.

    Without data, weights are marked as they are, in .safetensors and .onnx files; with data,
    a file with a graph is tuned under the mark.  A structural mark needs such a file, and no data.
    MODEL stays as it is.  Beside the marked model only the key is written, and no record: that
    would tell strangers where to look.  Needs the extra watermarks; with data, or for a structural
    mark, torch too.
    """
    watermark = make_watermark(method, given)
    if watermark.reads == "behavior" and (plan or data is None):
        raise BadOption(
            f"{method} lies in answers: it is trained in, with --data, and has no --plan"
        )
    if references and not watermark.kept_apart:
        raise BadOption(f"--reference: a key of {method} keeps no answers")
    if plan:
        found = watermark.plan(described(watermark, model, input_shape, seed), bits)
        say(json_line({"model": model, "method": method, **found}) if as_json else listed(found))
        return
    if key_path is None or output is None:
        raise BadOption(
            "to mark a model, say --key and --output; or --plan, to see what it would be"
        )
    wanted = Wanted(model, Path(key_path), payload, Path(output), input_shape, references)
    phrase = passphrase_for(wanted.key, passphrase, passphrase_file)  # before the long work
    wanted = replace(wanted, passphrase=phrase)
    if data is None and watermark.reads != "structure":
        if limit is not None:
            raise BadOption(f"--limit {limit}: of which examples?  Name them with --data")
        said = mark_weights(watermark, wanted)
    else:
        said = mark_tuned(watermark, wanted, data, limit, seed)
    say(json_line(said) if as_json else text(said))


@dataclass(frozen=True)
class Wanted:
    """What is to be marked, and where the results go.

    Raises BadOption where a file cannot be written: to be known before the long work.
    """

    path: str
    key: Path
    payload: str | None
    output: Path
    shapes: options.Shapes
    references: tuple[str, ...] = ()
    passphrase: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        writable("--output", str(self.output))
        writable("--key", str(self.key))
        for other in (self.path, self.key):
            if self.output.absolute() == Path(other).absolute():
                raise BadOption(f"--output {self.output}: is {other}: name another file")

    def known_key(
        self,
        watermark: Watermark,
        model: Weights | nn.Module,
        sha256: str,
        data: Examples | None = None,
        students: Sequence[nn.Module] = (),
    ) -> tuple[Key, bool]:
        """See ``key_for``."""
        phrase = self.passphrase
        return key_for(watermark, self.key, phrase, self.payload, model, sha256, data, students)


def mark_weights(watermark: Watermark, wanted: Wanted) -> Json:
    """Mark the weights of a file as they are, and write it in its own format."""
    from assay.examine import sha256
    from assay.formats import FORMATS, MISSING, read

    path, output = wanted.path, wanted.output
    kind = output.suffix.lower().removeprefix(".")
    if kind not in ("safetensors", "onnx"):
        raise BadOption(f"--output {output}: must end with .safetensors or .onnx")
    model = read(Path(path), wanted.shapes)
    if MISSING in model.metadata:
        raise UnfitModel(f"{path}: a file with its weights is missing")
    if output.exists() and any(output.samefile(own) for own in model.files):
        raise BadOption(f"--output {output}: is a file of the model: name another one")
    try:
        key, is_new = wanted.known_key(watermark, model.weights, sha256(model))
        marked = watermark.mark(model.weights, key)
    except UnfitModel as error:
        raise UnfitModel(f"{path}: {error}") from error
    if is_new:
        key.save(wanted.key, wanted.passphrase)
    FORMATS[kind]().write(replace(model, weights=marked.weights), output)
    return about(watermark, wanted, key, marked)


def mark_tuned(
    watermark: Watermark, wanted: Wanted, data: str | None, limit: int | None, seed: int
) -> Json:
    """Mark a file's network while it is tuned, or run, and write it as the suffix says."""
    from assay.cli._examples import data_for, judge_for, random_inputs
    from assay.cli._model_files import SAVE, read_parent
    from assay.running.modules import accuracy, on

    save = SAVE.get(wanted.output.suffix.lower())
    if save is None:
        raise BadOption(f"--output {wanted.output}: must end with {', '.join(SAVE)}")
    parent = read_parent(wanted.path, wanted.shapes, wanted.output)
    known = data_for(watermark, data, limit, parent, seed)
    students = [read_parent(path, wanted.shapes).module for path in wanted.references]
    tests = judge_for(None, data, parent)
    with Stages() as stages:

        def show(progress: Progress) -> None:
            note = f"epoch {progress.epoch}/{progress.epochs}, loss {progress.loss:.3f}"
            stages.show("Tuning", progress.step, progress.steps, note)

        try:
            shown = known or random_inputs(parent, seed)
            if known is not None and watermark.kept_apart:
                known, shown = known.split(watermark.kept_apart, seed)
            key, is_new = wanted.known_key(watermark, parent.module, parent.sha256, shown, students)
            marked = watermark.mark(parent.module, key, data=known, seed=seed, progress=show)
        except (UnfitModel, Diverged) as error:
            raise type(error)(f"{wanted.path}: {error}") from error
    assert marked.module is not None  # for a module was given
    if is_new:
        key.save(wanted.key, wanted.passphrase)
    example = random_inputs(parent, seed).inputs[:1]
    save(marked.module, on(marked.module, example), wanted.output)
    said = about(watermark, wanted, key, marked)
    if tests is not None:
        both = (accuracy(module, tests) for module in (parent.module, marked.module))
        said["accuracy"] = [round(share, 4) for share in both]
    return said


def described(watermark: Watermark, path: str, shapes: options.Shapes, seed: int) -> Weights:
    """What a mark of a file's model is planned on.  Raises UnfitModel."""
    if watermark.reads != "structure":
        from assay.formats import read

        return read(Path(path), shapes).weights
    from assay.cli._examples import random_inputs
    from assay.cli._model_files import read_parent

    parent = read_parent(path, shapes)
    return watermark.described(parent.module, random_inputs(parent, seed))


def about(watermark: Watermark, wanted: Wanted, key: Key, marked: Marked) -> Json:
    """What was done, as JSON."""
    return {
        "model": str(wanted.output),
        "method": watermark.method,
        "of": wanted.path,
        "key": str(wanted.key),
        "key_digest": key.digest,
        "payload": key.payload.hex(),
        "notes": marked.notes,
    }


VERBS = (mark,)
