"""The ground on which methods are tried with LeNet-5: pictures, networks in files, quick training.

While a network learns, products are of bfloat16 and weights and sums of float32, which is three
times faster on some processors; convolutions are channels last, twice as fast.  Networks are judged
in float32.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save
from torch import nn

from assay.derivations import Derivation, Derived
from assay.durable import write_whole
from assay.running.examples import Examples
from assay.running.modules import accuracy
from assay.training import History, Objective, Training, train
from assay.zoo.datasets import load, shifted
from assay.zoo.networks import build

EXTRA = "torch"


@dataclass(frozen=True)
class Ground:
    """Pictures, and where networks and the states of trainings are kept."""

    training: Examples
    test: Examples
    networks: Path
    checkpoints: Path
    width: float = 1.0  # of the networks

    def network(self, seed: int) -> nn.Sequential:
        """A new LeNet-5 of ten classes."""
        made = build("lenet-5", self.test.inputs.shape[1:], 10, seed, self.width)
        return made.to(memory_format=torch.channels_last)

    def train(
        self, module: nn.Module, training: Training, seed: int, objective: Objective | None = None
    ) -> History:
        """Trains it in place, as ``assay.training.train`` does, and quickly."""
        with in_bfloat16():
            return train(
                module,
                self.training,
                training,
                objective=objective,
                seed=seed,
                checkpoint=self.checkpoints,
            )

    def derive(self, method: Derivation, *parents: nn.Module, seed: int) -> Derived:
        """What a method makes of networks, quickly."""
        with in_bfloat16():
            return method.derive(
                *parents, data=self.training, seed=seed, checkpoint=self.checkpoints
            )

    def percent(self, module: nn.Module) -> float:
        """A network's accuracy on the pictures for testing."""
        return round(100 * accuracy(module, self.test), 3)

    def path(self, name: str) -> Path:
        """Where a network is kept."""
        return self.networks / f"{name}.safetensors"

    def save(self, name: str, module: nn.Module) -> None:
        """Keeps a network's tensors; those of another by that name are lost."""
        self.networks.mkdir(parents=True, exist_ok=True)
        state = {key: tensor.contiguous() for key, tensor in module.state_dict().items()}
        write_whole(self.path(name), save(state))

    def load(self, name: str, module: nn.Module) -> nn.Module:
        """The module with the tensors that are kept, in evaluation mode."""
        module.load_state_dict(load_file(self.path(name)))
        return module.eval()


@contextmanager
def in_bfloat16() -> Iterator[None]:
    """Products in bfloat16.  Nothing is cached, since weights change within."""
    with torch.autocast("cpu", dtype=torch.bfloat16, cache_enabled=False):
        yield


@lru_cache(maxsize=2)
def pictures(
    data: str, sets: Path | None, copies: int = 0, limit: int | None = None
) -> tuple[Examples, Examples]:
    """A data set's pictures for training, beside each its shifted copies, and those for testing.

    Args:
        data: its name.
        sets: a folder that has one of that name; by default the usual places are searched.
        copies: of each picture, elsewhere by up to two pixels.
        limit: how many of each split, drawn at random; by default all.

    Raises BadData as ``assay.zoo.datasets.load`` does.
    """
    folder = None if sets is None else sets / data
    training = _some(load(data, "train", folder), limit)
    test = _some(load(data, "test", folder), limit)
    return shifted(training, copies), test


def _some(examples: Examples, limit: int | None) -> Examples:
    """At random: they may lie sorted by their labels."""
    if limit is None:
        return examples
    return examples.take(np.random.default_rng(0).permutation(len(examples))[:limit])
