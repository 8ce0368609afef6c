"""What designers, owners and copiers make of a network, drawn at random, to be learned from."""

from __future__ import annotations

import numpy as np

from assay.graphs import rewrites, variants
from assay.graphs.variants import Change
from assay.values import LayerGraph

# What is done, between which strengths, and how often in relation to the rest.
CHANGES: tuple[tuple[Change, float, float, float], ...] = (
    (variants.contracted, 0.02, 0.2, 1.0),
    (variants.torn, 0.02, 0.2, 1.0),
    (variants.truncated, 0.05, 0.5, 1.0),
    (variants.rescaled, -1.0, 1.0, 1.0),  # powers of two
    (variants.pruned, 0.25, 0.5, 1.0),
    (variants.other_kernels, 0.5, 1.0, 1.0),
    (variants.other_activations, 0.5, 1.0, 1.0),
    (variants.shortened, 0.1, 0.2, 1.0),
    (variants.deepened, 0.1, 0.2, 1.0),
    (variants.stage_removed, 0.15, 0.3, 1.0),
    (variants.other_head, 0.25, 0.5, 1.0),
    (variants.inserted, 0.15, 0.3, 1.0),
    (rewrites.spelled_out, 0.35, 0.7, 1.0),
    (rewrites.rewritten, 0.05, 0.1, 1.0),
)
TWICE = 0.25  # of the views have a second change


def view(graph: LayerGraph, rng: np.random.Generator) -> LayerGraph:
    """A variant of ``graph``; the graph itself where nothing that was drawn can be changed."""
    result = _changed(graph, rng)
    return _changed(result, rng) if rng.random() < TWICE else result


def _changed(graph: LayerGraph, rng: np.random.Generator) -> LayerGraph:
    weights = np.array([often for *_, often in CHANGES])
    change, least, most, _ = CHANGES[rng.choice(len(CHANGES), p=weights / weights.sum())]
    strength = float(rng.uniform(least, most))
    made = change(graph, 2**strength if change is variants.rescaled else strength, rng)
    return graph if made is None or not made.graph.layers else made.graph
