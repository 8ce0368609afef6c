"""How far a suspect follows the owner's model where reference models do not.

All models that learned a task answer alike, and those of one architecture even more so.  What the
references' answers explain is taken from the owner's and the suspect's; the correlation of the rest
is their partial correlation.  Of few references it still holds some of what an architecture has in
common; so it counts by how far it is above the suspect's with the references that are nearest to
the owner's model: his cohort, as speakers are verified [Sturim and Reynolds, ICASSP 2005].

A stranger of the owner's own network is above references of others, too, and, if less, above those
of his own, which learned from other data (``papers/modeldiff``).  So it takes the owner's model's
twins to say how likely that is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from assay.errors import BadOption
from assay.fingerprints import Asks, Fingerprint, Model, Queries, Seeds
from assay.fingerprints._choosing import mistakes, some
from assay.fingerprints._origins import rests
from assay.fingerprints._outputs import cosine_distance, disagreement
from assay.running.predictors import Answers, predictor
from assay.running.predictors.answers import Array


@dataclass(frozen=True)
class PartialCorrelation(Fingerprint):
    """1 less the correlation of two models' answers; in a pool, given the others' answers."""

    count: int = 2000  # queries
    source: Literal["seeds", "mistakes"] = "seeds"  # mistakes: of the owner's model
    entries: Literal["probabilities", "directions", "labels"] = "probabilities"  # what is kept
    cohort: int = 10  # references, nearest to the owner, that are compared with him; 0: none
    ridge: float = 0.01  # of the regression on the others, whose answers have length 1

    asks = "scores"
    crafts = "answers"
    across_tasks = False
    needs_twins = True

    def __post_init__(self) -> None:
        if self.count < 2 or not self.ridge > 0 or self.cohort < 0:
            raise BadOption(
                "partial-correlation: count is 2 or more, ridge above 0, cohort 0 or more"
            )

    @property
    def needs(self) -> Asks:
        return "labels" if self.entries == "labels" else "scores"

    @property
    def is_neutral(self) -> bool:
        return self.source == "seeds"

    def of_labels(self) -> Fingerprint:
        return replace(self, entries="labels")

    def queries(self, owner: Model, seeds: Seeds, rng: np.random.Generator) -> Queries:
        if self.source == "mistakes":
            return Queries(mistakes(predictor(owner), seeds.examples, self.count, rng).inputs)
        return Queries(some(seeds.examples, self.count, rng).inputs)

    def represent(self, answers: Answers, queries: Queries) -> Array:
        """(q,) labels; or (q c,) of length 1: probabilities, or logits of one length each."""
        if self.entries == "labels":
            return answers.labels
        if self.entries == "probabilities":
            rows = answers.probabilities - 1 / (answers.classes or 1)
        else:
            lengths = np.linalg.norm(answers.centered, axis=1, keepdims=True)
            rows = answers.centered / np.where(lengths > 0, lengths, 1)
        found: Array = rows.ravel() / (np.linalg.norm(rows) or 1)
        return found

    def distance(self, owner: Array, suspect: Array) -> float:
        if self.entries == "labels":
            return disagreement(owner, suspect)
        return cosine_distance(owner, suspect)

    def closeness(
        self, owner: Array, pool: Sequence[Array], origins: Sequence[object] = ()
    ) -> Array:
        """(p,) partial correlations, of each, given all others; above those with the cohort."""
        rows = [owner, *pool]
        if len(pool) < 2 or (self.needs == "scores" and not all(each.any() for each in rows)):
            return super().closeness(owner, pool)
        products = _products(rows)
        inverse = np.linalg.inv(products + self.ridge * np.eye(len(rows)))
        found = np.zeros(len(pool))
        for place, rest in enumerate(rests(len(pool), origins)):
            kept = np.array([place, -1, *rest]) + 1  # the owner is the second
            partial = _partial(inverse, kept)
            others = products[0, kept[2:]]
            found[place] = self._above(partial[1], partial[2:], others)
        return found

    def _above(self, own: float, others: Array, nearness: Array) -> float:
        """A member's correlation with the owner, in terms of its own with the others."""
        if not self.cohort or len(others) < 2:
            return own
        # all that are as near as the last: who comes first in the pool must not matter
        least = np.sort(nearness)[-self.cohort :][0]
        spread = others.std() + np.finfo(float).tiny
        return float((own - others[nearness >= least].mean()) / spread)


def _partial(inverse: Array, kept: Array) -> Array:
    """(k,) partial correlations of the first of ``kept`` with each of them, given these alone.

    Who is not kept is taken out of the inverse by a Schur complement.
    """
    gone = np.setdiff1d(np.arange(len(inverse)), kept)
    row, diagonal = inverse[kept[0], kept], inverse[kept, kept]
    if len(gone):
        between = inverse[np.ix_(gone, kept)]  # (g, k)
        solved = np.linalg.solve(inverse[np.ix_(gone, gone)], between)
        row = row - between[:, 0] @ solved
        diagonal = diagonal - (between * solved).sum(0)
    found: Array = -row / np.sqrt(row[0] * diagonal)
    return found


def _products(rows: Sequence[Array]) -> Array:
    """(p, p) of representations; of labels the shares that agree."""
    stacked = np.stack(rows)
    if stacked.dtype.kind != "f":
        return np.array([(stacked == row).mean(1) for row in stacked])
    products: Array = stacked @ stacked.T
    return products
