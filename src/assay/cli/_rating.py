"""What pruning and tuning a model shows, held against what its owner says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from assay.cli._examples import fitted, some
from assay.cli._license_files import licensed
from assay.cli._settings import kinds, settings
from assay.errors import BadOption, Unlicensed, UnreadableLicense
from assay.formats import InputShapes
from assay.keys import cryptography_for
from assay.licenses import Work
from assay.licenses._rates import Key, Measured, Pair, pairs
from assay.licenses._recipes import Recipe, bounded
from assay.licenses._stated import stated
from assay.report import printable
from assay.values import Json
from assay.zoo.datasets import load

if TYPE_CHECKING:
    from assay.licenses._manifest import Manifest

EXTRA = "torch"
_MOST_JUDGED = 10**12  # examples; what is claimed may be any number
WEAK = "weak evidence: other models of this architecture that learned this task often agree, too"


def key_of(given: Sequence[str], steps: float | None) -> Key:
    """What a model is pruned and tuned with.  Raises BadOption."""
    return replace(Key(**settings(Key, "the key", given, without=("steps",))), steps=steps)


def work_of(
    model: str,
    data: str,
    judge: str | None,
    limit: int | None,
    graph: str | None,
    shapes: InputShapes,
    seed: int,
) -> Work:
    """A model file and examples.  Raises UnfitModel, BadData, BadOption."""
    known = some(load(data, "train"), limit, seed)
    source = licensed(model, graph, shapes, known)
    tests = some(load(judge or data, "test"), limit, seed)
    return Work(source.module, fitted(known, source.shape), fitted(tests, source.shape), seed)


@dataclass(frozen=True)
class Claim:
    """What an owner says of a model; what is not said is None."""

    rate: float | None
    steps: float | None
    pruned: float | None  # accuracy, 0 … 1
    tuned: float | None
    judged_on: int | None = None  # examples
    how: tuple[str, ...] = ()  # as NAME=VALUE, what a manifest says of pruning and tuning

    def check(self) -> None:
        """Raises BadOption where something is lacking."""
        for name in ("rate", "pruned", "tuned"):
            if getattr(self, name) is None:
                raise BadOption(f"what is claimed?  Say --{name}, or --claim FILE --level N")
            if not 0 <= getattr(self, name) <= 1:
                raise BadOption(f"{name} is claimed to be {getattr(self, name)}: not from 0 to 1")
        if self.steps is not None and not 0 <= self.steps < float("inf"):
            raise BadOption(f"{self.steps} steps are claimed: not a number from 0 on")
        if self.judged_on is not None and not 1 <= self.judged_on <= _MOST_JUDGED:
            raise BadOption(f"it was judged on {self.judged_on} examples, as is claimed")


def claimed(model: Path, level: int, owner: str | None, said: Claim) -> Claim:
    """The claim of a distributable's manifest, where ``said`` leaves something open.

    Raises Unlicensed, UnreadableLicense: there is none, or no such level.
    """
    with cryptography_for("licenses"):
        from assay.licenses._distributable import read_manifest

    manifest = read_manifest(model, owner)
    if level >= len(manifest.levels):
        raise Unlicensed(
            f"{model}: there is no level {level}: they go to {len(manifest.levels) - 1}"
        )
    notes = manifest.levels[level].about
    pruned = notes.get("untuned", manifest.about.get("accuracy") if "steps" in notes else None)
    texts = {"rate": notes.get("rate"), "steps": notes.get("steps"), "pruned": pruned,
             "tuned": notes.get("accuracy")}  # fmt: skip
    try:
        known = {name: None if text is None else float(text) for name, text in texts.items()}
        examples = manifest.levels[0].about.get("judged_on")
        judged_on = None if examples is None else int(examples)
    except ValueError as error:
        raise UnreadableLicense(f"{model}: level {level}: {error}") from error
    own = {name: getattr(said, name) for name in known}
    for name in ("rate", "pruned", "tuned"):
        if own[name] is None and known[name] is None:
            raise BadOption(
                f"{model}: level {level} was not made by a rate and a tuning: its manifest names no"
                f" {name}; give --{name}, or a level that was"
            )
    found = {n: v if (v := own[n]) is not None else known[n] for n in known}
    return Claim(**found, judged_on=judged_on, how=_how(model, manifest, known["steps"]))


def _how(model: Path, manifest: Manifest, steps: float | None) -> tuple[str, ...]:
    """How a manifest's model is pruned and tuned, as ``--set`` has it.

    Raises UnreadableLicense where that is no way, or asks for more than a holder may be asked.
    """
    try:
        known = kinds(Key).keys() - {"steps"}  # a method's are those of all its levels
        told = stated(manifest.method)
        how = tuple(f"{name}={text}" for name, text in told.items() if name in known)
        Recipe(steps or 0.0, 0, key_of(how, steps).training)
    except (BadOption, UnreadableLicense) as error:
        raise UnreadableLicense(f"{model}: its manifest: {error}") from error
    return how


def followed(model: Path, key: Key, examples: int, given: Sequence[str]) -> None:
    """That what a manifest has us do on so many examples ends in good time; ``given``: ``--set``.

    Raises UnreadableLicense where it asks for too much; how many epochs who asks us says himself
    is his own affair.
    """
    if any(each.startswith("training.epochs=") for each in given):
        return
    try:
        bounded(key.training, key.steps, examples)
    except BadOption as error:
        remedy = "give --limit, or --set training.epochs=N"
        raise UnreadableLicense(f"{model}: its manifest: {error}: {remedy}") from error


@dataclass(frozen=True)
class Compared:
    """A claim, and what was found."""

    claim: Claim
    pair: Pair
    judged_on: int

    @property
    def rows(self) -> list[tuple[str, Measured, Measured]]:
        """Which accuracy, as claimed and as found."""
        assert self.claim.pruned is not None
        assert self.claim.tuned is not None
        return [
            (name, Measured(said, self.claim.judged_on), Measured(found, self.judged_on))
            for name, said, found in (
                ("pruned", self.claim.pruned, self.pair.pruned),
                ("tuned", self.claim.tuned, self.pair.tuned),
            )
        ]

    @property
    def agrees(self) -> bool:
        return all(said.agrees(found) for _, said, found in self.rows)

    def to_json(self, model: str) -> Json:
        """As JSON."""
        rows = {
            name: {
                "claimed": said.accuracy, "found": found.accuracy,
                "interval": [round(each, 4) for each in found.interval],
                "agrees": said.agrees(found),
            }
            for name, said, found in self.rows
        }  # fmt: skip
        return {
            "model": model, "rate": self.pair.rate, "agrees": self.agrees, **rows,
            "judged_on": self.judged_on, "evidence": WEAK,
        }  # fmt: skip

    def text(self, model: str) -> str:
        """For people."""
        lines = [
            f"{printable(model)}: {'agrees' if self.agrees else 'does not agree'} with what is said"
        ]
        for name, said, found in self.rows:
            low, high = found.interval
            lines.append(
                f"  {name:7} claimed {said.accuracy:.4f}, found {found.accuracy:.4f}"
                f" ({low:.4f} to {high:.4f}): {'agrees' if said.agrees(found) else 'does not'}"
            )
        return "\n".join([*lines, f"  {WEAK}"] if self.agrees else lines)


def compared(work: Work, key: Key, claim: Claim) -> Compared:
    """Prune and tune.  Raises what ``pairs`` does."""
    assert claim.rate is not None
    (pair,) = pairs(work, [claim.rate], key)
    return Compared(claim, pair, len(work.judge))
