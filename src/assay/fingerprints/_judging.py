"""DeepJudge's test cases: inputs that fool a model, and inputs that excite one channel of it."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from assay.errors import BadData
from assay.fingerprints._choosing import LEAST, some
from assay.fingerprints._gradients import ascend, descend, scores
from assay.fingerprints._layers import averaged, features, middle, seen
from assay.running.examples import Examples
from assay.running.modules import on, outputs
from assay.running.predictors.answers import Array, of_scores

EXTRA = "torch"


def fooling(
    module: nn.Module,
    examples: Examples,
    count: int,
    epsilon: float,
    steps: int,
    rng: np.random.Generator,
) -> Examples:
    """Adversarial inputs that the model is wrong about, with their true labels.

    Of the examples that it is right about, and surest of.  Raises BadData where too few fool it.
    """
    examples = some(examples, len(examples), rng)
    answers = of_scores(outputs(module, examples.inputs))
    sure = (answers.probabilities**2).sum(1)
    right = np.flatnonzero(answers.labels == examples.known_labels)
    chosen = examples.take(right[np.argsort(-sure[right], kind="stable")][:count])
    if not len(chosen.inputs):
        raise BadData("the owner's model is right about none of the seeds")
    labels = on(module, chosen.known_labels)

    def loss(moved: Tensor, rows: slice) -> Tensor:
        found: Tensor = nn.functional.cross_entropy(
            scores(module, moved), labels[rows], reduction="none"
        )
        return found

    moved = ascend(module, chosen.inputs, loss, epsilon=epsilon, steps=steps, rng=rng)
    fooled = of_scores(outputs(module, moved)).labels != chosen.known_labels
    if fooled.sum() < LEAST:
        raise BadData(
            f"{int(fooled.sum())} of {len(moved)} inputs fool the owner's model: a larger epsilon"
        )
    return Examples(moved[fooled], chosen.known_labels[fooled])


def exciting(
    module: nn.Module,
    examples: Examples,
    count: int,
    excess: float,
    steps: int,
    rng: np.random.Generator,
) -> tuple[Array, Array]:
    """An input for each channel of the middle layer, and which channel it is for.

    Each is brought to ``excess`` times the largest value that the channel has on the examples.
    """
    layer = middle(module)
    part = module.get_submodule(layer)
    largest = features(module, layer, examples.inputs).max(0)
    channels = np.sort(rng.permutation(len(largest))[:count])
    starts = examples.inputs[rng.integers(0, len(examples), len(channels))]
    wanted = on(module, np.abs(excess * largest[channels]).astype(np.float32))
    numbers = on(module, channels)
    low, high = float(examples.inputs.min()), float(examples.inputs.max())

    def loss(moved: Tensor, rows: slice) -> Tensor:
        with seen(module, layer, "output") as held:
            scores(module, moved)
        reached = averaged(held[0], part).gather(1, numbers[rows, None])[:, 0]
        missing: Tensor = torch.relu(wanted[rows] - reached)
        return missing

    found = descend(on(module, starts), loss, rate=0.01, steps=steps, low=low, high=high)
    return found.cpu().numpy(), channels
