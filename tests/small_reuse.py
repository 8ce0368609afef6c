"""An owner's network of digits, what was made of it, and a stranger: all trained in seconds."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from assay.fingerprints import Seeds
from assay.running.examples import Examples

if TYPE_CHECKING:
    from torch import nn

SHAPE = (1, 8, 8)
FEWER = 5  # classes of the other task


@cache
def digits() -> tuple[Examples, Examples, Examples]:
    """The owner's, the thief's, and ones that nobody was trained on."""
    from assay.zoo.datasets import load

    train, test = load("digits", "train"), load("digits", "test")
    return train.take(slice(0, None, 2)), train.take(slice(1, None, 2)), test


def other_task(examples: Examples) -> Examples:
    """The same pictures in fewer classes."""
    return Examples(examples.inputs, examples.known_labels % FEWER, name="digits of 5 classes")


def _trained(
    module: nn.Module, examples: Examples, epochs: int, rate: float, seed: int
) -> nn.Module:
    from assay.training import Optimizer, Training, train

    training = Training(epochs=epochs, batch=32, optimizer=Optimizer("adam", rate=rate))
    train(module, examples, training, seed=seed)
    return module


@cache
def owner() -> nn.Module:
    from assay.zoo.networks import build

    return _trained(build("cnn", SHAPE, 10, 0, 0.5), digits()[0], 25, 0.01, 0)


@cache
def stranger(seed: int = 1) -> nn.Module:
    """Another network of the same architecture and task, trained on the thief's digits."""
    from assay.zoo.networks import build

    return _trained(build("cnn", SHAPE, 10, seed, 0.5), digits()[1], 25, 0.01, seed)


@cache
def tuned() -> nn.Module:
    """The owner's network, tuned by the thief."""
    from assay.running.modules import copy_of

    return _trained(copy_of(owner()), digits()[1], 2, 0.0005, 2)


@cache
def adapted() -> nn.Module:
    """The owner's network, adapted to the other task."""
    from assay.derivations import DERIVATIONS
    from assay.training import Optimizer, Training

    training = Training(epochs=8, batch=32, optimizer=Optimizer("adam", rate=0.003))
    method = DERIVATIONS["transfer"](training=training)  # type: ignore[call-arg]
    return method.derive(owner(), data=other_task(digits()[1]), seed=3).module


@cache
def other_stranger() -> nn.Module:
    """A stranger that was trained on the other task."""
    from assay.zoo.networks import build

    data = other_task(digits()[1])
    return _trained(build("cnn", SHAPE, FEWER, 6, 0.5), data, 25, 0.01, 6)


def seeds() -> Seeds:
    return Seeds(digits()[2], digits()[0])


def noise(count: int) -> Examples:
    return Examples(np.random.default_rng(0).normal(size=(count, *SHAPE)).astype(np.float32))
