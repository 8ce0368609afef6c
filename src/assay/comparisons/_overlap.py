"""How much of their Weisfeiler–Lehman labels two layer graphs share.

[Shervashidze et al., JMLR 2011; Ruzicka, 1958.]
"""

from __future__ import annotations

from collections import Counter
from functools import lru_cache

from assay.graphs.neighborhoods import rounds
from assay.values import LayerGraph


@lru_cache(maxsize=512)  # a search compares one suspect with hundreds, a batch with the same ones
def _labels(graph: LayerGraph, count: int, costs: bool) -> Counter[bytes]:
    """The multiset of a graph's labels of rounds 0 … count."""
    return Counter(label for labels in rounds(graph, count, costs) for label in labels)


def overlap(a: LayerGraph, b: LayerGraph, count: int, costs: bool) -> float:
    """Weighted Jaccard overlap of the two multisets of labels up to ``count`` edges away, 0 … 1."""
    ours, theirs = (_labels(graph, count, costs) for graph in (a, b))
    union = sum((ours | theirs).values())
    return sum((ours & theirs).values()) / union if union else 0.0
