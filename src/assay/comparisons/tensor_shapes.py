"""How alike two models' tensor shapes are, where one of them has no graph to be compared.

[Ruzicka, 1958.]  Each model is the multiset of its weights' shapes; the score is the weighted
Jaccard overlap Σ min / Σ max.  As with layer graphs, equal shapes are no evidence of descent: there
is no false alarm, and no relation beyond same-architecture is ever drawn.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from assay.comparisons import Comparison
from assay.values import Evidence, Record, Relation, Shapes


@dataclass(frozen=True)
class TensorShapes(Comparison):
    """Overlap of two tensor-shape signatures."""

    same_architecture: float = 0.9  # score from which it is named so
    same_family: float = 0.5  # score from which it is named so
    enough: int = 6  # different shapes that both must have: few ones are alike by chance

    def compare(self, suspect: Record, source: Record) -> Evidence | None:
        if not suspect.shapes or not source.shapes or (suspect.graph and source.graph):
            return None
        ours, theirs = Counter(dict(suspect.shapes)), Counter(dict(source.shapes))
        shared = (ours & theirs).total()
        detail = {
            "equal": ours == theirs,
            "shared_tensors": shared,
            "shared_shapes": len(ours & theirs),
            "tensors": [ours.total(), theirs.total()],
        }
        return Evidence(repr(self), round(overlap(suspect.shapes, source.shapes), 4), None, detail)

    def supported(self, evidence: Evidence) -> Relation:
        if evidence.detail["shared_shapes"] < self.enough:
            return Relation.UNRELATED
        if evidence.score >= self.same_architecture:
            return Relation.SAME_ARCHITECTURE
        return Relation.SAME_FAMILY if evidence.score >= self.same_family else Relation.UNRELATED


def overlap(a: Shapes, b: Shapes) -> float:
    """Weighted Jaccard overlap of two signatures, 0 … 1."""
    ours, theirs = Counter(dict(a)), Counter(dict(b))
    union = (ours | theirs).total()
    return (ours & theirs).total() / union if union else 0.0
