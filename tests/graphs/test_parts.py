"""Parts: cut alike alone and inside of others, whatever the listing, few, and none by half."""

from __future__ import annotations

from functools import cache
from math import prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.graphs.dominators import ROOT, dominators
from assay.graphs.neighborhoods import fingerprint
from assay.graphs.parts import LEAST, MOST, Part, part_graph, parts
from assay.graphs.running_order import Neighbors
from assay.values import Layer, LayerGraph
from assay.zoo import architectures


@cache
def zoo(name: str) -> LayerGraph:
    (graph,) = (each.graph for each in architectures() if each.name == name)
    return graph


def prints(graph: LayerGraph) -> dict[str, Part]:
    """The parts by what they look like alone."""
    return {fingerprint(part_graph(graph, part)): part for part in parts(graph)}


def made(graph: LayerGraph) -> list[tuple[str, str]]:
    """Kind and looks of each part."""
    return [(part.kind, fingerprint(part_graph(graph, part))) for part in parts(graph)]


def shared(a: str, b: str) -> int:
    """Layers of the largest part that two networks of the zoo have in common."""
    ours, theirs = prints(zoo(a)), prints(zoo(b))
    return max((len(ours[each].layers) for each in {*ours} & {*theirs}), default=0)


def blocks(count: int, *, stem: int = 1, head: int = 2) -> LayerGraph:
    """A transformer in short: blocks of six layers on a trunk of 64 numbers."""
    layers = [Layer("Conv", (1, 16, 64), 4096, 4096)] * stem
    edges = [(i, i + 1) for i in range(stem - 1)]
    trunk = stem - 1
    for _ in range(count):
        for op in ("Attention", "Gemm"):
            start = len(layers)
            layers += [Layer("LayerNormalization", (1, 16, 64), 0, 128)]
            layers += [Layer(op, (1, 16, 64), 65536, 4096), Layer("Add", (1, 16, 64))]
            edges += [(trunk, start), (start, start + 1), (start + 1, start + 2)]
            edges += [(trunk, start + 2)]
            trunk = start + 2
    for size in range(head):
        layers.append(Layer("Gemm", (1, 10 + size), 640, 640))
        edges.append((trunk, len(layers) - 1))
        trunk = len(layers) - 1
    return LayerGraph(tuple(layers), tuple(sorted(edges)), "g1")


@pytest.mark.parametrize(
    ("network", "of", "least"),
    [
        ("transformers/detr-resnet-50", "resnet50", 86),  # at 640 pixels, and at 256
        ("transformers/upernet", "resnet50", 86),
        ("transformers/rt-detr-r50", "timm/resnet50d", 74),
        ("transformers/deeplabv3-mobilenet-v2", "mobilenet_v2", 58),
        ("transformers/flava-full", "transformers/vit-base", 147),
        ("transformers/chinese-clip-vit-base-16", "transformers/bert-base", 148),
        ("transformers/clipseg-rd64", "transformers/clip-vit-base-16", 146),
    ],
)
def test_a_part_of_a_network_is_cut_as_where_it_stands_alone(
    network: str, of: str, least: int
) -> None:
    assert shared(network, of) >= least


@pytest.mark.parametrize(
    ("a", "b"), [("resnet50", "vgg16"), ("swin_b", "mobilenet_v2"), ("densenet121", "resnet18")]
)
def test_strangers_have_no_part_in_common(a: str, b: str) -> None:
    assert shared(a, b) == 0


@pytest.mark.parametrize("taken", range(3, 13))
def test_of_the_first_blocks_of_a_row_at_least_half_are_a_part_of_both(taken: int) -> None:
    whole, some = prints(blocks(12)), prints(blocks(taken, head=3))
    common = max(len(whole[each].layers) for each in {*whole} & {*some})
    assert common >= 6 * taken / 2


def test_blocks_behind_another_stem_and_before_another_head_are_found() -> None:
    ours, theirs = prints(blocks(12)), prints(blocks(8, stem=3, head=4))
    assert {ours[each].kind for each in {*ours} & {*theirs}} == {"row"}
    assert max(len(ours[each].layers) for each in {*ours} & {*theirs}) == 6 * 8


def test_what_only_prepares_data_is_no_part_of_a_backbone() -> None:
    bare = blocks(8)
    normalized = LayerGraph(
        (Layer("Sub", (1, 3, 64), 0, 3), Layer("Div", (1, 3, 64), 0, 3), *bare.layers),
        ((0, 1), (1, 2), *((a + 2, b + 2) for a, b in bare.edges)),
        "g1",
    )
    first = [each for each, part in prints(bare).items() if part.kind == "first"]
    assert first
    assert {*first} <= {*prints(normalized)}


def test_parts_are_few_not_small_and_do_not_depend_on_the_listing() -> None:
    for architecture in architectures()[::40]:
        graph = architecture.graph
        found = parts(graph)
        sizes = [(part.kind, len(part.layers)) for part in found]
        assert len(found) <= sum(MOST.values()) == 16
        assert all(size >= LEAST for _, size in sizes)
        assert len({frozenset(part.layers) for part in found}) == len(found)
        place = np.random.default_rng(1).permutation(len(graph.layers)).tolist()
        layers = [graph.layers[old] for old in np.argsort(place).tolist()]
        edges = tuple(sorted((place[a], place[b]) for a, b in graph.edges))
        again = LayerGraph(tuple(layers), edges, graph.rules)
        assert made(graph) == made(again), architecture.name


def test_parts_of_small_and_of_cyclic_graphs_are_none() -> None:
    assert parts(LayerGraph((), (), "g1")) == ()
    assert parts(blocks(1, head=1)) == ()
    some = blocks(4)
    assert parts(some)
    assert parts(LayerGraph(some.layers, tuple(sorted([*some.edges, (9, 3)])), "g1")) == ()


def test_a_part_is_a_graph_of_its_own_at_one_resolution() -> None:
    graph = zoo("resnet18")
    (largest, *_) = parts(graph)
    alone = part_graph(graph, largest)
    assert alone.rules == f"{graph.rules}-p1"
    assert len(alone.layers) == len(largest.layers)
    assert max(prod(each.shape[2:]) for each in alone.layers if each.shape) == 64 * 64
    old = graph.layers[largest.layers[0]]
    (new,) = (each for each in alone.layers if each.shape == (1, 64, 64, 64) and each.op == old.op
              and each.parameters == old.parameters)  # fmt: skip
    assert (old.shape, old.macs) == ((1, 64, 128, 128), 4 * new.macs)


@given(st.integers(1, 12).flatmap(lambda n: st.tuples(
    st.just(n), st.sets(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1))))))  # fmt: skip
def test_a_dominator_is_passed_by_all_ways(drawn: tuple[int, set[tuple[int, int]]]) -> None:
    count, edges = drawn
    reads: Neighbors = [[] for _ in range(count)]
    for a, b in sorted(edges):
        if a < b:
            reads[b].append(a)
    found = dominators(range(count), reads, [True] * count)
    for layer in range(count):
        above = set()
        up = found[layer]
        while up != ROOT:
            above.add(up)
            up = found[up]
        passed = {each for each in range(layer) if not reached_without(each, layer, reads)}
        assert above == passed


def reached_without(gone: int, layer: int, reads: Neighbors) -> bool:
    """Whether a way leads from a beginning to ``layer`` past ``gone``."""
    if layer == gone:
        return False
    if not reads[layer]:
        return True
    return any(reached_without(gone, source, reads) for source in reads[layer])
