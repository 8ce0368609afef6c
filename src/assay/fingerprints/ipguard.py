"""Whether inputs near the owner's boundary get the same labels [Cao et al., IPGuard, 2021].

Models that were trained apart have other boundaries.  An input lies near where one class leads
another by little.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from assay.errors import BadOption
from assay.fingerprints import Fingerprint, Model, Queries, Seeds
from assay.fingerprints._choosing import some
from assay.fingerprints._outputs import disagreement
from assay.running.predictors import Answers
from assay.running.predictors.answers import Array

EXTRA = "torch"


@dataclass(frozen=True)
class IPGuard(Fingerprint):
    """The share of labels that differ, near the owner's boundary."""

    count: int = 100  # queries
    margin: float = 5.0  # k: by how much the second class is to lead the first, at the least
    rate: float = 0.01  # of Adam, in standard deviations of the seeds' values
    steps: int = 1000
    target: Literal["least", "random"] = "least"  # the second class: the least likely one

    asks = "labels"
    crafts = "gradients"
    across_tasks = False

    def __post_init__(self) -> None:
        if self.count < 1 or self.steps < 1 or not self.rate > 0:
            raise BadOption("ipguard: count and steps are 1 or more, rate above 0")

    def queries(self, owner: Model, seeds: Seeds, rng: np.random.Generator) -> Queries:
        from assay.fingerprints._boundary import at_boundary
        from assay.fingerprints._gradients import opened

        inputs = some(seeds.examples, self.count, rng).inputs
        drawn = rng if self.target == "random" else None
        rate = self.rate * float(inputs.std())
        return Queries(at_boundary(opened(owner), inputs, self.margin, rate, self.steps, drawn))

    def represent(self, answers: Answers, queries: Queries) -> Array:
        return answers.labels

    def distance(self, owner: Array, suspect: Array) -> float:
        return disagreement(owner, suspect)
