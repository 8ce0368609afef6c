"""Hashers: a layer graph in, a hash code out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING

from assay.graphs.parts import part_graph, parts
from assay.methods import Methods
from assay.values import HashCode, LayerGraph, Record

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


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

    def parts(self, graph: LayerGraph) -> tuple[HashCode, ...]:
        """The codes of ``assay.graphs.parts``, in their order."""
        return tuple(self(part_graph(graph, part)) for part in parts(graph))

    def embed(self, graph: LayerGraph) -> NDArray[np.float64] | None:
        """The continuous code (d) behind the bits, which ranks equal Hamming distances.

        Near graphs, small Euclidean distances.  None where the method has none.
        """
        return None

    def classify(self, graph: LayerGraph) -> tuple[str, float] | None:
        """The category that ``graph`` most likely is of, and how likely, 0 … 1.

        None where the method knows no categories.
        """
        return None


HASHERS = Methods(Hasher)


def parted(record: Record, hasher: Hasher) -> Record:
    """``record`` with the codes of its parts by the ``hasher`` of its own; as it is without one."""
    if record.code is None or record.graph is None:
        return record
    return replace(record, parts=hasher.parts(record.graph))
