"""Multi-index hashing: exact search that looks at few codes [Norouzi, Punjani & Fleet, CVPR 2012].

A code is cut into m chunks of 16 bits, and a table for each chunk tells which codes have which
value there.  Two codes within m·s + j bits agree to within s bits on one of the first j + 1 chunks,
or to within s − 1 on one of the others, so near codes are found under few values.  The search grows
s until nothing nearer can be left out; where that would look at too many codes, it scans them all.

Beside what ``scan`` holds: 4 bytes a code and 512 KiB for each chunk.  Tables are made at the first
search, and anew when a sixteenth of the codes has changed, in about 0.15 microseconds a code.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.indexes import Index
from assay.indexes._sorted_codes import Keys, Words
from assay.indexes.scan import Scan
from assay.values import HashCode, Match

VALUES = 1 << 16  # of a chunk
_FLIPS = np.argsort(np.bitwise_count(np.arange(VALUES, dtype=np.uint16)), kind="stable")
_BALL = np.cumsum(np.bincount(np.bitwise_count(np.arange(VALUES, dtype=np.uint16)), minlength=17))


class MultiIndex(Index):
    """One table for each 16 bits of the code, over the codes of a ``Scan``."""

    def __init__(self, fewest: int = 50_000, share: float = 0.05) -> None:
        self.fewest = fewest  # codes up to which a scan is as fast
        self.share = share  # of all codes: where more would be looked at, all are scanned
        self._scan = Scan()
        self._changed: set[int] = set()  # keys added or removed since the tables were made
        self._tables: _Tables | None = None

    @classmethod
    def from_arrays(cls, scheme: str, bits: int, keys: Keys, words: Words) -> MultiIndex:
        """An index on the caller's arrays, as for ``Scan``."""
        index = cls()
        index._scan = Scan.from_arrays(scheme, bits, keys, words)
        return index

    def __len__(self) -> int:
        return len(self._scan)

    def add(self, key: int, code: HashCode) -> None:
        self._scan.add(key, code)
        self._changed.add(key)

    def remove(self, key: int) -> None:
        self._scan.remove(key)
        self._changed.add(key)

    def search(
        self,
        code: HashCode,
        k: int | None = None,
        radius: int | None = None,
        where: Collection[int] | None = None,
    ) -> list[Match]:
        if where is not None or len(self) <= self.fewest:
            return self._scan.search(code, k, radius, where)
        self._scan.search(code, 0)  # refuses a code of another scheme
        tables = self._fresh(len(code))
        limit = len(code) if radius is None else min(radius, len(code))
        if (k is not None and k <= 0) or limit < 0:
            return self._scan.search(code, k, radius)
        most = int(self.share * len(self))
        found = tables.nearest(np.frombuffer(code.digest, np.uint8), k, limit, most, self._changed)
        if found is None:
            return self._scan.search(code, k, radius)
        recent = self._scan.search(code, k, radius, self._changed) if self._changed else []
        return sorted([*found, *recent])[:k]

    def _fresh(self, bits: int) -> _Tables:
        """The tables, made anew where too much has changed since."""
        if self._tables is None or len(self._changed) > len(self) // 16:
            self._tables = _Tables(*self._scan.arrays(), -(-bits // 16))
            self._changed = set()
        return self._tables


class _Tables:
    """For each chunk, the codes sorted by its value, and where each value's begin."""

    def __init__(self, keys: Keys, words: Words, chunks: int) -> None:
        self.keys, self.words = keys, words  # (n), (n, w)
        n, self.chunks = len(keys), chunks  # m
        self.rows = np.empty(self.chunks * n, np.int32)  # (m·n) row numbers, chunk by chunk
        self.begins = np.empty(self.chunks * VALUES + 1, np.int64)  # (m·65536 + 1) places in rows
        for chunk in range(self.chunks):
            word, part = divmod(chunk, 4)
            column = np.ascontiguousarray(words[:, word]).view(np.uint16)  # (4 n)
            values = np.ascontiguousarray(column[part::4])
            self.rows[chunk * n : (chunk + 1) * n] = np.argsort(values, kind="stable")
            counts = np.bincount(values, minlength=VALUES)
            ends = chunk * n + np.cumsum(counts)
            self.begins[chunk * VALUES : (chunk + 1) * VALUES] = ends - counts
        self.begins[-1] = self.chunks * n

    def nearest(
        self, digest: NDArray[np.uint8], k: int | None, limit: int, most: int, gone: set[int]
    ) -> list[Match] | None:
        """The k nearest within ``limit`` bits without ``gone``; None: more than ``most`` to see."""
        padded = np.zeros(8 * self.words.shape[1], np.uint8)
        padded[: len(digest)] = digest
        query, values = padded.view(np.uint64), padded.view(np.uint16)
        best = (np.empty(0, np.int64), np.empty(0, np.int64))  # rows, distances
        seen = 0
        for step in range(1, 17):
            # One chunk after the other once balls are large, else all chunks at once.
            groups = [[c] for c in range(self.chunks)] if step > 2 else [list(range(self.chunks))]
            for group in groups:
                rows = self._under(values, group, step)
                seen += len(rows)
                if seen > most:
                    return None
                full = k is not None and len(best[1]) == k
                bound = min(limit, int(best[1].max())) if full else limit
                best = self._joined(query, rows, best, bound, k, gone)
                if k is not None and len(best[1]) > k:
                    order = np.lexsort((self.keys[best[0]], best[1]))[:k]
                    best = (best[0][order], best[1][order])
                reached = self.chunks * step + group[-1]  # nothing within this is left out
                full = k is not None and len(best[1]) == k and int(best[1].max()) <= reached
                if full or reached >= limit:
                    pairs = zip(best[1].tolist(), self.keys[best[0]].tolist(), strict=True)
                    return sorted(Match(distance, key) for distance, key in pairs)
        return None

    def _under(self, values: NDArray[np.uint16], group: list[int], step: int) -> NDArray[Any]:
        """Rows whose chunk differs from the query's in ``step`` bits, or 0 and 1 at the first."""
        first = _BALL[step - 1] if step > 1 else 0
        flips = _FLIPS[first : _BALL[step]]
        places = np.concatenate([(flips ^ int(values[c])) + c * VALUES for c in group])
        begins = self.begins[places]
        counts = self.begins[places + 1] - begins
        ends = np.cumsum(counts)
        if not len(ends) or not ends[-1]:
            return np.empty(0, np.int64)
        offsets = np.repeat(begins - (ends - counts), counts)
        found: NDArray[Any] = self.rows.take(offsets + np.arange(ends[-1]))
        return found

    def _joined(
        self,
        query: Words,
        rows: NDArray[Any],
        best: tuple[NDArray[Any], NDArray[Any]],
        bound: int,
        k: int | None,
        gone: set[int],
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """The best rows and distances, with those of ``rows`` within ``bound``, each once."""
        counts = [
            np.bitwise_count(self.words[:, place].take(rows) ^ word)
            for place, word in enumerate(query)
        ]
        distances: NDArray[Any] = counts[0] if len(counts) == 1 else np.add.reduce(counts, 0, int)
        near = np.flatnonzero(distances <= bound)
        enough = len(near) if k is None or gone else k * self.chunks  # a row is once in a chunk
        if enough < len(near):
            kth = np.partition(distances[near], enough - 1)[enough - 1]
            near = near[distances[near] <= kth]
        if not len(near):
            return best
        rows, distances = rows[near].astype(np.int64), distances[near].astype(np.int64)
        if gone:
            stays = ~np.isin(self.keys[rows], np.fromiter(gone, np.int64, len(gone)))
            rows, distances = rows[stays], distances[stays]
        rows, first = np.unique(np.concatenate([best[0], rows]), return_index=True)
        return rows, np.concatenate([best[1], distances])[first]
