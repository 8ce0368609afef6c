"""What labels do not see: arithmetic with constants, sums of sums, what is done twice."""

from __future__ import annotations

import numpy as np
import pytest

from assay.graphs.simplified import simplified
from assay.values import Layer, LayerGraph
from assay.zoo import architectures

CONV = Layer("Conv", (1, 8, 4, 4), 10, 10, (("kernel_shape", (3, 3)),))
RELU, ADD = Layer("Relu", (1, 8, 4, 4)), Layer("Add", (1, 8, 4, 4))
NETWORKS = [each.graph for each in architectures()][::30]


def graph(layers: list[Layer], *edges: tuple[int, int]) -> LayerGraph:
    return LayerGraph(tuple(layers), tuple(sorted(edges)), "g1")


PLAIN = graph([CONV, RELU, CONV], (0, 1), (1, 2))


@pytest.mark.parametrize("op", ["Add", "Div", "Mul", "Neg", "Sub"])
@pytest.mark.parametrize("constants", [1, 128])
def test_arithmetic_with_constants_is_left_out(op: str, constants: int) -> None:
    scale = Layer(op, (1, 8, 4, 4), parameters=constants)
    made = graph([scale, CONV, scale, RELU, CONV], (0, 1), (1, 2), (2, 3), (3, 4))
    assert simplified(made) == PLAIN


def test_constants_that_were_counted_before_are_no_other_ones() -> None:
    mul = Layer("Mul", (1, 8, 4, 4))
    assert simplified(graph([CONV, mul, RELU, CONV], (0, 1), (1, 2), (2, 3))) == PLAIN


@pytest.mark.parametrize("op", ["Add", "Mul", "BatchNormalization"])
def test_a_constant_for_each_channel_stays(op: str) -> None:
    made = graph([CONV, Layer(op, (1, 8, 4, 4), parameters=8), RELU], (0, 1), (1, 2))
    assert simplified(made) == made


def test_what_cuts_and_joins_stays_and_is_never_the_same() -> None:
    cut, joined = Layer("Slice", (1, 4, 4, 4)), Layer("Concat", (1, 8, 4, 4))
    made = graph([CONV, cut, cut, joined], (0, 1), (0, 2), (1, 3), (2, 3))
    assert simplified(made) == made
    opaque = graph([CONV, Layer("my::op", None), Layer("my::op", None)], (0, 1), (0, 2))
    assert simplified(opaque) == opaque


def test_a_sum_of_two_layers_stays() -> None:
    made = graph([CONV, CONV, ADD], (0, 1), (0, 2), (1, 2))
    assert simplified(made) == made


@pytest.mark.parametrize("op", ["Add", "Concat"])
def test_what_lost_a_layer_that_it_read_stays(op: str) -> None:
    torn = graph([CONV, Layer(op, (1, 8, 4, 4)), RELU], (0, 1), (1, 2))
    assert simplified(torn) == torn


def test_of_the_same_computed_twice_one_is_left() -> None:
    made = graph([CONV, RELU, RELU, CONV, CONV], (0, 1), (0, 2), (1, 3), (2, 4))
    assert simplified(made) == graph([CONV, RELU, CONV, CONV], (0, 1), (1, 2), (1, 3))


def test_two_norms_of_one_layer_are_two() -> None:
    norm = Layer("LayerNormalization", (1, 8), parameters=16)
    made = graph([CONV, norm, norm, CONV, CONV], (0, 1), (0, 2), (1, 3), (2, 4))
    assert len(simplified(made).layers) == 5


def test_layers_that_share_weights_are_never_the_same() -> None:
    """Shared weights count where they come first: two heads of a pyramid's next level have none."""
    head = Layer("Conv+Relu", CONV.shape, 10)
    made = graph([CONV, head, head, CONV, CONV], (0, 1), (0, 2), (1, 3), (2, 4))
    assert simplified(made) == made


def test_layers_with_parameters_and_inputs_are_never_the_same() -> None:
    made = graph([RELU, RELU, CONV, CONV], (0, 2), (0, 3), (1, 3))
    assert simplified(made) == made


def test_two_inputs_are_told_apart_though_both_are_scaled() -> None:
    scale = Layer("Mul", (1, 8, 4, 4))
    made = graph([scale, scale, RELU, RELU, CONV], (0, 2), (1, 3), (2, 4), (3, 4))
    assert simplified(made) == graph([RELU, RELU, CONV], (0, 2), (1, 2))


def test_sums_of_sums_are_one_unless_others_read_them() -> None:
    tree = graph([CONV, CONV, CONV, ADD, ADD], (0, 3), (1, 3), (2, 4), (3, 4))
    assert simplified(tree) == graph([CONV, CONV, CONV, ADD], (0, 3), (1, 3), (2, 3))
    stream = graph([CONV, CONV, CONV, ADD, ADD, RELU], (0, 3), (1, 3), (2, 4), (3, 4), (3, 5))
    assert simplified(stream) == stream


def test_a_graph_of_arithmetic_alone_stays() -> None:
    neg = Layer("Neg", (1, 8))
    made = graph([neg, neg], (0, 1))
    assert simplified(made) == made


def test_cycles_stay_and_what_is_before_them_does_not() -> None:
    scale = Layer("Mul", (1, 8))
    loop = graph([CONV, scale, CONV, ADD, RELU], (0, 1), (1, 2), (2, 3), (3, 2), (3, 4))
    assert simplified(loop) == graph([CONV, CONV, ADD, RELU], (0, 1), (1, 2), (2, 1), (2, 3))
    ring = graph([ADD, ADD], (0, 1), (1, 0))
    assert simplified(ring) == ring


def test_nothing_that_is_read_or_has_weights_gets_lost() -> None:
    for whole in NETWORKS:
        made = simplified(whole)
        lost = {"Conv", "Gemm", "Attention", "LSTM"}
        for op in lost:
            count = sum(layer.op.startswith(op) and layer.parameters > 0 for layer in whole.layers)
            assert count == sum(
                layer.op.startswith(op) and layer.parameters > 0 for layer in made.layers
            )
        assert len(made.layers) <= len(whole.layers)


def test_the_order_of_listing_changes_nothing() -> None:
    for number, whole in enumerate(NETWORKS):
        order = np.random.default_rng(number).permutation(len(whole.layers)).tolist()
        place = {old: new for new, old in enumerate(order)}
        edges = sorted((place[a], place[b]) for a, b in whole.edges)
        other = graph([whole.layers[old] for old in order], *edges)
        first, second = simplified(whole), simplified(other)
        assert sorted(map(repr, first.layers)) == sorted(map(repr, second.layers))
        assert len(first.edges) == len(second.edges)
