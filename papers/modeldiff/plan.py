"""What is asked of whom, and which methods read the answers.

Queries are made of an owner's model, of a task alone, or, as the paper's own script does, of the
suspect.  Every model is asked all that concerns it once; several methods read the same answers.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from ablations import ABLATIONS
from adversaries import DISGUISES

from assay.fingerprints import FINGERPRINTS, Fingerprint

MadeOn = Literal["owner", "task", "suspect"]
Kept = Literal["scores", "labels", "vectors", "distances"]
LIMITS: dict[str, int | None] = {"2 digits": 2, "top-1": None}  # what a suspect may tell instead
ADVERSARIES = (*LIMITS, *DISGUISES)
TOGETHER = "together"
ALARMS = (0.25, 0.2, 0.1, 0.05, 0.01)


@dataclass(frozen=True)
class Questions:
    """Queries, and what is kept of the answers: as little as redraws the tables."""

    name: str
    made_by: Fingerprint
    made_on: MadeOn
    kept: Kept  # vectors: what the method keeps; distances: to the model that they were made on
    across: bool = False  # whether models that tell other classes apart are asked, too


@dataclass(frozen=True)
class Row:
    """A line of the tables."""

    name: str
    method: Fingerprint
    questions: Questions
    kept_as: str = ""  # name of the vectors, where another row has the same
    together: bool = False  # one of those that are one statistic, as of ``--method all``
    one_sided: bool = False  # looks at the suspect alone: no reference takes the owner's place

    @property
    def vectors(self) -> str:
        """Under which name its vectors or distances are kept."""
        return self.kept_as or self.name


@dataclass(frozen=True)
class Scope:
    """How much is asked: as published, or little, to see that it runs."""

    pairs: int = 100
    count: int = 100
    seeds: int = 2000  # of the task, as they are
    steps: int = 50  # of ModelDiff's ascent
    searched: int = 300  # values that the black-box search changes
    long: int = 1000  # of IPGuard's steps; teacher fingerprinting takes three tenths
    excited: int = 10  # of DeepJudge's white-box steps, times thirty
    samples: int = 40  # of dataset inference
    starts: int = 5
    walk: int = 16
    pictures: int = 32  # of Zest
    masks: int = 64
    resamples: int = 1000  # of the bootstrap

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """The lines of the tables."""
        return _rows(self)

    @property
    def questions(self) -> tuple[Questions, ...]:
        """What they read."""
        return tuple({row.questions.name: row.questions for row in self.rows}.values())

    @property
    def ablations(self) -> dict[str, Fingerprint]:
        """ModelDiff with one thing changed, made on the suspect as the published one is."""
        about = {"pairs": self.pairs, "steps": self.steps, "crafted_on": "suspect"}
        return {name: made(**{**about, **of(about)}) for name, (made, of) in ABLATIONS.items()}


PAPER = Scope()
SMALL = Scope(12, 16, 32, 5, 5, 20, 1, 8, 2, 6, 4, 20, 50)


def method(name: str, **options: Any) -> Fingerprint:
    """A fingerprint with some options."""
    make: Any = FINGERPRINTS[name]
    made: Fingerprint = make(**options)
    return made


def _rows(scope: Scope) -> tuple[Row, ...]:
    """Those of each set of queries beside one another."""
    about = {"pairs": scope.pairs, "steps": scope.steps}
    count = {"count": scope.count}
    double, asked = {"count": 2 * scope.count}, {"count": scope.seeds}
    made = {entries: method("modeldiff", entries=entries, **about)
            for entries in ("raw", "centered", "ranked", "scaled")}  # fmt: skip
    on_suspect = method("modeldiff", crafted_on="suspect", **about)
    searching = {"crafting": "black-box", "epsilon": 0.2, "steps": scope.searched}
    searched = method("modeldiff", pairs=scope.pairs, **searching)
    judge = {metric: method("deepjudge", metric=metric, **double) for metric in ("jsd", "robd")}
    judge |= {metric: method("deepjudge", metric=metric, steps=scope.excited, **double)
              for metric in ("nod", "nad", "lod", "lad")}  # fmt: skip
    walks = {"samples": scope.samples, "starts": scope.starts, "steps": scope.walk}
    walk = method("dataset-inference", **walks)
    zest = method("zest", pictures=scope.pictures, masks=scope.masks)
    guard = method("ipguard", steps=scope.long, **count)
    teacher = method("teacher-fingerprint", pairs=scope.pairs, steps=scope.long * 3 // 10)
    akh, partial = method("akh", **count), method("partial-correlation", **asked)
    alignment = method("cka", **double)

    published = Questions("published", on_suspect, "suspect", "distances", across=True)
    pushed = Questions("pushed", made["raw"], "owner", "vectors", across=True)
    found = Questions("searched", searched, "owner", "vectors", across=True)
    mistakes = Questions("mistakes", akh, "owner", "scores", across=True)
    boundary = Questions("boundary", guard, "owner", "labels")
    fooling = Questions("fooling", judge["jsd"], "owner", "scores")
    exciting = Questions("exciting", judge["nod"], "owner", "distances", across=True)
    alike = Questions("alike", teacher, "owner", "labels", across=True)
    layers = Questions("layers", alignment, "owner", "distances", across=True)
    seeds = Questions("seeds", partial, "task", "scores")
    parts = Questions("parts", zest, "task", "vectors")
    walked = Questions("walked", walk, "task", "vectors")
    return (
        Row("modeldiff, made on the suspect", on_suspect, published),
        Row("modeldiff", made["raw"], pushed, together=True),
        Row("modeldiff, centered", made["centered"], pushed),
        Row("modeldiff, ranked", made["ranked"], pushed),
        Row("modeldiff, scaled", made["scaled"], pushed, kept_as="modeldiff"),
        Row("modeldiff, black-box", searched, found),
        Row("sac", method("sac", **count), mistakes, together=True),
        Row("sac, labels", method("sac", labels_only=True, **count), mistakes),
        Row("akh", akh, mistakes, together=True),
        Row("logits-on-mistakes", method("logits-on-mistakes", **count), mistakes, together=True),
        Row("ipguard", guard, boundary, together=True),
        Row("deepjudge jsd", judge["jsd"], fooling, together=True),
        Row("deepjudge robd", judge["robd"], fooling),
        *(Row(f"deepjudge {name}", judge[name], exciting) for name in ("nod", "nad", "lod", "lad")),
        Row("teacher-fingerprint", teacher, alike, together=True, one_sided=True),
        Row("cka", alignment, layers),
        Row("partial-correlation", partial, seeds),
        Row("partial-correlation, labels", partial.of_labels(), seeds),
        Row("label-agreement", method("label-agreement", **asked), seeds, together=True),
        Row("zest", zest, parts, together=True),
        Row("dataset-inference", walk, walked, together=True, one_sided=True),
    )
