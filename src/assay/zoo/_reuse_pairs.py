"""Pairs of models and their truth, from the records of the reuse benchmark alone.

In the paper's protocol a suspect and its parent are right where the parent is more similar to it
than every reference [ModelDiff, §5].  In ours every owner is compared with every suspect, and a
method is judged by how many of the derived it finds where few of the independent are accused.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from assay.values import Json
from assay.zoo._members import SCRATCH
from assay.zoo._reused import OWNER, THIEF, answered

MATCHED = 0.02  # accuracies that differ by no more
_SELDOM = 1e-9  # shares are rounded: a difference of 0.02 is one

Stranger = Literal["other-seed", "other-half", "other-root", "other-network", "other-task"]
HARD: tuple[Stranger, ...] = ("other-seed", "other-half", "other-root")


@dataclass(frozen=True, slots=True)
class Pair:
    """An owner's model and a suspect: derived from it, or with nothing in common but the data."""

    source: str
    suspect: str
    reuse: str  # what was done, "transfer-50 + prune-80"; "" where they are independent
    stranger: Stranger | None  # how near an independent one comes; None where it was derived
    same_task: bool  # equal classes in an equal order
    gap: float | None  # the suspect's accuracy less that of what it is to be taken for

    @property
    def is_derived(self) -> bool:
        """The truth."""
        return self.stranger is None

    @property
    def is_hard(self) -> bool:
        """A stranger of the same architecture and task that is as good."""
        is_matched = self.gap is not None and abs(self.gap) <= MATCHED + _SELDOM
        return self.stranger in HARD and is_matched


@dataclass(frozen=True, slots=True)
class Contest:
    """A suspect, its parent, and the models that must be less similar to it."""

    suspect: str
    parent: str
    reuse: str
    is_combined: bool  # the parent is the root, and the suspect made from what was tuned of it
    references: tuple[str, ...]


def pairs(records: Iterable[Json]) -> list[Pair]:
    """Every owner's model with every suspect, in the order of the records.

    Owners are roots, transfers, and models of the owners' half without a root.  Pairs related in
    another way are left out, siblings for example: nobody can say what a method should answer.
    """
    kin = _Kinship(records)
    found = []
    for source in kin.known.values():
        if not _is_owned(source):
            continue
        for suspect in kin.known.values():
            if source["name"] in kin.line(suspect)[1:]:
                reuse = kin.steps(source, suspect)
                found.append(_pair(kin, source, suspect, reuse, None))
            elif kin.origin(source) != kin.origin(suspect):
                found.append(_pair(kin, source, suspect, "", _stranger(kin, source, suspect)))
    return found


def contests(records: Iterable[Json], roots: Collection[str] | None = None) -> list[Contest]:
    """The paper's pairs, of these roots alone where some are named: 72 of each root in two tasks.

    Directly derived are transfers, and what was quantized, pruned, distilled or stolen to another
    architecture from these; the root's combined ones are the three in the middle.  References are
    all models of other origin, but for quantized ones: they answer as their parents do.
    """
    kin = _Kinship(records)
    found = []
    for suspect in kin.known.values():
        root = kin.origin(suspect)
        method, *_ = kinds = _kind(suspect)
        if not suspect["parents"] or ".root." not in root or (roots and root not in roots):
            continue
        if method == "extract" and not kinds[1].startswith("soft-other"):
            continue
        others = tuple(
            name
            for name, record in kin.known.items()
            if kin.origin(record) != root and record["method"] != "quantize"
        )
        parent = kin.known[suspect["parents"][0]]
        found.append(Contest(suspect["name"], parent["name"], kinds[1], False, others))
        if method in ("quantize", "magnitude-prune", "distill"):
            steps = kin.steps(kin.known[root], suspect)
            found.append(Contest(suspect["name"], root, steps, True, others))
    return found


class _Kinship:
    """Who descends from whom."""

    def __init__(self, records: Iterable[Json]) -> None:
        self.known: Mapping[str, Json] = {record["name"]: record for record in records}

    def line(self, record: Json) -> list[str]:
        """Itself, its parent, and so on to its origin."""
        names = [record["name"]]
        while record["parents"]:
            record = self.known[record["parents"][0]]
            names.append(record["name"])
        return names

    def origin(self, record: Json) -> str:
        """The name of what was trained from scratch."""
        return self.line(record)[-1]

    def steps(self, source: Json, suspect: Json) -> str:
        """What led from one to the other."""
        line = self.line(suspect)
        taken = line[: line.index(source["name"])]
        return " + ".join(_kind(self.known[name])[1] for name in reversed(taken))

    def counterpart(self, source: Json, suspect: Json) -> Json | None:
        """What an independent suspect would be taken for: the source, or a model made from it."""
        if _task(source) == _task(suspect):
            return source
        made = suspect["name"].removeprefix(f"{self.origin(suspect)}.")
        return self.known.get(f"{source['name']}.{made}")


def _pair(
    kin: _Kinship, source: Json, suspect: Json, reuse: str, stranger: Stranger | None
) -> Pair:
    same = _task(source) == _task(suspect)
    like = (source if same else None) if stranger is None else kin.counterpart(source, suspect)
    gap = None if like is None else round(suspect["accuracy"] - like["accuracy"], 4)
    return Pair(source["name"], suspect["name"], reuse, stranger, same, gap)


def _stranger(kin: _Kinship, source: Json, suspect: Json) -> Stranger:
    """How near the two come; a root is near to whatever was made of another root for a task."""
    origin = kin.known[kin.origin(suspect)]
    if _task(source) != _task(suspect) and not (_is_root(source) and _is_root(origin)):
        return "other-task"
    if source["network"] != suspect["network"]:
        return "other-network"
    if _is_root(origin) and origin is not suspect:
        return "other-root"
    return "other-half" if origin["task"].endswith(f"/{THIEF}") else "other-seed"


def _is_root(record: Json) -> bool:
    return record["name"].split(".")[1] == "root" and not record["parents"]


def _is_owned(record: Json) -> bool:
    return (
        _is_root(record)
        or record["method"] == "transfer"
        or (record["method"] == SCRATCH and record["task"].endswith(f"/{OWNER}"))
    )


def _task(record: Json) -> str:
    """What it answers, whatever half of the examples it learned that from."""
    return answered(record["task"])


def _kind(record: Json) -> tuple[str, str]:
    """The method, and how: "magnitude-prune" and "prune-80"."""
    return record["method"], record["name"].rpartition(".")[2]
