"""What is trained, pruned and tuned: data, networks, rates, levels, and how long each stage is."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from assay.training import Optimizer, Training

DENSE = "dense"
PENALTIES = ("l1", "polarization")
VGG_19, VGG_16, DENSENET, RESNET = "vgg-19", "vgg-16", "densenet-40", "resnet-56"
TABLE_1 = (0.1, 0.6, 0.7, 1.0, 2.0, 3.0, 7.0, 10.0)  # percent of the channels
TABLE_2 = (0.02, 0.1, 0.3, 0.5, 1.0)  # rates of learning
GRADES = ((2.0, 2.0), (7.0, 12.0), (10.0, 20.0))  # rate, and how many points below the original
SAME_RATE = (2.0, 7.0, 12.0, 17.0)  # points below the original, of method two


def sgd(epochs: int, rate: float, schedule: Literal["cosine", "constant"] = "cosine") -> Training:
    """SGD with a momentum of .9 and the usual weight decay."""
    return Training(epochs, 64, Optimizer(rate=rate, schedule=schedule))


@dataclass(frozen=True)
class Network:
    """What is done with one network."""

    pictures: int  # that it learns; where there are fewer, all
    rates: tuple[float, ...]  # percent that are pruned, and tuned alike
    grades: tuple[tuple[float, float], ...] = GRADES  # of method one
    fixed: float = 0.0  # rate of method two, if it is used
    steps: tuple[float, ...] = ()  # rates of learning of its tunings
    on: tuple[str, ...] = ()  # data sets; none: all


@dataclass(frozen=True)
class Scope:
    """What a run of the script does."""

    data: tuple[str, ...]
    networks: Mapping[str, Network]
    width: float
    seeds: int
    dense: Training
    sparse: Training
    tuning: Training
    careful: Training  # small steps on few pictures, until a level's accuracy is met
    few: int
    chosen_by: int  # pictures by which a level's end is chosen, neither learned nor judged by
    judged: int
    strengths: Mapping[str, float] = field(default_factory=dict)  # λ of each penalty
    balance: float = 1.2  # t of polarization
    longer: Mapping[str, int] = field(default_factory=dict)  # times as many epochs, of few pictures

    def __hash__(self) -> int:
        return hash(repr(self))

    def of(self, data: str) -> Scope:
        """The same with the epochs of that data set."""
        times = self.longer.get(data, 1)
        stages = (self.dense, self.sparse, self.tuning)
        dense, sparse, tuning = (replace(each, epochs=times * each.epochs) for each in stages)
        return replace(self, dense=dense, sparse=sparse, tuning=tuning)

    def strong(self, step: float) -> Training:
        """The tuning with another rate of learning, which stays."""
        return replace(self.tuning, optimizer=Optimizer(rate=step, schedule="constant"))


_LARGE = ("fashion-mnist",)
_PAPER = {DENSENET: ("cifar-100",)}  # the others on CIFAR-10
HERE = Scope(
    data=("fashion-mnist", "digits"),
    networks={
        VGG_19: Network(10_000, TABLE_1),
        VGG_16: Network(10_000, (2.0, 7.0, 10.0)),
        DENSENET: Network(6_000, (), grades=(), fixed=10.0, steps=TABLE_2, on=_LARGE),
        RESNET: Network(10_000, (0.6, 2.0, 7.0, 10.0), on=_LARGE),
    },
    width=0.25,
    seeds=3,
    dense=sgd(10, 0.05),
    sparse=sgd(5, 0.02),
    tuning=sgd(2, 0.02),
    careful=sgd(40, 2e-3, "constant"),
    few=1_024,
    chosen_by=1_000,
    judged=4_000,
    strengths={"l1": 0.01, "polarization": 0.03},
    longer={"digits": 6},
)
# for who has a GPU: the schedules of network slimming and of polarization, all pictures
FULL = replace(
    HERE,
    data=("cifar-10", "cifar-100"),
    networks={
        name: replace(about, pictures=48_000, on=_PAPER.get(name, ("cifar-10",)))
        for name, about in HERE.networks.items()
    },
    width=1.0,
    dense=sgd(160, 0.1),
    sparse=sgd(160, 0.1),
    tuning=sgd(40, 0.01),
    few=5_000,
    chosen_by=2_000,
    judged=10_000,
    strengths={"l1": 1e-4, "polarization": 3e-5},
    longer={},
)
SMALL = replace(
    HERE,
    data=("digits",),
    networks={
        VGG_19: Network(800, (0.6, 10.0), grades=GRADES[1:2]),
        DENSENET: Network(64, (), grades=(), fixed=7.0, steps=(0.02,)),
    },
    width=0.125,
    seeds=1,
    dense=sgd(10, 0.05),
    sparse=sgd(2, 0.02),
    tuning=sgd(2, 0.05),
    careful=sgd(2, 1e-2, "constant"),
    few=64,
    chosen_by=50,
    judged=100,
    longer={},
)


@dataclass(frozen=True)
class Job:
    """One cell: a network trained, or pruned and tuned."""

    kind: str  # trained, tuned, levels
    data: str
    network: str
    seed: int
    penalty: str
    scope: Scope
    rate: float = 0.0  # percent of the channels
    step: float | None = None  # learning rate of the tuning; None: that of all
    lower: tuple[float, ...] = ()  # points below the original, of each level

    @property
    def key(self) -> str:
        words = [self.data, self.network, str(self.seed), self.penalty, self.kind]
        words += [f"{self.rate:g} %"] if self.kind != "trained" else []
        words += [f"step {self.step:g}"] if self.step is not None else []
        return "/".join([*words, *(f"-{points:g}" for points in self.lower)])

    @property
    def behavior(self) -> str:
        """All that decides the result: another one is another cell."""
        scope = self.scope
        return f"{self.start(self.penalty)} {self._tuning} judged={scope.judged} {scope.chosen_by}"

    @property
    def _tuning(self) -> str:
        scope = self.scope
        if self.kind == "trained":
            return ""
        if self.kind == "levels":
            return f"{scope.careful!r} of {scope.few}"
        return repr(scope.tuning if self.step is None else scope.strong(self.step))

    def start(self, penalty: str) -> str:
        """All that decides the network that is pruned, or the one that it was before."""
        scope, about = self.scope, self.scope.networks[self.network]
        made = f"width={scope.width:g} of {about.pictures} without {scope.chosen_by} {scope.dense}"
        if penalty == DENSE:
            return made
        pressed = f"{penalty} {scope.strengths[penalty]:g} t={scope.balance:g}"
        return f"{made}; {scope.sparse} {pressed}"

    def file(self, penalty: str) -> str:
        """The name of that network's file."""
        made = hashlib.sha256(self.start(penalty).encode()).hexdigest()[:8]
        return f"{self.data}-{self.network}-{self.seed}-{penalty}-{made}"


def jobs(scope: Scope) -> Iterator[Job]:
    """All of them, a whole seed after the other; first whether each network learns at all."""
    for seed in range(scope.seeds):
        cells = [
            job
            for name in scope.data
            for network, about in scope.networks.items()
            if not about.on or name in about.on
            for job in _cells(name, network, seed, scope.of(name))
        ]
        yield from sorted(cells, key=lambda job: job.penalty != DENSE)


def _cells(data: str, network: str, seed: int, scope: Scope) -> Iterator[Job]:
    about = scope.networks[network]
    for penalty in (DENSE, *PENALTIES):
        job = Job("trained", data, network, seed, penalty, scope)
        yield job
        if penalty == DENSE:
            continue
        cut = replace(job, kind="tuned")
        yield from (replace(cut, rate=rate) for rate in about.rates)
        yield from (replace(cut, rate=about.fixed, step=step) for step in about.steps)
        level = replace(job, kind="levels")
        yield from (replace(level, rate=rate, lower=(points,)) for rate, points in about.grades)
        if about.fixed:
            yield replace(level, rate=about.fixed, lower=SAME_RATE)
