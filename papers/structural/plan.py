"""What is marked, attacked and read: networks, keys, attacks, and how long trainings are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from assay.training import Optimizer, Training
from assay.watermarks import WATERMARKS, Watermark

LARGE = ("vgg16", "resnet18", "resnet50")  # of the zoo's graphs: for capacities alone
TOLERANCES = (0, 1, 2)


@dataclass(frozen=True)
class Scope:
    """What a run of the script does."""

    data: str
    networks: dict[str, float]  # name: width of those that are trained
    wide: dict[str, float]  # of those that are not: what is tried on them needs shapes alone
    tolerance: int  # of the trained ones' marks
    pictures: int  # of the training
    judged: int  # pictures for testing
    epochs: int
    keys: int
    bits: int
    moved: tuple[int, ...]  # channels that a thief takes or adds
    draws: int
    wrong_keys: int
    forged: int
    every: int = 1  # of the derivations, each so manieth is made

    def __hash__(self) -> int:
        return hash(repr(self))


FULL = Scope(
    data="fashion-mnist",
    networks={"mobilenet": 2.0, "vgg": 3.0, "resnet": 3.0},
    wide={"mobilenet": 2.0, "vgg": 5.0, "resnet": 5.0},
    tolerance=1,
    pictures=2_000,
    judged=1_000,
    epochs=3,
    keys=2,
    bits=8,
    moved=(0, 1, 2, 3),
    draws=100,
    wrong_keys=1_000,
    forged=1_000,
)
SMALL = Scope(
    data="digits",
    networks={"vgg": 1.0},
    wide={"vgg": 1.0},
    tolerance=0,
    pictures=200,
    judged=100,
    epochs=1,
    keys=1,
    bits=8,
    moved=(0, 1),
    draws=5,
    wrong_keys=100,
    forged=50,
    every=12,
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
        scope = self.scope
        sizes = scope.pictures, scope.judged, scope.epochs, scope.bits, scope.tolerance
        tries = scope.moved, scope.draws, scope.wrong_keys, scope.forged
        widths = scope.networks.get(self.network), scope.wide.get(self.network)
        return f"{widths} {sizes} {tries} {marker(scope.tolerance)!r}"


def jobs(scope: Scope, families: bool = False) -> Iterator[Job]:
    """All of them, what is quick first."""

    def of_all(kind: str, *detail: Any) -> Iterator[Job]:
        yield from (Job(kind, network, detail, scope) for network in scope.networks)

    yield Job("capacity", "zoo", (), scope)
    if families:
        yield Job("clean models", "families", (), scope)
    for tolerance in TOLERANCES if scope is FULL else (0,):
        yield from of_all("tolerance", tolerance)
    for network in scope.networks:
        yield Job("dense", network, (), scope)
        for number in range(scope.keys):
            yield Job("accuracy", network, (number,), scope)
            if not number:
                for kind in ("derivations", "wrong keys", "forged templates", "removal"):
                    yield Job(kind, network, (), scope)


def marker(tolerance: int, training: Training | None = None) -> Watermark:
    """A structural mark."""
    make: Any = WATERMARKS["structural"]
    made: Watermark = make(tolerance=tolerance, training=training)
    return made


def adam(rate: float, epochs: int) -> Training:
    """A training from scratch."""
    return Training(epochs, 64, Optimizer("adam", rate, weight_decay=0.0, schedule="cosine"))


def sgd(rate: float, epochs: int) -> Training:
    """A tuning of what is left."""
    return Training(epochs, 64, Optimizer(rate=rate))
