"""How likely a reading is by chance: exact tails, from counts alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from math import comb, log10, prod

Counts = tuple[int, ...]  # (s) of all equally likely cases, how many score 0, 1, 2 …


def log10_tail(counts: Sequence[int], score: int) -> float:
    """log₁₀ of the share of the cases that score at least as much."""
    above = sum(counts[max(score, 0) :])
    return log10(above) - log10(sum(counts)) if above else -float("inf")


def log10_binomial(successes: int, trials: int, one_in: int = 2) -> float:
    """log₁₀ of the probability of so many successes or more, of which each is one in so many."""
    counts = [comb(trials, k) * (one_in - 1) ** (trials - k) for k in range(trials + 1)]
    return log10_tail(counts, successes)


def overlaps(length: int, ones: int, picked: int) -> Counts:
    """How many ways to place ``ones`` among ``length`` have 0, 1 … in common with ``picked``."""
    return tuple(
        comb(picked, shared) * comb(length - picked, ones - shared)
        for shared in range(min(ones, picked) + 1)
    )


@lru_cache(maxsize=512)
def summed(length: int, ones: int, picked: tuple[tuple[int, int], ...]) -> Counts:
    """The same of the sum over blocks; ``picked``: how many are picked, in how many blocks."""
    found: Counts = (1,)
    for each, blocks in picked:
        found = _product((found, _power(overlaps(length, ones, each), blocks)))
    return found


def _power(counts: Counts, times: int) -> Counts:
    """Of so many independent cases; by squaring."""
    found: Counts = (1,)
    while times:
        if times & 1:
            found = _product((found, counts))
        counts, times = _product((counts, counts)), times >> 1
    return found


def _product(both: Iterable[Counts]) -> Counts:
    """Convolution, as the product of two whole numbers with a digit for each count."""
    one, other = both
    bits = prod((sum(one), sum(other))).bit_length() + 1
    packed = _packed(one, bits) * _packed(other, bits)
    mask, size = (1 << bits) - 1, len(one) + len(other) - 1
    return tuple((packed >> (bits * place)) & mask for place in range(size))


def _packed(counts: Counts, bits: int) -> int:
    return sum(count << (bits * place) for place, count in enumerate(counts))
