"""Hashers: a layer graph in, a hash code out."""

from __future__ import annotations

from abc import ABC, abstractmethod

from assay.methods import Methods
from assay.values import HashCode, LayerGraph


class Hasher(ABC):
    """A perceptual hash of layer graphs, blind to the order in which layers are listed."""

    @property
    @abstractmethod
    def scheme(self) -> str:
        """A name that changes whenever the bits of any code could change."""

    @abstractmethod
    def digest(self, graph: LayerGraph) -> bytes:
        """The bits of ``graph``'s code."""

    def __call__(self, graph: LayerGraph) -> HashCode:
        """The code of ``graph``; its scheme also names the graph rules behind it."""
        return HashCode(f"{self.scheme}+{graph.rules}", self.digest(graph))


HASHERS = Methods(Hasher)
