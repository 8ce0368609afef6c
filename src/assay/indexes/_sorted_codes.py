"""Codes in arrays by ascending key: a key is found by bisection, and ties are in order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.int64]  # (n)
Words = NDArray[np.uint64]  # (n, w)
Rows = NDArray[np.intp]  # (m) places in Keys and Words
Distances = NDArray[np.unsignedinteger[Any]]  # (m)


def pack(digests: Sequence[bytes]) -> Words:
    """Digests of one length as words (n, w): their bytes in order, padded with zero bytes."""
    padding = bytes(-len(digests[0]) % 8)
    joined = b"".join(digest + padding for digest in digests)
    return np.frombuffer(joined, np.uint64).reshape(len(digests), -1)


class SortedCodes:
    """Keys (n) and words (n, w), in arrays with room for more or in arrays of the caller's."""

    def __init__(self, keys: Keys, words: Words, size: int) -> None:
        self._keys, self._words = keys, words  # (capacity), (capacity, w)
        self.size = size
        self.gone: NDArray[np.bool_] | None = None  # (size) rows that were removed; None: none
        self.n_gone = 0

    @classmethod
    def empty(cls, capacity: int, width: int) -> SortedCodes:
        """Room for ``capacity`` codes of ``width`` words, each word's column contiguous."""
        words = np.empty((width, capacity), np.uint64).T
        return cls(np.empty(capacity, np.int64), words, 0)

    @property
    def keys(self) -> Keys:
        return self._keys[: self.size]

    @property
    def words(self) -> Words:
        return self._words[: self.size]

    def find(self, key: int) -> tuple[int, bool]:
        """The row where ``key`` is or belongs, and whether it is there."""
        if not self.size or key > self._keys[self.size - 1]:
            return self.size, False
        row = int(np.searchsorted(self.keys, key))
        there = bool(self._keys[row] == key) and not (self.gone is not None and self.gone[row])
        return row, there

    def rows(self, wanted: Keys) -> Rows:
        """The rows of those of the ascending keys ``wanted`` that are there, ascending."""
        rows = np.searchsorted(self.keys, wanted)
        rows, wanted = rows[rows < self.size], wanted[rows < self.size]
        there: Rows = rows[self.keys[rows] == wanted]
        return there

    def insert(self, row: int, key: int, words: Words) -> None:
        """Move the rows from ``row`` on by one, and fill it."""
        if row < self.size:
            self._keys[row + 1 : self.size + 1] = self._keys[row : self.size]
            self._words[row + 1 : self.size + 1] = self._words[row : self.size]
        self._keys[row] = key
        self._words[row] = words
        self.size += 1

    def replace(self, row: int, words: Words) -> None:
        self._words[row] = words

    def delete(self, row: int) -> None:
        """Move the rows behind ``row`` onto it."""
        self._keys[row : self.size - 1] = self._keys[row + 1 : self.size]
        self._words[row : self.size - 1] = self._words[row + 1 : self.size]
        self.size -= 1

    def bury(self, row: int) -> None:
        """Mark ``row`` as removed, without touching the arrays: they may be a read-only file."""
        if self.gone is None:
            self.gone = np.zeros(self.size, np.bool_)
        self.gone[row] = True
        self.n_gone += 1

    def merged(self, other: SortedCodes) -> SortedCodes:
        """New arrays of what is left here and of ``other``; the two share no key."""
        left = slice(None) if self.gone is None else ~self.gone
        keys = self.keys[left]
        at = np.searchsorted(keys, other.keys)
        first = int(at.min(initial=keys.size))  # rows before it keep their places: mostly all do
        merged = SortedCodes.empty(keys.size + other.size, self._words.shape[1])
        merged.size = keys.size + other.size
        columns = zip(merged._words.T, self.words.T, other.words.T, strict=True)
        for target, mine, others in [(merged._keys, self.keys, other.keys), *columns]:
            kept = mine[left]
            target[:first] = kept[:first]
            target[first:] = np.insert(kept[first:], at - first, others)
        return merged
