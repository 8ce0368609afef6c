from __future__ import annotations

from dataclasses import replace
from itertools import combinations, product

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.graphs.neighborhoods import digits, exact_label, fingerprint, label, refine, rounds
from assay.values import Layer, LayerGraph

OPS = ("Conv+Relu", "MaxPool", "Gemm", "Add")
layers = st.builds(
    Layer,
    st.sampled_from(OPS),
    st.sampled_from([None, (1, 8), (1, 16)]),
    st.sampled_from([0, 9, 10, 10**6]),
    st.sampled_from([0, 1, 99]),
    st.sampled_from([(), (("group", 2),)]),
)


@st.composite
def graphs(draw: st.DrawFn) -> LayerGraph:
    nodes = draw(st.lists(layers, max_size=9))
    pairs = list(combinations(range(len(nodes)), 2))
    edges = draw(st.sets(st.sampled_from(pairs), max_size=14)) if pairs else set()
    return LayerGraph(tuple(nodes), tuple(sorted(edges)), "g1")


def relisted(graph: LayerGraph, order: list[int]) -> LayerGraph:
    """The same graph with layer ``order[i]`` listed at place i."""
    place = {old: new for new, old in enumerate(order)}
    edges = tuple(sorted((place[a], place[b]) for a, b in graph.edges))
    return LayerGraph(tuple(graph.layers[old] for old in order), edges, graph.rules)


def chain(*ops: str) -> LayerGraph:
    nodes = tuple(Layer(op, (1, 8)) for op in ops)
    return LayerGraph(nodes, tuple((i, i + 1) for i in range(len(ops) - 1)), "g1")


@pytest.mark.parametrize(
    ("number", "expected"),
    [(0, 0), (1, 1), (9, 1), (10, 2), (99, 2), (100, 3), (10**9, 10), (10**10, 10), (10**40, 10)],
)
def test_digits_of_a_cost(number: int, expected: int) -> None:
    assert digits(number) == expected


def test_a_label_tells_the_operator_and_the_digits_of_its_costs() -> None:
    base = Layer("Conv", (1, 8), 1234, 56)
    assert label(base) == label(Layer("Conv", (9, 9), 9999, 10, (("group", 2),)))
    assert label(base) != label(replace(base, op="Gemm"))
    assert label(base) != label(replace(base, macs=12345))
    assert label(base) != label(replace(base, parameters=567))


def test_a_label_without_costs_tells_the_operator_alone() -> None:
    base = Layer("Conv", (1, 8), 1234, 56)
    assert label(base, costs=False) == label(replace(base, macs=0, parameters=0), costs=False)
    assert label(base, costs=False) != label(replace(base, op="Gemm"), costs=False)


@pytest.mark.parametrize(
    "change",
    [
        {"op": "Gemm"},
        {"shape": (1, 9)},
        {"shape": None},
        {"macs": 1235},
        {"parameters": 57},
        {"attributes": (("group", 3),)},
    ],
)
def test_an_exact_label_tells_everything(change: dict[str, object]) -> None:
    base = Layer("Conv", (1, 8), 1234, 56, (("group", 2),))
    assert exact_label(base) == exact_label(replace(base))
    assert exact_label(base) != exact_label(replace(base, **change))  # type: ignore[arg-type]


def test_each_round_tells_one_edge_more() -> None:
    # Two chains that differ at the first layer only: the label of layer i differs from round i on.
    first, second = chain("Conv", *["Relu"] * 5), chain("Gemm", *["Relu"] * 5)
    for count in range(5):
        ours, theirs = rounds(first, 5)[count], rounds(second, 5)[count]
        assert [a == b for a, b in zip(ours, theirs, strict=True)] == [
            place > count for place in range(6)
        ]


def test_a_round_tells_reading_from_being_read() -> None:
    layers = (Layer("Conv", (1,)), Layer("Add", (1,)))
    there = LayerGraph(layers, ((0, 1),), "g1")
    back = LayerGraph(layers, ((1, 0),), "g1")
    assert rounds(there, 1)[1] != rounds(back, 1)[1]


def test_a_round_counts_neighbors() -> None:
    layers = tuple(Layer(op, (1,)) for op in ("Conv", "Conv", "Add"))
    one, two = LayerGraph(layers, ((0, 2),), "g1"), LayerGraph(layers, ((0, 2), (1, 2)), "g1")
    assert rounds(one, 1)[1][2] != rounds(two, 1)[1][2]


def test_rounds_start_from_the_layers_themselves() -> None:
    graph = chain("Conv", "Relu", "Gemm")
    found = rounds(graph, 2)
    assert len(found) == 3
    assert found[0] == [label(layer) for layer in graph.layers]
    assert found[1] == refine(graph, found[0])
    assert found[2] == refine(graph, found[1])
    assert rounds(graph, 0, costs=False) == [[label(layer, False) for layer in graph.layers]]


@given(graph=graphs(), data=st.data())
def test_a_fingerprint_is_blind_to_the_order_of_layers(
    graph: LayerGraph, data: st.DataObject
) -> None:
    order = data.draw(st.permutations(range(len(graph.layers))))
    assert fingerprint(relisted(graph, order)) == fingerprint(graph)


@given(graph=graphs(), data=st.data())
def test_labels_move_with_their_layers(graph: LayerGraph, data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(len(graph.layers))))
    for before, after in zip(rounds(graph, 3), rounds(relisted(graph, order), 3), strict=True):
        assert after == [before[old] for old in order]


def test_graphs_of_four_layers_share_a_fingerprint_only_where_they_are_isomorphic() -> None:
    pairs = list(combinations(range(4), 2))
    groups: dict[str, list[nx.DiGraph]] = {}
    for ops in product("AB", repeat=4):
        nodes = tuple(Layer(op, None) for op in ops)
        for kept in product((False, True), repeat=len(pairs)):
            edges = tuple(pair for pair, keep in zip(pairs, kept, strict=True) if keep)
            judged = nx.DiGraph(edges)
            judged.add_nodes_from((i, {"op": op}) for i, op in enumerate(ops))
            groups.setdefault(fingerprint(LayerGraph(nodes, edges, "g1")), []).append(judged)
    assert sum(map(len, groups.values())) == 2**10
    for first, *others in groups.values():
        for other in others:
            assert nx.vf2pp_is_isomorphic(first, other, node_label="op")
    representatives = [members[0] for members in groups.values()]
    for first, second in combinations(representatives, 2):
        if sorted(first.degree) == sorted(second.degree):
            assert not nx.vf2pp_is_isomorphic(first, second, node_label="op")


def test_a_difference_at_the_far_end_of_a_deep_graph_is_seen() -> None:
    deep = ["Relu"] * 3000
    one = chain("Conv", *deep, "Gemm")
    assert fingerprint(one) != fingerprint(chain("Conv", *deep, "Softmax"))
    assert fingerprint(one) != fingerprint(chain("Gemm", *deep, "Conv"))
    assert fingerprint(one) != fingerprint(chain("Conv", *deep, "Relu", "Gemm"))


def test_what_labels_cannot_tell_apart_shares_a_fingerprint() -> None:
    #  two inputs, two branches each; the branches of one input meet, or those of both do: as
    #  undirected graphs two rings of four, or one of eight
    nodes = tuple(Layer(op, (1,)) for op in ("In", "In", "A", "B", "A", "B", "Add", "Add"))
    stems = ((0, 2), (0, 3), (1, 4), (1, 5))
    straight = LayerGraph(nodes, (*stems, (2, 6), (3, 6), (4, 7), (5, 7)), "g1")
    crossed = LayerGraph(nodes, (*stems, (2, 6), (3, 7), (4, 7), (5, 6)), "g1")
    assert fingerprint(straight) == fingerprint(crossed)
    one_differs = (Layer("Other", (1,)), *nodes[1:])
    straight, crossed = (replace(g, layers=one_differs) for g in (straight, crossed))
    assert fingerprint(straight) != fingerprint(crossed)


def test_layers_on_a_cycle_are_told_apart_by_themselves() -> None:
    nodes = tuple(Layer(op, (1,)) for op in ("A", "B", "C"))
    cycle = LayerGraph(nodes, ((0, 1), (1, 0), (1, 2)), "g1")
    assert fingerprint(cycle) == fingerprint(relisted(cycle, [2, 0, 1]))
    other = LayerGraph((Layer("X", (1,)), *nodes[1:]), cycle.edges, "g1")
    assert fingerprint(cycle) != fingerprint(other)


def test_an_empty_graph_has_a_fingerprint() -> None:
    assert fingerprint(chain()) != fingerprint(chain("Conv"))


def test_labels_stay_the_same_from_release_to_release() -> None:
    made = LayerGraph(
        (Layer("Conv+Relu", (1, 8), 1234, 56, (("group", 2),)), Layer("Gemm", (1, 4), 32, 36)),
        ((0, 1),),
        "g1",
    )
    assert [one.hex() for one in rounds(made, 2)[2]] == ["dd0dd283c19b7fb2", "a9014e2aa0b3d45d"]
    assert fingerprint(made) == "0990ffada862bf7a"
