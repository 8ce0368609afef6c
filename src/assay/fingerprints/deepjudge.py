"""Metrics of answers to adversarial inputs, or of activations [Chen et al., DeepJudge, 2022].

Black-box: inputs that fool the owner's model, and a suspect's answers to them.  White-box, of equal
architectures: inputs that excite one channel each of the owner's model.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from assay.errors import BadOption
from assay.fingerprints import Asks, Fingerprint, Model, Queries, Seeds
from assay.fingerprints._outputs import jensen_shannon
from assay.running.predictors import Answers, Predictor
from assay.running.predictors.answers import Array

EXTRA = "torch"

Metric = Literal["jsd", "robd", "nod", "nad", "lod", "lad"]
NEEDS: dict[str, Asks] = {"jsd": "scores", "robd": "labels"}


@dataclass(frozen=True)
class DeepJudge(Fingerprint):
    """One of its metrics."""

    metric: Metric = "jsd"  # scores'; robd: labels'; neurons' and layers' output or activation
    count: int = 200  # adversarial inputs; white-box: channels, at most
    epsilon: float = 1.2  # black-box: of a value, in standard deviations of the seeds' values
    steps: int = 10
    excess: float = 3.0  # white-box: times its largest value on seeds that a channel is to reach

    asks = "scores"
    crafts = "gradients"
    across_tasks = False
    needs_labels = True

    def __post_init__(self) -> None:
        if self.count < 2 or self.steps < 1 or not (self.epsilon > 0 and self.excess > 0):
            raise BadOption("deepjudge: count 2 or more, the others above 0")

    @property
    def needs(self) -> Asks:
        return NEEDS.get(self.metric, "features")

    def queries(self, owner: Model, seeds: Seeds, rng: np.random.Generator) -> Queries:
        from assay.fingerprints._gradients import opened
        from assay.fingerprints._judging import exciting, fooling

        module = opened(owner)
        if self.needs == "features":
            inputs, channels = exciting(
                module, seeds.examples, self.count, self.excess, 30 * self.steps, rng
            )
            return Queries(inputs, {"channels": channels})
        epsilon = self.epsilon * float(seeds.examples.inputs.std())
        found = fooling(module, seeds.examples, self.count, epsilon, self.steps, rng)
        return Queries(found.inputs, {"labels": found.known_labels})

    def ask(self, model: Predictor, queries: Queries) -> Answers:
        answers = model.ask(queries.inputs)
        module = getattr(model, "module", None)
        if self.needs != "features" or module is None:
            return answers
        from assay.fingerprints._layers import features, middle

        return replace(answers, features=features(module, middle(module), queries.inputs))

    def comparable(self, owner: Answers, suspect: Answers) -> str:
        if why := super().comparable(owner, suspect):
            return why
        if self.needs != "features":
            return ""
        assert owner.features is not None  # the base has seen to it
        assert suspect.features is not None
        sizes = owner.features.shape[1], suspect.features.shape[1]
        if sizes[0] == sizes[1]:
            return ""
        return f"deepjudge compares equal layers: {sizes[0]} channels are not {sizes[1]}"

    def represent(self, answers: Answers, queries: Queries) -> Array:
        if self.metric == "jsd":
            return answers.probabilities
        if self.metric == "robd":
            robust: Array = (answers.labels == queries.notes["labels"]).mean(keepdims=True)
            return robust
        found = answers.features
        assert found is not None  # the base has seen to it
        if self.metric in ("nad", "lad"):  # which channels are active, between an input's extremes
            low, high = found.min(1, keepdims=True), found.max(1, keepdims=True)
            found = (found - low > (high - low) / 2).astype(float)
        if self.metric in ("nod", "nad"):  # of the channel that an input was made for
            found = np.take_along_axis(found, queries.notes["channels"][:, None], 1)
        return found

    def distance(self, owner: Array, suspect: Array) -> float:
        if self.metric == "jsd":
            return jensen_shannon(owner, suspect)
        if self.metric == "lod":
            return float(np.linalg.norm(owner - suspect, axis=1).mean())
        if self.metric == "lad":
            return float(np.abs(owner - suspect).sum(1).mean())
        return float(np.abs(owner - suspect).mean())
