"""Labels drawn alike from many kinds of labels: 64 bits, or more, that boosting chose together.

[Broder, On the Resemblance and Containment of Documents, 1997 (minwise hashing); Moulton & Jiang,
ICDM 2018 (weighted, blind to scale); Shakhnarovich, Learning Task-Specific Similarity, 2005
(boosted bits).]  No weights are learned, but which bits there are: of thousands those that stay in
what a copier makes of a network and differ between networks, each where the others fail.  So
nothing is fitted to the families that were learned from, and others are told apart as well.

A longer code begins with the shorter one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from assay.errors import BadOption
from assay.graphs.label_kinds import Kind
from assay.hashers._arrays import Floats
from assay.hashers._bits import EXPONENTS, Above, Draw, bits
from assay.hashers._learned import LearnedHasher, Output
from assay.hashers._network_file import LENGTHS, HashNetwork, loaded
from assay.values import LayerGraph

DEFAULT_BITS = 64
THRESHOLD = "above "  # how bits of sizes are told from kinds of labels in a vocabulary


@dataclass(frozen=True)
class BoostedMinhash(LearnedHasher):
    """64 bits by default; 16, 32, 128 or 256 refine them, or those of a file of one's own."""

    def shapes(self, network: HashNetwork) -> dict[str, tuple[int, ...]]:
        return dict.fromkeys(("source", "exponent", "function", "threshold"), (network.bits,))

    @property
    def length(self) -> int:
        """Bits of a code."""
        return self.bits or min(DEFAULT_BITS, self.network.bits)

    @property
    def scheme(self) -> str:
        return f"{self.method}-{self.length}@{loaded(self._path, self._changed)[2]}"

    def fits(self, network: HashNetwork) -> bool:
        return self.bits is None or (self.bits in LENGTHS and self.bits <= network.bits)

    def run(self, graph: LayerGraph, network: HashNetwork, weights: Mapping[str, Floats]) -> Output:
        columns = [weights[name][: self.length] for name in ("source", "exponent", "function")]
        rows = zip(*columns, weights["threshold"], strict=False)
        order: dict[tuple[int, float], list[tuple[int, int, float]]] = {}
        for place, (source, exponent, function, threshold) in enumerate(rows):
            group = order.setdefault((int(source), float(exponent)), [])
            group.append((place, int(function), float(threshold)))
        wanted = [
            _wanted(network.vocabulary[source], exponent, group)
            for (source, exponent), group in order.items()
        ]
        found = np.zeros(self.length, bool)
        found[[place for group in order.values() for place, _, _ in group]] = bits(graph, wanted)
        signs: Floats = np.where(found, 1.0, -1.0)
        return Output(signs, signs)


def _wanted(name: str, exponent: float, group: list[tuple[int, int, float]]) -> Draw | Above:
    try:
        if name.startswith(THRESHOLD):
            thresholds = tuple(threshold for _, _, threshold in group)
            return Above(name.removeprefix(THRESHOLD), thresholds)
        if exponent not in EXPONENTS:
            raise ValueError(f"labels cannot be weighed by their count to the power of {exponent}")
        return Draw(Kind.of(name), exponent, tuple(function for _, function, _ in group))
    except ValueError as error:
        raise BadOption(f"the file of this code is of another version: {error}") from error
