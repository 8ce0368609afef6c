"""One network, pruned in one way: how each method is run, and what is noted of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from schedules import Gradual, Projected
from scope import Job, Scope, left
from torch import Tensor, nn

from assay.derivations import DERIVATIONS
from assay.derivations._admm import Alternation
from assay.derivations._teaching import Imitation
from assay.running.examples import Examples
from assay.running.modules import accuracy, copy_of, outputs, weights
from assay.training import Optimizer, Training, train
from assay.zoo.datasets import load, shifted
from assay.zoo.networks import build

Json = dict[str, Any]
SOFT, TEMPERATURE = 0.9, 4.0  # share of the parent's soft answers in the loss
RHO, GROWTH = 2e-3, 360.0  # of ADMM: at first, and how many times larger at last
STEPPING = 2  # progressive: half the ratio first


@dataclass(frozen=True)
class Ground:
    """Data and where networks are kept."""

    scope: Scope
    training: Examples
    test: Examples
    folder: Path

    def network(self, seed: int) -> nn.Sequential:
        made = build("lenet-5", self.test.inputs.shape[1:], 10, seed, self.scope.width)
        made.to(memory_format=torch.channels_last)
        made.register_forward_hook(_widened)
        return made

    def path(self, job: Job) -> Path:
        return self.folder / f"{job.key.replace(', ', '-').replace(' ', '')}.safetensors"

    def load(self, job: Job) -> nn.Sequential:
        """What a finished job has left."""
        module = self.network(job.seed)
        module.load_state_dict(load_file(self.path(job)))
        return module.eval()

    def save(self, job: Job, module: nn.Module) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        state = {name: tensor.contiguous() for name, tensor in module.state_dict().items()}
        save_file(state, self.path(job))


def ground(scope: Scope, folder: Path, sets: Path | None) -> Ground:
    """The data, where they lie in a folder of that name in ``sets`` or in the usual places."""
    place = None if sets is None else sets / scope.data
    training, test = (
        _some(load(scope.data, split, place), scope.limit) for split in ("train", "test")
    )
    return Ground(scope, shifted(training, scope.copies), test, folder)


def _some(examples: Examples, limit: int | None) -> Examples:
    """At random: they may lie sorted by their labels."""
    if limit is None:
        return examples
    return examples.take(np.random.default_rng(0).permutation(len(examples))[:limit])


def _widened(module: nn.Module, given: Any, output: Tensor) -> Tensor:
    """Losses are computed in float32."""
    return output.float()


@contextmanager
def quick() -> Iterator[None]:
    """Products in bfloat16, weights and sums in float32: three times faster on some processors."""
    with torch.autocast("cpu", dtype=torch.bfloat16, cache_enabled=False):  # weights change
        yield


def options(epochs: int, batch: int, rate: float, schedule: str = "cosine") -> Training:
    """Adam without decay."""
    return Training(epochs, batch, Optimizer("adam", rate, weight_decay=0, schedule=schedule))


def dense(job: Job, ground: Ground) -> nn.Sequential:
    """The twin that is not pruned; trained once."""
    twin = job.like("dense", 1)
    if not ground.path(twin).exists():
        module, scope = ground.network(job.seed), ground.scope
        with quick():
            training = options(scope.dense_epochs, scope.batch, 1e-3)
            train(module, ground.training, training, seed=job.seed, checkpoint=ground.folder)
        ground.save(twin, module)
    return ground.load(twin)


def measure(job: Job, ground: Ground, split: Mapping[str, int] | None) -> Json:
    """Prune, keep the network, and say what came of it.

    ``split``: weights of each layer that are left; only gradual pruning needs none.
    """
    twin = dense(job, ground)
    parent = copy_of(twin)
    of = sum(weight.numel() for weight in weights(parent).values())
    started = monotonic()
    with quick():
        if job.method in ("gradual", "one-shot", "projected"):
            counts = split if job.method != "gradual" else left(job.ratio, of)
            child, notes = by_magnitude(job, ground, parent, counts)
        else:
            assert split is not None
            child, notes = by_admm(job, ground, parent, split)
    ground.save(job, child)
    return {
        **judged(twin, child, ground.test),
        "seconds": round(monotonic() - started, 1),
        **notes,
    }


def judged(parent: nn.Module, child: nn.Module, test: Examples) -> Json:
    """Accuracies in percent, and the weights of each layer that are left."""
    before, after = (100 * accuracy(module, test) for module in (parent, child))
    counts = {name: int(weight.count_nonzero()) for name, weight in weights(child).items()}
    of = sum(weight.numel() for weight in weights(child).values())
    return {
        "dense": round(before, 3),
        "accuracy": round(after, 3),
        "loss": round(before - after, 3),
        "left": counts,
        "weights": sum(counts.values()),
        "ratio": round(of / sum(counts.values()), 2),
    }


def by_magnitude(
    job: Job, ground: Ground, parent: nn.Module, counts: Any
) -> tuple[nn.Module, Json]:
    """At once, along a cubic, or by a projection after each epoch; with soft answers."""
    scope, data = ground.scope, ground.training
    soft = Imitation(outputs(parent, data.inputs), TEMPERATURE, 1 - SOFT)
    epochs, notes = scope.epochs, Json()
    if job.method == "projected":  # half of the time, as ADMM draws; then under its mask
        epochs = scope.epochs // 2
        plain = Projected(soft, counts)
        training = options(scope.epochs - epochs, scope.batch, 1e-3, "constant")
        history = train(parent, data, training, objective=plain, seed=job.seed)
        notes = {"residuals": plain.noted(), "drawing": history.losses}
    steps = epochs * (len(data) // scope.batch)
    gradual = Gradual(soft, counts, steps, 0.6 if job.method == "gradual" else 0.0)
    gradual.before(parent)
    training = options(epochs, scope.batch, 2e-3)
    history = train(
        parent, data, training, objective=gradual, seed=job.seed, checkpoint=ground.folder
    )
    return parent, {**notes, "losses": history.losses}


def by_admm(
    job: Job, ground: Ground, parent: nn.Module, split: Mapping[str, int]
) -> tuple[nn.Module, Json]:
    """In one stage; or progressively in two, the first to half the ratio."""
    stages = [split]
    if job.method == "progressive":
        sizes = {name: weight.numel() for name, weight in weights(parent).items()}
        stages = [{n: min(sizes[n], STEPPING * count) for n, count in split.items()}, split]
    epochs, notes = ground.scope.epochs // len(stages), Json()
    for counts in stages:
        drawing = epochs // 2
        method = DERIVATIONS["admm-prune"](
            keep=tuple(float(count) for count in counts.values()),
            choice="read",
            admm=Alternation(RHO, GROWTH ** (1 / drawing)),
            training=options(drawing, ground.scope.batch, 1e-3, "constant"),
            retraining=options(epochs - drawing, ground.scope.batch, 2e-3),
            soft_answers=SOFT,
        )
        made = method.derive(parent, data=ground.training, seed=job.seed, checkpoint=ground.folder)
        parent = made.module
        found = made.lineage.notes
        notes = {
            "residuals": found["residuals"],
            "drawing": found["trainings"][0]["losses"],
            "losses": found["trainings"][1]["losses"],
        }
    return parent, notes
