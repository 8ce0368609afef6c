"""Whether two models give the same labels to any inputs: what every other method has to beat."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from assay.errors import BadOption
from assay.fingerprints import Fingerprint, Model, Queries, Seeds
from assay.fingerprints._choosing import some
from assay.fingerprints._outputs import disagreement
from assay.running.predictors import Answers
from assay.running.predictors.answers import Array


@dataclass(frozen=True)
class LabelAgreement(Fingerprint):
    """The share of labels that differ."""

    count: int = 100  # queries

    asks = "labels"
    crafts = "nothing"
    across_tasks = False

    def __post_init__(self) -> None:
        if self.count < 1:
            raise BadOption("label-agreement: count is 1 or more")

    def queries(self, owner: Model, seeds: Seeds, rng: np.random.Generator) -> Queries:
        return Queries(some(seeds.examples, self.count, rng).inputs)

    def represent(self, answers: Answers, queries: Queries) -> Array:
        return answers.labels

    def distance(self, owner: Array, suspect: Array) -> float:
        return disagreement(owner, suspect)
