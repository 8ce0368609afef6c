"""What is marked, attacked and read: networks, keys, attacks, and how long trainings are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from assay.training import Optimizer, Training
from assay.watermarks import WATERMARKS, Watermark

NAIVE, UCHIDA, DEFAULT = "one word", "uchida", "margin 2"
MARGINS = {"margin 1": 1.0, DEFAULT: 2.0, "margin 3": 3.0}
ROBUST, HINGE = "put back", "hinge"


@dataclass(frozen=True)
class Scope:
    """What a run of the script does."""

    data: str
    networks: dict[str, str]  # name: its host, as the tables call it
    pictures: int  # of the training, drawn at random
    judged: int  # pictures for testing
    epochs: int  # of the dense networks
    attack: tuple[int, int]  # pictures and epochs of a thief's tuning
    keys: int
    bits: tuple[int, ...]
    rates: tuple[float, ...]  # of pruning
    survive: tuple[float, ...]  # planned for the law
    law_keys: int
    tuning: dict[str, tuple[float, ...]]  # learning rates by scheme
    wrong_keys: int
    width: float = 1.0

    def __hash__(self) -> int:
        return hash(repr(self))


FULL = Scope(
    data="fashion-mnist",
    networks={
        "lenet-5": "dense layer, 400,000",
        "vgg": "convolution, 36,864",
        "resnet": "convolution, 36,864",
    },
    pictures=6_000,
    judged=2_000,
    epochs=3,
    attack=(1_500, 10),
    keys=10,
    bits=(64, 128, 256),
    rates=(0.5, 0.8, 0.9, 0.95, 0.98, 0.99),
    survive=(0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99),
    law_keys=2,
    tuning={
        DEFAULT: (5e-3, 1e-3, 1e-4, 1e-2),
        NAIVE: (5e-3, 1e-3),
        UCHIDA: (5e-3, 1e-3),
        "margin 1": (5e-3,),
        "margin 3": (5e-3,),
    },
    wrong_keys=1_000,
)
SMALL = Scope(
    data="digits",
    networks={"lenet-5": "dense layer"},
    pictures=300,
    judged=100,
    epochs=2,
    attack=(100, 1),
    keys=1,
    bits=(64,),
    rates=(0.9,),
    survive=(0.9,),
    law_keys=1,
    tuning={NAIVE: (1e-3,), UCHIDA: (1e-3,), DEFAULT: (1e-3,)},
    wrong_keys=20,
    width=0.6,
)


@dataclass(frozen=True)
class Job:
    """One kind of measurement on one network."""

    kind: str
    network: str
    detail: tuple[Any, ...]  # what tells it from others of its kind
    scope: Scope

    @property
    def key(self) -> str:
        return "/".join(map(str, (self.scope.data, self.network, self.kind, *self.detail)))

    @property
    def behavior(self) -> str:
        """All that decides the result."""
        keep = self.scope.bits, self.scope.rates, self.scope.wrong_keys, self.scope.judged
        sizes = self.scope.pictures, self.scope.epochs, self.scope.attack, self.scope.width
        return f"{sizes} {keep} {WATERMARKS['constant-weight']()!r} {WATERMARKS['uchida']()!r}"


def jobs(scope: Scope, families: bool = False) -> Iterator[Job]:
    """All of them, what matters most first: a killed run has something of each kind early."""

    def of_all(kind: str, *detail: Any) -> Iterator[Job]:
        yield from (Job(kind, network, detail, scope) for network in scope.networks)

    yield from of_all("dense")
    yield from of_all("pruning", 0)
    yield from of_all("law", 0)
    for network in scope.networks:
        for scheme, rates in scope.tuning.items():
            for rate in rates:
                yield Job("tuning", network, (scheme, rate), scope)
        if network == next(iter(scope.networks)):
            yield from of_all("disguises")
            yield from of_all("wrong keys")
            if families:
                yield Job("clean models", "families", (), scope)
            for number in range(1, scope.keys):
                yield from of_all("pruning", number)
    for number in range(scope.keys):
        yield from of_all("marked in tuning", ROBUST, number)
        if not number:
            yield from of_all("marked in tuning", HINGE, number)
    for number in range(1, scope.law_keys):
        yield from of_all("law", number)
    yield Job("codes", "no network", (), scope)


def scheme(name: str) -> Watermark:
    """The method that a row is of, but for the naive one."""
    if name == UCHIDA:
        return WATERMARKS["uchida"]()
    return weighted(margin=MARGINS[name])


def weighted(**options: Any) -> Watermark:
    """A constant-weight mark."""
    make: Any = WATERMARKS["constant-weight"]
    made: Watermark = make(**options)
    return made


def adam(rate: float, epochs: int) -> Training:
    """A tuning at one rate without weight decay."""
    return Training(epochs, 64, Optimizer("adam", rate, weight_decay=0.0, schedule="constant"))


def sgd(rate: float, epochs: int) -> Training:
    """The tuning of owners."""
    return Training(epochs, 64, Optimizer(rate=rate))
