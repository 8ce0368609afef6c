"""What two models answer, compared as the options of ``assay compare`` say."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from assay.cli import _answering as models
from assay.cli._asked import Asked
from assay.cli._options import Shapes
from assay.comparing.behavior import (
    Asking,
    Behavior,
    behaviors,
    described,
    methods,
    with_behavior,
)
from assay.errors import BadData, BadOption
from assay.fingerprints import Commitment, Seeds
from assay.report.behavior_drawing import Answered, behavior_svg
from assay.running.examples import Examples
from assay.running.predictors import Predictor
from assay.running.predictors.resized import fitted, is_alike, scaled, span_text
from assay.values import Kin, Record, Relation, Report
from assay.weights.digests import file_sha256
from assay.zoo.datasets import DATASETS, Split, arrays, images, load

NOISE = "noise"
_DRAWN = 1000  # inputs, where the user has none
_PLAIN = (0.0, 1.0)  # values of these, and of pictures that are read


def found(asked: Asked, suspect: str, source: str, shapes: Shapes) -> list[Behavior]:
    """What the methods find.  Raises AssayError where no model can be asked."""
    assert asked.method is not None
    chosen = methods(asked.method)
    seeds, origin = _seeds(asked, source, shapes)
    looks_inside = any(method.needs == "features" for method in chosen)
    inputs = seeds.examples.inputs
    owner = models.opened(source, shapes, inputs)

    def asking_of(path: str) -> Predictor:
        if looks_inside and not models.is_url(path):
            model = models.opened(path, shapes, inputs)
        else:
            budget = asked.budget if path == suspect else None
            model = models.answering(path, shapes, budget, asked.timeout)
        return fitted(model, inputs, owner.span)

    references = _others("references", asked.references, (suspect, source), asking_of)
    twins = tuple(m for _, m in _others("twins", asked.twins, (suspect, source), asking_of))
    seed, drawn = asked.seed, dict[str, str]()
    if asked.commitment is not None and asked.beacon is not None:
        logged = _logged(asked.commitment)
        if what := logged.broken(_commitment(asked, source, owner, seeds, logged.nonce)):
            raise BadData(f"{asked.commitment}: {what} of this command was not committed to")
        seed, drawn = logged.seed(asked.beacon), {"commitment": logged.digest}
        drawn["beacon"] = asked.beacon
    asking = Asking(
        asking_of(source) if asked.twins else owner,  # asked as its twins are, or it stands apart
        asking_of(suspect),
        seeds,
        origin,
        references,
        asked.alarm,
        asked.queries,
        seed,
        twins,
        drawn,
    )
    return behaviors(chosen, asking)


def made_commitment(asked: Asked, source: str, shapes: Shapes, nonce: str) -> Commitment:
    """A commitment to what the options say, before there is a suspect.  Raises AssayError."""
    seeds, _ = _seeds(asked, source, shapes)
    owner = models.opened(source, shapes, seeds.examples.inputs)
    made = _commitment(asked, source, owner, seeds, nonce)
    for option, known in (("references", made.references), ("twins", made.twins)):
        if made.owner in known:
            raise BadOption(f"--{option}: {source} is one of them")
    return made


def _commitment(
    asked: Asked, source: str, owner: Predictor, seeds: Seeds, nonce: str
) -> Commitment:
    """One of that nonce; references and twins by the SHA-256 of their files."""
    assert asked.method is not None
    references, twins = (
        tuple(sorted({_sha256(each) for each in _files(option, given)}))
        for option, given in (("references", asked.references), ("twins", asked.twins))
    )
    method = described(methods(asked.method), owner, asked.queries)
    return Commitment(method, _sha256(source), seeds.digest, nonce, references, twins)


def _logged(path: str) -> Commitment:
    try:
        return Commitment.parse(Path(path).read_text(encoding="utf-8"))
    except (BadData, UnicodeDecodeError):
        raise BadData(f"{path}: not a commitment that 'assay commit' wrote") from None


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
        return _ranged(Examples(drawn, name=NOISE), "noise, for want of examples", source, shapes)
    path = Path(given)
    if given not in DATASETS and path.is_file():
        return arrays.read_whole(path), path.name
    if given not in DATASETS and images.files(path):
        found = images.read(path, models.read_shape(source, shapes))
        return _ranged(found, f"{len(found)} pictures of {path.name}", source, shapes)
    examples = load(given, split)
    return examples, examples.name


def _ranged(examples: Examples, origin: str, source: str, shapes: Shapes) -> tuple[Examples, str]:
    """Values 0 … 1 in the range that the owner's model takes, where its file tells one."""
    span = models.answering(source, shapes).span
    if span is None or is_alike(_PLAIN, span):
        return examples, origin
    moved = scaled(examples.inputs, _PLAIN, span).astype(np.float32)
    return replace(examples, inputs=moved), f"{origin}, values given as {span_text(span)}"


def _others(
    option: str,
    given: Sequence[str],
    compared: tuple[str, str],
    asking_of: Callable[[str], Predictor],
) -> tuple[tuple[str, Predictor], ...]:
    """Models beside the two, each after its SHA-256: of equal files one counts."""
    own = {_sha256(path) for path in compared if not models.is_url(path)}
    found = dict[str, Predictor]()
    for path in _files(option, given):
        digest = _sha256(path)
        if digest in own:
            raise BadOption(f"--{option} {path}: is one of the two that are compared")
        model = found.setdefault(digest, asking_of(path))
        if model.why:
            raise BadOption(f"--{option} {path}: {model.why}")
    return tuple(found.items())


def _files(option: str, given: Sequence[str]) -> Iterator[str]:
    for path in (each for folder in given for each in models.models_in(folder)):
        if models.is_url(path):
            raise BadOption(f"--{option} {path}: give a file")
        yield path


def _sha256(path: str) -> str:
    file = models.at_hand(path)  # stays until it is read
    return file_sha256(file.path)
