"""What became of one layer's weights: which tensor of the suspect is which of the source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from assay.values.layers import Json


@dataclass(frozen=True, slots=True)
class LayerMatch:
    """A tensor of the source, and the one of the suspect that it became."""

    source: str  # names, as the files have them
    suspect: str
    source_shape: tuple[int, ...]
    suspect_shape: tuple[int, ...]
    correlation: float  # of what both have, once what a network's freedoms allow is undone
    stored: float | None  # the same before; None where shapes differ
    undone: tuple[str, ...] = ()  # "outputs permuted", "inputs rescaled" …, in words
    log10_false_alarm: float | None = None  # of such a correlation, corrected for the search
    change: Mapping[str, Any] = field(default_factory=dict)  # what is left: pruned, moved …

    def to_json(self) -> Json:
        return {
            "source": self.source,
            "suspect": self.suspect,
            "source_shape": list(self.source_shape),
            "suspect_shape": list(self.suspect_shape),
            "correlation": self.correlation,
            "stored": self.stored,
            "undone": list(self.undone),
            "log10_false_alarm": self.log10_false_alarm,
            "change": dict(self.change),
        }

    @classmethod
    def from_json(cls, data: Json) -> LayerMatch:
        return cls(
            source=data["source"],
            suspect=data["suspect"],
            source_shape=tuple(data["source_shape"]),
            suspect_shape=tuple(data["suspect_shape"]),
            correlation=data["correlation"],
            stored=data["stored"],
            undone=tuple(data["undone"]),
            log10_false_alarm=data["log10_false_alarm"],
            change=data["change"],
        )
