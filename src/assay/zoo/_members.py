"""What is planned: models, each with its parents and the method that makes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

Options = Mapping[str, Any]

SCRATCH = "train"  # the method of those that have no parent; its one option is the training


@dataclass(frozen=True, slots=True)
class Member:
    """A model, and how it is made."""

    name: str  # spells the lineage
    network: str  # of the zoo; a parent's, unless it is a student
    task: str  # what it answers, and whose examples it was trained on last
    seed: int  # of the first weights where it is trained from scratch; of its method otherwise
    width: float = 1.0
    classes: int = 10
    parents: tuple[str, ...] = ()
    method: str = SCRATCH
    options: Options = field(default_factory=dict)
    student: str | None = None  # the network that is trained to answer as the parent does
    queries: str | None = None  # whose examples it was trained on instead, without their labels


@dataclass(frozen=True, slots=True)
class Setting:
    """What is the same for all members of a plan."""

    examples: int  # of each dataset, at most
    judged: int = 2_000  # test examples of it, at most
    channels_last: bool = False  # how numbers lie in memory: faster, and rounds otherwise


@dataclass(frozen=True, slots=True)
class Plan:
    """The members of an edition, each after its parents."""

    edition: str
    members: tuple[Member, ...]
    setting: Setting


def own_seed(name: str) -> int:
    """The seed of a method, which no other member has."""
    return int.from_bytes(sha256(name.encode()).digest()[:6])
