"""Payloads as constant-weight words: one small word a symbol, Reed–Solomon across them.

A constant-weight code says by which of its places are large what a symbol is [enumeration: Cover,
1973].  One word for a whole payload has no distance: one place that is misread changes all of it.
So each byte of a Reed–Solomon word [Reed and Solomon, 1960] is a block of its own; blocks that are
in doubt are erased, the most doubtful first [generalized minimum distance: Forney, 1966].
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from math import ceil, comb, isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray
from reedsolo import ReedSolomonError, RSCodec

from assay.errors import BadOption

EXTRA = "watermarks"
SYMBOLS = 256  # values of a symbol: Reed–Solomon over GF(2⁸)
MOST = 255  # symbols of a word of it
_STEPS = 16  # in which doubtful blocks are erased

Words = NDArray[np.bool_]  # (n, length): blocks, and which of their places are large
Magnitudes = NDArray[np.floating[Any]]  # (n, length)


@dataclass(frozen=True, slots=True)
class Code:
    """How a symbol is written, and how many are."""

    length: int = 24  # weights of a block
    ones: int = 2  # of them that are large
    redundancy: float = 3.0  # symbols written for each one of the payload and its tag
    quiet: float = 0.5  # the other weights of a block lie below this quantile of the layer

    def __post_init__(self) -> None:
        if not 0 < self.ones < self.length or comb(self.length, self.ones) < SYMBOLS:
            raise BadOption(
                f"code: {self.ones} of {self.length} places tell fewer than {SYMBOLS} symbols apart"
            )
        if not (isfinite(self.redundancy) and self.redundancy >= 1):
            raise BadOption(f"code.redundancy must be 1 or more, not {self.redundancy}")
        if not 0 <= self.quiet < 1:
            raise BadOption(f"code.quiet must be 0 or more and below 1, not {self.quiet}")

    def blocks(self, message: int) -> int:
        """How many it takes for so many bytes.  Raises BadOption where they are too many."""
        found = ceil(self.redundancy * message)
        if found > MOST:
            raise BadOption(
                f"{message} bytes at code.redundancy={self.redundancy:g} are {found} symbols, and"
                f" a word has {MOST} at most: a shorter payload, or less redundancy"
            )
        return found


def word_of(number: int, length: int, ones: int) -> NDArray[np.bool_]:
    """(length,) the word that stands at place ``number`` of all with so many ones."""
    found = np.zeros(length, bool)
    for place in reversed(range(length)):
        skipped = comb(place, ones)  # words that leave this place and those behind it empty
        if ones and number >= skipped:
            found[place] = True
            number, ones = number - skipped, ones - 1
    return found


def number_of(word: NDArray[np.bool_]) -> int:
    """Inverse of ``word_of``."""
    return sum(comb(int(place), ones) for ones, place in enumerate(np.flatnonzero(word), start=1))


def encoded(message: bytes, length: int, ones: int, blocks: int) -> Words:
    """(n, length) the blocks that say ``message``."""
    symbols = _codec(blocks - len(message)).encode(message) if blocks > len(message) else message
    return _table(length, ones)[list(symbols)]


def picked(magnitudes: Magnitudes, ones: int) -> Words:
    """Which places are the largest of their block; never one that is zero.

    Of equal ones none, where not all of them can be: an order of places would prefer some words.
    """
    below = -np.sort(-magnitudes, axis=1)[:, ones : ones + 1]  # the largest that is not among them
    return magnitudes > np.maximum(below, 0)


def decoded(
    magnitudes: Magnitudes, ones: int, message: int, is_valid: Callable[[bytes], bool]
) -> bytes | None:
    """The message of so many bytes; None where the blocks say none that is valid."""
    words = picked(magnitudes, ones)
    symbols, doubt = np.zeros(len(words), int), np.full(len(words), np.inf)
    ordered = -np.sort(-magnitudes, axis=1)
    gaps = ordered[:, ones - 1] - ordered[:, ones]
    for block, word in enumerate(words):
        number = number_of(word)
        if word.sum() == ones and gaps[block] > 0 and number < SYMBOLS:
            symbols[block], doubt[block] = number, -gaps[block]
    order = np.argsort(-doubt, kind="stable")
    lost, most = int(np.isinf(doubt).sum()), len(words) - message
    for erased in range(lost, most + 1, max(1, most // _STEPS)):
        found = _corrected(bytes(symbols.tolist()), order[:erased], most)
        if found is not None and is_valid(found):
            return found
    return None


def _corrected(symbols: bytes, erased: NDArray[np.int64], redundant: int) -> bytes | None:
    """The message of a Reed–Solomon word; None where none is near enough."""
    if not redundant:
        return symbols
    try:
        return bytes(_codec(redundant).decode(symbols, erase_pos=sorted(erased.tolist()))[0])
    except ReedSolomonError:
        return None


@lru_cache(maxsize=16)
def _table(length: int, ones: int) -> Words:
    return np.stack([word_of(symbol, length, ones) for symbol in range(SYMBOLS)])


@lru_cache(maxsize=64)
def _codec(redundant: int) -> RSCodec:
    return RSCodec(redundant)
