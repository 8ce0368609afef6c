"""Which models the families have: from scratch, made from those, and made from these again.

Names spell the lineage: ``vgg.fashion-mnist.0.transfer-50.quantize-8`` is the int8 version of what
was tuned on another task from the VGG-style network of seed 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from assay.training import Optimizer, Training
from assay.zoo._members import Member, Options, Plan, Setting, own_seed


@dataclass(frozen=True, slots=True)
class Edition:
    """How much of it."""

    networks: Mapping[str, int]  # how many seeds of each
    tasks: tuple[str, ...]  # each network is trained on, with every seed
    base: str  # the task of those that have children
    other: str  # the task that they are transferred to, and its classes
    other_classes: int
    bases: int  # how many of each network have children
    examples: int  # of each task, at most
    epochs: int
    width: float = 1.0


EDITIONS: Mapping[str, Edition] = MappingProxyType(
    {
        "small": Edition(
            networks={"mlp": 2, "vgg": 2},
            tasks=("digits", "digits/half-a", "digits/half-b", "digits/shuffled"),
            base="digits",
            other="digits/inverted",
            other_classes=10,
            bases=1,
            examples=800,
            epochs=8,
            width=0.5,
        ),
        "full": Edition(
            networks={
                **dict.fromkeys(("mlp", "cnn", "gru", "transformer"), 10),
                **dict.fromkeys(("vgg", "resnet", "mobilenet"), 3),
            },
            tasks=(
                "fashion-mnist",
                "fashion-mnist/half-a",
                "fashion-mnist/half-b",
                "fashion-mnist/shuffled",
                "mnist",
            ),
            base="fashion-mnist",
            other="mnist/first-five",
            other_classes=5,
            bases=2,
            examples=12_000,
            epochs=3,
        ),
    }
)
CHANNELS = ("mlp", "cnn", "vgg", "resnet", "mobilenet")  # all of whose channels can be regrouped
_TUNED = Training(epochs=1, optimizer=Optimizer(rate=0.01))
_MOVED = Training(epochs=2, optimizer=Optimizer(rate=0.01))


def training(edition: Edition, task: str) -> Training:
    """How its models are trained from scratch; labels that mean nothing take longer to learn."""
    epochs = edition.epochs * (2 if task.endswith("/shuffled") else 1)
    return Training(epochs, 64, Optimizer("adam", rate=2e-3, weight_decay=0.0))


def plan(edition: str) -> Plan:
    """What a folder of that edition is to hold."""
    about = EDITIONS[edition]
    return Plan(edition, members(about), Setting(about.examples))


def members(edition: Edition) -> tuple[Member, ...]:
    """All of them, each after its parents.

    Models of different networks or seeds are independent, whatever they were trained on.  Those of
    one network and seed and different tasks are twins: only their first weights are the same.
    """
    found = []
    for network, seeds in edition.networks.items():
        for task in edition.tasks:
            for seed in range(seeds):
                name = f"{network}.{task.replace('/', '-')}.{seed}"
                how = {"training": training(edition, task)}
                found.append(Member(name, network, task, seed, edition.width, options=how))
    for network in edition.networks:
        for seed in range(edition.bases):
            found += _descendants(edition, network, f"{network}.{edition.base}.{seed}", seed)
    return tuple(found)


def _descendants(edition: Edition, network: str, base: str, seed: int) -> Iterator[Member]:
    """The children of one model, and theirs."""
    half, other, classes = f"{edition.base}/half-b", edition.other, edition.other_classes
    student = training(edition, edition.base)

    def child(
        suffix: str, method: str, options: Options | None = None, task: str = half, of: str = base
    ) -> Member:
        moved = task == other
        return Member(
            f"{of}.{suffix}",
            network,
            task,
            own_seed(f"{of}.{suffix}"),
            edition.width,
            classes if moved else 10,
            (of,),
            method,
            options or {},
        )

    pruned = {"scope": "global", "training": _TUNED}
    yield child("fine-tune", "fine-tune", {"training": _TUNED})
    yield child("last-layer", "fine-tune", {"layers": "last", "training": _TUNED})
    for share in (0.1, 0.5, 1.0):
        name = f"transfer-{round(100 * share)}"
        yield child(name, "transfer", {"tune": share, "training": _MOVED}, other)
    yield child("prune-50", "magnitude-prune", {"rate": 0.5, **pruned})
    yield child("prune-80", "magnitude-prune", {"rate": 0.8, **pruned})
    yield child("quantize-8", "quantize", {"bits": 8})
    yield child("quantize-4", "quantize", {"bits": 4})
    for method in ("cluster", "noise", "relabel-head"):
        yield child(method, method)
    if network in CHANNELS:
        for method in ("permute-neurons", "rescale-channels", "dummy-neurons"):
            yield child(method, method)
        yield child("channels-30", "channel-prune", {"rate": 0.3, "training": _TUNED})
    yield child("distill", "distill", {"training": student})
    thief = "cnn" if network != "cnn" else "mlp"
    stolen = child("extract", "extract", {"training": student})
    yield replace(stolen, network=thief, student=thief)
    # their children
    tuned, moved = f"{base}.fine-tune", f"{base}.transfer-50"
    yield child("prune-80", "magnitude-prune", {"rate": 0.8, **pruned}, of=tuned)
    yield child("quantize-8", "quantize", {"bits": 8}, of=tuned)
    yield child("prune-50", "magnitude-prune", {"rate": 0.5, **pruned}, other, moved)
    yield child("quantize-8", "quantize", {"bits": 8}, other, moved)
    yield replace(child("average", "average"), parents=(tuned, f"{base}.last-layer"))
