"""Layer graphs made from a layer graph by random edits: data for training and judging hashers.

[HNN-Net, §4.1.3: deletion; GHashing: edits.]  Every function takes its random generator and leaves
its argument as it is.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from assay.errors import BadOption
from assay.values import LayerGraph


def delete_layers(
    graph: LayerGraph, share: float, rng: np.random.Generator, *, bridge: bool = False
) -> tuple[LayerGraph, tuple[int, ...]]:
    """``graph`` without a random ``share`` of its layers, and which layers it kept.

    round(share · n) layers go, with their edges; so the graph may fall apart, as the paper's do.
    With ``bridge`` what a deleted layer read is read by its readers instead.  At least one layer
    stays.  Raises BadOption where ``share`` is not in 0 … 1.
    """
    if not 0 <= share <= 1:
        raise BadOption(f"the share of layers to delete must be in 0 … 1, not {share}")
    n = len(graph.layers)
    gone = rng.permutation(n)[: min(round(share * n), max(n - 1, 0))]
    edges = set(graph.edges)
    if bridge:
        edges = _bridged(edges, n, gone.tolist())
    kept = np.setdiff1d(np.arange(n), gone)
    return _keep(graph, kept.tolist(), edges), tuple(kept.tolist())


def edit_once(graph: LayerGraph, ops: tuple[str, ...], rng: np.random.Generator) -> LayerGraph:
    """``graph`` after one random edit of GHashing's: its edit distance to ``graph`` is at most 1.

    A layer takes another operator of ``ops``, or an edge is inserted or deleted.
    """
    n = len(graph.layers)
    kind = rng.integers(3)
    if kind == 0 and n:
        chosen = int(rng.integers(n))
        layers = list(graph.layers)
        layers[chosen] = replace(layers[chosen], op=ops[int(rng.integers(len(ops)))])
        return replace(graph, layers=tuple(layers))
    if kind == 1 and n > 1:
        a, b = sorted(rng.choice(n, 2, replace=False).tolist())
        return replace(graph, edges=tuple(sorted({*graph.edges, (a, b)})))
    if graph.edges:
        chosen = int(rng.integers(len(graph.edges)))
        return replace(graph, edges=graph.edges[:chosen] + graph.edges[chosen + 1 :])
    return graph


def _bridged(edges: set[tuple[int, int]], n: int, gone: list[int]) -> set[tuple[int, int]]:
    """Edges that lead past the layers that are gone, one after the other."""
    reads: list[set[int]] = [set() for _ in range(n)]
    readers: list[set[int]] = [set() for _ in range(n)]
    for a, b in edges:
        reads[b].add(a)
        readers[a].add(b)
    for layer in gone:
        before, behind = reads[layer] - {layer}, readers[layer] - {layer}
        for a in before:
            readers[a] = (readers[a] | behind) - {layer}
        for b in behind:
            reads[b] = (reads[b] | before) - {layer}
        reads[layer], readers[layer] = set(), set()
    return {(a, b) for a in range(n) for b in readers[a]}


def _keep(graph: LayerGraph, kept: list[int], edges: set[tuple[int, int]]) -> LayerGraph:
    place = {old: new for new, old in enumerate(kept)}
    inside = ((place[a], place[b]) for a, b in edges if a in place and b in place)
    layers = tuple(graph.layers[old] for old in kept)
    return LayerGraph(layers, tuple(sorted(inside)), graph.rules)
