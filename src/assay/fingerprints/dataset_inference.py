"""Whether a suspect knows the owner's training data better than others [Maini et al., 2021].

A model lies farther from changing its mind about what it was trained on.  How far is found by
walking from each input in random directions until the label changes: labels suffice.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from assay.errors import BadOption
from assay.fingerprints import Fingerprint, Model, Queries, Seeds
from assay.fingerprints._choosing import some
from assay.running.predictors import Answers
from assay.running.predictors.answers import Array

KINDS = 3  # of noise: uniform, normal, Laplace
_RIDGE = 1.0  # of the linear fit, in standardized features


@dataclass(frozen=True)
class DatasetInference(Fingerprint):
    """How much nearer the suspect's walks on training data end than elsewhere: less Welch's t.

    A linear fit on one half of the samples, on the owner's model, tells which walks matter; the
    suspect is judged on the other half.  The authors' tensors mix samples up before that fit; here
    a row is one sample.
    """

    samples: int = 40  # of either kind, seen and unseen
    starts: int = 5  # walks with each kind of noise
    steps: int = 16  # of a walk: all are asked, so that the suspect's answers change no query
    farthest: float = 2.0  # length of a walk, in standard deviations of the inputs' values

    asks = "labels"
    crafts = "nothing"
    across_tasks = False
    needs_trained_on = True
    sized_by = "samples"

    def __post_init__(self) -> None:
        if self.samples < 4 or min(self.starts, self.steps) < 1 or not self.farthest > 0:
            raise BadOption("dataset-inference: 4 samples or more, the others above 0")

    @property
    def queries_each(self) -> int:
        return 2 * KINDS * self.starts * (self.steps + 1)

    def queries(self, owner: Model, seeds: Seeds, rng: np.random.Generator) -> Queries:
        assert seeds.trained_on is not None  # the base has seen to it
        both = [some(each, self.samples, rng).inputs for each in (seeds.trained_on, seeds.examples)]
        count = min(map(len, both)) // 2 * 2
        inputs = np.concatenate([each[:count] for each in both])  # seen, then unseen
        walks = KINDS * self.starts
        shape = (self.starts, *inputs.shape[1:])
        noise = [rng.uniform(-1, 1, shape), rng.normal(0, 1, shape), rng.laplace(0, 1, shape)]
        directions = np.concatenate([each / each.std() for each in noise])  # the same for all
        lengths = self.farthest * inputs.std() * np.arange(self.steps + 1) / self.steps
        steps = np.multiply.outer(lengths, directions)  # (steps + 1, walks, …)
        asked = inputs[:, None, None] + steps[None]
        sizes = np.array([len(inputs), self.steps + 1, walks])
        flat = asked.reshape(-1, *inputs.shape[1:]).astype(np.float32)
        return Queries(flat, {"sizes": sizes})

    def represent(self, answers: Answers, queries: Queries) -> Array:
        """(samples, walks): the step at which the label changes."""
        labels = answers.labels.reshape(queries.notes["sizes"])
        changed = labels != labels[:, :1]
        last = np.ones_like(changed[:, :1])  # where it never does, that is one step further
        steps: Array = np.concatenate([changed, last], 1).argmax(1)
        return steps.astype(float)

    def distance(self, owner: Array, suspect: Array) -> float:
        known = np.arange(len(owner)) < len(owner) // 2  # whether a sample was trained on
        fitted = np.arange(len(owner)) % 2 == 0
        weights = _fit(owner[fitted], np.where(known, 1.0, -1.0)[fitted])
        if not weights.any() or not np.ptp(suspect, axis=0).any():
            return float("nan")
        found = suspect[~fitted] @ weights
        return -_welch(found[known[~fitted]], found[~known[~fitted]])


def _fit(rows: Array, wanted: Array) -> Array:  # (n, w), (n,) -> (w,)
    """Weights of the linear function of rows that is nearest to what is wanted, but small."""
    rows = rows - rows.mean(0)
    spread = rows.std(0)
    scaled = np.divide(rows, spread, out=np.zeros_like(rows), where=spread > 0)
    square = scaled.T @ scaled + _RIDGE * len(rows) * np.eye(rows.shape[1])
    found = np.linalg.solve(square, scaled.T @ (wanted - wanted.mean()))
    weights: Array = np.divide(found, spread, out=np.zeros_like(found), where=spread > 0)
    return weights


def _welch(first: Array, second: Array) -> float:
    """Welch's t of two samples' means; not a number where neither varies."""
    error = first.var(ddof=1) / len(first) + second.var(ddof=1) / len(second)
    return float((first.mean() - second.mean()) / np.sqrt(error)) if error > 0 else float("nan")
