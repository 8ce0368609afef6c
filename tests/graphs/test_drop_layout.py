from __future__ import annotations

import pytest

from assay.graphs._vocabulary import LAYOUT
from assay.graphs.drop_layout import MOST_SOURCES, drop_layout, without
from assay.values import Layer, LayerGraph


def chain(*ops: str, parameters: int = 0) -> LayerGraph:
    layers = tuple(Layer(op, (1, 8), parameters=parameters) for op in ops)
    return LayerGraph(layers, tuple((i, i + 1) for i in range(len(ops) - 1)), "g1")


def ops(graph: LayerGraph) -> list[str]:
    return [layer.op for layer in graph.layers]


@pytest.mark.parametrize("op", sorted(LAYOUT))
def test_rule_1_a_layer_that_only_moves_elements_is_dropped(op: str) -> None:
    assert drop_layout(chain("Conv", op, op, "Gemm")) == chain("Conv", "Gemm")


@pytest.mark.parametrize("op", ["Slice", "Concat", "Gather", "Pad", "Resize", "Relu"])
def test_rule_1_others_stay(op: str) -> None:
    graph = chain("Conv", op, "Gemm")
    assert drop_layout(graph) == graph


def test_rule_1_one_with_parameters_of_its_own_stays() -> None:
    graph = chain("Reshape", "Gemm", parameters=8)
    assert drop_layout(graph) == graph


def test_layers_at_the_ends_are_dropped_without_edges() -> None:
    assert drop_layout(chain("Reshape", "Conv", "Transpose")) == chain("Conv")
    assert drop_layout(chain("Reshape", "Transpose")) == chain()


def test_readers_are_joined_to_all_that_was_read() -> None:
    #  0 Conv ─┐             ┌─ 3 Relu
    #  1 Conv ─┴─ 2 Reshape ─┴─ 4 Tanh
    layers = tuple(Layer(op, (1, 8)) for op in ("Conv", "Conv", "Reshape", "Relu", "Tanh"))
    graph = LayerGraph(layers, ((0, 2), (1, 2), (2, 3), (2, 4)), "g1")
    dropped = drop_layout(graph)
    assert ops(dropped) == ["Conv", "Conv", "Relu", "Tanh"]
    assert dropped.edges == ((0, 2), (0, 3), (1, 2), (1, 3))


def test_one_that_very_many_lead_to_stays() -> None:
    for count, kept in ((MOST_SOURCES, 0), (MOST_SOURCES + 1, 1)):
        layers = (*(Layer("Conv", (1, 8)) for _ in range(count)), Layer("Reshape", (1, 8)))
        layers = (*layers, Layer("Relu", (1, 8)))
        edges = (*((i, count) for i in range(count)), (count, count + 1))
        assert ops(drop_layout(LayerGraph(layers, edges, "g1"))).count("Reshape") == kept


def test_any_layers_can_be_left_out() -> None:
    graph = chain("Conv", "Relu", "Conv", "Relu", "Gemm")
    assert without(graph, lambda layer: layer.op == "Relu") == chain("Conv", "Conv", "Gemm")
