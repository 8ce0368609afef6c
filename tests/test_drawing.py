"""Where layers are drawn: ranks, the common grid, its blocks, and partners told by their places."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_comparisons import large

from assay.report.drawing import MOST_LAYERS, Drawing
from assay.report.layer_words import change_text
from assay.report.layered import LONGEST, Ranks, ranks
from assay.report.pairing import by_place
from assay.report.rows import TALLEST, cuts, grid
from assay.values import Layer, LayerGraph


@st.composite
def graphs(draw: st.DrawFn) -> LayerGraph:
    count = draw(st.integers(1, 40))
    pairs = st.tuples(st.integers(0, count - 1), st.integers(0, count - 1))
    edges = {(a, b) for a, b in draw(st.lists(pairs, max_size=80)) if a < b}
    return LayerGraph((Layer("Relu", (1,)),) * count, tuple(sorted(edges)), "g1")


@given(graphs())
def test_every_layer_stands_in_one_place_below_what_it_reads(graph: LayerGraph) -> None:
    placed = ranks(graph)
    layers = [item for row in placed.rows for item in row if item >= 0]
    assert sorted(layers) == [*range(len(graph.layers))]
    assert all(placed.rank[a] < placed.rank[b] for a, b in graph.edges)
    drawn = {(chain[0], chain[-1]) for chain in placed.chains} | {*placed.aside}
    assert drawn == {*graph.edges}
    rank = {item: place for place, row in enumerate(placed.rows) for item in row}
    assert all(rank[b] == rank[a] + 1 for chain in placed.chains for a, b in pairwise(chain))
    assert all(placed.rank[b] - placed.rank[a] > LONGEST + 1 for a, b in placed.aside)


@given(graphs(), graphs(), st.data())
def test_the_grid_holds_each_rank_once_in_order(
    one: LayerGraph, other: LayerGraph, data: st.DataObject
) -> None:
    a, b = ranks(one), ranks(other)
    layers = st.tuples(*(st.integers(0, len(g.layers) - 1) for g in (one, other)))
    rows = grid(a, b, data.draw(st.lists(layers, max_size=20)))
    for side, placed in enumerate((a, b)):
        assert [row[side] for row in rows if row[side] is not None] == [*range(len(placed.rows))]
    assert (None, None) not in rows
    blocks = cuts(rows, [0] * (len(rows) + 1))
    assert [start for start, _ in blocks] == [0, *(end for _, end in blocks)][:-1]
    assert blocks[-1][1] == len(rows)
    assert all(0 < end - start <= TALLEST for start, end in blocks)


def chain(*ops: str) -> LayerGraph:
    """Layers one behind the other; a Conv has weights."""
    layers = tuple(Layer(op, (1,), parameters=9 * (op == "Conv")) for op in ops)
    return LayerGraph(layers, tuple(pairwise(range(len(ops)))), "g1")


def test_what_is_paired_stands_in_one_row_beside_what_was_dropped() -> None:
    source, suspect = chain("Conv", "Relu", "Conv", "Relu", "Conv"), chain("Conv", "Relu", "Conv")
    rows = grid(ranks(source), ranks(suspect), [(0, 0), (4, 2)])
    assert rows == [(0, 0), (1, 1), (2, None), (3, None), (4, 2)]


def test_pairs_against_the_order_do_not_bend_the_grid() -> None:
    one = ranks(chain("Conv", "Conv", "Conv"))
    assert grid(one, one, [(0, 2), (1, 0), (2, 1)]) == [(0, None), (1, 0), (2, 1), (None, 2)]


def test_a_graph_without_edges_stands_one_under_the_other() -> None:
    graph = LayerGraph(chain("Conv", "Conv").layers, (), "tensors")
    assert ranks(graph) == Ranks(((0,), (1,)), (0, 1), (), ())


def test_layers_between_partners_are_partners() -> None:
    source = chain("Pad", "Conv", "Relu", "MaxPool", "Conv")
    found = by_place(source, source, [(1, 1), (4, 4)], (set(), set()))
    assert sorted(found) == [(0, 0), (2, 2), (3, 3)]


def test_another_operator_or_one_without_a_partner_is_none() -> None:
    source, suspect = chain("Conv", "Relu", "Conv"), chain("Conv", "Tanh", "Conv")
    assert by_place(source, suspect, [(0, 0)], (set(), set())) == []
    assert by_place(source, source, [(0, 0)], (set(), {2})) == [(1, 1)]
    assert by_place(source, source, [], (set(), set())) == []


def test_an_edge_past_many_ranks_runs_along_the_border_and_through_every_part() -> None:
    ops = ("Conv",) * (MOST_LAYERS + 50)
    plain = chain(*ops)
    skipping = LayerGraph(plain.layers, (*plain.edges, (5, len(ops) - 5)), "g1")
    drawings = [Drawing(large(graph)) for graph in (plain, skipping)]
    assert ranks(skipping).aside == ((5, len(ops) - 5),)
    lines = [[d.svg(block).count("M") for block in d.blocks()] for d in drawings]
    more = [b - a for a, b in zip(*lines, strict=True)]
    assert more == [2] * len(more)  # one more on each side
    whole = [d.svg(d.whole()).count("M") for d in drawings]
    assert whole[1] - whole[0] == 2


def test_a_part_is_summed_up_on_a_line() -> None:
    drawing = Drawing(large(chain("Conv", "Relu", "Conv")))
    said = drawing.summary(drawing.whole())
    assert said == "#1 – #3: 3 layers; 2 matched, correlation 0.999 or more"
    bare = Drawing(large(chain("Relu", "Relu")))
    assert bare.summary(bare.whole()) == "2 layers: no weights matched"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, "nothing"),
        ({"numbers": "float32", "cosine": 1.0, "unchanged": 1.0}, "nothing"),
        ({"numbers": "int8 per output"}, "stored as int8 per output"),
        ({"pruned": 0.5, "of": "values"}, "50% of the values are now 0"),
        ({"pruned": 0.25, "of": "outputs"}, "25% of the values are now 0 (whole outputs)"),
        ({"moved": 0.031, "rank": 4}, "moved by 3.1%, by a matrix of rank 4"),
    ],
)
def test_what_changed_is_said_in_words(change: dict[str, object], said: str) -> None:
    assert change_text(change) == said
