"""Codes that need no training: what a learned code has to beat."""

from __future__ import annotations

from collections import Counter
from hashlib import blake2b

import numpy as np

from assay.hashers import HASHERS
from assay.values import LayerGraph
from assay.zoo.retrieval import Bits

# By name, with a version that is raised whenever a code of theirs changes.
BASELINES = {"random": 1.0, "operator-bigrams": 1.0, "weisfeiler-lehman": 1.0}


def baseline_codes(method: str, bits: int, seed: int, graphs: list[LayerGraph]) -> Bits:
    """Codes (graphs, bits) of the baseline of that name."""
    if method == "random":
        return np.random.default_rng(seed).random((len(graphs), bits)) < 0.5
    if method == "weisfeiler-lehman":  # has no seed
        hasher = HASHERS[method](bits=bits)
        return np.array([unpacked(hasher(graph).digest) for graph in graphs])
    return np.array([_operator_bigrams(graph, bits, seed) for graph in graphs])


def unpacked(digest: bytes) -> Bits:
    """The bits of a code, most significant first."""
    return np.unpackbits(np.frombuffer(digest, np.uint8)).astype(bool)


def _operator_bigrams(graph: LayerGraph, bits: int, seed: int) -> Bits:
    """SimHash of how often each pair of operators is joined by an edge [Charikar, STOC 2002]."""
    ops = [layer.op for layer in graph.layers]
    counts = Counter(f"{ops[source]} {ops[target]}" for source, target in graph.edges)
    votes = np.zeros(bits)
    for pair, count in sorted(counts.items()):
        plane = blake2b(pair.encode(), digest_size=bits // 8, salt=seed.to_bytes(8)).digest()
        votes += count * np.where(unpacked(plane), 1, -1)
    return votes > 0
