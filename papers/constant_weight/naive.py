"""The naive scheme: one enumerative word for the whole payload, at the 95 % quantile.

As the first paper has it: L weights, α of them ones, no code around the word.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import comb

import numpy as np
from numpy.typing import NDArray

from assay.watermarks import Weights
from assay.watermarks._code import number_of, picked, word_of
from assay.watermarks._hosts import finite, replaced
from assay.watermarks._key import Key
from assay.watermarks._levels import Levels, Spots
from assay.watermarks._tails import log10_tail, overlaps
from assay.weights.sites import projected as bounded

LENGTH, ONES, BITS = 1024, 40, 128
LOW, HIGH = 0.5, 0.95  # quantiles


@dataclass(frozen=True)
class OneWord:
    """A mark of one word."""

    key: Key  # whose secret is used
    host: str

    def embed(self, weights: Weights) -> Weights:
        values = np.array(weights[self.host].read(), np.float32)
        sizes = finite(values)
        levels = Levels(*(float(np.quantile(sizes, share)) for share in (LOW, HIGH)))
        places, ones = self._places(values.size), self._word()
        bounds = Spots(places[None], ones[None], np.zeros((1, LENGTH))).bounds(levels)[0]
        flat = values.reshape(-1)
        flat[places] = bounded(flat[places], ones, bounds)
        return replaced(weights, self.host, values)

    def read(self, weights: Weights) -> tuple[float, float, bool]:
        """Share of the ones that are found, log₁₀ of its tail, and whether the payload reads."""
        sizes = finite(weights[self.host].read()).reshape(-1)
        chosen = picked(sizes[self._places(sizes.size)][None], ONES)[0]
        shared = int((chosen & self._word()).sum())
        tail = log10_tail(overlaps(LENGTH, ONES, int(chosen.sum())), shared)
        says = chosen.sum() == ONES and number_of(chosen) == self._number()
        return shared / ONES, tail, bool(says)

    def _places(self, size: int) -> NDArray[np.int64]:
        return self.key.places("one word", size, LENGTH)

    def _word(self) -> NDArray[np.bool_]:
        return word_of(self._number(), LENGTH, ONES)

    def _number(self) -> int:
        assert comb(LENGTH, ONES) > 2**BITS
        return int.from_bytes(self.key.stream("payload of one word", BITS // 8))
