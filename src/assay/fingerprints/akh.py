"""Whether a suspect makes the owner's mistakes [the Anna Karenina heuristic of QuRD, AAAI 2025].

All that are right answer alike; who is wrong is wrong in his own way.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from assay.errors import BadOption
from assay.fingerprints import Fingerprint, Model, Queries, Seeds
from assay.fingerprints._choosing import mistakes
from assay.fingerprints._outputs import disagreement
from assay.running.predictors import Answers, predictor
from assay.running.predictors.answers import Array


@dataclass(frozen=True)
class AKH(Fingerprint):
    """The share of the owner's mistakes that the suspect does not make."""

    count: int = 100  # mistakes that are asked

    asks = "labels"
    crafts = "answers"
    across_tasks = False
    needs_labels = True

    def __post_init__(self) -> None:
        if self.count < 1:
            raise BadOption("akh: count is 1 or more")

    def queries(self, owner: Model, seeds: Seeds, rng: np.random.Generator) -> Queries:
        return Queries(mistakes(predictor(owner), seeds.examples, self.count, rng).inputs)

    def represent(self, answers: Answers, queries: Queries) -> Array:
        return answers.labels

    def distance(self, owner: Array, suspect: Array) -> float:
        return disagreement(owner, suspect)
