"""Codes near a given one without looking at all [Indyk, Motwani, STOC 1998; Lv et al., VLDB 2007].

A band is b bits of a code.  For each of sixteen bands, codes are listed by the value that they have
there.  Two codes that differ in a share p of their bits agree in a band, but for at most two bits,
with probability Σ C(b, i) pⁱ (1 - p)ᵇ⁻ⁱ, i = 0 … 2; so the values looked up in each band are those
within two bits of the searched code's own.  A band has as many values as there are codes, about, so
that strangers do not crowd.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from assay.errors import DamagedRegistry
from assay.sketches.kinds import Words

BANDS = 16
SCANNED = 2**15  # codes of one kind: up to here all are looked at, which is as quick, and exact
FLIPPED = 2  # bits of a band in which a code that is found may differ
_MOST_BITS = 24  # of a band
_AT_ONCE = 2**14  # codes that are worked on at once: they stay in a core's cache

Pieces = NDArray[np.uint16]
Rows = NDArray[np.uint32]
Places = NDArray[np.int64]
Distances = NDArray[np.uint32]


def bits(count: int) -> int:
    """Of a band of ``count`` codes; 0 where they are all looked at."""
    return 0 if count <= SCANNED else min(count.bit_length() - 1, _MOST_BITS)


def listed(words: Words) -> tuple[Rows, Rows]:
    """The n codes' rows by each band's value (16, n), and where each value's begin (16, 2ᵇ + 1)."""
    width, pieces = bits(len(words)), words.view(np.uint16)
    rows = np.empty((BANDS, len(words)), np.uint32)
    begins = np.zeros((BANDS, 2**width + 1), np.uint32)
    for band in range(BANDS):
        values = _values(pieces[:, band], pieces[:, (band + 1) % BANDS], width)
        placed = (values.astype(np.uint64) << 32) | np.arange(len(words), dtype=np.uint64)
        placed.sort()  # several times as quick as argsort
        rows[band] = placed & 0xFFFFFFFF
        np.cumsum(np.bincount(values, minlength=2**width), out=begins[band, 1:])
    return rows, begins


def ranges(code: Words, begins: Rows, count: int, flipped: int) -> tuple[Places, Places]:
    """Where in the lists (16 · n) runs of codes begin, and how many codes each is.

    They are those that differ in up to ``flipped`` bits of the band.  Raises DamagedRegistry where
    the lists are not those of ``count`` codes.
    """
    width, pieces = bits(count), code.view(np.uint16)
    values = _values(pieces, np.roll(pieces, -1), width)
    bands = np.arange(BANDS)[:, None]
    places = ((values[:, None] ^ _masks(width, flipped)) + bands * (2**width + 1)).reshape(-1)
    first = np.take(begins, places).astype(np.int64)
    past = np.take(begins, places + 1).astype(np.int64)
    if (past < first).any() or past.max() > count:
        raise DamagedRegistry("lists of codes that are out of order")
    begin = (first.reshape(BANDS, -1) + bands * count).reshape(-1)
    some = past > first
    return begin[some], (past - first)[some]


def expanded(begins: Places, lengths: Places) -> Places:
    """The places of all ranges, one after the other."""
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    return np.arange(total) + np.repeat(begins - ends + lengths, lengths)


def distances(words: Words, code: Words) -> Distances:
    """In how many bits each of the codes (n, 4) differs from one (4)."""
    found = np.empty(len(words), np.uint32)
    for start in range(0, len(words), _AT_ONCE):
        part = words[start : start + _AT_ONCE] ^ code
        four = np.bitwise_count(part).view(np.uint32)[:, 0]  # a count in each byte, at most 64
        two = (four & 0x00FF00FF) + ((four >> 8) & 0x00FF00FF)
        found[start : start + _AT_ONCE] = (two + (two >> 16)) & 0x1FF
    return found


@lru_cache(maxsize=64)
def _masks(width: int, flipped: int) -> NDArray[np.int64]:
    """All values of ``width`` bits with at most ``flipped`` ones."""
    chosen = (ones for count in range(flipped + 1) for ones in combinations(range(width), count))
    return np.array([sum(1 << one for one in ones) for ones in chosen], np.int64)


def _values(pieces: Pieces, following: Pieces, width: int) -> NDArray[np.uint32]:
    """What codes have in a band: it begins with a piece of 16 bits, and goes on into the next."""
    values = pieces.astype(np.uint32)
    if width > 16:
        values |= following.astype(np.uint32) << 16
    masked: NDArray[np.uint32] = values & np.uint32(2**width - 1)
    return masked
