"""How far apart each input and its adversarial copy are answered [Li et al., ModelDiff, 2021].

The distances of all pairs make a vector.  It has one entry a pair, however many classes there are,
so that a model is compared with one that was adapted to another task.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from assay.errors import BadOption
from assay.fingerprints import Fingerprint, Model, Queries, Seeds
from assay.fingerprints._choosing import some
from assay.fingerprints._origins import rests
from assay.fingerprints._outputs import cosine_distance, cosine_distances
from assay.fingerprints._search import search
from assay.running.predictors import Answers, predictor
from assay.running.predictors.answers import Array

EXTRA = "torch"


@dataclass(frozen=True)
class ModelDiff(Fingerprint):
    """Decision distance vectors, compared by their cosine."""

    pairs: int = 100
    epsilon: float = 0.06  # largest change of a value, in standard deviations of the seeds' values
    steps: int = 50  # of gradient ascent; black-box: values that are changed
    crafting: Literal["gradients", "black-box"] = "gradients"
    crafted_on: Literal["owner", "suspect"] = "owner"  # suspect: as the authors' own script does
    entries: Literal["raw", "centered", "ranked", "scaled"] = "raw"  # scaled: by references' spread

    asks = "scores"
    crafts = "gradients"
    across_tasks = True
    sized_by = "pairs"
    entry = "decision distance"

    def __post_init__(self) -> None:
        if self.pairs < 2 or self.steps < 1 or not self.epsilon > 0:
            raise BadOption("modeldiff: two pairs or more, one step or more, epsilon above 0")

    @property
    def queries_each(self) -> int:
        return 2

    def without_gradients(self) -> ModelDiff:
        return replace(self, crafting="black-box")

    def crafted_with(self, owner: Model, suspect: Model) -> Model:
        return suspect if self.crafted_on == "suspect" else owner

    def queries(self, owner: Model, seeds: Seeds, rng: np.random.Generator) -> Queries:
        inputs = some(seeds.examples, self.pairs, rng).inputs
        epsilon = self.epsilon * float(inputs.std())
        if self.crafting == "black-box":
            moved = search(predictor(owner), inputs, step=epsilon, rounds=self.steps, rng=rng)
        else:
            from assay.fingerprints._gradients import opened
            from assay.fingerprints._pushing import pushed_apart

            moved = pushed_apart(opened(owner), inputs, epsilon, self.steps, rng)
        return Queries(np.concatenate([inputs, moved]))

    def represent(self, answers: Answers, queries: Queries) -> Array:
        logits, half = answers.centered, len(queries) // 2
        distances: Array = cosine_distances(logits[:half], logits[half:])  # (pairs,)
        if self.entries == "ranked":
            distances = distances.argsort().argsort().astype(float)
        is_moved = self.entries in ("centered", "ranked")
        return distances - distances.mean() if is_moved else distances

    def distance(self, owner: Array, suspect: Array) -> float:
        return cosine_distance(owner, suspect)

    def closeness(
        self, owner: Array, pool: Sequence[Array], origins: Sequence[object] = ()
    ) -> Array:
        """(p,): scaled entries tell by how much a pair is farther apart than for the whole pool."""
        if self.entries != "scaled" or len(pool) < 3:
            return super().closeness(owner, pool)
        rows, found = np.stack([*pool]), []
        for place, rest in enumerate(rests(len(pool), origins)):
            seen = rows[[place, *rest]]
            spread = seen.std(0)
            if not spread.all():
                return super().closeness(owner, pool)
            scaled = (np.stack([owner, rows[place]]) - seen.mean(0)) / spread
            found.append(-self.distance(*scaled))
        return np.array(found)
