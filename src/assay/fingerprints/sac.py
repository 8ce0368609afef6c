"""How alike a model answers any two inputs [Guan et al., SAC, 2022].

The matrix of likenesses has a row and a column for each input, however many classes there are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from assay.errors import BadOption
from assay.fingerprints import Asks, Fingerprint, Model, Queries, Seeds
from assay.fingerprints._choosing import cut_mix, mistakes, some
from assay.running.predictors import Answers, predictor
from assay.running.predictors.answers import Array


@dataclass(frozen=True)
class SAC(Fingerprint):
    """The mean difference of two matrices of correlations."""

    count: int = 100  # queries
    source: Literal["mistakes", "cutmix", "seeds"] = "mistakes"  # of the owner's model
    labels_only: bool = False  # whether two answers are alike where their labels are one
    patch: float = 0.2  # cutmix: sides of what is pasted, as a share

    asks = "scores"
    crafts = "answers"
    across_tasks = True

    def __post_init__(self) -> None:
        if self.count < 2 or not 0 < self.patch < 1:
            raise BadOption("sac: count is 2 or more, patch between 0 and 1")

    @property
    def needs(self) -> Asks:
        return "labels" if self.labels_only else "scores"

    @property
    def is_neutral(self) -> bool:
        return self.source != "mistakes"

    def of_labels(self) -> Fingerprint:
        return replace(self, labels_only=True)

    def queries(self, owner: Model, seeds: Seeds, rng: np.random.Generator) -> Queries:
        if self.source == "mistakes":
            return Queries(mistakes(predictor(owner), seeds.examples, self.count, rng).inputs)
        inputs = some(seeds.examples, self.count, rng).inputs
        if self.source == "cutmix":
            inputs = cut_mix(inputs, seeds.examples.inputs, self.patch, rng)
        return Queries(inputs)

    def represent(self, answers: Answers, queries: Queries) -> Array:
        if self.labels_only:
            alike: Array = (answers.labels[:, None] == answers.labels[None]).astype(float)
            return alike
        rows = answers.centered
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        unit = np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0)
        likeness: Array = (1 + unit @ unit.T) / 2
        return likeness

    def distance(self, owner: Array, suspect: Array) -> float:
        return float(np.abs(owner - suspect).mean())
