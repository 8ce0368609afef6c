"""Whose copy a suspect is: the words of licensees against what a suspect has at the marks' places.

Of each place the owner knows what is there in a copy whose word has it small, and in one that has
it large; how far a suspect's value lies from the one to the other is what the place scores, so of
averaged copies each scores a part.  A licensee has the sum over the places that his word has large.
For who had no part in the suspect his word is as likely as every other, whatever was done to the
suspect and however it was chosen: so the sum's tail is counted over all words, and no assumption
about attacks is made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import comb, log10
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.alignment import align
from assay.errors import BadOption
from assay.licenses._ledger import Ledger
from assay.values import Json
from assay.weights import Weight
from assay.weights.sites import Array, Words

EXTRA = "crypto"
_STEPS = 16  # in which a place scores from 0 to 1 …
_SUMS = 20_000  # … or fewer, so that no more sums are possible
_LOWEST = -300.0  # log₁₀: what is rarer is not told from this
_ROUNDING = 1e-9  # more than what floating point adds or loses in all sums

Scores = NDArray[np.int64]  # (n, w)


@dataclass(frozen=True, slots=True)
class Traced:
    """What was found of one licensee."""

    licensee: str
    key: str  # his public key
    score: float  # mean score of the places that his word has large: 1 in his copy
    log10_tail: float  # of as much in who had no part in the suspect
    log10_false_alarm: float  # the same, corrected for all who were asked [Holm, 1979]

    def to_json(self, tolerance: float) -> Json:
        """``tolerance``: the false alarm up to which he is named."""
        return {
            "licensee": self.licensee, "key": self.key, "score": round(self.score, 4),
            "log10_tail": round(self.log10_tail, 2),
            "log10_false_alarm": round(self.log10_false_alarm, 2),
            "traced": self.log10_false_alarm <= log10(tolerance),
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reading:
    """What a suspect has at the places, read in one way."""

    scores: tuple[Scores, ...]  # of each of the ledger's sites
    steps: int  # of 1
    tail: Array  # (t) of each sum, the probability of as much for a word that was drawn

    def of(self, words: Sequence[Words]) -> tuple[float, float]:
        """Mean score where the words are large, and log₁₀ of the probability of as much."""
        found = sum(int(s[w].sum()) for s, w in zip(self.scores, words, strict=True))
        count = sum(int(word.sum()) for word in words)
        tail = float(self.tail[found]) * (1 + _ROUNDING)
        return found / self.steps / count, max(_LOWEST, log10(tail) if tail else _LOWEST)


def traced(
    suspect: Mapping[str, Weight], ledger: Ledger, words: Mapping[tuple[str, str], Sequence[Words]]
) -> list[Traced]:
    """What was found of each licensee, the likeliest first.

    Args:
        suspect: Its weights by name.
        ledger: The owner's, of the distributable.
        words: By name and public key, those of all who are asked for.

    Raises BadOption where nobody is, UnreadableModel where a weight is damaged.
    """
    if not words:
        raise BadOption("nobody is asked for: name the licenses that were given")
    readings = list(read(suspect, ledger))
    rows = []
    for (licensee, key), word in words.items():
        found = [reading.of(word) for reading in readings]
        score, tail = min(found, key=lambda each: (each[1], -each[0]))
        rows.append((min(0.0, tail + log10(len(readings))), -score, licensee, key))
    rows.sort()
    made, least = [], -np.inf
    for place, (tail, score, licensee, key) in enumerate(rows):
        least = max(least, min(0.0, tail + log10(len(rows) - place)))
        made.append(Traced(licensee, key, -score, tail, float(least)))
    return made


def read(suspect: Mapping[str, Weight], ledger: Ledger) -> Iterator[Reading]:
    """The suspect as it is, and with its channels put back; at each level whose weights differ.

    Which tensor is the marked one, and where its channels are, is told without the marked places.
    """
    rows = [
        [held.values(site.shape) for site, held in zip(ledger.sites, level, strict=True)]
        for level in ledger.levels
    ]
    distinct = [rows[0]]
    for row in rows[1:]:  # where levels only lack channels, the marked places are alike
        if not any(_same(row, other, ledger) for other in distinct):
            distinct.append(row)
    likely = [_likely(suspect, site.shape) for site in ledger.sites]
    for row in distinct:
        for put_back in (False, True):
            pairs = [
                _found(near, values, site.places, put_back)
                for near, values, site in zip(likely, row, ledger.sites, strict=True)
            ]
            yield _reading(pairs, row, ledger)


def _same(one: Sequence[Array], other: Sequence[Array], ledger: Ledger) -> bool:
    return all(
        np.array_equal(a.reshape(-1)[site.places], b.reshape(-1)[site.places])
        for a, b, site in zip(one, other, ledger.sites, strict=True)
    )


def _likely(suspect: Mapping[str, Weight], shape: tuple[int, ...]) -> dict[str, Array]:
    """A suspect's tensors that may be the one of this shape, or what was left of its channels."""
    return {
        name: np.nan_to_num(np.asarray(weight.read(), np.float32), posinf=0, neginf=0)
        for name, weight in suspect.items()
        if len(weight.shape) == len(shape) and weight.shape[2:] == shape[2:]
        if all(0 < ours <= own for ours, own in zip(weight.shape, shape, strict=True))
    }


def _found(likely: Mapping[str, Array], own: Array, places: Any, put_back: bool) -> Array | None:
    """A suspect's values of a marked tensor, in its order; None where it has no such tensor."""
    blind = own.copy()
    blind.reshape(-1)[places] = 0
    if put_back:
        found = align(likely, {"marked": blind}) if likely else None
        return None if found is None else found.applied(likely).get("marked")
    whole = {name: values for name, values in likely.items() if values.shape == own.shape}
    if not whole:
        return None
    return max(whole.values(), key=lambda values: abs(_correlation(values, blind)))


def _correlation(one: Array, other: Array) -> float:
    sizes = float(np.linalg.norm(one)) * float(np.linalg.norm(other))
    return float(np.vdot(one, other)) / sizes if sizes else 0.0


def _reading(found: Sequence[Array | None], row: Sequence[Array], ledger: Ledger) -> Reading:
    """Scores, in steps: rounded, so that all sums can be counted."""
    blocks = sum(len(site.places) * site.ones for site in ledger.sites)
    steps = max(1, min(_STEPS, _SUMS // blocks))
    scores, sums = [], np.ones(1)
    for values, own, site in zip(found, row, ledger.sites, strict=True):
        share = np.zeros(site.places.shape)
        if values is not None and values.shape == own.shape:
            plain = np.abs(own.reshape(-1)[site.places]).astype(np.float64)
            small, large = np.minimum(plain, site.low), np.maximum(plain, site.high)
            share = (np.abs(values.reshape(-1)[site.places]) - small) / (large - small)
        score = np.rint(steps * np.clip(share, 0, 1)).astype(np.int64)
        scores.append(score)
        for block in score:
            sums = np.convolve(sums, chances(block, site.ones))
    return Reading(tuple(scores), steps, np.cumsum(sums[::-1])[::-1])


def chances(scores: NDArray[np.int64], ones: int) -> Array:
    """(s) how likely each sum of ``ones`` of a block's scores is, all choices being equally."""
    most = int(np.sort(scores)[-ones:].sum())
    counts = np.zeros((ones + 1, most + 1))  # of how many, with which sum
    counts[0, 0] = 1
    for score in scores.tolist():
        moved = counts[:-1, : most + 1 - score] if score <= most else counts[:-1, :0]
        counts[1:, score:] += moved.copy()
    found: Array = counts[ones] / comb(len(scores), ones)
    return found
