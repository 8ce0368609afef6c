"""Networks that are there to be forged, secret keys, and what is judged on what."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from assay.running.examples import Examples
from assay.running.modules import accuracy, copy_of
from assay.training import Optimizer, Training, train
from assay.zoo.datasets import load
from assay.zoo.families import load as trained
from assay.zoo.networks import build

SECRET = [hashlib.sha256(f"secret {number}".encode()).digest() for number in range(100)]

Row = dict[str, Any]
State = dict[str, Any]


@dataclass(frozen=True)
class Ground:
    """Networks that are there to be forged, and what they are judged on."""

    networks: tuple[str, ...]
    changes: tuple[float, ...]
    noises: tuple[float, ...]  # larger ones, of noise
    keys: int  # secret ones that a forged model is judged with
    folder: Path | None
    data: Path | None
    pairs: tuple[tuple[Path, Path], ...] = ()  # a real stranger and a real victim each

    @cached_property
    def test(self) -> Examples:
        return self._examples("test").take(slice(2000))

    @cached_property
    def some(self) -> Examples:
        return self._examples("train").take(slice(500))

    def _examples(self, split: str) -> Examples:
        if self.folder is None:
            return load("digits", split)  # type: ignore[arg-type]
        folder = self.data / "fashion-mnist" if self.data else None
        return load("fashion-mnist", split, folder)  # type: ignore[arg-type]

    @cache  # noqa: B019 - there is one ground
    def module(self, network: str, seed: int) -> nn.Module:
        if self.folder is not None:
            return trained(self.folder, f"{network}.fashion-mnist.{seed}")
        module = build(network, (1, 8, 8), 10, seed)
        options = Training(epochs=4, optimizer=Optimizer("adam", rate=0.003))
        train(module, self._examples("train"), options, seed=seed)
        return module.eval()

    def state(self, network: str, seed: int) -> State:
        return state_of(self.module(network, seed))

    def accuracy(self, network: str, state: State) -> float:
        module = copy_of(self.module(network, 0))
        module.load_state_dict({n: torch.from_numpy(np.asarray(v)) for n, v in state.items()})
        return round(accuracy(module, self.test), 4)


def state_of(module: nn.Module) -> State:
    """Names and arrays, none of them the module's own."""
    return {name: tensor.detach().numpy().copy() for name, tensor in module.state_dict().items()}
