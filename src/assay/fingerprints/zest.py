"""What parts of pictures matter to a model, from answers to parts of them [Jia et al., Zest, 2022].

Around each picture the model is fitted by a linear one of which parts are shown [LIME].  Parts are
squares of a grid here, which costs no segmentation and suits small pictures.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from assay.errors import BadData, BadOption
from assay.fingerprints import Fingerprint, Model, Queries, Seeds
from assay.fingerprints._choosing import some
from assay.fingerprints._outputs import cosine_distance
from assay.running.predictors import Answers
from assay.running.predictors.answers import Array


@dataclass(frozen=True)
class Zest(Fingerprint):
    """The cosine distance of the weights of all linear models."""

    pictures: int = 32
    masks: int = 64  # of each picture, the first shows it whole
    grid: int = 4  # parts along each side

    asks = "scores"
    crafts = "nothing"
    across_tasks = False
    sized_by = "pictures"

    def __post_init__(self) -> None:
        if self.pictures < 1 or self.grid < 2 or self.masks <= self.grid**2:
            raise BadOption("zest: a grid of 2 or more, and more masks than it has parts")

    @property
    def queries_each(self) -> int:
        return self.masks

    def queries(self, owner: Model, seeds: Seeds, rng: np.random.Generator) -> Queries:
        inputs = some(seeds.examples, self.pictures, rng).inputs
        if inputs.ndim != 4 or min(inputs.shape[2:]) < self.grid:
            raise BadData(f"zest hides parts of pictures, and inputs are {[*inputs.shape[1:]]}")
        shown = rng.random((len(inputs), self.masks, self.grid**2)) < 0.5  # (p, m, parts)
        shown[:, 0] = True
        mean = inputs.mean((0, 2, 3), keepdims=True)
        bands = [np.arange(size) * self.grid // size for size in inputs.shape[2:]]
        part = bands[0][:, None] * self.grid + bands[1]  # (h, w): of each pixel
        pixels = shown[:, :, part][:, :, None]  # (p, m, 1, h, w)
        asked = np.where(pixels, inputs[:, None], mean[None])
        return Queries(asked.reshape(-1, *inputs.shape[1:]), {"shown": shown.astype(float)})

    def represent(self, answers: Answers, queries: Queries) -> Array:
        shown = queries.notes["shown"]
        given = answers.probabilities.reshape(*shown.shape[:2], -1)  # (p, m, c)
        return np.linalg.pinv(shown) @ given  # (p, parts, c)

    def distance(self, owner: Array, suspect: Array) -> float:
        return cosine_distance(owner, suspect)
