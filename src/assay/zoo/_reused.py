"""Which models the reuse benchmark has: roots, what was made from them, and independent ones.

Names spell the lineage: ``vgg.root.0.garments.transfer-50.prune-80`` was pruned by a thief from
what the owner of the garments' task had tuned from the first public VGG-style network.  Each party
has pictures of its own: who trained the root, the owner, and the thief.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from assay.training import Optimizer, Training
from assay.zoo._members import Member, Options, Plan, Setting, own_seed

OWNER, THIEF = "half-a", "half-b"  # of a task's examples
STOLEN: Mapping[str, Options] = MappingProxyType(
    {
        "soft": {},
        "hard": {"answers": "hard"},
        "adversarial": {"answers": "hard", "queries": "adversarial"},
        "foreign": {},
    }
)


def answered(task: str) -> str:
    """What who learned a task answers, whichever party's half of the examples that was."""
    whole, _, half = task.rpartition("/")
    return whole if half in (OWNER, THIEF) else task


@dataclass(frozen=True, slots=True)
class Task:
    """What is learned, of which examples, and for how long."""

    examples: str
    classes: int
    epochs: int  # from scratch; a transfer takes half of them, tuning after pruning a sixth
    foreign: str = ""  # another domain's examples, for a thief who has none of the task


@dataclass(frozen=True, slots=True)
class Edition:
    """How much of it."""

    networks: Mapping[str, str]  # and the other one that each is stolen to
    width: float
    roots: int  # of each network
    root: Task  # richer than the others: it plays ImageNet's part
    tasks: Mapping[str, Task]  # owners adapt a root to; a half is theirs, the other the thief's
    scratch: int  # of each network, for each half of each task
    setting: Setting
    tuned: tuple[float, ...] = (0.1, 0.5, 1.0)  # shares of the tensors that a transfer trains
    pruned: tuple[float, ...] = (0.2, 0.5, 0.8)


EDITIONS: Mapping[str, Edition] = MappingProxyType(
    {
        "reuse-small": Edition(
            networks={"lenet-5": "cnn"},
            width=0.5,
            roots=2,
            root=Task("digits/half-a/half-turned", 20, 12),
            tasks={
                "five": Task("digits/half-b/first-five", 5, 40, "digits/half-b/inverted/half-b"),
                "inverted": Task("digits/half-b/inverted", 10, 40, "digits/half-b/half-b"),
            },
            scratch=1,
            setting=Setting(examples=2_000, channels_last=True),
            tuned=(1.0,),
            pruned=(0.5,),
        ),
        "reuse": Edition(
            networks={"vgg": "resnet", "resnet": "vgg", "mobilenet": "resnet"},
            width=0.5,
            roots=3,
            root=Task("fashion-mnist/half-a/half-turned+mnist/half-a", 30, 8),
            tasks={
                "garments": Task(
                    "fashion-mnist/half-b/garments",
                    5,
                    12,
                    "fashion-mnist/half-b/accessories/half-b",
                ),
                "digits": Task("mnist/half-b", 10, 30, "fashion-mnist/half-b/half-b/half-b/half-b"),
            },
            scratch=3,
            setting=Setting(examples=60_000, judged=10_000, channels_last=True),
        ),
    }
)
_SUBSET_NETWORKS = _SUBSET_ROOTS = 2


def plan(edition: str) -> Plan:
    """What a folder of that edition is to hold: the subset first."""
    about = EDITIONS[edition]
    ordered = {member.name: member for member in (*subset(about), *members(about))}
    return Plan(edition, tuple(ordered.values()), about.setting)


def members(edition: Edition) -> Iterator[Member]:
    """All of them, each after its parents.

    Whatever has no parent begins with weights of its own: only models of one root are related.
    """
    for network in edition.networks:
        yield from _scratch(edition, network, edition.scratch)
        for seed in range(edition.roots):
            yield from _family(edition, network, seed, edition.tuned)


def subset(edition: Edition) -> Iterator[Member]:
    """Of two networks all that the paper's pairs take, and another root that was tuned whole."""
    for network in [*edition.networks][:_SUBSET_NETWORKS]:
        yield from _scratch(edition, network, 1)
        for seed in range(_SUBSET_ROOTS):
            yield from _family(edition, network, seed, edition.tuned if seed == 0 else (1.0,))


def _scratch(edition: Edition, network: str, seeds: int) -> Iterator[Member]:
    """Owners without a root, on both halves of each task; from the first, as is done to others."""
    for task in edition.tasks:
        for half in (OWNER, THIEF):
            for seed in range(seeds):
                name = f"{network}.{task}.{half}.{seed}"
                yield _trained(edition, name, network, edition.tasks[task], half)
        yield from _reused(edition, network, f"{network}.{task}.{OWNER}.0", task, steals=("soft",))


def _family(
    edition: Edition, network: str, seed: int, tuned: tuple[float, ...]
) -> Iterator[Member]:
    """A root, what owners made of it, and thieves of that."""
    root = f"{network}.root.{seed}"
    yield _trained(edition, root, network, edition.root)
    for name, task in edition.tasks.items():
        for share in tuned:
            owned = f"{root}.{name}.transfer-{round(100 * share)}"
            options = {"tune": share, "training": _training(task.epochs // 2)}
            yield Member(
                owned,
                network,
                f"{task.examples}/{OWNER}",
                own_seed(owned),
                edition.width,
                task.classes,
                (root,),
                "transfer",
                options,
            )
            steals = tuple(STOLEN) if share == 1 else ("soft",)
            yield from _reused(edition, network, owned, name, steals)


def _trained(edition: Edition, name: str, network: str, task: Task, half: str = "") -> Member:
    return Member(
        name,
        network,
        f"{task.examples}/{half}" if half else task.examples,
        own_seed(name),
        edition.width,
        task.classes,
        options={"training": _training(task.epochs)},
    )


def _reused(
    edition: Edition, network: str, owned: str, name: str, steals: tuple[str, ...]
) -> Iterator[Member]:
    """What a thief makes of an owner's model, with examples of the thief's own."""
    task = edition.tasks[name]

    def made(suffix: str, method: str, options: Options) -> Member:
        return Member(
            f"{owned}.{suffix}",
            network,
            f"{task.examples}/{THIEF}",
            own_seed(f"{owned}.{suffix}"),
            edition.width,
            task.classes,
            (owned,),
            method,
            options,
        )

    yield made("quantize-8", "quantize", {"bits": 8})
    for rate in edition.pruned:
        tuning = {"training": _training(max(1, task.epochs // 6))}
        how = {"rate": rate, "scope": "global", "layers": "convolutions", **tuning}
        yield made(f"prune-{round(100 * rate)}", "magnitude-prune", how)
    anew = {"training": _training(task.epochs)}
    hints = {"temperature": 1.0, "label_share": 1.0, "feature_weight": 5.0, **anew}
    yield made("distill", "distill", hints)
    for steal in steals:
        foreign = task.foreign if steal == "foreign" else None
        stolen = replace(
            made(f"{steal}-same", "extract", {**STOLEN[steal], **anew}), queries=foreign
        )
        yield stolen
        other = edition.networks[network]
        yield replace(
            stolen,
            name=f"{owned}.{steal}-other",
            seed=own_seed(f"{owned}.{steal}-other"),
            network=other,
            student=other,
        )


def _training(epochs: int) -> Training:
    return Training(epochs, 64, Optimizer("adam", rate=2e-3, weight_decay=0.0))
