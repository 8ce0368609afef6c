"""What is asked of a registry about one suspect, and what it has to answer from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from assay.registry._codes import LiveCodes
from assay.registry._database import Database
from assay.registry._rows import Where
from assay.registry._tensors import LiveTensors
from assay.values import LayerGraph, Record, WeightSketch

if TYPE_CHECKING:
    from assay.hashers import Hasher


@dataclass(frozen=True)
class Known:
    """A registry's file, and what of it is in memory."""

    database: Database
    codes: LiveCodes
    parts: LiveCodes
    tensors: LiveTensors


@dataclass(frozen=True)
class Search:
    """What is asked about one suspect."""

    suspect: Record
    sketches: Mapping[str, WeightSketch]  # of the suspect, by scheme: models may have older ones
    count: int  # models that are compared in full, by each kind of lead
    where: Where
    tolerance: float  # false alarm, after correction, up to which weights are not independent
    hasher: Callable[[], Hasher]  # the registry's; asked for only where codes tie

    def against(self, record: Record) -> Record:
        """The suspect as it is compared with a registered model: sketched by the same scheme."""
        scheme = record.sketch.scheme if record.sketch else ""
        return replace(self.suspect, sketch=self.sketches.get(scheme))

    def apart(self, graphs: Sequence[LayerGraph | None]) -> list[float]:
        """How far each graph's continuous code is from the suspect's.

        0.0 for all where there is nothing to tell apart, or no such code to tell it by.
        """
        ours, alike = None, [0.0] * len(graphs)
        if self.suspect.code is None or self.suspect.graph is None or len({*graphs}) < 2:
            return alike
        hasher = self.hasher()
        if self.suspect.code.scheme == f"{hasher.scheme}+{self.suspect.graph.rules}":
            ours = hasher.embed(self.suspect.graph)
        if ours is None:
            return alike
        known = {}
        for graph in {*graphs}:
            theirs = None if graph is None else hasher.embed(graph)
            known[graph] = float("inf") if theirs is None else float(((ours - theirs) ** 2).sum())
        return [known[graph] for graph in graphs]
