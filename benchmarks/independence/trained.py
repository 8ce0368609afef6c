"""Networks that the benchmark trains; what lies in its folder is not trained again."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from math import ceil
from pathlib import Path

import torch
from safetensors.torch import save
from torch import nn

from assay.durable import write_whole
from assay.formats import read
from assay.running.examples import Examples
from assay.running.modules import seeded
from assay.sketches import Readings, sketch
from assay.sketches.readings import registered
from assay.training import Objective, Optimizer, Training, train
from assay.values import WeightSketch
from assay.zoo.datasets import load, shuffled_labels
from assay.zoo.networks import NETWORKS, build

_CLASSES = 10  # of every data set here


@dataclass(frozen=True, slots=True)
class Data:
    """Some rows of a data set, as they are or with labels that mean nothing."""

    name: str  # of a data set, "/shuffled" behind it where its labels are
    examples: int
    first: int = 0


@dataclass(frozen=True, slots=True)
class Way:
    """How it is trained, at a constant rate, and after which steps its weights are kept."""

    steps: tuple[int, ...]  # 0: untouched
    optimizer: str = "adam"
    rate: float = 2e-3
    batch: int = 64


@dataclass(frozen=True, slots=True)
class Run:
    """One training."""

    network: str  # of the zoo; "linear" is a single layer
    data: Data
    way: Way
    seed: int  # of the first weights
    order: int  # seed of the order of examples

    def file(self, step: int) -> str:
        digits = hashlib.sha256(repr(self).encode()).hexdigest()[:12]
        return f"{self.network}.{self.seed}.{digits}.{step}.safetensors"


class _Kept(Objective):
    """Cross entropy; writes the weights after some steps."""

    def __init__(self, run: Run, folder: Path) -> None:
        self.run, self.folder, self.step = run, folder, 0

    def write(self, module: nn.Module) -> None:
        state = {name: tensor.contiguous() for name, tensor in module.state_dict().items()}
        write_whole(self.folder / self.run.file(self.step), save(state))

    def after_step(self, module: nn.Module) -> None:
        self.step += 1
        if self.step in self.run.way.steps:
            self.write(module)


def made(run: Run, folder: Path, sets: Path | None) -> dict[int, Path]:
    """The file after each step; trained where one is not there yet."""
    files = {step: folder / run.file(step) for step in run.way.steps}
    if not all(file.exists() for file in files.values()):
        folder.mkdir(parents=True, exist_ok=True)
        _train(run, folder, sets)
    return files


def _train(run: Run, folder: Path, sets: Path | None) -> None:
    examples, way = _examples(run.data, sets), run.way
    module, kept = _network(run, examples), _Kept(run, folder)
    if 0 in way.steps:
        kept.write(module)
    if max(way.steps) > 0:
        optimizer = Optimizer(way.optimizer, way.rate, weight_decay=0.0, schedule="constant")
        epochs = ceil(max(way.steps) * way.batch / (len(examples) - way.batch + 1))
        train(
            module, examples, Training(epochs, way.batch, optimizer), objective=kept, seed=run.order
        )


def _network(run: Run, examples: Examples) -> nn.Module:
    """With its first weights."""
    torch.set_num_threads(1)
    shape = examples.inputs.shape[1:]
    if run.network in NETWORKS:
        return build(run.network, shape, _CLASSES, run.seed)
    with seeded(run.seed):
        return nn.Sequential(nn.Flatten(), nn.Linear(examples.inputs[0].size, _CLASSES))


@cache
def _examples(data: Data, sets: Path | None) -> Examples:
    name, _, part = data.name.partition("/")
    own = None if sets is None or name == "digits" else sets / name
    examples = load(name, "train", own)
    if part == "shuffled":
        examples = shuffled_labels(examples, 0)
    return examples.take(slice(data.first, data.first + data.examples))


def sketched(file: Path, key: bytes, readings: Readings = registered) -> WeightSketch:
    """The codes of a file's weights."""
    return sketch(read(file).weights.values(), key, readings)
