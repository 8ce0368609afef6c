"""How far a suspect's scores follow the owner's where reference models do not.

All models that learned a task score alike.  What the references' scores explain is taken from the
owner's and the suspect's; the correlation of the rest is their partial correlation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from assay.errors import BadOption
from assay.fingerprints import Fingerprint, Model, Queries, Seeds
from assay.fingerprints._choosing import mistakes, some
from assay.fingerprints._outputs import cosine_distance
from assay.running.predictors import Answers, predictor
from assay.running.predictors.answers import Array


@dataclass(frozen=True)
class PartialCorrelation(Fingerprint):
    """1 less the correlation of two models' logits; in a pool, given the others' logits."""

    count: int = 200  # queries
    source: Literal["seeds", "mistakes"] = "seeds"  # mistakes: of the owner's model
    ridge: float = 0.01  # of the regression on the others, whose logits have length 1

    asks = "scores"
    crafts = "answers"
    across_tasks = False

    def __post_init__(self) -> None:
        if self.count < 2 or not self.ridge > 0:
            raise BadOption("partial-correlation: count is 2 or more, ridge above 0")

    def queries(self, owner: Model, seeds: Seeds, rng: np.random.Generator) -> Queries:
        if self.source == "mistakes":
            return Queries(mistakes(predictor(owner), seeds.examples, self.count, rng).inputs)
        return Queries(some(seeds.examples, self.count, rng).inputs)

    def represent(self, answers: Answers, queries: Queries) -> Array:
        """(q c,) logits: each row centered, and of one length, so that no input counts for more."""
        rows = answers.centered
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        unit = np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0)
        found: Array = unit.ravel() / np.sqrt(len(unit))
        return found

    def distance(self, owner: Array, suspect: Array) -> float:
        return cosine_distance(owner, suspect)

    def closeness(self, owner: Array, pool: Sequence[Array]) -> Array:
        """(p,) partial correlations: of each, given all others of the pool."""
        rows = np.stack([owner, *pool])
        if len(pool) < 2 or not rows.any(1).all():
            return super().closeness(owner, pool)
        products = rows @ rows.T  # (p + 1, p + 1)
        return np.array([self._partial(products, place) for place in range(1, len(rows))])

    def _partial(self, products: Array, place: int) -> float:
        """The correlation of what the others leave of the owner's, the first, and of one."""
        others = np.delete(np.arange(1, len(products)), place - 1)
        known = products[np.ix_(others, others)]
        two = np.array([0, place])
        both = products[np.ix_(two, others)].T  # (others, 2)
        weights = np.linalg.solve(known + self.ridge * np.eye(len(others)), both)
        crossed = weights.T @ both
        left = products[np.ix_(two, two)] - crossed - crossed.T
        left = left + weights.T @ known @ weights  # (2, 2): products of what is left
        return float(left[0, 1] / np.sqrt(max(left[0, 0] * left[1, 1], np.finfo(float).tiny)))
