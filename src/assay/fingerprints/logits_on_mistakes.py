"""How alike two models score what the owner's model is wrong about [a combination in QuRD, 2025].

Where labels can only agree or not, scores also tell how sure a model is of its mistake.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from assay.errors import BadOption
from assay.fingerprints import Fingerprint, Model, Queries, Seeds
from assay.fingerprints._choosing import mistakes
from assay.fingerprints._outputs import cosine_distances
from assay.running.predictors import Answers, predictor
from assay.running.predictors.answers import Array


@dataclass(frozen=True)
class LogitsOnMistakes(Fingerprint):
    """The mean cosine distance of two models' logits, each row centered."""

    count: int = 100  # mistakes that are asked

    asks = "scores"
    crafts = "answers"
    across_tasks = False
    needs_labels = True

    def __post_init__(self) -> None:
        if self.count < 1:
            raise BadOption("logits-on-mistakes: count is 1 or more")

    def queries(self, owner: Model, seeds: Seeds, rng: np.random.Generator) -> Queries:
        return Queries(mistakes(predictor(owner), seeds.examples, self.count, rng).inputs)

    def represent(self, answers: Answers, queries: Queries) -> Array:
        return answers.centered

    def distance(self, owner: Array, suspect: Array) -> float:
        if not suspect.any():
            return float("nan")
        return float(cosine_distances(owner, suspect).mean())
