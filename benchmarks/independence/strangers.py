"""All pairs of networks that share no start: what is said of them, and how rare an accusation is.

The pairs of n networks are not independent of one another, but the mean over all pairs is a mean
of means over disjoint pairs, which are: of ⌊n / 2⌋ independent observations, Chernoff's bound holds
for it [Hoeffding 1963, section 5].  Networks that began with the same weights are one unit.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import log
from typing import Any

import numpy as np

from assay.comparisons.weights import Weights
from assay.values import Record, Relation, WeightSketch

LEVELS = (-1, -2, -3, -4, -5, -6, -8, -12)
_CONFIDENCE = 0.95
_METHOD = Weights()


@dataclass(frozen=True, slots=True)
class Network:
    """A trained network, as a registry keeps it and as a suspect is searched."""

    architecture: str
    start: str  # networks of one start are one unit
    name: str
    stored: WeightSketch
    suspect: WeightSketch


@dataclass(frozen=True, slots=True)
class Said:
    """What is said of a pair."""

    relation: Relation
    log10_false_alarm: float  # as it is stated; 0 where nothing could be compared
    detail: dict[str, Any]


def said(suspect: WeightSketch, stored: WeightSketch) -> Said:
    """What the comparison of weights says of two sketches."""
    evidence = _METHOD.compare(
        Record("suspect", "", sketch=suspect), Record("source", "", sketch=stored)
    )
    if evidence is None:
        return Said(Relation.UNRELATED, 0.0, {})
    alarm = evidence.log10_false_alarm
    return Said(_METHOD.relation(evidence), 0.0 if alarm is None else alarm, evidence.detail)


def pairs(networks: Sequence[Network]) -> Iterator[tuple[Network, Network]]:
    """All pairs whose starts differ."""
    for one, other in combinations(networks, 2):
        if one.start != other.start:
            yield one, other


def judged(networks: Sequence[Network]) -> dict[str, Any]:
    """What is said of all pairs, by architecture; and how rare accusations are, at most."""
    found: dict[str, list[tuple[str, str, Said]]] = defaultdict(list)
    for one, other in pairs(networks):
        same = one.architecture == other.architecture
        name = one.architecture if same else "two architectures"
        found[name].append((one.start, other.start, said(one.suspect, other.stored)))
    starts: dict[str, set[str]] = defaultdict(set)
    for network in networks:
        starts[network.architecture].add(network.start)
    return {
        "networks": len(networks),
        "by_architecture": {
            name: {
                "networks": sum(network.architecture == name for network in networks),
                "starts": len(starts[name]),
                **summary([each for *_, each in rows]),
            }
            for name, rows in sorted(found.items())
        },
        "all_pairs": summary([each for rows in found.values() for *_, each in rows]),
        "accusation_rate": accusation_rate(
            {name: rows for name, rows in found.items() if name in starts},
            {name: len(units) for name, units in starts.items()},
        ),
    }


def summary(rows: Sequence[Said]) -> dict[str, Any]:
    """How often each relation is named, and the share at or below each stated false alarm."""
    alarms = np.array([row.log10_false_alarm for row in rows])
    return {
        "pairs": len(rows),
        "said": dict(Counter(str(row.relation) for row in rows)),
        "least_log10_false_alarm": round(float(alarms.min(initial=0.0)), 2),
        "shares": [float(np.mean(alarms <= level)) for level in LEVELS],
    }


def accusation_rate(
    found: dict[str, list[tuple[str, str, Said]]], starts: dict[str, int]
) -> dict[str, Any]:
    """Mean share of accused pairs, and the largest that the disjoint pairs leave possible."""
    disjoint = {name: starts[name] // 2 for name in found}
    total = sum(disjoint.values())
    mean = sum(disjoint[name] * _share(rows) for name, rows in found.items()) / total
    return {
        "disjoint_pairs_of_starts": total,
        "mean": mean,
        f"at_most_with_{_CONFIDENCE:.0%}": round(upper(mean, total), 5),
    }


def _share(rows: Iterable[tuple[str, str, Said]]) -> float:
    """Mean over pairs of starts of the share of their pairs that is accused."""
    of_starts: dict[frozenset[str], list[bool]] = defaultdict(list)
    for one, other, each in rows:
        of_starts[frozenset((one, other))].append(each.relation >= Relation.COMMON_ANCESTOR)
    return float(np.mean([np.mean(accused) for accused in of_starts.values()]))


def upper(mean: float, count: int) -> float:
    """The largest rate whose Chernoff bound for so low a mean of ``count`` is not below 5 %."""
    low, high = mean, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        if count * _divergence(mean, middle) <= -log(1 - _CONFIDENCE):
            low = middle
        else:
            high = middle
    return low


def _divergence(p: float, q: float) -> float:
    """Of two coins [Kullback, Leibler 1951]."""
    if q >= 1:
        return 0.0 if p >= 1 else float("inf")
    first = p * log(p / q) if p > 0 else 0.0
    return first + ((1 - p) * log((1 - p) / (1 - q)) if p < 1 else 0.0)
