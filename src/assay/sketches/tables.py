"""Which models have tensors near a suspect's, among many that are kept in one table.

Every tensor of the suspect votes for the models that have one near it, by how unlikely that is
between strangers: so a part is found in a bundle, and a bundle around a part.  Codes are listed
kind by kind; those of a rare kind are all looked at, those of a common one by their bands.  The
models with the most votes are then compared with the suspect tensor by tensor.  What one search
looks at is bounded: tensors whose codes are rarest come first, until that much was seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from assay.errors import DamagedRegistry
from assay.sketches import bands
from assay.sketches.kinds import Asked, Codes, Words

COMPARED = 1024  # models, at least, that are compared tensor by tensor: so few need no votes
SEEN = 5 * 10**7  # codes, at most, that one search looks at, in each of its two parts
_WORTH = 3.0  # -log₁₀ of a false alarm: what is likelier is no vote
_GATHERED = 6  # looking at a code here and there takes as long as at so many in a row
_PROBED = 20_000  # looking up the bands of one code takes as long as looking at so many codes

Numbers = NDArray[np.float32]
Chosen = NDArray[np.bool_]
Tensors = Sequence[Sequence[Asked]]


@dataclass(frozen=True, eq=False)
class Table:
    """The n codes of m models, of k kinds; the arrays may be those of a file."""

    keys: NDArray[np.int64]  # (m) of the models, ascending
    kinds: NDArray[np.uint64]  # (k) ascending
    starts: NDArray[np.int64]  # (k + 1) where each kind's codes begin
    holders: NDArray[np.int64]  # (k) models that have the kind
    models: NDArray[np.uint32]  # (n) places in ``keys``, ascending within a kind
    words: Words  # (n, 4)
    rows: NDArray[np.uint32]  # of the kinds that have bands, one after the other: (16, n of kind)
    begins: NDArray[np.uint32]  # the same: (16, 2ᵇ + 1)

    @classmethod
    def of(cls, codes: Codes) -> Self:
        """A table of all these codes."""
        keys, owners = np.unique(codes.models, return_inverse=True)
        order = np.lexsort((owners, codes.kinds))
        models, words = owners[order].astype(np.uint32), codes.words[order]
        kinds, starts = np.unique(codes.kinds[order], return_index=True)
        firsts = np.append(True, models[1:] != models[:-1])[: len(order)]
        firsts[starts] = True
        holders = np.add.reduceat(firsts, starts, dtype=np.int64) if len(kinds) else starts
        starts = np.append(starts, len(order)).astype(np.int64)
        rows, begins = [np.empty(0, np.uint32)], [np.empty(0, np.uint32)]
        for start in lists(starts)[0]:
            end = starts[np.searchsorted(starts, start) + 1]
            listed = bands.listed(words[start:end])
            rows.append(listed[0].reshape(-1))
            begins.append(listed[1].reshape(-1))
        lines = np.concatenate(rows), np.concatenate(begins)
        return cls(keys, kinds, starts, holders, models, words, *lines)

    def codes(self, gone: Chosen | None = None) -> Codes:
        """What it was made of, less the models that are ``gone`` (m)."""
        kinds = np.repeat(self.kinds, np.diff(self.starts))
        left = slice(None) if gone is None else ~gone[self.models]
        return Codes(kinds[left], self.words[left], self.keys[self.models[left]])

    def search(
        self, tensors: Tensors, count: int, among: Chosen | None = None
    ) -> list[tuple[float, int]]:
        """The votes and keys of the ``count`` models with the most, best first.

        Those that have no more than the luckiest of as many strangers are left out.  ``among`` (m):
        only of these.  Raises DamagedRegistry where an array was tampered with.
        """
        wanted = max(COMPARED, 4 * count)
        candidates = np.arange(len(self.keys)) if among is None else np.flatnonzero(among)
        luck = float(np.log10(max(len(candidates), 1)))
        if len(candidates) > wanted:
            votes = self._votes(tensors)[candidates]
            best = np.argpartition(votes, -wanted)[-wanted:]
            candidates = np.sort(candidates[best[votes[best] > 0]])
        votes = self._compared(tensors, candidates)
        order = np.lexsort((candidates, -votes))[:count]
        return [
            (float(votes[place]), int(self.keys[candidates[place]]))
            for place in order.tolist()
            if votes[place] > luck
        ]

    def _votes(self, tensors: Tensors) -> Numbers:
        """Votes for each model (m), of the codes that were looked at."""
        votes, seen = np.zeros(len(self.keys), np.float32), 0
        chances = _chances(tensors)
        least = max(_WORTH, chances)
        expected = [sum(map(self._effort, codes)) for codes in tensors]
        for tensor in np.argsort(expected, kind="stable").tolist():
            if seen > SEEN:
                break
            best = np.zeros(len(self.keys), np.float32)
            for code in tensors[tensor]:
                models, evidence, effort = self._near(code, least)
                np.maximum.at(best, models, evidence)
                seen += effort
            seen += len(votes) // 8
            votes += np.where(best > least, best - chances, 0)
        return votes

    def _near(self, code: Asked, least: float) -> tuple[NDArray[np.uint32], Numbers, int]:
        """Models with a code near this one, the evidence of each, and the effort."""
        start, end = self._span(code)
        count = end - start
        rows, effort = None, count
        if bands.bits(count):
            first, lengths = self._ranges(code, bands.FLIPPED)
            gathered = _PROBED + _GATHERED * int(lengths.sum())
            if gathered < count:  # else it lies in a crowd
                rows = np.take(self.rows, self._lists[start][0] + bands.expanded(first, lengths))
                effort = gathered
        words = self.words[start:end]
        if rows is not None:
            _check_below(rows, count)
            words = np.take(words, rows, axis=0)
        evidence = code.evidence[bands.distances(words, code.words)]
        evidence -= self._log_multiplicity(code)
        near = np.flatnonzero(evidence > least)
        models = self.models[start:end][near if rows is None else rows[near]]
        _check_below(models, len(self.keys))
        return models, evidence[near], effort

    def _effort(self, code: Asked) -> int:
        """How many codes will be looked at, roughly."""
        start, end = self._span(code)
        if not bands.bits(end - start):
            return end - start
        crowd = int(self._ranges(code, 0)[1].sum())  # as in its own values of all bands
        return min(_PROBED + _GATHERED * crowd * bands.BANDS, end - start)

    def _ranges(self, code: Asked, flipped: int) -> tuple[bands.Places, bands.Places]:
        start, end = self._span(code)
        begins = self.begins[self._lists[start][1] :]
        return bands.ranges(code.words, begins, end - start, flipped)

    @cached_property
    def _lists(self) -> dict[int, tuple[int, int]]:
        """Where the lists of a kind begin in ``rows`` and in ``begins``, by where the kind does."""
        return lists(self.starts)[0]

    def _span(self, code: Asked) -> tuple[int, int]:
        """Where codes of the same kind begin and end."""
        place = int(np.searchsorted(self.kinds, code.kind))
        if place == len(self.kinds) or self.kinds[place] != code.kind:
            return 0, 0
        return int(self.starts[place]), int(self.starts[place + 1])

    def _log_multiplicity(self, code: Asked) -> float:
        """log₁₀ of how many codes of the kind a model has: as many chances to be near."""
        start, end = self._span(code)
        place = int(np.searchsorted(self.kinds, code.kind))
        return float(np.log10((end - start) / self.holders[place])) if end > start else 0.0

    def _compared(self, tensors: Tensors, candidates: NDArray[np.intp]) -> Numbers:
        """Votes for each of the candidates (c), ascending places in ``keys``."""
        chances = _chances(tensors)
        least = max(_WORTH, chances)
        votes, seen = np.zeros(len(candidates), np.float32), 0
        spans = {code.kind: self._rows(code, candidates) for codes in tensors for code in codes}
        sizes = [sum(len(spans[code.kind][0]) for code in codes) for codes in tensors]
        for tensor in np.argsort(sizes, kind="stable").tolist():
            if seen > SEEN:
                break
            best = np.zeros(len(candidates), np.float32)
            for code in tensors[tensor]:
                rows, places, several = spans[code.kind]
                words = np.take(self.words, rows, axis=0)
                evidence = code.evidence[bands.distances(words, code.words)] - several
                np.maximum.at(best, places, evidence)
                seen += len(rows)
            votes += np.where(best > least, best - chances, 0)
        return votes

    def _rows(
        self, code: Asked, candidates: NDArray[np.intp]
    ) -> tuple[bands.Places, bands.Places, Numbers]:
        """The candidates' codes of a kind: rows, places in ``candidates``, log₁₀ of how many."""
        start, end = self._span(code)
        models = self.models[start:end]
        first = np.searchsorted(models, candidates.astype(np.uint32))
        lengths = np.searchsorted(models, candidates.astype(np.uint32), "right") - first
        if (lengths < 0).any():
            raise DamagedRegistry("a table of codes whose models are out of order")
        rows = start + bands.expanded(first, lengths)
        several = np.log10(np.maximum(lengths, 1)).astype(np.float32)
        return rows, np.repeat(np.arange(len(candidates)), lengths), np.repeat(several, lengths)


def lists(starts: NDArray[np.int64]) -> tuple[dict[int, tuple[int, int]], tuple[int, int]]:
    """Where the bands of each kind (k) are in ``rows`` and ``begins``, and how long those are."""
    found, rows, begins = {}, 0, 0
    counts = np.diff(starts)
    for kind in np.flatnonzero(counts > bands.SCANNED).tolist():
        found[int(starts[kind])] = rows, begins
        rows += bands.BANDS * int(counts[kind])
        begins += bands.BANDS * (2 ** bands.bits(int(counts[kind])) + 1)
    return found, (rows, begins)


def _chances(tensors: Tensors) -> float:
    """The evidence that chance gives one of so many tensors: a vote is what is beyond it."""
    return float(np.log10(max(len(tensors), 1)))


def _check_below(numbers: NDArray[np.uint32], limit: int) -> None:
    if len(numbers) and numbers.max() >= limit:
        raise DamagedRegistry("a table of codes refers to what is not there")
