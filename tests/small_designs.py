"""Small layer graphs to train hash networks on in seconds."""

from __future__ import annotations

import numpy as np

from assay.graphs.mutations import delete_layers
from assay.trainers import Sample
from assay.values import Layer, LayerGraph

DESIGNS = {
    "plain": ("Conv+Relu", "Conv+Relu", "MaxPool"),
    "gated": ("Conv", "Sigmoid", "Mul", "Add"),
    "mixing": ("LayerNormalization", "MatMul", "Softmax", "MatMul", "Add"),
}


def network(design: str, blocks: int) -> LayerGraph:
    """A chain of blocks, wider with depth, with a residual edge around each."""
    ops = DESIGNS[design] * blocks
    layers = tuple(
        Layer(op, (1, 8 + place, 16, 16), 10 ** (3 + place % 5), 100 * (place + 1))
        for place, op in enumerate((*ops, "Gemm"))
    )
    step = len(DESIGNS[design])
    edges = {(i, i + 1) for i in range(len(ops))}
    edges |= {(i, i + step) for i in range(0, len(ops) - step, step)}
    return LayerGraph(layers, tuple(sorted(edges)), "g1")


def copies(count: int, seed: int = 0) -> list[Sample]:
    """``count`` copies of six networks of three categories, each without a tenth of its layers."""
    rng = np.random.default_rng(seed)
    made = []
    for design in DESIGNS:
        for blocks in (3, 6):
            for _ in range(count):
                graph, kept = delete_layers(network(design, blocks), 0.1, rng)
                made.append(Sample(f"{design}-{blocks}", design, graph, kept))
    return made
