"""Framing and evasion: what is said of forged weights, and what they cost in accuracy.

A row is named "what | network | way | change"; the victim is the network of seed 0.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import partial

import attacks
import numpy as np
import tails
from ground import SECRET, Ground, Row, State

from assay.formats import read
from assay.sketches.keys import PUBLIC


def framing(ground: Ground, network: str) -> Iterator[tuple[str, Callable[[], Row]]]:
    """A stranger moved to a victim, by a forger with the key, or without."""
    stranger, victim = ground.state(network, 1), ground.state(network, 0)
    ways: Mapping[str, Callable[[float], State]] = {
        "codes, public key": lambda most: attacks.framed(stranger, victim, [PUBLIC], most),
        "codes, four keys of his own": lambda most: attacks.framed(
            stranger, victim, SECRET[-4:], most
        ),
        "mixture": lambda most: attacks.mixed(stranger, victim, most),
    }
    for way, forge in ways.items():
        for most in ground.changes:
            if "four" not in way or (network == "mlp" and most in (0.1, ground.changes[-1])):
                make = partial(_framed, ground, network, stranger, victim, forge, most)
                yield f"framing | {network} | {way} | {most}", make


def _framed(
    ground: Ground,
    network: str,
    stranger: State,
    victim: State,
    forge: Callable[[float], State],
    most: float,
) -> Row:
    forged = forge(most)
    secret = [
        attacks.said(forged, attacks.sketched(victim, key), key) for key in SECRET[: ground.keys]
    ]
    return {
        "change": round(attacks.change(stranger, forged), 4),
        "before": ground.accuracy(network, stranger),
        "after": ground.accuracy(network, forged),
        "public": attacks.said(forged, attacks.sketched(victim, PUBLIC), PUBLIC),
        "secret": max(secret, key=_alarm),
        "secret_alarms": sorted(row["log10_false_alarm"] for row in secret),
    }


def over_keys(ground: Ground, network: str) -> Iterator[tuple[str, Callable[[], Row]]]:
    """The mixture, judged with many secret keys, and what is to be expected."""
    for most in ground.changes[-1:] if ground.folder is None else (0.03, 0.1, 0.2, 0.3):
        yield f"keys | {network} | mixture | {most}", partial(_over_keys, ground, network, most)


def _over_keys(ground: Ground, network: str, most: float) -> Row:
    victim = ground.state(network, 0)
    seeds = (1,) if ground.folder is None else (1, 2)
    mixtures = [attacks.mixed(ground.state(network, seed), victim, most) for seed in seeds]
    alarms, relations = [], Counter[str]()
    for key in SECRET[: 4 * ground.keys]:
        source = attacks.sketched(victim, key)
        for mixture in mixtures:
            told = attacks.said(mixture, source, key)
            alarms.append(told["log10_false_alarm"])
            relations[told["relation"]] += 1
    return {
        "change": most,
        "judged": len(alarms),
        "relations": dict(relations),
        "least": min(alarms),
        "shares": {level: float(np.mean(np.array(alarms) <= level)) for level in (-2, -4, -6, -8)},
        "expected": tails.reached(attacks.sketched(victim, PUBLIC), most, 200_000),
    }


def expected(ground: Ground, network: str) -> Iterator[tuple[str, Callable[[], Row]]]:
    """What is too rare to be counted."""
    for most in () if ground.folder is None else (0.0, 0.03, 0.05, 0.07, 0.1):
        yield f"expected | {network} | mixture | {most}", partial(_expected, ground, network, most)


def _expected(ground: Ground, network: str, most: float) -> Row:
    return tails.reached(attacks.sketched(ground.state(network, 0), PUBLIC), most, 1_000_000)


def evasion(ground: Ground, network: str) -> Iterator[tuple[str, Callable[[], Row]]]:
    """A copy moved away from what it was copied from."""
    copy = ground.state(network, 0)
    ways: Mapping[str, Callable[[float], State]] = {
        "codes, public key": lambda most: attacks.evaded(copy, PUBLIC, most),
        "noise": lambda most: attacks.noisy(copy, most, 0),
        "noise of rank 1": lambda most: attacks.noisy(copy, most, 0, rank=1),
    }
    for way, forge in ways.items():
        changes = ground.noises if "noise" in way else ground.changes[-2:]
        for most in changes:
            make = partial(_evaded, ground, network, copy, forge, most)
            yield f"evasion | {network} | {way} | {most}", make


def _evaded(
    ground: Ground, network: str, copy: State, forge: Callable[[float], State], most: float
) -> Row:
    forged = forge(most)
    return {
        "change": round(attacks.change(copy, forged), 4),
        "before": ground.accuracy(network, copy),
        "after": ground.accuracy(network, forged),
        "public": attacks.said(forged, attacks.sketched(copy, PUBLIC), PUBLIC),
        "secret": attacks.said(forged, attacks.sketched(copy, SECRET[0]), SECRET[0]),
    }


def between_files(ground: Ground, _: str) -> Iterator[tuple[str, Callable[[], Row]]]:
    """A real file moved to another one, tensors of one name and shape; accuracy is not known."""
    if ground.files:
        for most in (0.01, 0.03):
            yield f"files | - | codes, public key | {most}", partial(_between, ground, most)


def _between(ground: Ground, most: float) -> Row:
    stranger, victim = (
        {name: weight.read() for name, weight in read(file).weights.items()}
        for file in ground.files
    )
    forged = attacks.framed(stranger, victim, [PUBLIC], most)
    return {
        "files": [file.name for file in ground.files],
        "change": round(attacks.change(stranger, forged), 4),
        "values": int(sum(value.size for value in forged.values())),
        **{
            name: attacks.said(forged, attacks.sketched(victim, key), key)
            for name, key in (("public", PUBLIC), ("secret", SECRET[0]))
        },
    }


def _alarm(row: Row) -> float:
    return -float(row["log10_false_alarm"])
