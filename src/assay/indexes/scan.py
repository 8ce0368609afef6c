"""Exact search by counting the differing bits of every code, in blocks that fit the cache.

A block is XORed with the query and its bits are counted (``numpy.bitwise_count``) in buffers that
are made once a search.  The k-th smallest distance so far bounds the rest: a block is looked at
further only where its smallest distance is below that bound, which is rare after the first blocks.
Memory: 8 bytes a code for its key and 8 for each 64 bits, rounded up; one more once some of the
caller's codes were removed; twice the arrays during a merge.  Times are in benchmarks/search.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import numpy as np

from assay.errors import BadOption
from assay.indexes import Index
from assay.indexes._sorted_codes import Distances, Keys, Rows, SortedCodes, Words, pack
from assay.values import HashCode, Match

FIRST = 1024  # codes in the first block of a search: small, so that the bound is soon there
FEW = 4  # near codes in a block that are looked for one by one


class Scan(Index):
    """Every code is looked at, so the answer is exact whatever the codes are.

    Codes lie in two places: those of ``from_arrays``, which are never written to, and behind them
    up to ``tail`` recent ones; when the tail is full, both are merged into new arrays.  To add or
    remove a code takes 3 microseconds, and its share of the merges up to 5 more at ten million
    codes.  Ascending keys, signed 64-bit numbers, are added fastest.  The scheme stays fixed when
    the last code is removed.

    Any number of threads may search at once, but none while another adds or removes.
    """

    def __init__(self, block: int = 65_536, tail: int = 65_536) -> None:
        self.block = block  # codes looked at in one step: few calls, and buffers of 576 KiB
        self.tail = tail  # recent codes before a merge
        self._first: HashCode | None = None  # fixes the scheme
        self._main = self._tail = SortedCodes.empty(0, 0)

    @classmethod
    def from_arrays(cls, scheme: str, bits: int, keys: Keys, words: Words) -> Scan:
        """An index on the caller's arrays, which may be read-only memory maps.

        They are not copied where the keys ascend (else both are sorted into a copy), and must not
        change while the index lives.

        Args:
            scheme: of the codes.
            bits: of a code, a multiple of 8.
            keys: int64 (n), each once.
            words: uint64 (n, w), w = bits / 64 rounded up; a row's bytes are the digest's, in
                their order, then zeros.  Where w > 1, contiguous columns are searched faster.

        Raises:
            BadOption: shapes or types are not these, or a key is there twice.
        """
        if keys.dtype != np.int64 or words.dtype != np.uint64:
            raise BadOption(f"{keys.dtype} keys, {words.dtype} words: expected int64 and uint64")
        if bits < 1 or bits % 8 or words.shape != (*keys.shape, -(-bits // 64)):
            raise BadOption(f"keys {keys.shape}, words {words.shape}: not codes of {bits} bits")
        if not (keys[1:] > keys[:-1]).all():
            order = np.argsort(keys)
            keys, words = keys[order], words[order]
            if not (keys[1:] > keys[:-1]).all():
                raise BadOption("a key is there twice")
        index = cls()
        index._fix(HashCode(scheme, bytes(bits // 8)))
        index._main = SortedCodes(keys, words, keys.size)
        return index

    def arrays(self) -> tuple[Keys, Words]:
        """Ascending keys (n) and their words (n, w), read-only, as ``from_arrays`` takes them.

        They stay as they are when the index changes.  Recent changes are merged first.
        """
        if self._tail.size or self._main.gone is not None:
            self._merge()
        keys, words = self._main.keys.view(), self._main.words.view()
        keys.flags.writeable = words.flags.writeable = False
        return keys, words

    def __len__(self) -> int:
        return self._main.size - self._main.n_gone + self._tail.size

    def add(self, key: int, code: HashCode) -> None:
        """Remember ``code``.  Raises SchemeMismatch where it is not of the first code's scheme."""
        if self._first is None:
            self._fix(code)
        words = self._query(code)
        key = int(np.int64(key))  # refuses what 64 bits cannot hold before anything is changed
        self._bury(key)  # first: it may merge, which moves the rows of the tail
        row, there = self._tail.find(key)
        if there:
            self._tail.replace(row, words)
        else:
            self._tail.insert(row, key, words)
        if self._tail.size == self.tail:
            self._merge()

    def remove(self, key: int) -> None:
        """Forget ``key``."""
        row, there = self._tail.find(key)
        if there:
            self._tail.delete(row)
        else:
            self._bury(key)

    def search(
        self,
        code: HashCode,
        k: int | None = None,
        radius: int | None = None,
        where: Collection[int] | None = None,
    ) -> list[Match]:
        """The nearest codes.  Raises SchemeMismatch, and BadOption for a negative ``k``.

        The cost of ``where`` grows with its size, not with the index; an int64 array is quickest.
        """
        if k is not None and k < 0:
            raise BadOption(f"k must be 0 or more, not {k}")
        if self._first is None:
            return []
        query = self._query(code)
        k = len(self) if k is None else k
        limit = len(code) if radius is None else min(radius, len(code))
        if k == 0 or limit < 0:
            return []
        wanted = None if where is None else _ascending(where)
        distances, keys = self._nearest(self._main, query, k, limit, wanted)
        if self._tail.size:
            if len(keys) == k:
                limit = int(distances[-1])  # included: the recent code's key may be the smaller
            recent = self._nearest(self._tail, query, k, limit, wanted)
            distances = np.concatenate([distances, recent[0]])
            keys = np.concatenate([keys, recent[1]])
            order = np.lexsort((keys, distances))[:k]
            distances, keys = distances[order], keys[order]
        return list(map(Match, distances.tolist(), keys.tolist()))

    def _fix(self, code: HashCode) -> None:
        """Make ``code`` the first."""
        width = -(-len(code) // 64)
        self._first = code
        self._main = SortedCodes.empty(0, width)
        self._tail = SortedCodes.empty(self.tail, width)

    def _query(self, code: HashCode) -> Words:
        """The words (w) of ``code``.  Raises SchemeMismatch."""
        assert self._first is not None
        _ = code - self._first  # raises where the schemes differ
        words: Words = pack([code.digest])[0]
        return words

    def _bury(self, key: int) -> None:
        """Forget ``key`` where it is not recent."""
        row, there = self._main.find(key)
        if there:
            self._main.bury(row)
            if 2 * self._main.n_gone > self._main.size:
                self._merge()

    def _merge(self) -> None:
        self._main = self._main.merged(self._tail)
        self._tail.size = 0

    def _nearest(
        self, codes: SortedCodes, query: Words, k: int, limit: int, wanted: Keys | None
    ) -> tuple[Distances, Keys]:
        """Distances and keys of the k nearest of ``codes`` within ``limit``, nearest first."""
        rows = None if wanted is None else codes.rows(wanted)
        below = limit + 1  # only smaller distances are looked at
        near: list[Distances] = [np.empty(0, _distance_type(query.size))]
        places: list[Rows] = [np.empty(0, np.intp)]
        size = 0
        for start, distances in self._blocks(codes.words, query, rows):
            if distances[distances.argmin()] >= below:
                continue
            hits = _places_below(distances, below)
            found = hits + start if rows is None else rows[hits + start]
            if codes.gone is not None:
                left = ~codes.gone[found]
                hits, found = hits[left], found[left]
            near.append(distances[hits])
            places.append(found)
            size += found.size
            if size >= 2 * k:
                near, places = _cut(near, places, k)
                size, below = k, int(near[0][-1])  # later rows of that distance have larger keys
        near, places = _cut(near, places, k)
        return near[0], codes.keys[places[0]]

    def _blocks(
        self, words: Words, query: Words, rows: Rows | None
    ) -> Iterator[tuple[int, Distances]]:
        """Each block's start and distances to ``query``; the next block overwrites them."""
        n = len(words) if rows is None else rows.size
        column, *columns = words.T  # w times (n)
        word, *more = query
        buffers = (
            np.empty(self.block, np.uint64),
            np.empty(self.block, _distance_type(query.size)),
            np.empty(self.block, np.uint8),
        )
        start, stop = 0, min(n, FIRST, self.block)
        while start < n:
            mixed, distances, counts = (buffer[: stop - start] for buffer in buffers)
            part = slice(start, stop) if rows is None else rows[start:stop]
            np.bitwise_xor(column[part], word, out=mixed)
            np.bitwise_count(mixed, out=distances)
            for other, another in zip(columns, more, strict=True):
                np.bitwise_xor(other[part], another, out=mixed)
                np.bitwise_count(mixed, out=counts)
                np.add(distances, counts, out=distances)
            yield start, distances
            start, stop = stop, min(n, stop + self.block)


def _ascending(keys: Collection[int]) -> Keys:
    """Each key once; not by numpy.unique, whose hashing takes a hundred times as long."""
    if not isinstance(keys, np.ndarray):
        keys = np.fromiter(keys, np.int64, len(keys))
    ascending: Keys = np.sort(keys.astype(np.int64, copy=False))
    first = np.ones(ascending.size, np.bool_)
    np.not_equal(ascending[1:], ascending[:-1], out=first[1:])
    return ascending[first]


def _places_below(distances: Distances, bound: int) -> Rows:
    """Where distances are below ``bound``, ascending among equal distances.

    That is mostly nowhere, or in a place or two: to look for the smallest is then several times
    as quick as to compare all.  The array is written to, and is as it was at the end.
    """
    places: list[int] = []
    values: list[int] = []
    while len(places) < FEW:
        place = int(distances.argmin())
        value = int(distances[place])
        if value >= bound:
            break
        places.append(place)
        values.append(value)
        distances[place] = bound
    distances[places] = values
    return np.array(places, np.intp) if len(places) < FEW else np.flatnonzero(distances < bound)


def _distance_type(width: int) -> type[np.unsignedinteger[Any]]:
    """The smallest type that holds every distance of codes of ``width`` words."""
    return np.uint8 if 64 * width < 256 else np.uint16


def _cut(near: list[Distances], places: list[Rows], k: int) -> tuple[list[Distances], list[Rows]]:
    """The k nearest; the sort is stable, and equal distances come in the order of their rows."""
    distances, rows = np.concatenate(near), np.concatenate(places)
    order = np.argsort(distances, kind="stable")[:k]
    return [distances[order]], [rows[order]]
