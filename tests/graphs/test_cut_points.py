"""Cut points and equal blocks, on graphs whose structure is known."""

from __future__ import annotations

from functools import cache

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from assay.graphs.cut_points import Trunk, repeats
from assay.values import Layer, LayerGraph
from assay.zoo import architectures


def graph_of(ops: str, *edges: tuple[int, int]) -> LayerGraph:
    return LayerGraph(tuple(Layer(op, (1, 8)) for op in ops), tuple(sorted(edges)), "g1")


@cache
def zoo(name: str) -> LayerGraph:
    (graph,) = (each.graph for each in architectures() if each.name == name)
    return graph


def relisted(graph: LayerGraph, seed: int) -> tuple[LayerGraph, list[int]]:
    """The same graph, listed otherwise, and the new place of each layer."""
    place = np.random.default_rng(seed).permutation(len(graph.layers)).tolist()
    layers = [layer for _, layer in sorted(zip(place, graph.layers, strict=True), key=first)]
    edges = tuple(sorted((place[a], place[b]) for a, b in graph.edges))
    return LayerGraph(tuple(layers), edges, graph.rules), place


def first(pair: tuple[int, Layer]) -> int:
    return pair[0]


def test_nothing_leads_past_a_cut_point() -> None:
    """a → b → d → e with a branch c from a to d."""
    graph = graph_of("abcde", (0, 1), (0, 2), (1, 3), (2, 3), (3, 4))
    trunk = Trunk.of(graph)
    assert trunk.cuts == (0, 3, 4)
    assert [set(block) for block in trunk.blocks] == [{1, 2, 3}, {4}]


def test_tables_and_side_outputs_belong_to_the_block_that_uses_them() -> None:
    """4 is a table that 2 reads; 5 is an output on the side, of 1."""
    graph = graph_of("abcdts", (0, 1), (1, 2), (2, 3), (4, 2), (1, 5))
    trunk = Trunk.of(graph)
    assert trunk.cuts == (0, 1, 2, 3)
    assert trunk.blocks[1][-1] == 2
    assert 4 in trunk.blocks[1]
    assert sorted(trunk.order) == [0, 1, 2, 3, 4, 5]


def test_tables_made_of_all_tables_before_them_come_in_order() -> None:
    """A trunk of 60 layers, and 40 tables, each of all those before it, that the last reads."""
    made = [(60 + a, 60 + b) for b in range(40) for a in range(b)]
    graph = graph_of("x" * 100, *((i, i + 1) for i in range(59)), *made, (99, 50))
    trunk = Trunk.of(graph)
    place = {layer: at for at, layer in enumerate(trunk.order)}
    assert all(place[a] < place[b] for a, b in graph.edges)
    assert set(range(60, 100)) <= set(trunk.blocks[trunk.cuts.index(50) - 1])


def test_two_beginnings_meet_before_the_first_cut() -> None:
    graph = graph_of("abcd", (0, 2), (1, 2), (2, 3))
    assert Trunk.of(graph).cuts == (2, 3)


def test_a_cycle_and_nothing_have_no_cut_points() -> None:
    assert Trunk.of(graph_of("ab", (0, 1), (1, 0))).cuts == ()
    assert Trunk.of(graph_of("")) == Trunk((), (), ())


def test_the_blocks_of_known_networks_are_counted() -> None:
    for name, rows in (
        ("resnet50", [2, 3, 5, 2]),  # the first of each stage has a shortcut of its own
        ("vit_b_16", [12]),
        ("mobilenet_v2", [2, 3, 2, 2]),
    ):
        graph = zoo(name)
        assert [len(row.blocks) for row in repeats(graph, Trunk.of(graph))] == rows


@given(st.sampled_from(["resnet50", "swin_t", "densenet121", "inception_v3"]), st.integers(0, 99))
def test_cut_points_do_not_depend_on_the_listing(name: str, seed: int) -> None:
    graph = zoo(name)
    other, place = relisted(graph, seed)
    ours, theirs = Trunk.of(graph), Trunk.of(other)
    assert [place[cut] for cut in ours.cuts] == list(theirs.cuts)
    assert [{place[i] for i in block} for block in ours.blocks] == [set(b) for b in theirs.blocks]


@given(st.integers(1, 9).flatmap(lambda n: st.tuples(
    st.just(n), st.sets(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), max_size=16)
)))  # fmt: skip
def test_a_cut_point_is_on_every_way(drawn: tuple[int, set[tuple[int, int]]]) -> None:
    """Without it nothing of the trunk behind it is reached from before it."""
    n, pairs = drawn
    edges = {(min(pair), max(pair)) for pair in pairs if pair[0] != pair[1]}
    graph = graph_of("x" * n, *edges)
    trunk = Trunk.of(graph)
    starts = {i for i in range(n) if i not in {b for _, b in edges}}
    ends = {i for i in range(n) if i not in {a for a, _ in edges}}
    for cut in trunk.cuts:
        ways = [way for way in ways_of(edges, starts, ends) if len(way) == longest(edges, n)]
        assert all(cut in way for way in ways)


def ways_of(edges: set[tuple[int, int]], starts: set[int], ends: set[int]) -> list[tuple[int, ...]]:
    ways: list[tuple[int, ...]] = []
    open_: list[tuple[int, ...]] = [(start,) for start in starts]
    while open_:
        way = open_.pop()
        if way[-1] in ends:
            ways.append(way)
        open_ += [(*way, b) for a, b in edges if a == way[-1]]
    return ways


def longest(edges: set[tuple[int, int]], n: int) -> int:
    length = [1] * n
    for b in range(n):
        length[b] = max((length[a] + 1 for a, c in edges if c == b), default=1)
    return max(length)
