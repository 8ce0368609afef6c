"""Which models are asked: victims, what thieves learn from them, and strangers as good as both.

Each party has pictures of its own: owners the one half of a task, thieves the other.  Strangers
learn either half from its true labels: neither data nor architecture tell them from thieves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from assay.training import Optimizer, Training
from assay.zoo._members import Member, Options, Plan, Setting, own_seed

OWNER, THIEF = "half-a", "half-b"  # of a task's examples
WIDTH = 0.5
STEALS: Mapping[str, Options] = {
    "soft": {},
    "hard": {"answers": "hard"},
    "adversarial": {"answers": "hard", "queries": "adversarial"},
    "foreign": {},
}


@dataclass(frozen=True, slots=True)
class Task:
    """What is learned, and how many owners there are."""

    name: str
    examples: str
    classes: int
    foreign: str  # another domain's examples, for a thief who has none of the task
    epochs: int
    twins: Mapping[
        str, int
    ]  # of each network, on the owners' half: they differ in their seed alone
    owners: Mapping[str, int]  # the first so many of these are victims
    others: int  # of each network, on the thieves' half


@dataclass(frozen=True, slots=True)
class Edition:
    """How much of it."""

    networks: Mapping[str, str]  # and the other one that each is stolen to
    task: Task
    setting: Setting


_SETTING = Setting(60_000, judged=10_000, channels_last=True)
EDITIONS: Mapping[str, Edition] = {
    "small": Edition(
        {"cnn": "mlp"},
        Task("digits", "digits", 10, "digits/inverted/half-b", 20, {"cnn": 20}, {"cnn": 1}, 4),
        Setting(2_000, channels_last=True),
    ),
    "garments": Edition(
        {"vgg": "cnn", "cnn": "vgg", "lenet-5": "cnn"},
        Task(
            "garments",
            "fashion-mnist/half-b/garments",
            5,
            "fashion-mnist/half-b/accessories/half-b",
            12,
            {"vgg": 20, "cnn": 20, "lenet-5": 20},
            {"vgg": 1, "cnn": 1, "lenet-5": 1},
            4,
        ),
        _SETTING,
    ),
    "digits": Edition(
        {"cnn": "lenet-5"},
        Task(
            "digits",
            "mnist/half-b/half-b",
            10,
            "fashion-mnist/half-b/half-b/half-b",
            12,
            {"cnn": 20},
            {"cnn": 1},
            4,
        ),
        _SETTING,
    ),
}


def plan(edition: str) -> Plan:
    """What a folder is to hold: each model after its parents."""
    about = EDITIONS[edition]
    members = tuple(_members(about.networks, about.task))
    return Plan(f"stealing-{edition}", members, about.setting)


def _members(networks: Mapping[str, str], task: Task) -> Iterator[Member]:
    how = {"training": Training(task.epochs, 64, Optimizer("adam", rate=2e-3, weight_decay=0.0))}
    victims: dict[int, list[Member]] = {}
    for half in (OWNER, THIEF):
        for network, twins in task.twins.items():
            for seed in range(twins if half == OWNER else task.others):
                name = f"{network}.{task.name}.{half}.{seed}"
                examples = f"{task.examples}/{half}"
                made = Member(
                    name, network, examples, own_seed(name), WIDTH, task.classes, options=how
                )
                if half == OWNER and seed < task.owners.get(network, 0):
                    victims.setdefault(seed, []).append(made)
                yield made
    for several in victims.values():
        for victim in several:
            yield from _thieves(victim, networks[victim.network], task, how)


def _thieves(victim: Member, other: str, task: Task, how: Options) -> Iterator[Member]:
    for steal, options in STEALS.items():
        for suffix, network in (("same", victim.network), ("other", other)):
            name = f"{victim.name}.{steal}-{suffix}"
            stolen = Member(
                name,
                network,
                f"{task.examples}/{THIEF}",
                own_seed(name),
                WIDTH,
                task.classes,
                (victim.name,),
                "extract",
                {**options, **how},
                queries=task.foreign if steal == "foreign" else None,
            )
            yield stolen if suffix == "same" else replace(stolen, student=other)
