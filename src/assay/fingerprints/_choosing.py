"""Which seeds become queries: some, or those that a model is wrong about."""

from __future__ import annotations

import numpy as np

from assay.errors import BadData
from assay.running.examples import Examples
from assay.running.predictors import Predictor
from assay.running.predictors.answers import Array

LEAST = 8  # queries: fewer say nothing
_ROUNDS = 12  # of mixing


def some(examples: Examples, count: int, rng: np.random.Generator) -> Examples:
    """So many examples at random, or all where there are fewer.

    Raises BadData where there are fewer than ``LEAST``.
    """
    if len(examples) < LEAST:
        raise BadData(f"{len(examples)} seeds are too few: give {LEAST} or more")
    return examples.take(rng.permutation(len(examples))[:count])


def mistakes(
    owner: Predictor, examples: Examples, count: int, rng: np.random.Generator
) -> Examples:
    """Inputs that the owner's model is wrong about, with their true labels.

    Where there are too few, patches of other examples are pasted into some [CutMix], as long as
    the model is wrong about what that gives.

    Raises BadData where it is still wrong about fewer than ``LEAST``.
    """
    examples = some(examples, len(examples), rng)
    labels = examples.known_labels
    wrong = owner.ask(examples.inputs).labels != labels
    inputs, truth = [examples.inputs[wrong]], [labels[wrong]]
    for round_ in range(_ROUNDS):
        if sum(map(len, inputs)) >= count or examples.inputs.ndim != 4:
            break
        rows = rng.permutation(len(examples))[: 4 * count]
        side = 0.2 + 0.3 * round_ / (_ROUNDS - 1)
        mixed = cut_mix(examples.inputs[rows], examples.inputs, side, rng)
        wrong = owner.ask(mixed).labels != labels[rows]
        inputs.append(mixed[wrong])
        truth.append(labels[rows][wrong])
    had = sum(map(len, inputs))
    if had < LEAST:
        raise BadData(f"the owner's model is wrong about {had} of the seeds: give more")
    return Examples(np.concatenate(inputs)[:count], np.concatenate(truth)[:count])


def cut_mix(inputs: Array, others: Array, side: float, rng: np.random.Generator) -> Array:
    """Pictures (n, …, h, w) with a patch of another one, whose sides are a share of theirs."""
    mixed = inputs.copy()
    height, width = (max(1, round(side * size)) for size in inputs.shape[-2:])
    for row, other in enumerate(rng.integers(0, len(others), len(inputs))):
        top = rng.integers(0, inputs.shape[-2] - height + 1)
        left = rng.integers(0, inputs.shape[-1] - width + 1)
        patch = (..., slice(top, top + height), slice(left, left + width))
        mixed[row][patch] = others[other][patch]
    return mixed
