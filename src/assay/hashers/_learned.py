"""What hashers that run a trained network have in common: its file, its name, its outputs."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from assay.errors import BadOption, UnreadableModel
from assay.hashers import Hasher
from assay.hashers._arrays import Floats
from assay.hashers._network_file import HashNetwork, loaded
from assay.methods import name_of
from assay.values import LayerGraph

SHIPPED = Path(__file__).parent / "networks"
OLDER = "older"  # the folder in it of those that came with an older assay, named by their schemes
SCHEME = re.compile(r"(?P<stem>[a-z-]+-\d+)@(?P<network>[0-9a-f]{8})")
SUFFIX = ".safetensors"


@dataclass(frozen=True, slots=True)
class Output:
    """What a network says of one graph."""

    embedding: Floats  # (d) the continuous code
    logits: Floats  # (bits) a bit is 1 where positive
    classes: Floats | None = None  # (categories) probabilities; None where it has no classifier


@dataclass(frozen=True)
class LearnedHasher(Hasher):
    """Signs of a trained network's outputs."""

    bits: int | None = None  # None: as many as the network has
    weights: str | None = None  # file of a network, or its scheme; None: the newest that is shipped

    def __post_init__(self) -> None:
        network, path = self.network, self._path
        if network.method != self.method:
            raise BadOption(f"{path}: is a network for {network.method}, not {self.method}")
        if self.bits not in (None, network.bits):
            if self.weights is None:
                files = SHIPPED.glob(f"{self.method}-*{SUFFIX}")
                own = sorted(int(file.stem.rpartition("-")[2]) for file in files)
                which = f"assay comes with {self.method} of {', '.join(map(str, own))} bits"
            else:
                which = f"{path} has {network.bits} bits"
            raise BadOption(
                f"--bits {self.bits}: {which}: train one of"
                f" {self.bits} with 'assay train --method {self.method} --bits {self.bits}',"
                " or use weisfeiler-lehman, which has codes of 16 to 256 bits"
            )
        wanted = self.shapes(network)
        found = {name: weight.shape for name, weight in network.weights.items()}
        if wrong := sorted(
            name for name in {*wanted, *found} if wanted.get(name) != found.get(name)
        ):
            raise BadOption(f"{path}: its {wrong[0]} does not fit {self.method}")

    @abstractmethod
    def shapes(self, network: HashNetwork) -> dict[str, tuple[int, ...]]:
        """Shape of each weight that ``run`` needs, by name."""

    @abstractmethod
    def run(self, graph: LayerGraph, network: HashNetwork, weights: Mapping[str, Floats]) -> Output:
        """The network on one graph, its weights in float64."""

    @property
    def method(self) -> str:
        """The hasher's name."""
        return name_of(type(self))

    @property
    def network(self) -> HashNetwork:
        """The trained network."""
        return loaded(self._path, self._changed)[0]

    @property
    def scheme(self) -> str:
        network, _, name = loaded(self._path, self._changed)
        return f"{self.method}-{network.bits}@{name}"

    def output(self, graph: LayerGraph) -> Output:
        """Everything that the network says of ``graph``.

        Raises UnreadableModel where it has no layers.
        """
        need_layers(graph)
        return _output(self, self._changed, graph)

    def digest(self, graph: LayerGraph) -> bytes:
        return np.packbits(self.output(graph).logits > 0).tobytes()

    def embed(self, graph: LayerGraph) -> Floats:
        return self.output(graph).embedding

    def classify(self, graph: LayerGraph) -> tuple[str, float] | None:
        classes = self.output(graph).classes
        if classes is None:
            return None
        best = int(classes.argmax())
        return self.network.categories[best], float(classes[best])

    @property
    def _path(self) -> Path:
        if self.weights:
            return network_file(self.weights)
        wanted = SHIPPED / f"{self.method}-{self.bits}{SUFFIX}"
        return wanted if wanted.exists() else SHIPPED / f"{self.method}-64{SUFFIX}"

    @property
    def _changed(self) -> int:
        try:
            return self._path.stat().st_mtime_ns
        except OSError as error:
            raise BadOption(f"{self._path}: cannot be read: {error.strerror}") from error


def need_layers(graph: LayerGraph) -> None:
    """Raises UnreadableModel where ``graph`` has none."""
    if not graph.layers:
        raise UnreadableModel("has no layers, so there is nothing to hash")


def network_file(weights: str) -> Path:
    """The file of a network: its own path, or by its scheme one that comes with assay.

    Raises BadOption where none of that scheme does.
    """
    scheme = SCHEME.fullmatch(weights)
    if scheme is None:
        return Path(weights)
    newest = SHIPPED / f"{scheme['stem']}{SUFFIX}"
    if newest.exists() and loaded(newest, newest.stat().st_mtime_ns)[2] == scheme["network"]:
        return newest
    if not is_older(weights):
        raise BadOption(f"{weights}: comes not with this assay: give the network's file")
    return _older(weights)


def is_older(scheme: str) -> bool:
    """Whether codes of ``scheme`` are of a network that has a newer one in its place."""
    return SCHEME.fullmatch(scheme) is not None and _older(scheme).exists()


def _older(scheme: str) -> Path:
    return SHIPPED / OLDER / f"{scheme}{SUFFIX}"


@lru_cache(maxsize=1)  # code, category and embedding of a graph are asked for one after the other
def _output(hasher: LearnedHasher, changed: int, graph: LayerGraph) -> Output:
    network, weights, _ = loaded(hasher._path, changed)
    return hasher.run(graph, network, weights)
