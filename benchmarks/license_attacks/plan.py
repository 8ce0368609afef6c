"""What is attacked, by whom, and with what: a job is one cell of the tables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

NO_KEY, HARDENED, SCRATCH = "no key", "no key, hardened", "scratch"
LEVELS = ("level 3", "level 2")
FOREIGN = "foreign"
VERSION = 1  # of what the jobs do: raised where another result is to be expected


@dataclass(frozen=True)
class Scope:
    """A task, its networks, and how much of everything."""

    name: str
    task: str  # of the zoo
    foreign: str  # another task's pictures, of the same size
    most: int  # pictures of the data sets, before the tasks' classes are chosen
    classes: int
    examples: int  # that the owner's model has learned from: all that an attacker can have
    judged: int  # others, on which the owner measures his levels
    tests: int  # that only these tables are measured on
    unlabelled: int  # inputs without labels
    counts: tuple[int, ...]  # of examples with labels
    epochs: tuple[int, ...]  # of a training on each
    owner_epochs: int
    hardening: int  # steps
    falls: tuple[float, ...] = (0.05, 0.15, 0.25)  # of the levels 1, 2 and 3
    networks: tuple[str, ...] = ("vgg", "resnet", "mobilenet")
    seeds: int = 3
    width: float = 0.5


GARMENTS = Scope(
    name="garments",
    task="fashion-mnist/garments",
    foreign="fashion-mnist/accessories",
    most=26_000,
    classes=5,
    examples=10_000,
    judged=1_000,
    tests=2_500,
    unlabelled=1_500,
    counts=(10, 100, 1_000, 10_000),
    epochs=(120, 60, 16, 4),
    owner_epochs=6,
    hardening=80,
)
DIGITS = Scope(
    name="digits",
    task="digits",
    foreign="digits/inverted",
    most=1_438,
    classes=10,
    examples=1_200,
    judged=238,
    tests=359,
    unlabelled=1_200,
    counts=(12, 120, 1_200),
    epochs=(120, 60, 20),
    owner_epochs=8,
    hardening=80,
    width=1.0,
)
SMALL = replace(
    DIGITS,
    name="small",
    examples=400,
    tests=150,
    unlabelled=60,
    counts=(12, 40, 60),
    epochs=(1, 2, 1),
    owner_epochs=8,
    hardening=2,
    falls=(0.05, 0.15, 0.3),
    networks=("vgg",),
    seeds=1,
    width=0.5,
)


@dataclass(frozen=True)
class Job:
    """One cell: of one network, what somebody makes of what he has."""

    scope: Scope
    network: str
    seed: int
    kind: str
    start: str = ""
    given: str = ""  # how many examples or answers, or whose inputs

    @property
    def key(self) -> str:
        words = (self.scope.name, self.network, self.seed, self.kind, self.start, self.given)
        return "/".join(str(word) for word in words if word != "")

    @property
    def behavior(self) -> str:
        """All that decides its result; which networks are tried beside it does not."""
        return f"{VERSION} {replace(self.scope, networks=(), seeds=0)}"

    @property
    def words(self) -> set[str]:
        """What it can be chosen by."""
        return {self.scope.name, self.network, str(self.seed), self.kind}


def jobs(scope: Scope) -> Iterator[Job]:
    """All of a scope, each after those whose results it needs."""
    for seed in range(scope.seeds):
        for network in scope.networks:
            yield Job(scope, network, seed, "owner")
            yield Job(scope, network, seed, "colluders")
            for start in (NO_KEY, *LEVELS, HARDENED, SCRATCH):
                for count in scope.counts:
                    yield Job(scope, network, seed, "labels", start, str(count))
            for start in (NO_KEY, *LEVELS):
                for whose in ("task", FOREIGN):
                    yield Job(scope, network, seed, "unlabelled", start, whose)
            for start in (LEVELS[0], SCRATCH):
                for asked in (*map(str, scope.counts[1:]), FOREIGN):
                    yield Job(scope, network, seed, "answers", start, asked)
