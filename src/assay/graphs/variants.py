"""Variants of a layer graph: what designers, owners and copiers make of one architecture.

Each function takes the graph, its random generator and how strong the change is, and leaves the
graph as it is.  A variant knows which layer of the original each of its layers was, so that the
edit distance of the two is bounded from above (``edit_distance(…, lineage=…)``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import ceil, floor, prod

import numpy as np

from assay.graphs._drafts import Draft, Variant
from assay.graphs.channels import last_makers, resized
from assay.graphs.cut_points import Repeat, Trunk, repeats
from assay.graphs.mutations import delete_layers
from assay.graphs.running_order import neighbors, running_order
from assay.values import Layer, LayerGraph

ACTIVATIONS = ("Relu", "Gelu", "Swish", "HardSwish", "LeakyRelu", "Clip", "Elu", "Mish")
CLASSES = (2, 10, 37, 100, 200, 365, 21841)  # of another head
HIDDEN = (256, 512, 1024)  # neurons of another head


Rng = np.random.Generator
Change = Callable[[LayerGraph, float, Rng], Variant | None]  # None: there is nothing to change


def contracted(graph: LayerGraph, share: float, rng: Rng) -> Variant | None:
    """Random layers are gone; who read them reads what they read."""
    return Variant(*delete_layers(graph, share, rng, bridge=True))


def torn(graph: LayerGraph, share: float, rng: Rng) -> Variant | None:
    """Random layers are gone, and their edges [HNN-Net, §4.1.3]."""
    return Variant(*delete_layers(graph, share, rng))


def truncated(graph: LayerGraph, share: float, rng: Rng) -> Variant | None:
    """The last layers are gone, ``share`` of all, in the order in which they run."""
    order = running_order(*neighbors(graph))
    draft = Draft(graph)
    draft.gone = set(order[max(round(len(order) * (1 - share)), 1) :])
    return draft.done()


def rescaled(graph: LayerGraph, factor: float, rng: Rng) -> Variant | None:
    """All channels are multiplied by ``factor``, but for what is read and the head's."""
    return Variant(resized(graph, lambda group: factor), tuple(range(len(graph.layers))))


def pruned(graph: LayerGraph, most: float, rng: Rng) -> Variant | None:
    """Of each layer's channels some are gone, 0 to ``most`` of them, alike where they are added."""
    changed = resized(graph, lambda group: 1 - most * float(rng.random()))
    return Variant(changed, tuple(range(len(graph.layers))))


def other_kernels(graph: LayerGraph, share: float, rng: Rng) -> Variant | None:
    """A share of the kinds of windows is larger or smaller: 3 × 3 is 5 × 5, all others 3 × 3."""
    kinds = {_kernel(layer) for layer in graph.layers} - {None}
    chosen = {kind for kind in sorted(kinds, key=str) if rng.random() < share}
    layers = []
    for layer in graph.layers:
        kernel = _kernel(layer)
        if kernel is None or kernel not in chosen:
            layers.append(layer)
            continue
        other = tuple(5 if size == 3 else 3 for size in kernel)
        growth = prod(other) / prod(kernel)
        attributes = tuple(sorted({**dict(layer.attributes), "kernel_shape": other}.items()))
        costs = round(layer.macs * growth), round(layer.parameters * growth)
        layers.append(Layer(layer.op, layer.shape, *costs, attributes))
    return _same(graph, layers) if chosen else None


def other_activations(graph: LayerGraph, share: float, rng: Rng) -> Variant | None:
    """Of the kinds of activations a share is another one, each everywhere the same."""
    found = sorted({part for layer in graph.layers for part in layer.op.split("+")})
    kinds = [kind for kind in found if kind in ACTIVATIONS and rng.random() < share]
    others = {kind: str(rng.choice([a for a in ACTIVATIONS if a != kind])) for kind in kinds}
    layers = []
    for layer in graph.layers:
        parts = layer.op.split("+")
        if not others.keys() & set(parts):
            layers.append(layer)
            continue
        kept = {k: v for k, v in layer.attributes if k not in ("min", "max")}
        if "Clip" in (others.get(part) for part in parts):
            kept |= {"max": 6.0, "min": 0.0}
        op = "+".join(others.get(part, part) for part in parts)
        layers.append(replace(layer, op=op, attributes=tuple(sorted(kept.items()))))
    return _same(graph, layers) if others else None


def shortened(graph: LayerGraph, share: float, rng: Rng) -> Variant | None:
    """Of the blocks that repeat a share is gone, one at least, and of each row one is left."""
    draft, rows = Draft(graph), repeats(graph, Trunk.of(graph))
    some = _drawn(rows, share, rng)
    for row, count in zip(rows, some, strict=True):
        for block in row.blocks[len(row.blocks) - count :]:
            draft.gone |= set(block)
        draft.hand_over(row.blocks[-1][-1], (row.entry, *(b[-1] for b in row.blocks))[-1 - count])
    return draft.done() if any(some) else None


def deepened(graph: LayerGraph, share: float, rng: Rng) -> Variant | None:
    """Of the blocks that repeat a share is there once more, one at least."""
    draft, rows = Draft(graph), repeats(graph, Trunk.of(graph))
    reads, _ = neighbors(graph)
    some = _drawn(rows, share, rng)
    for row, count in zip(rows, some, strict=True):
        before, block = row.blocks[-2][-1], row.blocks[-1]
        end = block[-1]
        for _ in range(count):
            copy = {before: end} | {i: draft.put(graph.layers[i]) for i in block}
            for i in block:
                for source in reads[i]:
                    draft.tie(copy.get(source, source), copy[i])
            draft.hand_over(end, copy[block[-1]], [*copy.values()])
            end = copy[block[-1]]
    return draft.done() if any(some) else None


def stage_removed(graph: LayerGraph, share: float, rng: Rng) -> Variant | None:
    """What is between two cut points is gone, at most ``share`` of all layers."""
    trunk, draft = Trunk.of(graph), Draft(graph)
    sizes = np.cumsum([0, *(len(block) for block in trunk.blocks)])
    most = share * len(graph.layers)
    starts = np.arange(max(len(trunk.cuts) - 2, 0))  # with each, the ends that fit: a row of them
    least = np.searchsorted(sizes[: len(trunk.cuts) - 1], sizes[starts] + max(ceil(most / 2), 1))
    above = np.searchsorted(sizes[: len(trunk.cuts) - 1], sizes[starts] + floor(most), "right")
    fits = np.cumsum(np.maximum(above - least, 0))
    if not fits.size or not fits[-1]:
        return None
    drawn = int(rng.integers(fits[-1]))
    first = int(np.searchsorted(fits, drawn, "right"))
    last = int(above[first] - (fits[first] - drawn))
    for block in trunk.blocks[first:last]:
        draft.gone |= set(block)
    draft.hand_over(trunk.cuts[last], trunk.cuts[first])
    return draft.done()


def other_head(graph: LayerGraph, share: float, rng: Rng) -> Variant | None:
    """Other classes; with the chance ``share`` a hidden layer before them, too."""
    draft, classes = Draft(graph), int(rng.choice(CLASSES))
    heads = [i for i in last_makers(graph) if len(graph.layers[i].shape or ()) > 1]
    for head in heads:
        layer, axis = graph.layers[head], _axis(graph.layers[head])
        shape = list(layer.shape or ())
        growth = classes / max(shape[axis], 1)
        shape[axis] = classes
        costs = round(layer.macs * growth), round(layer.parameters * growth)
        draft.layers[head] = Layer(layer.op, tuple(shape), *costs, layer.attributes)
    reads = [a for a, b in graph.edges if b in heads[:1]]
    if len(heads) == len(reads) == 1 and rng.random() < share:
        shape, width = list(graph.layers[reads[0]].shape or (1, 1)), int(rng.choice(HIDDEN))
        channels = shape[1 if len(shape) == 4 else -1]
        made = (1, width) if len(shape) == 4 else (*shape[:-1], width)
        size = prod(made)
        hidden = draft.put(Layer("Gemm", made, size * channels, width * (channels + 1)), reads)
        last = draft.put(Layer("Relu", made, size), [hidden])
        draft.cut(reads[0], heads[0])
        draft.tie(last, heads[0])
    return draft.done() if heads else None


def inserted(graph: LayerGraph, share: float, rng: Rng) -> Variant | None:
    """Adapters behind a share of the cut points: down, a nonlinearity, up, and added."""
    draft = Draft(graph)
    cuts = [i for i in Trunk.of(graph).cuts[:-1] if len(graph.layers[i].shape or ()) in (3, 4)]
    count = max(round(share * len(cuts)), 1)
    for cut in sorted(rng.permutation(cuts)[:count].tolist()):
        _adapter(draft, cut, 2 ** int(rng.integers(1, 4)))
    return draft.done() if cuts else None


def _adapter(draft: Draft, cut: int, narrowing: int) -> None:
    """Behind the layer ``cut``, ``narrowing`` times narrower inside; of convolutions on images."""
    shape = draft.layers[cut].shape or ()
    axis = 1 if len(shape) == 4 else len(shape) - 1
    channels = shape[axis]
    narrow = max(channels // narrowing, 1)
    inner = (*shape[:axis], narrow, *shape[axis + 1 :])
    op, more = ("Conv", (("kernel_shape", (1, 1)),)) if axis == 1 else ("Gemm", ())
    cost = prod(shape) * narrow
    down = draft.put(Layer(op, inner, cost, narrow * (channels + 1), more), [cut])
    bent = draft.put(Layer("Gelu", inner, prod(inner)), [down])
    up = draft.put(Layer(op, shape, cost, channels * (narrow + 1), more), [bent])
    added = draft.put(Layer("Add", shape, prod(shape)), [cut, up])
    draft.hand_over(cut, added, [down])


def _axis(layer: Layer) -> int:
    """Of its channels."""
    return 1 if layer.op.startswith("Conv") else -1


def _kernel(layer: Layer) -> tuple[int, ...] | None:
    """Of a convolution with a window larger than a point."""
    kernel = dict(layer.attributes).get("kernel_shape") if layer.op.startswith("Conv") else None
    return kernel if isinstance(kernel, tuple) and kernel and min(kernel) > 1 else None


def _same(graph: LayerGraph, layers: Sequence[Layer]) -> Variant:
    return Variant(replace(graph, layers=tuple(layers)), tuple(range(len(layers))))


def _drawn(rows: Sequence[Repeat], share: float, rng: Rng) -> list[int]:
    """Of each row how many blocks: together ``share`` of all that are not the first of theirs."""
    spare = np.repeat(np.arange(len(rows)), [len(row.blocks) - 1 for row in rows])
    chosen = rng.permutation(spare)[: max(round(share * len(spare)), 1)]
    return [int(count) for count in np.bincount(chosen, minlength=len(rows))] if rows else []
