"""An order in which the layers of a graph can run."""

from __future__ import annotations

from heapq import heapify, heappop, heappush

from assay.values import LayerGraph

Neighbors = list[list[int]]  # (n) for each layer


def neighbors(graph: LayerGraph) -> tuple[Neighbors, Neighbors]:
    """What each layer reads, and who reads it; each once, and none itself."""
    reads: Neighbors = [[] for _ in graph.layers]
    readers: Neighbors = [[] for _ in graph.layers]
    for source, target in dict.fromkeys(sorted(graph.edges)):  # as a rule they are sorted
        if source != target:
            reads[target].append(source)
            readers[source].append(target)
    return reads, readers


def running_order(reads: Neighbors, readers: Neighbors) -> list[int]:
    """Layers, each after those that it reads and else as listed; those on cycles come last."""
    waiting = [len(sources) for sources in reads]
    ready = [i for i, count in enumerate(waiting) if count == 0]
    heapify(ready)
    order = []
    while ready:
        order.append(heappop(ready))
        for reader in readers[order[-1]]:
            waiting[reader] -= 1
            if waiting[reader] == 0:
                heappush(ready, reader)
    placed = set(order)
    return order + [i for i in range(len(reads)) if i not in placed]
