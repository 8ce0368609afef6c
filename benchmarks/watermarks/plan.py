"""The grid: which networks are marked by which method, and what is done to them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from assay.derivations import DERIVATIONS
from assay.training import Optimizer, Training
from assay.watermarks import WATERMARKS, Watermark

Options = dict[str, Any]
FIRST, ALL = 1, 2  # what a baseline owes, and the whole grid


@dataclass(frozen=True)
class Scheme:
    """A row: how a method marks."""

    tuned: bool  # with data; else weights are marked as they are
    options: Options = field(default_factory=dict)
    bits: int = 0  # of a payload; 0: as many as the scope says
    networks: tuple[str, ...] = ()  # by default those of the scope
    reshapes: bool = False  # whether marked networks have other shapes: they are made anew
    keeps_answers: bool = False  # whether a key holds what its model answered

    def method(self, name: str) -> Watermark:
        """It, with its options."""
        make: Any = WATERMARKS[name]
        made: Watermark = make(**self.options)
        return made


@dataclass(frozen=True)
class Attack:
    """What a thief does: a derivation with its options, on some of his pictures or on all.

    ``overwrite`` is another mark by a key of his, ``shrink`` cuts each layer's largest weights down
    to a quantile.
    """

    derivation: str
    options: Options = field(default_factory=dict)
    data: str = "few"  # few: 64 pictures; some: a thief's; all: as many as the owner has
    then: tuple[Attack, ...] = ()  # what is done to what came of it
    order: int = ALL
    student: str = ""  # another network


def adam(rate: float, epochs: int) -> Training:
    """A tuning at one rate without weight decay."""
    return Training(epochs, 64, Optimizer("adam", rate, weight_decay=0.0, schedule="constant"))


def tuned(rate: float, epochs: int, **more: Any) -> Attack:
    """A tuning of all weights."""
    return Attack("fine-tune", {"training": adam(rate, epochs)}, "some", **more)


def pruned(rate: float, scope: str, **more: Any) -> Attack:
    """The smallest weights at zero."""
    return Attack("magnitude-prune", {"rate": rate, "scope": scope}, **more)


def cut(share: float) -> Any:
    """The memristor method's option: that share of each layer's columns stays."""
    memristor: Any = DERIVATIONS["memristor"]
    return type(memristor().cut)(keep=(share,))


def attacks(epochs: int, students: dict[str, str]) -> dict[str, Attack]:
    """Each by its name; ``epochs`` of a thief's tuning, ``students`` of each network."""
    learning = {"training": Training(epochs, 64, Optimizer("adam", 1e-3, schedule="cosine"))}
    half = {"training": adam(1e-3, max(1, epochs // 2)), "retraining": adam(1e-3, 1)}
    first: dict[str, Attack] = {
        "tuned at 1e-4": tuned(1e-4, epochs, order=FIRST),
        "tuned at 1e-3": tuned(1e-3, epochs, order=FIRST),
        "tuned at 1e-2": tuned(1e-2, epochs, order=FIRST),
        "pruned .5": pruned(0.5, "layer", order=FIRST),
        "pruned .9": pruned(0.9, "layer", order=FIRST),
        "int8": Attack("quantize", {"bits": 8, "activations": "none"}, order=FIRST),
        "int4": Attack("quantize", {"bits": 4, "activations": "none"}, order=FIRST),
        "distilled": Attack("distill", learning, "all", order=FIRST),
    }
    return first | {
        "pruned .99": pruned(0.99, "layer"),
        "pruned .9 of all": pruned(0.9, "global"),
        "pruned .99 of all": pruned(0.99, "global"),
        "16 values a layer": Attack("cluster"),
        "noise .2": Attack("noise", {"strength": 0.2}),
        "permuted": Attack("permute-neurons"),
        "rescaled": Attack("rescale-channels"),
        "neurons added": Attack("dummy-neurons"),
        "neurons added, tuned": Attack("dummy-neurons", then=(tuned(1e-3, epochs),)),
        "classes renumbered": Attack("relabel-head"),
        "float16": Attack("convert", {"dtype": "float16"}),
        "ADMM, a tenth left": Attack("admm-prune", {"keep": (0.1,), **half}, "some"),
        "ADMM, 3 bits": Attack("admm-cluster", half, "some"),
        "for memristors": Attack("memristor", {"cut": cut(0.3), **half}, "some"),
        "channels removed, 20 %": Attack("channel-prune", {"rate": 0.2, "importance": "l1"}),
        "pruned .9, tuned": pruned(0.9, "layer", then=(tuned(1e-3, epochs),)),
        "distilled to another": Attack("distill", learning, "all", student="another"),
        "extracted, hard labels": Attack("extract", {"answers": "hard", **learning}, "all"),
        "transferred": Attack(
            "transfer", {"training": Training(epochs, 64, Optimizer(rate=0.01))}, "some"
        ),
        "permuted, pruned .5, tuned": Attack(
            "permute-neurons", then=(pruned(0.5, "layer", then=(tuned(1e-3, epochs),)),)
        ),
        "overwritten": Attack("overwrite"),
        "largest 5 % shrunk": Attack("shrink", {"rate": 0.05}),
        "largest 20 % shrunk": Attack("shrink", {"rate": 0.2}),
        "averaged with its twin": Attack("average"),
    }


@dataclass(frozen=True, eq=False)
class Scope:
    """What a run of the script does."""

    data: str
    networks: dict[str, str]  # each with another one that is its student
    schemes: dict[str, Scheme]
    pictures: int  # of the owner
    asked: int  # more of them, of which queries are taken
    judged: int
    thief: int  # pictures
    epochs: int  # of a thief's tuning
    bits: int
    wrong_keys: int
    width: float = 1.0
    order: int = ALL

    def of(self, scheme: str) -> tuple[str, ...]:
        """The networks that are marked by a scheme."""
        return self.schemes[scheme].networks or (*self.networks,)

    def bits_of(self, scheme: str) -> int:
        """The payload's."""
        return self.schemes[scheme].bits or self.bits

    def attacks(self) -> dict[str, Attack]:
        found = attacks(self.epochs, self.networks)
        return {name: each for name, each in found.items() if each.order <= self.order}


SCHEMES = {
    "adi": Scheme(tuned=True),
    "uchida": Scheme(tuned=False),
    "constant-weight": Scheme(tuned=False),
    "riga": Scheme(tuned=True),
    "structural": Scheme(
        tuned=True,
        options={"tolerance": 0, "training": Training(3, 64, Optimizer(rate=0.02))},
        bits=8,
        networks=("mobilenet", "vgg", "resnet"),  # cnn has too few channels for a mark
        reshapes=True,
    ),
    "ingrain": Scheme(tuned=True, bits=16, keeps_answers=True),
}
FULL = Scope(
    data="fashion-mnist",
    networks={"cnn": "resnet", "vgg": "cnn", "resnet": "cnn"},
    schemes=SCHEMES,
    pictures=6_000,
    asked=10_000,
    judged=2_000,
    thief=1_500,
    epochs=10,
    bits=64,
    wrong_keys=1_000,
)
QUICK = Training(1, 32, Optimizer(rate=0.01))
SMALL = Scope(
    data="digits",
    networks={"cnn": "cnn"},
    schemes={
        "adi": Scheme(tuned=True, options={"triggers": 40, "training": QUICK}),
        "uchida": Scheme(tuned=False),
    },
    pictures=300,
    asked=300,
    judged=100,
    thief=100,
    epochs=1,
    bits=16,
    wrong_keys=20,
    width=1.0,
    order=FIRST,
)


@dataclass(frozen=True)
class Job:
    """One measurement."""

    kind: str  # dense, mark, kin, attack, wrong keys, grinding, clean models
    network: str
    scheme: str = ""
    attack: str = ""
    scope: Scope = FULL

    @property
    def key(self) -> str:
        parts = (self.scope.data, self.kind, self.network, self.scheme, self.attack)
        return "/".join(part for part in parts if part)

    @property
    def behavior(self) -> str:
        """All that decides the result."""
        scope = self.scope
        sizes = scope.pictures, scope.judged, scope.width
        if self.kind == "dense":
            return f"{sizes}"
        row = scope.schemes[self.scheme]
        marked = f"{sizes} {scope.bits_of(self.scheme)} {row.tuned} {row.method(self.scheme)!r}"
        if self.kind == "attack":
            done = scope.attacks()[self.attack]
            return f"{marked} {scope.thief} {scope.epochs} {done} {self.student}"
        counted = self.kind in ("wrong keys", "grinding")
        return f"{marked} {scope.wrong_keys}" if counted else marked

    @property
    def student(self) -> str:
        """Another network, which is distilled to."""
        return self.scope.networks.get(self.network, "cnn")


def jobs(scope: Scope, families: bool = False) -> Iterator[Job]:
    """All of them, what matters most first: a killed run has something of each kind early."""
    networks = {network: None for name in scope.schemes for network in scope.of(name)}
    for network in networks:
        yield Job("dense", network, scope=scope)
    for order in (FIRST, ALL):
        for network in networks:
            for name in (each for each in scope.schemes if network in scope.of(each)):
                if order == FIRST:
                    yield Job("mark", network, name, scope=scope)
                    yield Job("kin", network, name, scope=scope)
                for attack, each in scope.attacks().items():
                    if each.order == order:
                        yield Job("attack", network, name, attack, scope)
                if order == FIRST:
                    yield Job("wrong keys", network, name, scope=scope)
                    yield Job("grinding", network, name, scope=scope)
        if order == FIRST and families:
            for name in scope.schemes:
                yield Job("clean models", "families", name, scope=scope)
