"""What each job measures."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from typing import cast

import numpy as np
import torch
from networks import build
from plan import DENSE, Job
from torch import nn

from assay.errors import Diverged
from assay.running.channels import Group, narrow
from assay.running.examples import Array, Examples
from assay.running.find_channels import find_channels
from assay.running.modules import copy_of, outputs
from assay.running.normalization import recalibrate
from assay.running.removal import gammas, importance, removable
from assay.training import Around, train
from assay.training.sparsity import Kind, Sparse, scales
from assay.values import Json
from assay.zoo.grounds import Ground

ONE = 7  # the label that Table 3 tells of: horses of CIFAR-10, sneakers of Fashion-MNIST
STATISTICS = 1_024  # pictures of which running statistics are taken
NEAR_ZERO = 0.05  # of a scale


@dataclass(frozen=True)
class Place:
    """Pictures to learn, to choose a level's end by and to judge by, and where files lie."""

    ground: Ground
    chosen_by: Examples
    device: str = "cpu"
    cuts: dict[tuple[str, float], Json] = field(default_factory=dict)  # what is known of them

    def fresh(self, job: Job) -> nn.Module:
        """A network that has learned nothing."""
        shape, classes = self.ground.test.inputs.shape[1:], self.ground.training.classes
        made = build(job.network, shape, classes, job.seed, job.scope.width)
        return made.to(memory_format=torch.channels_last)

    def load(self, job: Job, penalty: str) -> nn.Module:
        """The job's network as it was trained, densely or with a penalty; trained where needed."""
        if not self.ground.path(job.file(penalty)).exists():  # the ledger may have come without it
            trained(replace(job, kind="trained", penalty=penalty), self)
        return self.ground.load(job.file(penalty), self.fresh(job))

    def groups(self, job: Job) -> list[Group]:
        """The channels that can go one by one: the same ones whatever the weights are."""
        test, classes = self.ground.test, self.ground.training.classes
        return _groups(job.network, test.inputs.shape[1:], classes, job.scope.width)

    def learn(self, pictures: int) -> Examples:
        """The first of those that networks learn."""
        return self.ground.training.take(slice(pictures))

    @contextmanager
    def quickly(self, module: nn.Module) -> Iterator[None]:
        """The module on the device, and products in bfloat16; afterwards on the processor."""
        module.to(self.device)
        kind = torch.device(self.device).type
        try:
            with torch.autocast(kind, dtype=torch.bfloat16, cache_enabled=False):
                yield
        finally:
            module.to("cpu")

    def judge(self, module: nn.Module, examples: Examples | None = None) -> Json:
        """What the module's answers are worth, in float32; by default to pictures for testing."""
        some = examples or self.ground.test
        home = next(module.parameters()).device
        with torch.autocast(torch.device(self.device).type, enabled=False):
            answers = outputs(module.to(self.device), some.inputs)  # (n, classes)
        module.to(home)
        return said(answers, some.known_labels)


def said(answers: Array, labels: Array) -> Json:
    """Top-1 and top-3 in percent, of all classes and of one, and that one's mean probabilities.

    ``answers``: (n, classes); ``labels``: (n,).
    """
    first = np.argsort(-answers, axis=1, kind="stable")[:, :3]  # (n, 3)
    hits = first == labels[:, None]
    own = labels == ONE
    powers = np.exp(answers[own].astype(np.float64) - answers[own].max(1, keepdims=True))
    chances = (powers / powers.sum(1, keepdims=True)).mean(0)  # (classes,)
    return {
        "top1": _percent(hits[:, 0]),
        "top3": _percent(hits.any(1)),
        "one": {
            "top1": _percent(hits[own, 0]),
            "top3": _percent(hits[own].any(1)),
            "probabilities": [round(float(each), 4) for each in chances],
        },
    }


def _percent(hits: Array) -> float:
    return round(100 * float(hits.mean()), 2)


@cache
def _groups(network: str, shape: tuple[int, ...], classes: int, width: float) -> list[Group]:
    module = build(network, shape, classes, 0, width).eval()
    example = torch.randn(2, *shape, generator=torch.Generator().manual_seed(0))
    ranked = [group for group in find_channels(module, example).groups if gammas(group)]
    return removable(module, example, ranked)


def trained(job: Job, place: Place) -> Json:
    """A network from scratch; or that one, trained on with a penalty on its scales."""
    scope, objective, training = job.scope, None, job.scope.dense
    if job.penalty == DENSE:
        module = place.fresh(job)
    else:
        module, training, kind = place.load(job, DENSE), scope.sparse, cast(Kind, job.penalty)
        strength = scope.strengths[job.penalty]
        objective = Sparse(strength, scales(module), kind=kind, balance=scope.balance)
    data = place.learn(scope.networks[job.network].pictures)
    state = place.ground.checkpoints / job.file(job.penalty)
    with place.quickly(module):
        train(module, data, training, objective=objective, seed=job.seed, checkpoint=state)
    place.ground.save(job.file(job.penalty), module)
    shutil.rmtree(state)
    every = np.concatenate([importance(module, gammas(group)) for group in place.groups(job)])
    return {
        "judged": place.judge(module),
        "channels": len(every),
        "parameters": sum(parameter.numel() for parameter in module.parameters()),
        "near_zero": round(float((every < NEAR_ZERO).mean()), 3),
        "largest_scale": round(float(every.max()), 3),
    }


def pruned(module: nn.Module, groups: Sequence[Group], rate: float) -> tuple[nn.Module, Json]:
    """A copy without that share of the channels, of all layers those with the largest scales.

    No layer is emptied: the last channel of each stays.
    """
    ranking = sorted(
        (-float(value), place, channel)
        for place, group in enumerate(groups)
        for channel, value in enumerate(importance(module, gammas(group)))
    )
    gone: list[list[int]] = [[] for _ in groups]
    left = wanted = round(rate * len(ranking))
    for _, place, channel in ranking:
        if left and len(gone[place]) < groups[place].size - 1:
            gone[place].append(channel)
            left -= 1
    kept = [
        (group, np.setdiff1d(np.arange(group.size), each))
        for group, each in zip(groups, gone, strict=True)
    ]
    found = copy_of(module)
    narrow(found, kept)
    return found, {
        "removed": wanted - left,
        "of": len(ranking),
        "fewest_left": round(min(len(numbers) / group.size for group, numbers in kept), 3),
        "parameters": sum(parameter.numel() for parameter in found.parameters()),
    }


def cut(job: Job, place: Place) -> tuple[nn.Module, Json]:
    """The job's network without its largest channels, and what that is worth."""
    whole, name = place.load(job, job.penalty), (job.file(job.penalty), job.rate)
    module, about = pruned(whole, place.groups(job), job.rate / 100)
    module.to(memory_format=torch.channels_last)
    if name not in place.cuts:
        again, most = copy_of(module), job.scope.networks[job.network].pictures
        recalibrate(again, place.learn(min(STATISTICS, most)).inputs)
        anew = place.judge(again)["top1"]
        place.cuts[name] = {"pruned": place.judge(module), "statistics_anew": anew}
    return module, about | place.cuts[name]


def tuned(job: Job, place: Place) -> Json:
    """Pruned at a rate, and tuned as all rates are or with a learning rate of its own."""
    module, about = cut(job, place)
    training = job.scope.tuning if job.step is None else job.scope.strong(job.step)
    data = place.learn(job.scope.networks[job.network].pictures)
    try:
        with place.quickly(module):
            train(module, data, training, seed=job.seed)
    except Diverged as error:
        return about | {"diverged": str(error)}
    return about | {"tuned": place.judge(module)}


class UntilMet(Around):
    """Cross entropy until accuracies are met one after the other; each is noted."""

    def __init__(self, place: Place, targets: Sequence[float]) -> None:
        """``targets``: percent of ``place.chosen_by``, rising."""
        super().__init__(None)
        self.place, self.targets = place, targets
        self.curve: list[float] = []
        self.noted: list[Json] = []

    def after_epoch(self, module: nn.Module, epoch: int) -> None:
        super().after_epoch(module, epoch)
        met = self.place.judge(module, self.place.chosen_by)["top1"]
        self.curve.append(met)
        while not self.finished() and met >= self.targets[len(self.noted)]:
            about = {"target": self.targets[len(self.noted)], "epoch": epoch, "chosen": met}
            self.noted.append(about | {"tuned": self.place.judge(module)})

    def finished(self) -> bool:
        return len(self.noted) == len(self.targets)


def levels(job: Job, place: Place) -> Json:
    """Pruned, and tuned by small steps until one or several accuracies are met."""
    module, about = cut(job, place)
    original = place.judge(place.load(job, DENSE), place.chosen_by)["top1"]
    until = UntilMet(place, [round(original - each, 2) for each in sorted(job.lower)[::-1]])
    with place.quickly(module):
        data, training = place.learn(job.scope.few), job.scope.careful
        train(module, data, training, objective=until, seed=job.seed)
    about |= {"original": original, "lower": [*job.lower], "curve": until.curve}
    return about | {"levels": until.noted[::-1]}
