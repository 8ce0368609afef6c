"""ModelDiff with one thing changed: the lines of the authors' logs that show what matters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from assay.fingerprints import Model, Queries, Seeds
from assay.fingerprints._choosing import some
from assay.fingerprints._gradients import ascend, opened, scores
from assay.fingerprints.modeldiff import ModelDiff
from assay.running.examples import Examples

PUSH = 1e5  # what the first output is to reach, and the others 0: one target for all inputs
Json = dict[str, Any]


@dataclass(frozen=True)
class OneTarget(ModelDiff):
    """All inputs are pushed away from one target: their answers do not differ by it."""

    def queries(self, owner: Model, seeds: Seeds, rng: np.random.Generator) -> Queries:
        inputs = some(seeds.examples, self.pairs, rng).inputs
        module = opened(owner)

        def loss(moved: Tensor, rows: slice) -> Tensor:
            outputs = scores(module, moved)
            target = torch.zeros_like(outputs)
            target[:, 0] = PUSH
            weights = torch.full_like(outputs[0], 0.1 / (outputs.shape[1] - 1))
            weights[0] = 1
            found: Tensor = (weights * (outputs - target) ** 2).sum(1)
            return found

        epsilon = self.epsilon * float(inputs.std())
        moved = ascend(module, inputs, loss, epsilon=epsilon, steps=self.steps, rng=rng)
        return Queries(np.concatenate([inputs, moved]))


@dataclass(frozen=True)
class OneImage(ModelDiff):
    """One image as often as there are pairs: what differs is where the ascent begins."""

    def queries(self, owner: Model, seeds: Seeds, rng: np.random.Generator) -> Queries:
        one = some(seeds.examples, 1, rng)
        rows = np.zeros(self.pairs, int)
        return super().queries(owner, Seeds(one.take(rows)), rng)


@dataclass(frozen=True)
class Noise(ModelDiff):
    """Normal noise as seeds."""

    def queries(self, owner: Model, seeds: Seeds, rng: np.random.Generator) -> Queries:
        shape = (self.pairs, *seeds.examples.inputs.shape[1:])
        noise = Examples(rng.normal(size=shape).astype(np.float32))
        return super().queries(owner, Seeds(noise), rng)


@dataclass(frozen=True)
class NormalPairs(ModelDiff):
    """Each input beside another one, nothing is made."""

    def queries(self, owner: Model, seeds: Seeds, rng: np.random.Generator) -> Queries:
        inputs = some(seeds.examples, self.pairs, rng).inputs
        return Queries(np.concatenate([inputs, np.roll(inputs, 1, axis=0)]))


@dataclass(frozen=True)
class MadePairs(ModelDiff):
    """Each adversarial input beside another one."""

    def queries(self, owner: Model, seeds: Seeds, rng: np.random.Generator) -> Queries:
        moved = super().queries(owner, seeds, rng).inputs[self.pairs :]
        return Queries(np.concatenate([moved, np.roll(moved, 1, axis=0)]))


Changed = Callable[[Mapping[str, Any]], Json]
ABLATIONS: dict[str, tuple[type[ModelDiff], Changed]] = {
    "pairs x 2": (ModelDiff, lambda about: {"pairs": 2 * about["pairs"]}),
    "pairs / 2": (ModelDiff, lambda about: {"pairs": about["pairs"] // 2}),
    "pairs / 10": (ModelDiff, lambda about: {"pairs": max(2, about["pairs"] // 10)}),
    "steps x 2": (ModelDiff, lambda about: {"steps": 2 * about["steps"]}),
    "epsilon 0.02": (ModelDiff, lambda about: {"epsilon": 0.02}),
    "epsilon 0.2": (ModelDiff, lambda about: {"epsilon": 0.2}),
    "no diversity of outputs": (OneTarget, lambda about: {}),
    "one image": (OneImage, lambda about: {}),
    "normal beside normal": (NormalPairs, lambda about: {}),
    "adversarial beside adversarial": (MadePairs, lambda about: {}),
    "noise": (Noise, lambda about: {}),
}
