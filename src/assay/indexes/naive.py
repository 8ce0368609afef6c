"""Exact search in plain Python: the judge of every other index.

It compares with every code and sorts, so that it is plainly right.  For a few thousand codes.
"""

from __future__ import annotations

from collections.abc import Collection

from assay.errors import BadOption
from assay.indexes import Index
from assay.values import HashCode, Match


class Naive(Index):
    """A dictionary of codes; a search subtracts every one of them.

    The scheme stays fixed when the last code is removed.
    """

    def __init__(self) -> None:
        self._codes: dict[int, HashCode] = {}
        self._first: HashCode | None = None  # fixes the scheme

    def __len__(self) -> int:
        return len(self._codes)

    def add(self, key: int, code: HashCode) -> None:
        """Remember ``code``.  Raises SchemeMismatch where it is not of the first code's scheme."""
        self._first = self._first or code
        _ = code - self._first  # raises where the schemes differ
        self._codes[key] = code

    def remove(self, key: int) -> None:
        """Forget ``key``."""
        self._codes.pop(key, None)

    def search(
        self,
        code: HashCode,
        k: int | None = None,
        radius: int | None = None,
        where: Collection[int] | None = None,
    ) -> list[Match]:
        """The nearest codes.  Raises SchemeMismatch, and BadOption for a negative ``k``."""
        if k is not None and k < 0:
            raise BadOption(f"k must be 0 or more, not {k}")
        if self._first is None:
            return []
        _ = code - self._first  # raises where the schemes differ, also when nothing is left
        matches = sorted(
            Match(code - other, key)
            for key, other in self._codes.items()
            if where is None or key in where
        )
        return [match for match in matches if radius is None or match.distance <= radius][:k]
