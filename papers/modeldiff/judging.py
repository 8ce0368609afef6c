"""From answers to scores: of every pair, by every method, with references of other roots.

NumPy alone.  A suspect's references answer its task and come from neither its root nor the owner's;
what is computed of them is what ``assay.fingerprints.calibrate`` computes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from adversaries import DETECTOR, decoy, disguised, undisguised
from archive import Kept
from ground import Lineage
from plan import LIMITS, TOGETHER, Row, Scope

from assay.fingerprints import Calibrated, Fingerprint, Queries, fuse
from assay.fingerprints._calibration import _standing, placed
from assay.fingerprints.modeldiff import ModelDiff
from assay.running.predictors.answers import Answers, of_labels, of_scores
from assay.running.predictors.limited import limited
from assay.zoo.reuse import Pair

Array = np.ndarray
Json = dict[str, Any]
ANY = 0.5  # a false alarm that a single reference allows to state


@dataclass(frozen=True)
class Verdict:
    """What a method says of a pair."""

    row: str
    raw: float  # minus the distance, as published; NaN where it abstains
    score: float  # above the references, in their standard deviations
    chance: float  # the false alarm that it states; 1 where there is none
    references: int  # roots

    @classmethod
    def of(cls, row: str, raw: float, found: Calibrated) -> Verdict:
        """From what the library says."""
        chance = 1.0 if found.log10_false_alarm is None else 10**found.log10_false_alarm
        score = float("nan") if found.score is None else found.score
        return cls(row, raw, score, chance, found.references)


class Court:
    """What is known of one owner's pairs: representations, each computed once."""

    def __init__(
        self, kept: Kept, lineage: Lineage, scope: Scope, owner: str, adversary: str = ""
    ) -> None:
        self.kept, self.lineage, self.scope, self.owner = kept, lineage, scope, owner
        self.limit = adversary if adversary in LIMITS else ""
        self.disguise = "" if self.limit else adversary
        self._known: dict[str, dict[str, Array]] = {}
        self._near: dict[tuple[str, str], dict[str, float]] = {}

    @property
    def task_maker(self) -> str:
        """With whom the queries of the owner's task were made: the first owner of it."""
        mine = self.lineage.tasks[self.owner]
        return next(name for name in self.lineage.owners if self.lineage.tasks[name] == mine)

    def maker(self, row: Row) -> str:
        """What the queries were made on."""
        return self.task_maker if row.questions.made_on == "task" else self.owner

    def represented(self, row: Row) -> dict[str, Array]:
        """What a method keeps of every model that was asked, and that it can compare."""
        if row.name not in self._known:
            self._known[row.name] = dict(self._represented(row))
        return self._known[row.name]

    def _represented(self, row: Row) -> Iterator[tuple[str, Array]]:
        name, maker = row.questions.name, self.maker(row)
        if row.questions.kept == "vectors":
            label = f"{row.vectors}, {self.limit}" if self.is_limited(row) else row.vectors
            for model, array in self.kept.of((name, maker, label)).items():
                if self._comparable(row, model):
                    yield model, array.astype(float)
            return
        label = row.questions.kept
        found = self.kept.of((name, maker, label))
        count = max((len(array) for array in found.values()), default=0)
        notes = self.kept.of((name, maker, "note labels"))
        queries = Queries(np.zeros((count, 1)), {"labels": notes[""]} if notes else {})
        for model, array in found.items():
            answers = of_scores(array) if label == "scores" else of_labels(array)
            answers = self.told(answers)
            method = self.method(row)
            is_told = method.needs == "labels" or not answers.is_hard
            if is_told and self._comparable(row, model):
                yield model, method.represent(answers, queries)

    def method(self, row: Row) -> Fingerprint:
        """As it is of a suspect that tells as little as this one."""
        is_hard = bool(self.limit) and LIMITS[self.limit] is None
        return row.method.of_labels() if is_hard else row.method

    def told(self, answers: Answers) -> Answers:
        """Answers as a suspect tells them, and so all whom it is compared with."""
        if not self.limit or answers.is_hard:
            return answers
        return limited(answers, LIMITS[self.limit])

    def is_limited(self, row: Row) -> bool:
        """Whether it would see other answers."""
        return bool(self.limit) and row.method.needs != "labels"

    def _comparable(self, row: Row, model: str) -> bool:
        same = self.lineage.tasks[undisguised(model)] == self.lineage.tasks[self.owner]
        return same or row.method.across_tasks or row.method.needs == "features"

    def values(self, row: Row) -> dict[str, float]:
        """How near every model is to the owner's, without looking at others: minus the distance."""
        return self.near(row, self.owner)

    def near(self, row: Row, anchor: str) -> dict[str, float]:
        """The same of any model in the owner's place; kept distances are to the owner's alone."""
        if (row.name, anchor) not in self._near:
            self._near[row.name, anchor] = dict(self._nearness(row, anchor))
        return self._near[row.name, anchor]

    def _nearness(self, row: Row, anchor: str) -> Iterator[tuple[str, float]]:
        if row.questions.kept == "distances":
            if not self.limit and anchor == self.owner:
                kept = self.kept.of((row.questions.name, self.owner, row.name))
                yield from ((model, -float(apart)) for model, apart in kept.items())
            return
        known = self.represented(row)
        if anchor in known:
            for model, array in known.items():
                yield model, -self.method(row).distance(known[anchor], array)

    def closeness(
        self, row: Row, anchor: str, pool: Sequence[str], *, apart: bool = True
    ) -> Array:  # -> (p,)
        """How near each of a pool is to one model, by the method's own rule.

        Who is of one root is left out of what is looked at beside one another; not ``apart``: is
        not, as it was before that was found to make strangers stand out.
        """
        if not _looks_around(self.method(row)):
            near = self.near(row, anchor)
            return np.array([near.get(name, np.nan) for name in pool])
        known = self.represented(row)
        origins = [self.lineage.origins[undisguised(name)] for name in pool] if apart else []
        rows = [known[name] for name in pool]
        return self.method(row).closeness(known[anchor], rows, origins)

    def references(self, suspect: str) -> list[str]:
        """Models of the suspect's task that come from neither root."""
        lineage = self.lineage
        apart = {lineage.origins[self.owner], lineage.origins[suspect]}
        if self.disguise == DETECTOR and self.hides(suspect):  # who answers for it is no reference
            apart.add(decoy(lineage, suspect))
        return [
            name for name, origin in lineage.origins.items()
            if origin not in apart and lineage.tasks[name] == lineage.tasks[suspect]
        ]  # fmt: skip

    def hides(self, suspect: str) -> bool:
        """Whether it is derived of the owner's model: nobody else wears a disguise."""
        return self.lineage.origins[suspect] == self.lineage.origins[self.owner]

    def shown(self, suspect: str) -> str:
        """The name under which its answers are kept."""
        return disguised(suspect, self.disguise if self.hides(suspect) else "")

    def calibrated(self, row: Row, suspect: str) -> Calibrated:
        """The suspect's place among its references by one method."""
        known, shown = self.values(row), self.shown(suspect)
        fit = [name for name in self.references(suspect) if np.isfinite(known.get(name, np.nan))]
        origins = [self.lineage.origins[name] for name in fit]
        names = (row.name,)
        if not np.isfinite(known.get(shown, np.nan)) or len({*origins}) < 2:
            return Calibrated(names, None, None, "cannot be compared", len({*origins}), 0)
        values = self.closeness(row, self.owner, [shown, *fit])
        if not np.isfinite(values).all():
            return Calibrated(names, None, None, "the answers do not vary", len({*origins}), 0)
        return placed(names, _standing(values), origins, ANY, 0)

    def verdicts(self, pair: Pair) -> Iterator[Verdict]:
        """What every method says of a pair, and all of them together."""
        several = []
        for row in self.scope.rows:
            if row.questions.made_on == "suspect":
                kept = self.kept.of((row.questions.name, pair.suspect, row.name))
                is_open = not (self.limit or self.disguise) and self.owner in kept
                raw = -float(kept[self.owner]) if is_open else np.nan
                yield Verdict(row.name, raw, np.nan, 1.0, 0)
                continue
            found = self.calibrated(row, pair.suspect)
            if row.together:
                several.append(found)
            raw = self.values(row).get(self.shown(pair.suspect), np.nan)
            yield Verdict.of(row.name, raw, found)
        together = fuse(several, ANY)
        yield Verdict.of(TOGETHER, np.nan if together.score is None else together.score, together)


def _looks_around(method: Fingerprint) -> bool:
    """Whether how near one is depends on the others of the pool."""
    if isinstance(method, ModelDiff):
        return method.entries == "scaled"
    return type(method).closeness is not Fingerprint.closeness
