"""What every hasher owes: one code in any listing order, and a code that says its scheme."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.hashers import HASHERS
from assay.values import HashCode, Layer, LayerGraph

ops = st.sampled_from(["Conv+Relu", "MaxPool", "Gemm", "Add"])
costs = st.integers(0, 10**12)
layers = st.builds(Layer, ops, st.just((1, 8)), costs, costs)


@st.composite
def graphs_relisted(draw: st.DrawFn) -> tuple[LayerGraph, LayerGraph]:
    """A graph, and the same graph with its layers listed in another order."""
    nodes = draw(st.lists(layers, min_size=1, max_size=8))
    n = len(nodes)
    edges = draw(st.sets(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), max_size=12))
    order = draw(st.permutations(range(n)))
    place = {old: new for new, old in enumerate(order)}
    relisted = LayerGraph(
        tuple(nodes[old] for old in order),
        tuple(sorted((place[a], place[b]) for a, b in edges)),
        "g1",
    )
    return LayerGraph(tuple(nodes), tuple(sorted(edges)), "g1"), relisted


@pytest.mark.parametrize("name", HASHERS)
@given(graphs=graphs_relisted())
def test_the_order_of_layers_does_not_matter(
    name: str, graphs: tuple[LayerGraph, LayerGraph]
) -> None:
    hasher = HASHERS[name]()
    assert hasher(graphs[0]) - hasher(graphs[1]) == 0


@pytest.mark.parametrize("name", HASHERS)
@given(graphs=graphs_relisted())
def test_a_code_survives_text_and_names_its_rules(
    name: str, graphs: tuple[LayerGraph, LayerGraph]
) -> None:
    hasher = HASHERS[name]()
    code = hasher(graphs[0])
    assert HashCode.parse(str(code)) == code
    assert code.scheme == f"{hasher.scheme}+g1"
    assert len(code) >= 16


@pytest.mark.parametrize("name", HASHERS)
def test_networks_that_differ_in_most_layers_are_far_apart(name: str) -> None:
    def chain(*ops: str) -> LayerGraph:
        nodes = tuple(Layer(op, (1, 8), 10**place, 10**place) for place, op in enumerate(ops))
        return LayerGraph(nodes, tuple((i, i + 1) for i in range(len(ops) - 1)), "g1")

    hasher = HASHERS[name]()
    base = chain("Conv", "Relu", "Conv", "Relu", "Gemm", "Add", "Conv", "Softmax")
    near = chain("Conv", "Relu", "Conv", "Relu", "Gemm", "Add", "Conv", "Sigmoid")
    far = chain("LSTM", "Mul", "Gather", "Tanh", "MatMul", "Sub", "Exp", "ReduceMean")
    assert hasher(base) - hasher(near) < hasher(base) - hasher(far)
