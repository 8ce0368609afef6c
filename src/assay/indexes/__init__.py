"""Indexes: find the registered codes near a code.

An index may be clever, but it answers exactly as ``naive``, which compares with every code in
plain Python.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection

from assay.methods import Methods
from assay.values import HashCode, Match


class Index(ABC):
    """Codes of one scheme by key, searched by Hamming distance.

    The first code that is added fixes the scheme; a code of another raises SchemeMismatch.
    """

    @abstractmethod
    def __len__(self) -> int:
        """How many codes it holds."""

    @abstractmethod
    def add(self, key: int, code: HashCode) -> None:
        """Remember ``code`` under ``key``; a second code for a key replaces the first."""

    @abstractmethod
    def remove(self, key: int) -> None:
        """Forget ``key``; a key that is not there is ignored."""

    @abstractmethod
    def search(
        self,
        code: HashCode,
        k: int | None = None,
        radius: int | None = None,
        where: Collection[int] | None = None,
    ) -> list[Match]:
        """The ``k`` nearest (None: all) within ``radius`` bits (None: any), nearest first.

        Ties by key.  ``where``: only these keys are looked at.
        """


INDEXES = Methods(Index)
