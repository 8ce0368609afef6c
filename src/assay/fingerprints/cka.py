"""How alike the features before the last layer are [centered kernel alignment, Kornblith 2019].

Both models must be open.  Networks that learned the same task apart have like features, too: this
is the baseline that ModelDiff argues against.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from assay.errors import BadOption
from assay.fingerprints import Fingerprint, Model, Queries, Seeds
from assay.fingerprints._choosing import some
from assay.fingerprints._outputs import linear_cka
from assay.running.predictors import Answers, Predictor
from assay.running.predictors.answers import Array

EXTRA = "torch"


@dataclass(frozen=True)
class CKA(Fingerprint):
    """1 less the alignment of both models' last features."""

    count: int = 200  # queries

    asks = "features"
    crafts = "nothing"
    across_tasks = True

    def __post_init__(self) -> None:
        if self.count < 2:
            raise BadOption("cka: count is 2 or more")

    def queries(self, owner: Model, seeds: Seeds, rng: np.random.Generator) -> Queries:
        return Queries(some(seeds.examples, self.count, rng).inputs)

    def ask(self, model: Predictor, queries: Queries) -> Answers:
        answers = model.ask(queries.inputs)
        if (module := getattr(model, "module", None)) is None:
            return answers
        from assay.fingerprints._layers import features, last_features

        layer = last_features(module, queries.inputs[:2])
        return replace(answers, features=features(module, layer, queries.inputs, "input"))

    def represent(self, answers: Answers, queries: Queries) -> Array:
        assert answers.features is not None  # the base has seen to it
        return answers.features

    def distance(self, owner: Array, suspect: Array) -> float:
        return 1 - linear_cka(owner, suspect)
