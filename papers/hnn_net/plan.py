"""What is run: the rows of Table 2, each at three lengths on two data sets, and Figure 7.

A finished run is known by its options, data and seed, and by how a short training of its method
behaves.  So a ledger stays right when a method changes: its runs are made again, no others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np
from baselines import BASELINES
from dataset import DATA, dataset, digest

from assay.trainers import TRAINERS, Trainer, train

BITS = (16, 32, 64)
BETAS = (0.1, 1.0, 10.0, 100.0, 1000.0)
GAMMAS = (0.0, 0.02, 0.2, 2.0, 20.0)
Options = dict[str, float | bool]


@dataclass(frozen=True)
class Row:
    """A line of Table 2."""

    name: str
    method: str  # of assay.trainers, or of BASELINES
    paper: str | None = None  # the line of the printed table that it stands beside
    options: Options = field(default_factory=dict)  # what differs from the method's defaults


WITHOUT = "hnn-net without L_class"
PRINTED: Options = {"as_printed": True}
ROWS = (
    Row("random codes", "random"),
    Row("operator 2-grams", "operator-bigrams"),
    Row("weisfeiler-lehman", "weisfeiler-lehman"),
    Row("ghashing", "ghashing", "ghashing"),
    Row(f"{WITHOUT}, as printed", "hnn-net", WITHOUT, {"classification": 0.0, **PRINTED}),
    Row(f"{WITHOUT}, as resolved", "hnn-net", WITHOUT, {"classification": 0.0}),
    Row("hnn-net, as printed", "hnn-net", "hnn-net", PRINTED),
    Row("hnn-net, as resolved", "hnn-net", "hnn-net"),
    Row("contrastive-gin", "contrastive-gin"),
)
VARIED = ("hnn-net, as printed", "hnn-net, as resolved")  # the rows that Figure 7 varies


@dataclass(frozen=True)
class Scope:
    """How much is run: the paper's, or a small part of it that takes a minute."""

    models: int = 21
    bits: tuple[int, ...] = BITS
    data: tuple[str, ...] = DATA
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    betas: tuple[float, ...] = BETAS
    gammas: tuple[float, ...] = GAMMAS
    varied_seeds: tuple[int, ...] = (0, 1, 2, 3, 4)  # of Figure 7
    epochs: int | None = None  # None: each method's own


PAPER = Scope()
SMALL = Scope(3, (16,), ("merged",), (0, 1), (10.0, 100.0), (0.2, 2.0), (0,), epochs=2)


@dataclass(frozen=True)
class Run:
    """One method at one length on one data set with one seed."""

    row: str
    method: str
    bits: int
    data: str
    seed: int
    models: int
    options: tuple[tuple[str, float | bool], ...] = ()

    @property
    def trainer(self) -> Trainer | None:
        """The trainer with its options, None for a baseline."""
        if self.method in BASELINES:
            return None
        return TRAINERS[self.method](bits=self.bits, **dict(self.options))

    @property
    def made_by(self) -> str:
        """The line of Python that makes the method."""
        return f"{self.method}, {self.bits} bits" if self.trainer is None else repr(self.trainer)

    @property
    def key(self) -> str:
        """The name of the result."""
        return f"{self.made_by}, {named(self.data, self.models)}, seed {self.seed}"

    @property
    def behavior(self) -> list[float]:
        """Numbers that change with whatever decides the method's results, wherever it is written,
        and hold when a comment, a name or the machine changes.
        """
        trainer = self.trainer
        return [BASELINES[self.method]] if trainer is None else _short_training(trainer)

    def fits(self, entry: Mapping[str, Any] | None) -> bool:
        """Whether a ledger's entry is the result of the run as its method is today."""
        if entry is None or len(entry["behavior"]) != len(self.behavior):
            return False
        return bool(np.allclose(entry["behavior"], self.behavior, rtol=1e-3))


def table2(scope: Scope) -> Iterator[Run]:
    """Every cell with the first seed, then with the others; rows whose trainer exists."""
    for seed in scope.seeds:
        for data in scope.data:
            for bits in scope.bits:
                for row in ROWS:
                    if row.method in BASELINES or row.method in TRAINERS:
                        yield _run(scope, row, bits, data, seed, row.options)


def figure7(scope: Scope) -> Iterator[tuple[str, float, Run]]:
    """Figure 7's runs with the name and the value of the weight that is varied."""
    bits = 32 if 32 in scope.bits else scope.bits[0]
    for seed in scope.varied_seeds:
        for row in (row for row in ROWS if row.name in VARIED):
            for beta in scope.betas:
                options = {**row.options, "classification": beta}
                yield "beta", beta, _run(scope, row, bits, scope.data[0], seed, options)
            for gamma in scope.gammas:
                options = {**row.options, "quantization": gamma}
                yield "gamma", gamma, _run(scope, row, bits, scope.data[0], seed, options)


def _run(scope: Scope, row: Row, bits: int, data: str, seed: int, options: Options) -> Run:
    if scope.epochs and row.method not in BASELINES:
        options = {**options, "epochs": scope.epochs}
    return Run(row.name, row.method, bits, data, seed, scope.models, tuple(sorted(options.items())))


@cache
def named(data: str, models: int) -> str:
    """The name of a data set in keys: another one when a graph of it changes."""
    training, test = dataset(data, models)
    return f"{data} data of {models} models {digest(training + test)}"


@cache
def _short_training(trainer: Trainer) -> list[float]:
    """Losses and mean weights of two epochs on the two smallest models."""
    numbers: list[float] = []
    network = train(
        replace(trainer, epochs=2),
        dataset("merged", 2)[0],
        progress=lambda at: numbers.extend(value for _, value in sorted(at.losses.items())),
    )
    numbers += [float(np.abs(weight).mean()) for _, weight in sorted(network.weights.items())]
    return [float(f"{number:.6g}") for number in numbers]
