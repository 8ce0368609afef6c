"""How alike two layer graphs are: the overlap of their Weisfeiler–Lehman labels.

[Shervashidze et al., JMLR 2011; Ruzicka, 1958.]  Each graph is the multiset of its labels up to
``rounds`` edges away; the score is the weighted Jaccard overlap Σ min / Σ max, averaged over labels
with costs (this very network) and without (its design at any size).  Equal structure is no evidence
of descent, so the score has no false alarm, and no relation beyond same-architecture is ever drawn.
"""

from __future__ import annotations

from dataclasses import dataclass

from assay.comparisons import Comparison
from assay.comparisons._overlap import overlap
from assay.graphs.neighborhoods import fingerprint
from assay.values import Evidence, LayerGraph, Record, Relation


@dataclass(frozen=True)
class Structure(Comparison):
    """Overlap of Weisfeiler–Lehman labels."""

    rounds: int = 2
    same_architecture: float = 0.9  # score from which it is named so
    same_family: float = 0.4  # score times quality from which it is named so
    enough: float = 0.5  # quality from which same-architecture is named at all

    def compare(self, suspect: Record, source: Record) -> Evidence | None:
        a, b = suspect.graph, source.graph
        if a is None or b is None or a.rules != b.rules:
            return None
        equal = len(a.layers) == len(b.layers) and fingerprint(a) == fingerprint(b)
        exact, design = (1.0, 1.0) if equal else (self.overlap(a, b, c) for c in (True, False))
        detail = {
            "equal": equal,
            "overlap": round(exact, 4),
            "design_overlap": round(design, 4),
            "layers": [len(a.layers), len(b.layers)],
            "quality": round(min(suspect.quality, source.quality), 4),
        }
        if suspect.code and source.code and suspect.code.scheme == source.code.scheme:
            detail["distance"] = suspect.code - source.code
        return Evidence(repr(self), round((exact + design) / 2, 4), None, detail)

    def overlap(self, a: LayerGraph, b: LayerGraph, costs: bool) -> float:
        """Weighted Jaccard overlap of the two multisets of labels, 0 … 1."""
        return overlap(a, b, self.rounds, costs)

    def supported(self, evidence: Evidence) -> Relation:
        # Small or half-understood graphs are alike by chance: their score counts for less.
        quality: float = evidence.detail["quality"]
        if evidence.score >= self.same_architecture and quality >= self.enough:
            return Relation.SAME_ARCHITECTURE
        alike = evidence.score * quality >= self.same_family
        return Relation.SAME_FAMILY if alike else Relation.UNRELATED
