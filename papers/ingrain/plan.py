"""What is marked, stolen and asked: networks, runs, attacks, and how long trainings are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from assay.training import Optimizer, Training
from assay.watermarks import WATERMARKS, Watermark

OWN = "lenet-5"
FURTHER = "others, five times as many"  # wrong keys
BASELINES = ("uchida", "adi")
RATES = {OWN: 0.02}  # of learning, SGD's; the others' is .05
ATTACKS = (
    "pruned, 80 %",
    "int8",
    "tuned, SGD .01",
    "tuned, Adam 1e-3",
    "four wrong keys on top",
    "four wrong keys on top, then distilled",
    "distilled with half true labels",
    "distilled by 3,000 queries",
)


@dataclass(frozen=True)
class Scope:
    """What a run of the script does."""

    data: str
    pictures: int  # of the owner, as many others for queries, and of the thief
    judged: int
    epochs: int  # of each training
    queries: int  # that a suspect is asked
    runs: int
    students: tuple[str, ...]
    few: int  # queries of a thief who asks less
    wrong_keys: int
    controls: int
    bits: int = 16  # of a payload
    width: float = 1.0

    def __hash__(self) -> int:
        return hash(repr(self))


FULL = Scope(
    data="fashion-mnist",
    pictures=12_000,
    judged=10_000,
    epochs=8,
    queries=8_000,
    runs=10,
    students=("cnn", OWN, "mlp"),
    few=3_000,
    wrong_keys=1_000,
    controls=200,
)
SMALL = Scope(
    data="digits",
    pictures=400,
    judged=200,
    epochs=16,
    queries=200,
    runs=1,
    students=("mlp",),
    few=100,
    wrong_keys=50,
    controls=10,
    width=0.4,
)


@dataclass(frozen=True)
class Job:
    """One measurement of one run: a network, its key, and the seeds of what is made of it."""

    kind: str
    run: int
    detail: tuple[Any, ...]  # what tells it from others of its kind
    scope: Scope

    @property
    def key(self) -> str:
        return "/".join(map(str, (self.scope.data, self.kind, self.run, *self.detail)))

    @property
    def behavior(self) -> str:
        """All that decides the result."""
        scope = self.scope
        sizes = scope.pictures, scope.judged, scope.epochs, scope.queries, scope.bits, scope.width
        counts = f"{scope.few} {scope.wrong_keys} {scope.controls}"
        if self.kind == "baseline":
            return f"{sizes} {counts} {WATERMARKS[self.detail[0]]()!r}"
        return f"{sizes} {counts} {method(scope)!r} {scope.students}"


def jobs(scope: Scope, families: bool = False) -> Iterator[Job]:
    """All of them, what matters most first: a killed run has something of each kind early."""
    for run in range(scope.runs):
        yield Job("marked", run, (), scope)
        for student in scope.students:
            for answers in ("soft", "hard"):
                yield Job("student", run, (student, answers), scope)
        if run == 0:
            yield Job("wrong keys", run, (), scope)
            yield Job("wrong keys", run, (FURTHER,), scope)
            if families:
                yield Job("clean models", run, (), scope)
        if run == 1 or scope.runs == 1:
            for scheme in BASELINES:
                if scheme in WATERMARKS:
                    yield Job("baseline", 0, (scheme,), scope)
            yield from (Job("attack", 0, (attack,), scope) for attack in ATTACKS)


def method(scope: Scope) -> Watermark:
    """The mark."""
    make: Any = WATERMARKS["ingrain"]
    made: Watermark = make(queries=scope.queries, training=sgd(OWN, scope, decay=0.0))
    return made


def sgd(network: str, scope: Scope, decay: float = 5e-4) -> Training:
    """The usual training of a network."""
    rate = RATES.get(network, 0.05)
    return Training(scope.epochs, 64, Optimizer(rate=rate, weight_decay=decay))
