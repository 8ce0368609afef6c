"""Random edits: what they take away, what they leave, and how far they lead."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import BadOption
from assay.graphs.mutations import delete_layers, edit_once
from assay.values import Layer, LayerGraph


def chain(length: int) -> LayerGraph:
    layers = tuple(Layer(f"Op{i}", (1, 8)) for i in range(length))
    return LayerGraph(layers, tuple((i, i + 1) for i in range(length - 1)), "g1")


@st.composite
def graphs(draw: st.DrawFn) -> LayerGraph:
    n = draw(st.integers(1, 9))
    places = st.integers(0, n - 1)
    edges = draw(st.sets(st.tuples(places, places), max_size=14))
    return LayerGraph(chain(n).layers, tuple(sorted(edges)), "g1")


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def names(graph: LayerGraph) -> list[str]:
    return [layer.op for layer in graph.layers]


def readers(graph: LayerGraph, node: str) -> set[str]:
    """Operators that read the named one, directly."""
    return {names(graph)[b] for a, b in graph.edges if names(graph)[a] == node}


@given(graphs(), st.floats(0, 1), st.integers(0, 99))
def test_the_share_is_deleted_and_what_is_kept_is_said(
    graph: LayerGraph, share: float, seed: int
) -> None:
    left, kept = delete_layers(graph, share, rng(seed))
    n = len(graph.layers)
    assert len(kept) == len(left.layers) == n - min(round(share * n), n - 1)
    assert [graph.layers[i] for i in kept] == list(left.layers)
    place = {old: new for new, old in enumerate(kept)}
    inside = {(place[a], place[b]) for a, b in graph.edges if a in place and b in place}
    assert set(left.edges) == inside
    assert list(left.edges) == sorted(left.edges)


@given(graphs(), st.floats(0, 1), st.integers(0, 99))
def test_a_bridge_leads_where_the_deleted_layers_led(
    graph: LayerGraph, share: float, seed: int
) -> None:
    left, kept = delete_layers(graph, share, rng(seed), bridge=True)
    gone = {f"Op{i}" for i in range(len(graph.layers))} - set(names(left))
    assert len(kept) == len(left.layers)
    for node in names(left):
        expected, seen, waiting = set(), set(), list(readers(graph, node))
        while waiting:  # along deleted layers, to the first that are kept
            reader = waiting.pop()
            if reader not in gone:
                expected.add(reader)
            elif reader not in seen:
                seen.add(reader)
                waiting += readers(graph, reader)
        assert readers(left, node) == expected


def test_a_chain_stays_one_with_bridges_and_falls_apart_without() -> None:
    bridged, _ = delete_layers(chain(20), 0.3, rng(), bridge=True)
    assert bridged.edges == tuple((i, i + 1) for i in range(13))
    apart, _ = delete_layers(chain(20), 0.3, rng())
    assert len(apart.edges) < 13


def test_the_same_generator_deletes_the_same_layers() -> None:
    assert delete_layers(chain(30), 0.2, rng(5)) == delete_layers(chain(30), 0.2, rng(5))
    assert delete_layers(chain(30), 0.2, rng(5)) != delete_layers(chain(30), 0.2, rng(6))


@pytest.mark.parametrize("share", [-0.1, 1.5, float("nan")])
def test_a_share_that_is_none_is_refused(share: float) -> None:
    with pytest.raises(BadOption, match="share of layers"):
        delete_layers(chain(3), share, rng())


@given(graphs(), st.integers(0, 99))
def test_one_edit_changes_one_thing_at_most(graph: LayerGraph, seed: int) -> None:
    edited = edit_once(graph, ("Conv", "Relu"), rng(seed))
    relabeled = sum(a != b for a, b in zip(names(graph), names(edited), strict=True))
    assert relabeled + len(set(graph.edges) ^ set(edited.edges)) <= 1


def test_every_kind_of_edit_happens() -> None:
    graph = chain(6)
    edits = [edit_once(graph, ("Conv",), rng(seed)) for seed in range(60)]
    assert any(len(edited.edges) > 5 for edited in edits)
    assert any(len(edited.edges) < 5 for edited in edits)
    assert any("Conv" in names(edited) for edited in edits)
