"""One network, pruned in one way: how each method is run, and what is noted of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

from schedules import Gradual, Projected
from scope import GROWTH, RHO, SHARE, SOFT, STEPPING, TEMPERATURE, Job, Scope, left
from torch import nn

from assay.derivations import DERIVATIONS
from assay.derivations._teaching import Imitation
from assay.derivations.admm_prune import Alternation
from assay.running.modules import copy_of, outputs, weights
from assay.training import Optimizer, Training
from assay.zoo.grounds import Ground, in_bfloat16, pictures

Json = dict[str, Any]


@dataclass(frozen=True)
class Place:
    """A scope, and its grounds: the pictures; and, for dense networks, with their copies."""

    scope: Scope
    ground: Ground
    shifted: Ground

    def load(self, job: Job) -> nn.Module:
        """What a finished job has left."""
        return self.ground.load(job.file, self.ground.network(job.seed))


def place_of(scope: Scope, folder: Path, sets: Path | None) -> Place:
    """The data, where they lie in a folder of that name in ``sets`` or in the usual places."""

    def ground(copies: int) -> Ground:
        examples = pictures(scope.data, sets, copies, scope.limit)
        return Ground(*examples, folder, folder / "checkpoints", scope.width)

    return Place(scope, ground(0), ground(scope.copies))


def options(epochs: int, batch: int, rate: float, schedule: str = "cosine") -> Training:
    """Adam without decay."""
    return Training(epochs, batch, Optimizer("adam", rate, weight_decay=0, schedule=schedule))


def dense(job: Job, place: Place) -> Json:
    """The twin that is not pruned."""
    started = monotonic()
    module, training = place.ground.network(job.seed), place.scope
    history = place.shifted.train(
        module, options(training.dense_epochs, training.batch, 1e-3), job.seed
    )
    place.ground.save(job.file, module)
    accuracy = place.ground.percent(module)
    return {
        "dense": accuracy,
        "accuracy": accuracy,
        "seconds": round(monotonic() - started, 1),
        "losses": history.losses,
    }


def measure(job: Job, place: Place, split: Mapping[str, int] | None) -> Json:
    """Prune, keep the network, and say what came of it.

    ``split``: weights of each layer that are left; only gradual pruning needs none.
    """
    if not place.ground.path(job.twin.file).exists():  # the ledger may have come without it
        dense(job.twin, place)
    twin = place.load(job.twin)
    parent = copy_of(twin)
    of = sum(weight.numel() for weight in weights(parent).values())
    started = monotonic()
    if job.method in ("gradual", "one-shot", "projected"):
        counts = split if job.method != "gradual" else left(job.ratio, of)
        child, notes = by_magnitude(job, place, parent, counts)
    else:
        assert split is not None
        child, notes = by_admm(job, place, parent, split)
    place.ground.save(job.file, child)
    return {
        **judged(twin, child, place.ground),
        "seconds": round(monotonic() - started, 1),
        **notes,
    }


def judged(parent: nn.Module, child: nn.Module, ground: Ground) -> Json:
    """Accuracies in percent, and the weights of each layer that are left."""
    before, after = (ground.percent(module) for module in (parent, child))
    counts = {name: int(weight.count_nonzero()) for name, weight in weights(child).items()}
    of = sum(weight.numel() for weight in weights(child).values())
    return {
        "dense": before,
        "accuracy": after,
        "loss": round(before - after, 3),
        "left": counts,
        "weights": sum(counts.values()),
        "ratio": round(of / sum(counts.values()), 2),
    }


def by_magnitude(job: Job, place: Place, parent: nn.Module, counts: Any) -> tuple[nn.Module, Json]:
    """At once, along a cubic, or by a projection after each epoch; with soft answers."""
    scope, ground = place.scope, place.ground
    with in_bfloat16():
        answers = outputs(parent, ground.training.inputs)
    soft = Imitation(answers, TEMPERATURE, 1 - SOFT)
    epochs, notes = scope.epochs, Json()
    if job.method == "projected":  # half of the time, as ADMM draws; then under its mask
        epochs = scope.epochs // 2
        plain = Projected(soft, counts)
        training = options(scope.epochs - epochs, scope.batch, 1e-3, "constant")
        history = ground.train(parent, training, job.seed, plain)
        notes = {"residuals": plain.noted(), "drawing": history.losses}
    steps = epochs * (len(ground.training) // scope.batch)
    gradual = Gradual(soft, counts, steps, SHARE if job.method == "gradual" else 0.0)
    gradual.before(parent)
    history = ground.train(parent, options(epochs, scope.batch, 2e-3), job.seed, gradual)
    return parent, {**notes, "losses": history.losses}


def by_admm(
    job: Job, place: Place, parent: nn.Module, split: Mapping[str, int]
) -> tuple[nn.Module, Json]:
    """In one stage; or progressively in two, the first to half the ratio."""
    stages = [split]
    if job.method == "progressive":
        sizes = {name: weight.numel() for name, weight in weights(parent).items()}
        stages = [{n: min(sizes[n], STEPPING * count) for n, count in split.items()}, split]
    epochs, notes = place.scope.epochs // len(stages), Json()
    for counts in stages:
        drawing = epochs // 2
        method = DERIVATIONS["admm-prune"](
            keep=tuple(float(count) for count in counts.values()),
            choice="read",
            admm=Alternation(RHO, GROWTH ** (1 / drawing)),
            training=options(drawing, place.scope.batch, 1e-3, "constant"),
            retraining=options(epochs - drawing, place.scope.batch, 2e-3),
            soft_answers=SOFT,
        )
        made = place.ground.derive(method, parent, seed=job.seed)
        parent = made.module
        found = made.lineage.notes
        notes = {
            "residuals": found["residuals"],
            "drawing": found["trainings"][0]["losses"],
            "losses": found["trainings"][1]["losses"],
        }
    return parent, notes
