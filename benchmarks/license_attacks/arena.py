"""Pictures and networks of one job: who knows what."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from plan import HARDENED, LEVELS, NO_KEY, SCRATCH, Job
from safetensors.torch import load_file, save
from torch import nn

from assay.durable import write_whole
from assay.running.examples import Array, Examples
from assay.running.modules import accuracy, seed_of
from assay.zoo._making import task
from assay.zoo.networks import build

FILES = {LEVELS[0]: "3", LEVELS[1]: "2", NO_KEY: "4", HARDENED: "hardened"}


@dataclass(frozen=True)
class Arena:
    """What a job needs, out of data sets and of a folder of networks."""

    job: Job
    folder: Path
    sets: Path | None

    @cached_property
    def _all(self) -> Examples:
        return task(self.job.scope.task, "train", self.job.scope.most, self.sets)

    @property
    def examples(self) -> Examples:
        """What the owner's model has learned from."""
        return self._all.take(slice(self.job.scope.examples))

    @property
    def judge(self) -> Examples:
        """What the owner measures levels on."""
        first = self.job.scope.examples
        return self._all.take(slice(first, first + self.job.scope.judged))

    @property
    def tests(self) -> Examples:
        """What nobody has seen, owner or attacker."""
        scope = self.job.scope
        return task(scope.task, "test", scope.most, self.sets).take(slice(scope.tests))

    @property
    def foreign(self) -> Examples:
        """Another task's pictures; their labels are nobody's."""
        scope = self.job.scope
        found = task(scope.foreign, "train", scope.most, self.sets)
        return Examples(found.inputs[: scope.examples // 2])

    def some(self, count: int) -> Examples:
        """The first of a random order in which all classes come equally often."""
        return self.examples.take(balanced(self.examples.known_labels, self.seed("some"))[:count])

    def seed(self, *words: object) -> int:
        """Of this network and purpose."""
        return seed_of(self.job.scope.name, self.job.network, self.job.seed, *words)

    def fresh(self, purpose: str) -> nn.Module:
        """A network that has learned nothing."""
        scope, shape = self.job.scope, self.examples.inputs.shape[1:]
        made = build(self.job.network, shape, scope.classes, self.seed(purpose), scope.width)
        return made.eval().to(memory_format=torch.channels_last)

    def start(self, name: str) -> nn.Module:
        """What an attacker begins with; the whole model by the name ``0``."""
        if name == SCRATCH:
            return self.fresh("attacker")
        made = self.fresh("attacker")
        made.load_state_dict(load_file(self.path(FILES.get(name, name))))
        return made

    def path(self, name: str) -> Path:
        """Where a network is kept."""
        job = self.job
        words = f"{job.scope.name}.{job.network}.{job.seed}.{name}"
        return self.folder / f"{words}.safetensors"

    def keep(self, name: str, module: nn.Module) -> None:
        """Keeps a network for the jobs that follow."""
        self.folder.mkdir(parents=True, exist_ok=True)
        state = {key: tensor.contiguous() for key, tensor in module.state_dict().items()}
        write_whole(self.path(name), save(state))

    def judged(self, module: nn.Module) -> float:
        """The accuracy that tables show."""
        return round(accuracy(module, self.tests), 4)


def balanced(labels: Array, seed: int) -> Array:
    """(n,) a random order of examples whose beginnings have each class about equally often."""
    order = np.random.default_rng(seed).permutation(len(labels))
    turn = np.empty(len(labels), np.int64)  # (n,) how many of its class come before
    for label in np.unique(labels):
        rows = order[labels[order] == label]
        turn[rows] = np.arange(len(rows))
    found: Array = order[np.argsort(turn[order], kind="stable")]
    return found
