"""Twins: networks that share their first weights and nothing else; what is said of them.

By what they were trained on, for how long and how.  They must never be called derived where no
example is common.  For comparison, the same is asked of a network and what further training made
of it, which is derived.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

from strangers import Network, said
from trained import Data, Run, Way, made, sketched

from assay.sketches.readings import tried
from assay.values import Relation, WeightSketch

OVERLAPS = (0.0, 0.5, 0.9, 1.0)
APART = ("0 % common", "another data set")  # no example is in both
SHUFFLED = "labels shuffled, no image common"
CONTINUED = "trained further"
_SEED = 7


@dataclass(frozen=True, slots=True)
class Grid:
    """What is trained: with the usual way on all kinds of data, with others on disjoint halves."""

    data: str
    other: str  # data set
    examples: int  # of each twin, in the usual way
    usual: Way
    networks: tuple[str, ...]
    ways: tuple[Way, ...] = ()  # in which twins are likely to stay near
    of_ways: int = 30_000  # examples of each twin there


GRIDS = {
    "full": Grid(
        "fashion-mnist",
        "mnist",
        6_000,
        Way((0, 1, 6, 23, 94, 188, 376)),
        ("mlp", "cnn", "lenet-300-100", "transformer", "gru"),
        (
            Way((8, 30, 94, 188, 469), rate=1e-4),
            Way((8, 30, 94, 188, 469), rate=2e-5),
            Way((8, 30, 94, 188, 469), "sgd", 1e-2),
            Way((8, 15, 30, 60, 90, 120), "sgd", 1e-2, 1024),
            Way((8, 15, 30, 60), rate=1e-3, batch=1024),
        ),
    ),
    "small": Grid(
        "digits",
        "digits/shuffled",
        400,
        Way((0, 6, 25)),
        ("mlp",),
        (Way((4, 16), "sgd", 1e-2),),
        500,
    ),
}


@dataclass(frozen=True, slots=True)
class Pair:
    """Two trainings that begin alike, and what they have in common."""

    common: str
    one: Run
    other: Run


def planned(grid: Grid) -> Iterator[Pair]:
    """All pairs of trainings, network by network."""
    for network in grid.networks:
        size = grid.examples
        first = Run(network, Data(grid.data, size), grid.usual, _SEED, order=0)
        for overlap in OVERLAPS:
            data = Data(grid.data, size, round(size * (1 - overlap)))
            yield Pair(f"{overlap:.0%} common".replace("%", " %"), first, _twin(first, data))
        if "/" not in grid.other:
            yield Pair(APART[1], first, _twin(first, Data(grid.other, size)))
        yield Pair(SHUFFLED, first, _twin(first, Data(f"{grid.data}/shuffled", size, size)))
        for way in grid.ways:
            first = Run(network, Data(grid.data, grid.of_ways), way, _SEED, order=0)
            yield Pair(APART[0], first, _twin(first, Data(grid.data, grid.of_ways, grid.of_ways)))


def _twin(run: Run, data: Data) -> Run:
    return replace(run, data=data, order=1)


def judged(grid: Grid, folder: Path, sets: Path | None, key: bytes) -> list[dict[str, Any]]:
    """A row for each pair and each step, in the order of the plan."""
    rows = []
    for pair in planned(grid):
        files = [made(run, folder, sets) for run in (pair.one, pair.other)]
        for step in pair.one.way.steps:
            rows.append(_row(pair, step, files[0][step], files[1][step], key))
        if pair.common == APART[0]:
            *before, last = pair.one.way.steps
            for step in before:
                further = replace(pair, common=CONTINUED)
                rows.append(_row(further, step, files[0][last], files[0][step], key))
        print(pair.one.network, pair.one.way, pair.common, flush=True)
    return rows


def _row(pair: Pair, step: int, suspect: Path, stored: Path, key: bytes) -> dict[str, Any]:
    way = pair.one.way
    ours, theirs = sketched(suspect, key, tried), sketched(stored, key)
    found = said(ours, theirs)
    detail = found.detail
    return {
        "network": pair.one.network,
        "common": pair.common,
        "optimizer": way.optimizer,
        "rate": way.rate,
        "batch": way.batch,
        "examples": pair.one.data.examples,
        "step": step,
        "said": str(found.relation),
        "mean_bits": detail.get("mean"),
        "near_values": max(detail.get("near_values", [0])),
        "learned_values": max(detail.get("learned_values", [0])),
        "tensors": _tensors(ours, theirs),
    }


def _tensors(ours: WeightSketch, theirs: WeightSketch) -> list[list[float]]:
    """Of each tensor: values, bits between the codes as stored, how much both learned."""
    first = {tensor.name: tensor for tensor in reversed(ours.tensors) if tensor.code}
    found = []
    for tensor in theirs.tensors:
        own = first.get(tensor.name)
        if own is not None and own.code and tensor.code and own.shape == tensor.shape:
            bits = (int.from_bytes(own.code) ^ int.from_bytes(tensor.code)).bit_count()
            found.append([tensor.size, bits, min(own.learned, tensor.learned)])
    return found


def accused(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Twins without a common example that are called derived, or more."""
    derived = {str(each) for each in Relation if each >= Relation.DERIVED}
    return [row for row in rows if row["common"] in (*APART, SHUFFLED) and row["said"] in derived]


def table(rows: Sequence[dict[str, Any]]) -> dict[str, dict[str, int]]:
    """How often each relation is named, by what is common."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        found[row["common"]][row["said"]] += 1
    return {common: dict(counts) for common, counts in found.items()}


def of_one_start(networks: Sequence[Network]) -> dict[str, dict[str, int]]:
    """How often each relation is named of families' twins, by the two tasks."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for one, other in combinations(networks, 2):
        if one.start == other.start:
            tasks = sorted(network.name.split(".")[1] for network in (one, other))
            found[" / ".join(tasks)][str(said(one.suspect, other.stored).relation)] += 1
    return {tasks: dict(counts) for tasks, counts in found.items()}


def accused_of_families(by_tasks: dict[str, dict[str, int]]) -> list[str]:
    """Twins of families that have no image in common, and are called derived or more."""
    return [
        f"{tasks}: {relation} {count}"
        for tasks, counts in by_tasks.items()
        for relation, count in counts.items()
        if Relation.parse(relation) >= Relation.DERIVED and _is_disjoint(tasks)
    ]


def _is_disjoint(tasks: str) -> bool:
    one, other = tasks.split(" / ")
    return {one, other} == {"fashion-mnist-half-a", "fashion-mnist-half-b"} or "mnist" in (
        one,
        other,
    )
