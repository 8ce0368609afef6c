"""What two models answer, compared as the options of ``assay compare`` say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from assay.cli import _answering as models
from assay.cli._asked import Asked
from assay.cli._options import Shapes
from assay.comparing.behavior import Asking, Behavior, behaviors, methods, with_behavior
from assay.errors import BadOption
from assay.fingerprints import Seeds
from assay.report.behavior_drawing import Answered, behavior_svg
from assay.running.examples import Examples
from assay.running.predictors import Predictor
from assay.values import Kin, Record, Relation, Report
from assay.weights.digests import file_sha256
from assay.zoo.datasets import DATASETS, Split, arrays, images, load

NOISE = "noise"
_DRAWN = 1000  # inputs, where the user has none


def found(asked: Asked, suspect: str, source: str, shapes: Shapes) -> list[Behavior]:
    """What the methods find.  Raises AssayError where no model can be asked."""
    assert asked.method is not None
    chosen = methods(asked.method)
    seeds, origin = _seeds(asked, source, shapes)
    looks_inside = any(method.needs == "features" for method in chosen)

    def asking_of(path: str) -> Predictor:
        if looks_inside and not models.is_url(path):
            return models.opened(path, shapes, seeds.examples.inputs)
        return models.answering(path, shapes, asked.budget if path == suspect else None)

    asking = Asking(
        models.opened(source, shapes, seeds.examples.inputs),
        asking_of(suspect),
        seeds,
        origin,
        _others("references", asked.references, (suspect, source), asking_of),
        asked.alarm,
        asked.queries,
        asked.seed,
        tuple(m for _, m in _others("twins", asked.twins, (suspect, source), asking_of)),
    )
    return behaviors(chosen, asking)


def told(report: Report, answers: Sequence[Behavior], alarm: float) -> Report:
    """The report on two models, with what was found of their answers."""
    (kin,) = report.matches
    return replace(report, matches=(with_behavior(kin, answers, alarm),))


def picture(answers: Sequence[Behavior]) -> str:
    """What was found of their answers, as SVG."""
    return behavior_svg(
        [
            Answered(each.evidence, each.method.entry if each.method else "", each.vectors)
            for each in answers
        ]
    )


def of_url(url: str, source: Record) -> Report:
    """A report on a model that can only be asked, before it was."""
    return Report(Record(url, "url", name=url), (Kin(source, Relation.UNRELATED, ()),))


def _seeds(asked: Asked, source: str, shapes: Shapes) -> tuple[Seeds, str]:
    assert asked.inputs is not None
    examples, origin = _examples(asked.seed, asked.inputs, source, shapes)
    known = None
    if asked.trained_on is not None:
        known, _ = _examples(asked.seed, asked.trained_on, source, shapes, "train")
    return Seeds(examples, known), origin


def _examples(
    seed: int, given: str, source: str, shapes: Shapes, split: Split = "test"
) -> tuple[Examples, str]:
    """Examples, and what they are called: a name, a file, a folder, or noise."""
    if given == NOISE:
        shape = models.read_shape(source, shapes)
        drawn = np.random.default_rng(seed).random((_DRAWN, *shape), np.float32)
        return Examples(drawn, name=NOISE), "noise, for want of examples"
    path = Path(given)
    if given not in DATASETS and path.is_file():
        return arrays.read_whole(path), path.name
    if given not in DATASETS and images.files(path):
        found = images.read(path, models.read_shape(source, shapes))
        return found, f"{len(found)} pictures of {path.name}"
    examples = load(given, split)
    return examples, examples.name


def _others(
    option: str,
    given: Sequence[str],
    compared: tuple[str, str],
    asking_of: Callable[[str], Predictor],
) -> tuple[tuple[str, Predictor], ...]:
    """Models beside the two, each after its SHA-256: of equal files one counts."""
    own = {_sha256(path) for path in compared if not models.is_url(path)}
    found = dict[str, Predictor]()
    for path in (each for folder in given for each in models.models_in(folder)):
        if models.is_url(path):
            raise BadOption(f"--{option} {path}: give a file")
        digest = _sha256(path)
        if digest in own:
            raise BadOption(f"--{option} {path}: is one of the two that are compared")
        found.setdefault(digest, asking_of(path))
    return tuple(found.items())


def _sha256(path: str) -> str:
    return file_sha256(Path(path))
