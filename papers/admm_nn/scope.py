"""What is trained: data, ratios, methods, seeds, and how long."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

PUBLISHED = {(430_500, 85): 5_064, (430_500, 167): 2_578}  # weights that are left
METHODS = ("gradual", "progressive", "admm", "one-shot")  # gradual finds the split of the others
CURVE = ("gradual", "progressive", "one-shot")  # at ratios beside the first
VALUES = ("levels", "means")  # what gradually pruned weights are quantized to
SOFT, TEMPERATURE = 0.9, 4.0  # share of the parent's soft answers in the loss
RHO, GROWTH = 2e-3, 360.0  # of ADMM: at first, and how many times larger at last
STEPPING = 2  # progressive: half the ratio first
SHARE, EVERY = 0.6, 20  # gradual: of the steps until no more go; steps between two masks
BITS = (3, 3, 3, 2)  # of a weight, by layer


@dataclass(frozen=True)
class Scope:
    """One set of data and what is done with it."""

    data: str
    copies: int  # of every picture, shifted at random, beside it: for the dense network alone
    dense_epochs: int
    epochs: int  # of every pruning, whatever the method, on the pictures themselves
    batch: int
    ratios: tuple[int, ...]
    seeds: tuple[int, ...]
    limit: int | None = None  # examples that are used
    width: float = 1.0  # of the network


DIGITS = Scope("mnist", 1, 10, 48, 128, (167, 85, 246, 350, 200, 280), (0, 1, 2))
FASHION = Scope("fashion-mnist", 0, 12, 16, 128, (85, 167, 246), (0, 1, 2))
SMALL = Scope("digits", 1, 10, 8, 64, (20,), (0,), limit=600, width=0.4)


@dataclass(frozen=True)
class Job:
    """One pruning, or what is done with its result."""

    scope: Scope
    method: str
    ratio: int
    seed: int

    @property
    def key(self) -> str:
        """Its name in the ledger."""
        return f"{self.scope.data}, {self.method}, {self.ratio}x, seed {self.seed}"

    @property
    def behavior(self) -> str:
        """All numbers that decide its result."""
        constants: tuple[object, ...] = (SOFT, TEMPERATURE, RHO, GROWTH, STEPPING, SHARE, EVERY)
        constants += (BITS,) if self.method in VALUES else ()
        return f"{replace(self.scope, ratios=(), seeds=())} {constants}"

    @property
    def file(self) -> str:
        """The name of its network's file."""
        return self.key.replace(", ", "-").replace(" ", "")

    @property
    def twin(self) -> Job:
        """The dense network that it is pruned from."""
        return self.like("dense", 1)

    def like(self, method: str, ratio: int | None = None, seed: int | None = None) -> Job:
        """Another job on the same data."""
        ratio, seed = (
            (self.ratio if ratio is None else ratio),
            (self.seed if seed is None else seed),
        )
        return Job(self.scope, method, ratio, seed)


def left(ratio: int, of: int) -> int:
    """How many weights a ratio leaves; those of the paper as it says."""
    return PUBLISHED.get((of, ratio), round(of / ratio))


def jobs(scope: Scope) -> Iterator[Job]:
    """The most important first: all seeds at the first ratio, then the curve seed by seed."""
    first, *others = scope.ratios
    for seed in scope.seeds:
        yield Job(scope, "dense", 1, seed)
        for method in METHODS[:2]:
            yield Job(scope, method, first, seed)
    for seed in scope.seeds:
        for values in VALUES:
            yield Job(scope, values, first, seed)
    for seed in scope.seeds:
        for ratio in others:
            for method in CURVE:
                yield Job(scope, method, ratio, seed)
        for method in ("one-shot", "admm", "projected"):
            yield Job(scope, method, first, seed)
