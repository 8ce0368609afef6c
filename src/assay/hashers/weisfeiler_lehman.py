"""Weisfeiler–Lehman labels folded into a SimHash: the baseline that needs no training.

[Shervashidze et al., JMLR 2011 (labels); Charikar, STOC 2002 (SimHash).]  A label tells a layer's
operator, the digits of its costs, and its surroundings.  Each label votes, by a hash of its own, on
every bit of the code; graphs that share most labels share most bits.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from hashlib import blake2b
from math import sqrt

import numpy as np

from assay.errors import BadOption
from assay.graphs.neighborhoods import rounds
from assay.hashers import Hasher
from assay.values import LayerGraph

_BITS = (16, 32, 64, 128, 256)


@dataclass(frozen=True)
class WeisfeilerLehman(Hasher):
    """SimHash over the labels of every neighborhood up to ``rounds`` edges away."""

    bits: int = 64  # 16, 32, 64, 128 or 256
    rounds: int = 2

    def __post_init__(self) -> None:
        if self.bits not in _BITS:
            raise BadOption(f"weisfeiler-lehman: bits must be one of {_BITS}, not {self.bits}")
        if not 0 <= self.rounds <= 9:
            raise BadOption(f"weisfeiler-lehman: rounds must be 0 to 9, not {self.rounds}")

    @property
    def scheme(self) -> str:
        return f"weisfeiler-lehman-{self.bits}" + (f"r{self.rounds}" if self.rounds != 2 else "")

    def digest(self, graph: LayerGraph) -> bytes:
        # Square roots, so that the block a network repeats does not outvote the rest; labels are
        # sorted, so that float64 sums come out the same for any listing order.
        counts = Counter(label for labels in rounds(graph, self.rounds) for label in labels)
        votes = np.zeros(self.bits)
        for label in sorted(counts):
            votes += sqrt(counts[label]) * self._signs(label)
        return np.packbits(votes > 0).tobytes()

    def _signs(self, label: bytes) -> np.ndarray[tuple[int], np.dtype[np.int8]]:
        random = blake2b(label, digest_size=self.bits // 8, person=b"assay-simhash").digest()
        return np.unpackbits(np.frombuffer(random, np.uint8)).astype(np.int8) * 2 - 1  # (bits)
