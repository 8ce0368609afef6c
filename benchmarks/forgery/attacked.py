"""Framing and evasion: what is said of forged weights, and what they cost in accuracy.

A row is named "what | network | way | change"; the victim is the network of seed 0.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import attacks
import numpy as np
import tails
from ground import SECRET, Ground, Row, State

from assay.formats import read
from assay.sketches.keys import PUBLIC

MIXTURES: Mapping[str, Callable[[State, State, float], State]] = {
    "mixture": attacks.mixed,
    "mixture by rows": attacks.mixed_by_rows,
}


def framing(ground: Ground, network: str) -> Iterator[tuple[str, Callable[[], Row]]]:
    """A stranger moved to a victim, by a forger with the key, or without."""
    stranger, victim = ground.state(network, 1), ground.state(network, 0)
    ways: Mapping[str, Callable[[float], State]] = {
        "codes, public key": lambda most: attacks.framed(stranger, victim, [PUBLIC], most),
        "codes, four keys of his own": lambda most: attacks.framed(
            stranger, victim, SECRET[-4:], most
        ),
        **{way: partial(mix, stranger, victim) for way, mix in MIXTURES.items()},
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
    """The mixtures, judged with many secret keys, and what is to be expected."""
    for way in MIXTURES:
        for most in ground.changes[-1:] if ground.folder is None else (0.03, 0.1, 0.2, 0.3):
            make = partial(_over_keys, ground, network, way, most)
            yield f"keys | {network} | {way} | {most}", make


def _over_keys(ground: Ground, network: str, way: str, most: float) -> Row:
    victim = ground.state(network, 0)
    seeds = (1,) if ground.folder is None else (1, 2)
    strangers = [ground.state(network, seed) for seed in seeds]
    mixtures = [MIXTURES[way](stranger, victim, most) for stranger in strangers]
    return {
        "change": most,
        **_judged(mixtures, victim, SECRET[: 4 * ground.keys]),
        **_likely(strangers[0], mixtures[0], victim),
    }


def _likely(stranger: State, mixture: State, victim: State) -> Row:
    """What a mixture gained, what it shows that a tenth could have given it, and its chances."""
    given, known = attacks.gained(stranger, mixture, victim), attacks.cheap(mixture, 0.1)
    ordered = sorted(given.values())
    source = attacks.sketched(victim, PUBLIC)
    return {
        "tensors": len(given),
        "cosines": [round(ordered[place], 3) for place in (0, len(ordered) // 2, -1)],
        "of_what_rows_show": round(max(given[name] / known[name] for name in given), 3),
        "expected": tails.reached(source, given, 200_000),
    }


def _judged(suspects: Sequence[State], victim: State, keys: Sequence[bytes]) -> Row:
    """What is said of the suspects with each of many keys."""
    alarms, relations = [], Counter[str]()
    for key in keys:
        source = attacks.sketched(victim, key)
        for suspect in suspects:
            told = attacks.said(suspect, source, key)
            alarms.append(told["log10_false_alarm"])
            relations[told["relation"]] += 1
    levels = (-2, -4, -6, -8)
    return {
        "judged": len(alarms),
        "relations": dict(relations),
        "least": min(alarms),
        "shares": {level: float(np.mean(np.array(alarms) <= level)) for level in levels},
    }


def expected(ground: Ground, network: str) -> Iterator[tuple[str, Callable[[], Row]]]:
    """What is too rare to be counted."""
    for most in () if ground.folder is None else (0.05, 0.1, 0.12, 0.15, 0.2):
        yield f"expected | {network} | mixture | {most}", partial(_expected, ground, network, most)
    if ground.folder is not None:
        yield f"expected | {network} | mixture by rows | 0.1", partial(_by_rows, ground, network)


def _expected(ground: Ground, network: str, most: float) -> Row:
    draws = 10_000_000 if most == 0.1 else 1_000_000  # there it should be 10^-6
    return tails.reached(attacks.sketched(ground.state(network, 0), PUBLIC), most, draws)


def _by_rows(ground: Ground, network: str) -> Row:
    stranger, victim = ground.state(network, 1), ground.state(network, 0)
    given = attacks.gained(stranger, attacks.mixed_by_rows(stranger, victim, 0.1), victim)
    return tails.reached(attacks.sketched(victim, PUBLIC), given, 10_000_000)


def evasion(ground: Ground, network: str) -> Iterator[tuple[str, Callable[[], Row]]]:
    """A copy moved away from what it was copied from."""
    copy = ground.state(network, 0)
    ways: Mapping[str, Callable[[float], State]] = {
        "codes, public key": lambda most: attacks.evaded(copy, PUBLIC, most),
        "noise": lambda most: attacks.noisy(copy, most, 0),
        "noise of rank 1": lambda most: attacks.noisy(copy, most, 0, rank=1),
    }
    for way, forge in ways.items():
        changes = ground.noises if "noise" in way else ground.changes
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
    """Real files moved to others, tensors of one shape; accuracy is not known."""
    for stranger, victim in ground.pairs:
        for most in (0.01, 0.03):
            make = partial(_between, stranger, victim, most)
            yield f"files | {stranger.stem} | codes, public key | {most}", make
        for way in MIXTURES:
            make = partial(_mixed_files, stranger, victim, way, ground.keys)
            yield f"files | {stranger.stem} | {way} | 0.1", make


def _between(stranger: Path, victim: Path, most: float) -> Row:
    state, aim = state_of_file(stranger), state_of_file(victim)
    forged = attacks.framed(state, aim, [PUBLIC], most)
    return {
        "files": [stranger.name, victim.name],
        "change": round(attacks.change(state, forged), 4),
        "values": int(sum(value.size for value in forged.values())),
        **{
            name: attacks.said(forged, attacks.sketched(aim, key), key)
            for name, key in (("public", PUBLIC), ("secret", SECRET[0]))
        },
    }


def _mixed_files(stranger: Path, victim: Path, way: str, keys: int) -> Row:
    state, aim = state_of_file(stranger), state_of_file(victim)
    mixture = MIXTURES[way](state, aim, 0.1)
    return {
        "files": [stranger.name, victim.name],
        "change": round(attacks.change(state, mixture), 4),
        "before": attacks.said(state, attacks.sketched(aim, SECRET[0]), SECRET[0]),
        **_judged([mixture], aim, SECRET[:keys]),
        **_likely(state, mixture, aim),
    }


def state_of_file(file: Path) -> State:
    """The float32 tensors of a model's file."""
    weights = read(file).weights
    return {n: weight.read() for n, weight in weights.items() if weight.dtype == "float32"}


def _alarm(row: Row) -> float:
    return -float(row["log10_false_alarm"])
