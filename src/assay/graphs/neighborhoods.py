"""Weisfeiler–Lehman labels: what each layer looks like with its surroundings.

[Shervashidze et al., Weisfeiler-Lehman Graph Kernels, JMLR 2011.]  Round 0 labels a layer by
itself; each further round hashes its label with those of the layers that it reads and of those
that read it, so after r rounds a label tells layers apart by everything within r edges.
"""

from __future__ import annotations

from hashlib import blake2b

from assay.values import Layer, LayerGraph

LABEL_BYTES = 8


def digits(number: int) -> int:
    """Decimal digits of a cost, 0 … 10: ⌊log10 x⌋ + 1, 0 for x < 1 [HNN-Net, eq. 1]."""
    return min(len(str(number)), 10) if number >= 1 else 0


def label(layer: Layer, costs: bool = True) -> bytes:
    """Round 0: the operator and, with ``costs``, the digits of its MACs and parameters."""
    text = f"{layer.op}|{digits(layer.macs)}|{digits(layer.parameters)}" if costs else layer.op
    return _digest(text.encode())


def exact_label(layer: Layer) -> bytes:
    """Round 0 with everything that a layer holds."""
    return _digest(repr(layer.to_json()).encode())


def refine(graph: LayerGraph, labels: list[bytes]) -> list[bytes]:
    """The next round's labels (n)."""
    before: list[list[bytes]] = [[] for _ in labels]
    behind: list[list[bytes]] = [[] for _ in labels]
    for source, target in graph.edges:
        before[target].append(labels[source])
        behind[source].append(labels[target])
    return [
        _digest(own + b"<" + b"".join(sorted(reads)) + b">" + b"".join(sorted(readers)))
        for own, reads, readers in zip(labels, before, behind, strict=True)
    ]


def rounds(graph: LayerGraph, count: int, costs: bool = True) -> list[list[bytes]]:
    """Labels (count + 1, n) of rounds 0 … count."""
    labels = [label(layer, costs) for layer in graph.layers]
    result = [labels]
    for _ in range(count):
        labels = refine(graph, labels)
        result.append(labels)
    return result


def places(graph: LayerGraph) -> list[bytes]:
    """A label (n) for each layer that takes in everything it holds and its place in the graph.

    A layer's label takes in all that leads to it and all that it leads to, in two sweeps over the
    graph however deep it is; a second time, so that it also tells what those lead to.
    """
    labels = [exact_label(layer) for layer in graph.layers]
    reads: list[list[int]] = [[] for _ in labels]
    readers: list[list[int]] = [[] for _ in labels]
    for source, target in graph.edges:
        reads[target].append(source)
        readers[source].append(target)
    for _ in range(2):
        before, behind = _swept(labels, reads, readers), _swept(labels, readers, reads)
        labels = [_digest(a + b) for a, b in zip(before, behind, strict=True)]
    return labels


def fingerprint(graph: LayerGraph) -> str:
    """A hash of the graph, hex, blind to the order in which its layers are listed.

    Graphs that the Weisfeiler–Lehman test cannot tell apart share it.
    """
    return _digest(b"".join(sorted(places(graph)))).hex()


def _swept(labels: list[bytes], reads: list[list[int]], readers: list[list[int]]) -> list[bytes]:
    """Each label hashed with those of the layers it reads, sources first; on cycles as it was."""
    result, waiting = list(labels), [len(sources) for sources in reads]
    ready = [i for i, count in enumerate(waiting) if count == 0]
    while ready:
        i = ready.pop()
        result[i] = _digest(labels[i] + b"".join(sorted(result[source] for source in reads[i])))
        for reader in readers[i]:
            waiting[reader] -= 1
            if waiting[reader] == 0:
                ready.append(reader)
    return result


def _digest(content: bytes) -> bytes:
    return blake2b(content, digest_size=LABEL_BYTES).digest()
