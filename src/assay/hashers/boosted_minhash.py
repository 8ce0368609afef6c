"""Labels drawn alike from many kinds of labels: 64 bits, or more, that boosting chose together.

[Broder, On the Resemblance and Containment of Documents, 1997 (minwise hashing); Moulton & Jiang,
ICDM 2018 (weighted, blind to scale); Shakhnarovich, Learning Task-Specific Similarity, 2005
(boosted bits).]  No weights are learned, but which bits there are: of thousands those that stay in
what a copier makes of a network and differ between networks, each where the others fail.  So
nothing is fitted to the families that were learned from, and others are told apart as well.

A longer code begins with the shorter one: it refines it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from assay.errors import BadOption
from assay.graphs.label_kinds import SIZES, VERSION, Kind
from assay.graphs.layer_labels import LayerLabels
from assay.hashers._arrays import Floats
from assay.hashers._bits import EXPONENTS, Above, Bits, Draw, bits, votes
from assay.hashers._learned import LearnedHasher, Output, need_layers
from assay.hashers._network_file import HashNetwork, loaded
from assay.values import LayerGraph

COLUMNS = ("source", "exponent", "function", "threshold")  # a place in the vocabulary, …
WORD = 16  # bits of a code in one of the file's numbers, which float32 holds exactly
NEARNESS, STRANGE = 2.0, 12.0  # bits of 64; as benchmarks/categories has them
THRESHOLD = "above "  # how bits of sizes are told from kinds of labels in a vocabulary


@dataclass(frozen=True)
class BoostedMinhash(LearnedHasher):
    """64 bits by default, 128 or 256 that begin with them, or those of a file of one's own."""

    def shapes(self, network: HashNetwork) -> dict[str, tuple[int, ...]]:
        known = network.weights.get("category", np.zeros(0)).size
        columns = dict.fromkeys(COLUMNS, (network.bits,))
        return {**columns, "category": (known,), "codes": (known, network.bits // WORD)}

    def __post_init__(self) -> None:
        super().__post_init__()
        network = self.network
        places, codes = network.weights["category"], network.weights["codes"]
        if not ((places >= 0) & (places < len(network.categories))).all():
            raise BadOption(f"{self._path}: has codes of no category")
        if not ((codes >= 0) & (codes < 1 << WORD)).all():
            raise BadOption(f"{self._path}: has codes that are none")
        _plan(self._path, self._changed)

    def run(self, graph: LayerGraph, network: HashNetwork, weights: Mapping[str, Floats]) -> Output:
        del network, weights  # a plan is made of them once
        labels, plan = LayerLabels(graph), _plan(self._path, self._changed)
        found = plan.digest(labels)
        return Output(votes(labels, plan.kinds), np.where(found, 1.0, -1.0))

    def digest(self, graph: LayerGraph) -> bytes:
        need_layers(graph)
        return _digest(self, self._changed, graph)

    def classify(self, graph: LayerGraph) -> tuple[str, float] | None:
        """The category that most of the nearest codes learned from are of; see ``nearest``."""
        network, weights, _ = loaded(self._path, self._changed)
        if not len(weights["codes"]) or not graph.layers:
            return None
        own = np.frombuffer(self.digest(graph), ">u2").astype(np.uint16)
        differing = np.bitwise_count(weights["codes"].astype(np.uint16) ^ own)
        distances = 64 / network.bits * differing.sum(1, dtype=np.int64)
        best, share = nearest(distances, weights["category"].astype(np.intp))
        return network.categories[best], share


@dataclass(frozen=True, slots=True)
class _Plan:
    """Which bits to find, those of one kind of labels together."""

    groups: tuple[Draw | Above, ...]
    places: tuple[int, ...]  # in the code, of the groups' bits

    @classmethod
    def of(cls, network: HashNetwork, weights: Mapping[str, Floats]) -> _Plan:
        """Raises ValueError or IndexError where the file asks for what is not known here."""
        if network.trained.get("labels") != VERSION:
            raise ValueError("its labels are of another version: train it anew")
        groups: dict[tuple[str, float], list[tuple[int, int, float]]] = {}
        for place, row in enumerate(zip(*(weights[name] for name in COLUMNS), strict=True)):
            source, exponent, function, threshold = map(float, row)
            if source < 0 or function < 0:
                raise ValueError("a place in a list is negative")
            name = network.vocabulary[int(source)]
            found = groups.setdefault((name, exponent), [])
            found.append((place, int(function), threshold))
        wanted = tuple(_wanted(*key, found) for key, found in groups.items())
        return cls(wanted, tuple(place for found in groups.values() for place, *_ in found))

    @property
    def kinds(self) -> list[Kind]:
        """Of labels, each once."""
        return [*dict.fromkeys(each.kind for each in self.groups if isinstance(each, Draw))]

    def digest(self, labels: LayerLabels) -> Bits:
        """The code's bits, in their order."""
        result = np.zeros(len(self.places), bool)
        result[[*self.places]] = bits(labels, self.groups)
        return result


def nearest(distances: Floats, categories: NDArray[np.intp]) -> tuple[int, float]:
    """The category of the nearest of k codes, and its share, of their distances (k) in 64 bits.

    Each counts exp(-distance / NEARNESS), and so does nothing at all, at a distance of STRANGE:
    what is far from all is of no category.
    """
    weights = np.exp(-distances / NEARNESS)
    shares = np.bincount(categories, weights)
    best = int(shares.argmax())
    return best, float(shares[best] / (shares.sum() + np.exp(-STRANGE / NEARNESS)))


@lru_cache(maxsize=1)  # code and category of a graph are asked for one after the other
def _digest(hasher: BoostedMinhash, changed: int, graph: LayerGraph) -> bytes:
    plan = _plan(hasher._path, changed)
    return np.packbits(plan.digest(LayerLabels(graph))).tobytes()


@lru_cache(maxsize=8)
def _plan(path: Path, changed: int) -> _Plan:
    """Of the network in a file.  Raises BadOption where it asks for what is not known here."""
    network, weights, _ = loaded(path, changed)
    try:
        return _Plan.of(network, weights)
    except (ValueError, IndexError) as error:
        text = "its bits are not those of this assay's boosted-minhash"
        raise BadOption(f"{path}: {text}: {error}") from error


def beginning(network: HashNetwork, bits: int) -> HashNetwork:
    """What makes the first ``bits`` of a network's bits, a multiple of 16."""
    weights = {name: network.weights[name][:bits] for name in COLUMNS}
    weights["codes"] = network.weights["codes"][:, : bits // WORD]
    return replace(network, bits=bits, weights={**network.weights, **weights})


def words(codes: Bits) -> NDArray[np.float32]:
    """Codes (n, bits) as the file keeps them: (n, bits / 16)."""
    return np.ascontiguousarray(np.packbits(codes, axis=1)).view(">u2").astype(np.float32)


def _wanted(name: str, exponent: float, found: Sequence[tuple[int, int, float]]) -> Draw | Above:
    """Raises ValueError where there is nothing of that name."""
    if name.startswith(THRESHOLD):
        size = name.removeprefix(THRESHOLD)
        if size not in SIZES:
            raise ValueError(f"{size!r} is no size of a graph")
        return Above(size, tuple(threshold for *_, threshold in found))
    if exponent not in EXPONENTS:
        raise ValueError(f"labels cannot be weighed by their count to the power of {exponent}")
    return Draw(Kind.of(name), exponent, tuple(function for _, function, _ in found))
