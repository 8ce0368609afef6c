"""What is trained: data, schedules and rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from assay.derivations import DERIVATIONS
from assay.training import Optimizer, Training
from assay.zoo.grounds import Ground

PUBLISHED = (100, 2_000, 3_600, 350)  # weights left of 500, 25,000, 400,000 and 5,000
CONVOLUTIONS = (100, 1_800, 1, 1)  # of 500 and 25,000: 13.4 times fewer; the rest stays whole
DENSE, LONGER, SHOT = "dense", "dense, as many epochs in all", "one-shot magnitude"
ADMM, OURS = "admm-prune", "admm-prune, weights read and soft answers"
FEWER = "admm-prune, convolutions only"
TAUGHT = (OURS, FEWER)  # rows that learn soft answers
SLOW, SLOW_DENSE = "admm-prune, published schedule", "dense, published schedule"
ROWS = (DENSE, OURS, ADMM, SHOT, LONGER, FEWER, SLOW_DENSE, SLOW)
TWINS = {ADMM: DENSE, OURS: DENSE, SHOT: DENSE, LONGER: DENSE, FEWER: DENSE, SLOW: SLOW_DENSE}


@dataclass(frozen=True)
class Schedule:
    """How long each stage is, in epochs of the data's own number of pictures."""

    dense: int
    drawn: int  # while ADMM draws the weights to few
    tuned: int  # what is left
    rho: float  # at the beginning of ADMM
    growth: float  # of ρ, after each epoch of ADMM
    copies: int = 0  # of every picture, shifted at random, beside it: an epoch is one of all
    batch: int = 64
    keep: tuple[int, ...] = PUBLISHED
    shared: bool = False  # whether soft answers are the mean of the dense twins of all seeds

    def training(self, epochs: int, rate: float = 2e-3) -> Training:
        """Adam without weight decay; the rate falls as a cosine."""
        optimizer = Optimizer("adam", rate, weight_decay=0.0)
        return Training(epochs // (self.copies + 1), self.batch, optimizer)


@dataclass(frozen=True)
class Scope:
    """What a run of the script does."""

    schedules: Mapping[str, Schedule]
    seeds: int
    slow: str  # the data on which the published schedule is run, once
    steps: int = 5_000  # of that schedule, between two updates of Z and U
    updates: int = 30  # of that schedule


PAPER = Scope(
    {
        "mnist": Schedule(20, 40, 24, rho=2e-3, growth=1.35, copies=1, batch=128),
        "fashion-mnist": Schedule(12, 24, 56, rho=4e-3, growth=1.3, batch=128, shared=True),
    },
    seeds=5,
    slow="fashion-mnist",
)
SMALL = Scope(
    {"digits": Schedule(2, 2, 2, rho=0.1, growth=3, keep=(100, 2_000, 900, 350), shared=True)},
    seeds=2,
    slow="digits",
    steps=30,
    updates=3,
)


@dataclass(frozen=True)
class Run:
    """A network of one row, on one data set, from one seed."""

    data: str
    row: str
    seed: int
    scope: Scope

    @property
    def key(self) -> str:
        return f"{self.data}/{self.seed}/{self.row}"

    @property
    def file(self) -> str:
        """The name of its network's file."""
        return self.key.replace("/", "-").replace(" ", "_")

    @property
    def twin(self) -> Run | None:
        """What it is made from; a dense network is made from nothing."""
        twin = TWINS.get(self.row)
        return Run(self.data, twin, self.seed, self.scope) if twin and self.method else None

    @property
    def teachers(self) -> list[Run]:
        """Whose soft answers it learns; where there are none, those of its twin."""
        if not self.schedule.shared or self.row not in TAUGHT:
            return []
        return [Run(self.data, DENSE, seed, self.scope) for seed in range(self.scope.seeds)]

    @property
    def schedule(self) -> Schedule:
        return self.scope.schedules[self.data]

    @property
    def behavior(self) -> str:
        """All that decides the result: another one is another run."""
        made = f"{self.method!r} {self.training!r} copies={self.schedule.copies}"
        made += f" taught by {len(self.teachers)}" if self.teachers else ""
        return made if self.twin is None else f"{made} of {self.twin.behavior}"

    @property
    def training(self) -> Training:
        """That of a network from scratch."""
        schedule = self.schedule
        if self.row == SLOW_DENSE:
            return self._published(4 * self._epochs(self.scope.steps))
        longer = schedule.drawn + schedule.tuned if self.row == LONGER else 0
        return schedule.training(schedule.dense + longer)

    @property
    def method(self) -> Any:
        """The derivation; None for a network from scratch."""
        admm: Any = DERIVATIONS["admm-prune"]
        schedule = self.schedule
        drawn = {
            "keep": schedule.keep,
            "admm": _alternation(schedule.rho, schedule.growth),
            "training": schedule.training(schedule.drawn),
            "retraining": schedule.training(schedule.tuned, 1e-3),
        }
        learned = {"choice": "read", "soft_answers": 0.9}
        if self.row == ADMM:
            return admm(**drawn)
        if self.row == OURS:
            return admm(**drawn, **learned)
        if self.row == FEWER:
            return admm(**drawn | learned | {"keep": CONVOLUTIONS})
        if self.row == SHOT:
            magnitude: Any = DERIVATIONS["magnitude-prune"]
            both = schedule.training(schedule.drawn + schedule.tuned)
            rate = 1 - 6_050 / 430_500
            return magnitude(rate=rate, scope="global", training=both)
        if self.row == SLOW:
            every = self._epochs(self.scope.steps)
            return admm(
                keep=schedule.keep,
                admm=_alternation(1e-4, 1.0, every),
                training=self._published(self.scope.updates * every, decay=0.0),
                retraining=self._published(4 * self._epochs(self.scope.steps)),
            )
        return None

    def _epochs(self, steps: int) -> int:
        pictures = {"mnist": 60_000, "fashion-mnist": 60_000, "digits": 1_438}[self.data]
        return max(1, round(steps * 50 / pictures))

    def _published(self, epochs: int, decay: float = 5e-5) -> Training:
        optimizer = Optimizer("adam", 1e-3, weight_decay=decay, schedule="constant")
        return Training(epochs, 50, optimizer)

    def network(self, place: Ground) -> nn.Module:
        """LeNet-5 from the seed; dropout before the head where the paper has it."""
        network = place.network(self.seed)
        if self.row in (SLOW, SLOW_DENSE):
            network.stage3.append(nn.Dropout(0.5))
        return network


def _alternation(rho: float, growth: float, every: int = 1) -> Any:
    """ADMM's options, of the type of the method's own."""
    admm: Any = DERIVATIONS["admm-prune"]
    return type(admm().admm)(rho=rho, growth=growth, every=every)


def runs(scope: Scope) -> Iterator[Run]:
    """All of them, in the order in which they are done: what matters most first."""
    for row in (DENSE, OURS, ADMM, SHOT, FEWER, LONGER):
        for data in scope.schedules:
            yield from (Run(data, row, seed, scope) for seed in range(scope.seeds))
    yield Run(scope.slow, SLOW_DENSE, 0, scope)
    yield Run(scope.slow, SLOW, 0, scope)
