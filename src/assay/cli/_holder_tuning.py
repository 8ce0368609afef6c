"""A level that its holder tunes himself, from a distributable and examples of his own."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from assay.cli._examples import fitted, some
from assay.cli._license_files import licensed
from assay.cli._writing import new_file
from assay.durable import writing
from assay.errors import BadOption, Diverged
from assay.formats import InputShapes
from assay.licenses._distributable import files_of, read_manifest
from assay.licenses._grants import Grant
from assay.licenses._recipes import Recipe
from assay.licenses._streams import content_of
from assay.report import json_line, printable
from assay.running.modules import accuracy
from assay.values import Json
from assay.zoo.datasets import load

EXTRA = "torch"


@dataclass(frozen=True)
class Own:
    """What a holder has."""

    data: str  # a data set, or a file
    judge: str | None
    limit: int | None
    graph: str | None
    shapes: InputShapes


def made_by_holder(
    model: Path, grant: Grant, recipe: Recipe, output: Path, own: Own, as_json: bool
) -> str:
    """Write the level of a license; what became of it, as JSON or for people.

    Raises BadData, BadOption, UnfitModel: examples or graph do not fit; Diverged, OSError.
    """
    manifest = read_manifest(model)
    new_file(str(output), *map(str, files_of(model, manifest)))
    found = _tuned(model, recipe, output, own)
    notes = manifest.levels[grant.level].about
    about = {
        "model": str(output), "level": grant.level, "licensee": grant.licensee, **found,
        **asdict(content_of(output)), "about": {**notes},
    }  # fmt: skip
    if as_json:
        return json_line(about)
    return (
        f"level {grant.level}, accuracy {found['accuracy']} on {found['judged_on']:,} examples,"
        f" after {recipe.steps:g} steps on {found['examples']:,}; its owner's has"
        f" {notes.get('accuracy', '-')}; {printable(grant.licensee)}  ({printable(str(output))})"
    )


def _tuned(model: Path, recipe: Recipe, output: Path, own: Own) -> Json:
    known = some(load(own.data, "train"), own.limit, recipe.seed)
    source = licensed(str(model), own.graph, own.shapes, known)
    examples = fitted(known, source.shape)
    tests = fitted(load(own.judge or own.data, "test"), source.shape)
    accuracy(source.module, tests.take(slice(2)))  # they fit: known before the long work
    try:
        module = recipe.follow(source.module, examples)
    except (BadOption, Diverged) as error:
        raise type(error)(f"{model}: {error}") from error
    with TemporaryDirectory() as folder:
        file = Path(folder) / f"made{model.suffix}"
        made = source.write(module, file) or module
        with writing(output) as stream:
            stream.write(file.read_bytes())
    return {
        "accuracy": f"{accuracy(made, tests):.4f}", "judged_on": len(tests),
        "examples": len(examples), "steps": recipe.steps,
    }  # fmt: skip
