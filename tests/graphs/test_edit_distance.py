from __future__ import annotations

import random
from itertools import combinations

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from zoo_graphs import merged, operators

pytest.importorskip("scipy")  # of the extra `torch`

from assay.graphs import layer_graph
from assay.graphs._edit_bounds import branch_bound, label_bound
from assay.graphs.edit_distance import CAP, EditDistance, PreparedGraph, edit_distance
from assay.values import Layer, LayerGraph

NOT_EXACT = 0  # layers up to which the exact search runs, to see the bounds alone


def graph(ops: str, *edges: tuple[int, int]) -> LayerGraph:
    """One layer a letter."""
    return LayerGraph(tuple(Layer(op, None) for op in ops), tuple(sorted(edges)), "g1")


def chain(ops: str) -> LayerGraph:
    return graph(ops, *((i, i + 1) for i in range(len(ops) - 1)))


@st.composite
def graphs(draw: st.DrawFn, most: int = 6) -> LayerGraph:
    ops = draw(st.text("ABC", max_size=most))
    pairs = list(combinations(range(len(ops)), 2))
    return graph(ops, *(draw(st.sets(st.sampled_from(pairs))) if pairs else ()))


def relisted(g: LayerGraph, order: list[int]) -> LayerGraph:
    """The same graph with layer ``order[i]`` listed at place i."""
    place = {old: new for new, old in enumerate(order)}
    edges = tuple(sorted((place[a], place[b]) for a, b in g.edges))
    return LayerGraph(tuple(g.layers[old] for old in order), edges, g.rules)


def shuffled(g: LayerGraph, seed: int) -> LayerGraph:
    return relisted(g, random.Random(seed).sample(range(len(g.layers)), len(g.layers)))


def thinned(g: LayerGraph, seed: int) -> tuple[LayerGraph, list[int]]:
    """A copy without a tenth of the layers and their edges, and which layers it kept."""
    n = len(g.layers)
    kept = sorted(random.Random(seed).sample(range(n), n - round(n / 10)))
    place = {old: new for new, old in enumerate(kept)}
    edges = [(place[a], place[b]) for a, b in g.edges if a in place and b in place]
    return LayerGraph(tuple(g.layers[i] for i in kept), tuple(sorted(edges)), g.rules), kept


def judged(a: LayerGraph, b: LayerGraph) -> int:
    """networkx's exact distance."""
    sides = []
    for g in (a, b):
        side = nx.Graph()
        side.add_nodes_from((i, {"op": layer.op}) for i, layer in enumerate(g.layers))
        side.add_edges_from((a, b) for a, b in g.edges if a != b)
        sides.append(side)
    return round(nx.graph_edit_distance(*sides, node_match=lambda x, y: x["op"] == y["op"]))


def spelled(a: LayerGraph, b: LayerGraph, lineage: list[int]) -> int:
    """Edits of a known correspondence, layer by layer and edge by edge."""
    pairs = [(i, j) for i, j in enumerate(lineage) if j >= 0]
    theirs = {frozenset(edge) for edge in b.edges}
    place = dict(pairs)
    ours = {frozenset((place.get(i, ("gone", i)), place.get(j, ("gone", j)))) for i, j in a.edges}
    relabeled = sum(a.layers[i].op != b.layers[j].op for i, j in pairs)
    return relabeled + len(a.layers) + len(b.layers) - 2 * len(pairs) + len(ours ^ theirs)


@settings(max_examples=150, deadline=None)
@given(graphs(), graphs())
def test_networkx_agrees_with_the_exact_distance_and_lies_between_the_bounds(
    a: LayerGraph, b: LayerGraph
) -> None:
    true = judged(a, b)
    assert edit_distance(a, b) == EditDistance(true, true, edit_distance(a, b).size)
    bounds = edit_distance(a, b, exact_up_to=NOT_EXACT)
    assert bounds.lower <= true <= bounds.upper <= bounds.size


@settings(max_examples=100, deadline=None)
@given(graphs(9), graphs(9), st.booleans())
def test_the_two_graphs_may_be_named_in_either_order(
    a: LayerGraph, b: LayerGraph, exact: bool
) -> None:
    up_to = 9 if exact else NOT_EXACT
    assert edit_distance(a, b, exact_up_to=up_to) == edit_distance(b, a, exact_up_to=up_to)


@settings(max_examples=100, deadline=None)
@given(graphs(9), graphs(9), st.randoms(use_true_random=False))
def test_listing_and_direction_do_not_change_the_distance(
    a: LayerGraph, b: LayerGraph, rng: random.Random
) -> None:
    other = relisted(b, rng.sample(range(len(b.layers)), len(b.layers)))
    turned = tuple(edge[::-1] if rng.random() < 0.5 else edge for edge in other.edges)
    again = LayerGraph(other.layers, tuple(sorted(turned)), other.rules)
    assert edit_distance(a, again) == edit_distance(a, b)
    assert edit_distance(b, again).upper == 0
    prepared = [PreparedGraph.of(g) for g in (a, b, again)]
    for bound in (label_bound, branch_bound):
        assert bound(prepared[0], prepared[1]) == bound(prepared[0], prepared[2])


@settings(max_examples=60, deadline=None)
@given(graphs(5), graphs(5), graphs(5))
def test_the_triangle_inequality_holds(a: LayerGraph, b: LayerGraph, c: LayerGraph) -> None:
    ab, bc, ac = edit_distance(a, b), edit_distance(b, c), edit_distance(a, c)
    assert ab.exact
    assert bc.exact
    assert ac.upper <= ab.upper + bc.upper


@pytest.mark.parametrize(
    ("a", "b", "edits"),
    [
        (graph(""), graph(""), 0),
        (graph(""), chain("ABC"), 5),
        (chain("ABC"), chain("AXC"), 1),  # relabel
        (chain("ABC"), graph("ABC", (0, 1)), 1),  # delete an edge
        (chain("ABC"), chain("ABCD"), 2),  # insert a layer and its edge
        (chain("ABC"), chain("AC"), 3),  # out of the middle: the layer, two edges less one new
        (graph("AB", (0, 1)), graph("AB", (1, 0), (0, 1), (1, 1)), 0),  # a loop, both directions
    ],
)
def test_edits_counted_by_hand(a: LayerGraph, b: LayerGraph, edits: int) -> None:
    found = edit_distance(a, b)
    assert (found.lower, found.upper) == (edits, edits)


@settings(max_examples=80, deadline=None)
@given(graphs(12), graphs(12), st.integers(1, 15))
def test_a_search_that_ends_early_still_gives_bounds(
    a: LayerGraph, b: LayerGraph, limit: int
) -> None:
    early, full = edit_distance(a, b, limit=limit), edit_distance(a, b, exact_up_to=12)
    assert early.lower <= full.upper
    assert early.upper >= full.lower
    assert early.lower >= limit or early == edit_distance(a, b)
    if not early.undecided(limit) and full.exact:
        assert early.capped(limit) == min(full.upper, limit)


@settings(max_examples=80, deadline=None)
@given(graphs(9), graphs(9), st.randoms(use_true_random=False))
def test_a_known_correspondence_is_never_beaten_by_what_is_found_without_it(
    a: LayerGraph, b: LayerGraph, rng: random.Random
) -> None:
    places = [*range(len(b.layers)), *[-1] * len(a.layers)]
    lineage = rng.sample(places, len(a.layers))
    with_it = edit_distance(a, b, lineage=lineage, exact_up_to=NOT_EXACT)
    assert with_it.upper <= spelled(a, b, lineage)
    assert edit_distance(a, b, lineage=lineage) == edit_distance(a, b)


def test_a_known_correspondence_counts_where_the_graphs_are_too_large_to_search(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    base = merged("googlenet")
    n = len(base.layers)
    order = random.Random(1).sample(range(n), n)
    other = relisted(base, order)
    lineage = [order.index(i) for i in range(n)]
    monkeypatch.setattr("assay.graphs.edit_distance.LARGEST", 100)
    monkeypatch.setattr("assay.graphs._edit_maps.LARGEST", 100)
    assert edit_distance(base, other).upper > 0
    assert edit_distance(base, other, lineage=lineage).upper == 0
    assert edit_distance(other, base, lineage=order).upper == 0


@pytest.mark.parametrize("lineage", [[0, 0, 1], [0, 1], [0, 1, 3]])
def test_a_lineage_that_is_no_map_is_refused(lineage: list[int]) -> None:
    with pytest.raises(ValueError, match="no map of 3 layers to distinct ones of 3"):
        edit_distance(chain("ABC"), chain("ABC"), lineage=lineage)


def test_the_capped_label_and_when_it_is_open() -> None:
    assert [EditDistance(9, 20, 99).capped(limit) for limit in (8, 11, 30)] == [8, 11, 20]
    assert EditDistance(9, 20, 99).undecided()
    assert not EditDistance(9, 20, 99).undecided(9)
    assert not EditDistance(11, 20, 99).undecided()
    assert not EditDistance(4, 4, 99).undecided()
    assert CAP == 11


def test_shares_of_the_size() -> None:
    assert EditDistance(1, 3, 12).normalized == (1 / 12, 3 / 12)
    assert EditDistance(0, 0, 0).normalized == (0.0, 0.0)
    nothing_alike = edit_distance(graph(""), chain("ABC"))
    assert nothing_alike.normalized == (1.0, 1.0)


@pytest.mark.parametrize("length", [3, 50, 400])
def test_cycles_and_loops_are_graphs_too(length: int) -> None:
    ring = graph("A" * length, *((i, (i + 1) % length) for i in range(length)), (0, 0))
    assert edit_distance(ring, ring).upper == 0
    assert edit_distance(ring, chain("A" * length)).lower == 1
    assert PreparedGraph.of(ring).order.tolist() == list(range(length))


def test_layers_of_many_edges_end_the_search_in_time() -> None:
    hub = graph("H" + "AB" * 1500, *((0, i) for i in range(1, 3001)))
    larger = graph("H" + "ABC" * 1500, *((0, i) for i in range(1, 4501)))
    found = edit_distance(hub, larger)
    assert (found.lower, found.upper) == (3000, 3000)


def test_the_exact_search_that_gives_up_leaves_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(4)
    a, b = (
        graph("A" * 9, *(pair for pair in combinations(range(9), 2) if rng.random() < 0.5))
        for _ in range(2)
    )
    true = edit_distance(a, b)
    assert true.exact
    before = edit_distance(a, b, exact_up_to=NOT_EXACT)
    monkeypatch.setattr("assay.graphs.edit_distance.MOST_EXPANSIONS", 3)
    given_up = edit_distance(a, b)
    assert before.lower <= given_up.lower < true.lower <= given_up.upper <= before.upper


@pytest.mark.parametrize("name", ["resnet18", "googlenet", "shufflenet_v2_x0_5", "densenet121"])
def test_thinned_copies_of_a_network_are_near_each_other(name: str) -> None:
    base = merged(name)
    (a, kept), (b, others) = thinned(base, 1), thinned(base, 2)
    place = {old: new for new, old in enumerate(others)}
    lineage = [place.get(old, -1) for old in kept]
    known = edit_distance(a, b, lineage=lineage)
    assert 0 < known.lower <= known.upper <= spelled(a, b, lineage)
    found = edit_distance(a, b)
    assert found.lower == known.lower
    assert found.upper <= 1.2 * spelled(a, b, lineage)
    assert found.normalized[1] < 0.2
    again = edit_distance(shuffled(a, 3), shuffled(b, 4))
    assert again.lower == found.lower
    assert again.upper < 2 * found.upper


def test_a_thinned_copy_is_what_was_deleted_away_from_its_base() -> None:
    base = merged("mobilenet_v2")
    copy, kept = thinned(base, 0)
    edits = len(base.layers) - len(kept) + len(base.edges) - len(copy.edges)
    assert (found := edit_distance(base, copy)).upper == edits
    assert found.exact  # only deletions: the counts alone prove it


def test_widths_of_a_network_are_one_graph_of_operators() -> None:
    for rules in ((), ("conv-relu",)):
        a, b = (layer_graph(operators(name), rules) for name in ("mnasnet0_75", "mnasnet1_0"))
        assert edit_distance(a, b).upper == 0
        assert edit_distance(shuffled(a, 1), shuffled(b, 2)).upper == 0


def test_networks_of_different_families_are_far_apart() -> None:
    found = edit_distance(merged("vgg11"), merged("densenet121"))
    assert found.lower > 1000
    assert found.normalized[0] > 0.8
    assert found.upper - found.lower < 20
