"""Strangers with as many of a victim's exact values as a change can give, judged by fragments."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from math import comb, log10
from pathlib import Path

import attacks
import numpy as np
import values
from attacked import state_of_file
from ground import SECRET, Ground, Row, State
from numpy.typing import NDArray

from assay.comparisons import TOLERANCE
from assay.comparisons.fragments import FORGED, Fragments, log10_tail
from assay.sketches import fragments
from assay.values import Record

JUDGE = Fragments()
_OWN = SECRET[-6:]  # keys that the forger draws to see what is best
_MANY = 100_000  # values: larger tensors are left as they are, to be laid out takes too long
_DRAWS = 200_000


def by_values(ground: Ground, network: str) -> Iterator[tuple[str, Callable[[], Row]]]:
    """A stranger with the victim's values, and where they are; the key is secret."""
    stranger, victim = ground.state(network, 1), ground.state(network, 0)
    for most in (0.1,) if ground.folder is None else (0.01, 0.03, 0.1):
        make = partial(_judged, stranger, victim, most, ground.keys)
        yield f"values | {network} | fragments, secret key | {most}", make


def by_values_of_files(ground: Ground, _: str) -> Iterator[tuple[str, Callable[[], Row]]]:
    """The same of real files, tensors of one shape."""
    for stranger, victim in ground.pairs:
        make = partial(_judged_files, stranger, victim, ground.keys)
        yield f"values | {stranger.stem} | fragments, secret key | 0.1", make


def _judged_files(stranger: Path, victim: Path, keys: int) -> Row:
    files = {"files": [stranger.name, victim.name]}
    return files | _judged(state_of_file(stranger), state_of_file(victim), 0.1, keys)


def _judged(stranger: State, victim: State, most: float, keys: int) -> Row:
    """What is said with each of many keys, and how likely a false alarm is by what was bought."""
    forged, shares, aims = dict(stranger), list[float](), attacks.partners(stranger, victim)
    for name, value in stranger.items():
        aim = aims.get(name)
        if value.ndim < 2 or aim is None or value.size > _MANY:
            continue
        own, other = (each.reshape(len(each), -1) for each in (value, aim))
        if all(fragments.fragments(each, SECRET[0]) for each in (own, other)):
            found = [(_share(one, other), one) for one in values.forged(own, other, most)]
            share, best = max(found, key=lambda each: each[0], default=(0.0, own))
            forged[name] = best.reshape(value.shape)
            shares.append(share)
    alarms, relations = [], []
    for key in SECRET[:keys]:
        records = (
            Record("", "", sketch=attacks.sketched(state, key)) for state in (forged, victim)
        )
        evidence = JUDGE.compare(*records)
        if evidence is not None:
            alarms.append(evidence.log10_false_alarm or 0.0)
            relations.append(str(JUDGE.relation(evidence)))
    return {
        "change": round(attacks.change(stranger, forged), 4),
        "tensors": len(shares),
        "shares": [round(share, 3) for share in sorted(shares)],
        "judged": len(alarms),
        "relations": sorted(set(relations)),
        "least": min(alarms, default=0.0),
        **_expected(shares),
    }


def _share(own: NDArray[np.float32], victim: NDArray[np.float32]) -> float:
    """Of the suspect's hashes, the share that is the victim's, with keys of the forger's own."""
    both = [0, 0]
    for key in _OWN:
        one, other = (_hashes(each, key) for each in (own, victim))
        both[0] += len(one & other)
        both[1] += len(one)
    return both[0] / max(both[1], 1)


def _hashes(matrix: NDArray[np.float32], key: bytes) -> set[int]:
    sample = fragments.drawn(matrix, key)
    return {*fragments.cells(matrix, key, sample, len(sample.values)).hashes.tolist()}


def _expected(shares: Sequence[float]) -> Row:
    """The share of draws in which hashes, as many as are kept, make a common ancestor."""
    if not shares:
        return {}
    total, kept = len(shares), fragments.KEPT
    counts = np.random.default_rng(0).binomial(kept, shares, (_DRAWS, total))
    known = np.array([log10_tail(shared, kept) for shared in range(kept + 1)]) + np.log10(total)
    last = np.sort(known[counts], axis=1)
    number = np.arange(1, total + 1)
    choices = np.array([log10(comb(total, int(k))) for k in number])
    alarms = np.minimum((choices + number * last + log10(total)).min(1), 0)
    return {
        "bound": FORGED,
        "draws": _DRAWS,
        "near": float(np.mean(alarms <= log10(TOLERANCE))),
        "least_drawn": round(float(alarms.min()), 2),
    }
