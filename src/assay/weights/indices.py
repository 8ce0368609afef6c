"""Whole numbers that a network counts, looks up or masks with: tensors that are no weights.

Steps of a normalization, positions, attention masks: saved beside the weights, but not always; one
exporter keeps them, the next does not.  Numbers of fewer bits may be packed or quantized weights.
"""

from __future__ import annotations

from collections.abc import Mapping

from assay.weights import Weight

INDICES = frozenset({"int64", "uint64", "bool"})


def without_indices(weights: Mapping[str, Weight]) -> dict[str, Weight]:
    """The tensors that may be weights; all, if none may."""
    found = {name: weight for name, weight in weights.items() if weight.dtype not in INDICES}
    return found or dict(weights)
