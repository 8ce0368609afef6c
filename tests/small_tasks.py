"""A task that a small network learns in a second, and networks that have."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from assay.running.examples import Examples

if TYPE_CHECKING:
    from torch import nn

CLASSES = 4
SHAPE = (1, 8, 8)


def squares(count: int, seed: int, classes: int = CLASSES) -> Examples:
    """Noise with a brighter square; the class is where it is."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, count)
    images = rng.normal(0, 1, (count, *SHAPE)).astype(np.float32)
    for image, label in zip(images, labels, strict=True):
        top, left = divmod(int(label) * 2, 8)
        image[0, top * 2 : top * 2 + 3, left : left + 3] += 2
    return Examples(images, labels, name=f"squares-{seed}")


@cache
def trained(name: str = "cnn", seed: int = 0) -> nn.Module:
    """A network of the zoo that has learned the squares; copy it before it is changed."""
    from assay.training import Optimizer, Training, train
    from assay.zoo.networks import build

    module = build(name, SHAPE, CLASSES, seed, 0.5)
    training = Training(epochs=6, batch=32, optimizer=Optimizer("adam", rate=0.005))
    train(module, squares(400, 1), training, seed=seed)
    return module
