"""What is trained and measured, in which order: the rows on the paper's ratios first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from assay.crossbars import Crossbar
from assay.training import Optimizer, Training

CROSSBAR = Crossbar(32, 32)
Group = Literal["column", "block"]

# Shares of groups that stay, of each layer: so many that no more weights are left than the paper's
# ratio says.  The paper prints no split; the first layer and the last keep most.
KEEP: dict[tuple[float, Group], tuple[float, ...]] = {
    (17.69, "block"): (1.0, 0.24, 0.0345, 0.3),
    (37.06, "block"): (0.8, 0.12, 0.0155, 0.2),
    (65.0, "block"): (0.8, 0.08, 0.0075, 0.12),
    (105.52, "block"): (0.8, 0.058, 0.0034, 0.08),
    (17.69, "column"): (1.0, 0.12, 0.04625, 0.4),
}
# What is pruned further, and not from the dense network; the paper has no 65x.
BY_WAY_OF: dict[tuple[float, Group], tuple[float, Group]] = {
    (65.0, "block"): (37.06, "block"),
    (105.52, "block"): (65.0, "block"),
}
BITS = {(17.69, "block"): (5, 6, 9), (65.0, "block"): ()}  # of weights; 5 alone elsewhere


@dataclass(frozen=True)
class Scope:
    """How much of everything."""

    data: str = "mnist"
    seeds: tuple[int, ...] = (0, 1, 2)
    width: float = 1.0  # of LeNet-5
    copies: int = 1  # of each picture, shifted, to train on beside it
    batch: int = 128
    dense: int = 10  # epochs, each of the following
    drawing: int = 10
    retraining: int = 16
    mapping: int = 6
    remapping: int = 3  # four times
    soft: float = 0.9  # weight of the parent's soft answers in the loss
    draws: int = 3  # of flaws
    calibration: int = 256  # examples that set the converters' ranges
    read: int = 500  # examples that are judged with converters: these are slow
    ratios: tuple[tuple[float, Group], ...] = tuple(KEEP)

    def training(self, epochs: int, schedule: Literal["cosine", "constant"] = "cosine") -> Training:
        optimizer = Optimizer("adam", 1e-3, weight_decay=0, schedule=schedule)
        return Training(epochs, self.batch, optimizer)


DIGITS = Scope()
FASHION = Scope("fashion-mnist", copies=0)
SMALL = Scope("digits", (0,), 0.4, 1, 64, 4, 2, 2, 1, 1, 0.9, 2, 64, 100, ((17.69, "column"),))


@dataclass(frozen=True)
class Job:
    """One network and how it is made."""

    scope: Scope
    seed: int
    ratio: float = 1.0  # 1: dense
    group: Group = "block"
    bits: int = 0  # 0: pruned, not mapped

    @property
    def key(self) -> str:
        if self.ratio == 1:
            return f"{self.scope.data} dense seed {self.seed}"
        made = f"{self.scope.data} {self.ratio:g} {self.group}"
        return f"{made} {self.bits} bits seed {self.seed}" if self.bits else (
            f"{made} pruned seed {self.seed}"
        )  # fmt: skip

    @property
    def behavior(self) -> str:
        """All numbers that decide its result."""
        keep = KEEP.get((self.ratio, self.group))  # none of a dense network
        made = f"{replace(self.scope, seeds=(), ratios=())} {CROSSBAR} {keep}"
        pruned = self.parent if self.bits else self
        if pruned.parent.ratio == 1:
            return made
        return f"{made} after {pruned.parent.behavior}"

    @property
    def file(self) -> str:
        """The name of its network's file."""
        return self.key.replace(" ", "-")

    @property
    def parent(self) -> Job:
        """What it is made from."""
        if self.bits:
            return Job(self.scope, self.seed, self.ratio, self.group)
        return Job(self.scope, self.seed, *BY_WAY_OF.get((self.ratio, self.group), ()))


def jobs(scope: Scope) -> Iterator[Job]:
    """All, each after its parent; dense networks come again with each ratio."""
    for ratio, group in scope.ratios:
        for seed in scope.seeds:
            yield Job(scope, seed)
            yield Job(scope, seed, ratio, group)
            for bits in BITS.get((ratio, group), (5,))[:1]:
                yield Job(scope, seed, ratio, group, bits)
    for ratio, group in scope.ratios:
        for bits in BITS.get((ratio, group), (5,))[1:]:
            for seed in scope.seeds:
                yield Job(scope, seed, ratio, group, bits)
