"""Whether a student answers alike what its teacher cannot tell apart [Chen et al., 2022].

For each probe another picture is made whose features, before the owner's last layer, are the
probe's.  Who has taken over these features gives both the same label, whatever his classes are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from assay.errors import BadOption
from assay.fingerprints import Fingerprint, Model, Queries, Seeds
from assay.fingerprints._choosing import some
from assay.running.predictors import Answers
from assay.running.predictors.answers import Array

EXTRA = "torch"


@dataclass(frozen=True)
class TeacherFingerprint(Fingerprint):
    """The share of pairs whose labels differ, without probes of the most frequent label."""

    pairs: int = 100
    steps: int = 300
    rate: float = 0.05  # of Adam

    asks = "labels"
    crafts = "gradients"
    across_tasks = True
    sized_by = "pairs"

    def __post_init__(self) -> None:
        if self.pairs < 2 or self.steps < 1 or not self.rate > 0:
            raise BadOption("teacher-fingerprint: two pairs or more, one step or more, a rate")

    @property
    def queries_each(self) -> int:
        return 2

    def queries(self, owner: Model, seeds: Seeds, rng: np.random.Generator) -> Queries:
        from assay.fingerprints._gradients import opened
        from assay.fingerprints._imitating import alike

        probes = some(seeds.examples, self.pairs, rng).inputs
        made = alike(opened(owner), probes, self.steps, self.rate, rng)
        return Queries(np.concatenate([probes, made]))

    def represent(self, answers: Answers, queries: Queries) -> Array:
        """(2, pairs) labels."""
        return answers.labels.reshape(2, -1)

    def distance(self, owner: Array, suspect: Array) -> float:
        probes, made = suspect
        labels, counts = np.unique(probes, return_counts=True)
        telling = probes != labels[counts.argmax()]
        if not telling.any():
            return float("nan")
        return float((probes[telling] != made[telling]).mean())
