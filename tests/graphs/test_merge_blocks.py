from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import combinations

import pytest

from assay.errors import BadOption
from assay.graphs import VERSION, layer_graph
from assay.graphs._vocabulary import ACTIVATIONS
from assay.graphs.merge_blocks import RULES, merge_blocks
from assay.graphs.operators import OperatorGraph
from assay.values import Layer, LayerGraph

DEPTHWISE = (("group", 8), ("kernel_shape", (3, 3)))
PLAIN = (("kernel_shape", (1, 1)),)
OP = {
    "dw": Layer("Conv", (1, 8, 6, 6), 100, 10, DEPTHWISE),
    "conv": Layer("Conv", (1, 16, 6, 6), 2000, 200, PLAIN),
    "bn": Layer("BatchNormalization", (1, 16, 6, 6), 30, 32),
    "relu": Layer("Relu", (1, 16, 6, 6), 16),
    "clip": Layer("Clip", (1, 16, 6, 6), 16, 0, (("max", 6.0), ("min", 0.0))),
    "wide": Layer("Conv", (1, 16, 6, 6), 2000, 200, (("kernel_shape", (3, 3)),)),
    "stepping": Layer("Conv", (1, 16, 3, 3), 2000, 200, (*PLAIN, ("strides", (2, 2)))),
    "pool": Layer("MaxPool", (1, 16, 3, 3), 40),
}


def chain(names: str) -> LayerGraph:
    layers = tuple(OP[name] for name in names.split())
    return LayerGraph(layers, tuple((i, i + 1) for i in range(len(layers) - 1)), "g1")


def merged(graph: LayerGraph | str, *rules: str) -> list[str]:
    graph = chain(graph) if isinstance(graph, str) else graph
    return [layer.op for layer in merge_blocks(graph, rules or RULES).layers]


@pytest.mark.parametrize(
    ("rule", "names", "expected"),
    [
        ("conv-conv-bn-relu", "dw conv bn relu", ["Conv+Conv+Relu"]),
        ("conv-conv-bn-relu", "dw conv relu", ["Conv+Conv+Relu"]),
        ("conv-conv-bn-relu", "dw conv bn", ["Conv", "Conv", "BatchNormalization"]),
        ("conv-conv-bn-relu", "dw wide bn relu", ["Conv", "Conv", "BatchNormalization", "Relu"]),
        ("conv-conv-bn-relu", "dw stepping relu", ["Conv", "Conv", "Relu"]),
        ("conv-conv-bn-relu", "conv conv bn relu", ["Conv", "Conv", "BatchNormalization", "Relu"]),
        ("conv-conv-bn-relu", "dw bn conv bn relu",
         ["Conv", "BatchNormalization", "Conv", "BatchNormalization", "Relu"]),
        ("conv-bn-relu", "conv bn relu", ["Conv+Relu"]),
        ("conv-bn-relu", "conv bn clip", ["Conv+Clip"]),
        ("conv-bn-relu", "conv bn pool", ["Conv", "BatchNormalization", "MaxPool"]),
        ("conv-bn-relu", "conv relu", ["Conv", "Relu"]),
        ("conv-bn", "conv bn", ["Conv"]),
        ("conv-bn", "conv bn relu", ["Conv", "Relu"]),
        ("conv-bn", "bn conv", ["BatchNormalization", "Conv"]),
        ("conv-relu", "conv relu", ["Conv+Relu"]),
        ("conv-relu", "conv bn relu", ["Conv", "BatchNormalization", "Relu"]),
        ("conv-relu", "relu conv relu relu", ["Relu", "Conv+Relu", "Relu"]),
        ("conv-relu", "pool relu", ["MaxPool", "Relu"]),
    ],
)  # fmt: skip
def test_each_rule_by_itself(rule: str, names: str, expected: list[str]) -> None:
    assert merged(names, rule) == expected


def test_the_longest_rule_wins() -> None:
    assert merged("dw conv bn relu conv bn relu pool conv bn") == [
        "Conv+Conv+Relu", "Conv+Relu", "MaxPool", "Conv"
    ]  # fmt: skip
    assert merged("dw relu conv relu") == ["Conv+Relu", "Conv+Relu"]


@pytest.mark.parametrize("op", sorted(ACTIVATIONS))
def test_any_activation_counts_as_relu_and_keeps_its_name(op: str) -> None:
    graph = LayerGraph((OP["conv"], replace(OP["relu"], op=op)), ((0, 1),), "g1")
    assert merged(graph) == [f"Conv+{op}"]


def test_an_operator_that_is_no_activation_is_not_merged() -> None:
    for op in ("Softmax", "Add", "LayerNormalization"):
        graph = LayerGraph((OP["conv"], replace(OP["relu"], op=op)), ((0, 1),), "g1")
        assert merged(graph) == ["Conv", op]


def test_only_a_depthwise_convolution_begins_a_separable_one() -> None:
    for attributes, shape, separable in (
        ((("group", 8),), (1, 8, 6, 6), True),
        ((("group", 4),), (1, 8, 6, 6), False),
        ((("group", 1),), (1, 1, 6, 6), False),
        ((), (1, 8, 6, 6), False),
        ((("group", 8),), None, False),
        ((("group", "8"),), (1, 8, 6, 6), False),
        ((("group", 8),), (8,), False),
    ):
        first = Layer("Conv", shape, 100, 10, attributes)
        graph = LayerGraph((first, OP["conv"], OP["relu"]), ((0, 1), (1, 2)), "g1")
        assert (merged(graph) == ["Conv+Conv+Relu"]) == separable


def test_costs_add_up_the_shape_is_the_last_and_the_kernel_the_first() -> None:
    (layer,) = merge_blocks(chain("dw conv bn clip")).layers
    assert (layer.macs, layer.parameters) == (100 + 2000 + 30 + 16, 10 + 200 + 32)
    assert layer.shape == (1, 16, 6, 6)
    assert dict(layer.attributes) == {"group": 8, "kernel_shape": (3, 3), "min": 0.0, "max": 6.0}


def test_what_something_else_reads_is_not_merged() -> None:
    #  0 conv ─ 1 bn ─ 2 relu ─ 4 add      the sum reads one of the inner ones as well
    layers = (OP["conv"], OP["bn"], OP["relu"], Layer("Add", (1, 16, 6, 6)))
    path = ((0, 1), (1, 2), (2, 3))
    assert merged(LayerGraph(layers, (*path, (0, 3)), "g1")) == [
        "Conv", "BatchNormalization", "Relu", "Add"
    ]  # fmt: skip
    assert merged(LayerGraph(layers, (*path, (1, 3)), "g1")) == ["Conv", "Relu", "Add"]


def test_an_activation_that_reads_something_else_too_is_not_merged() -> None:
    layers = (OP["conv"], OP["pool"], Layer("PRelu", (1, 16, 6, 6)))
    assert merged(LayerGraph(layers, ((0, 2), (1, 2)), "g1")) == ["Conv", "MaxPool", "PRelu"]


def test_edges_go_to_and_from_the_block() -> None:
    #  0 pool ─ 1 conv ─ 2 bn ─ 3 relu ─┬─ 4 pool ─┐
    #                                   └──────────┴─ 5 add
    layers = (OP["pool"], OP["conv"], OP["bn"], OP["relu"], OP["pool"], Layer("Add", (1,)))
    edges = ((0, 1), (1, 2), (2, 3), (3, 4), (3, 5), (4, 5))
    graph = merge_blocks(LayerGraph(layers, edges, "g1"))
    assert [layer.op for layer in graph.layers] == ["MaxPool", "Conv+Relu", "MaxPool", "Add"]
    assert graph.edges == ((0, 1), (1, 2), (1, 3), (2, 3))


def test_merging_twice_is_merging_once() -> None:
    once = merge_blocks(chain("dw conv bn relu conv bn relu pool conv bn"))
    assert merge_blocks(once) == once


NETWORK = """(float[1,8,6,6] x) => (y)
    <float[8,1,3,3] d, float[16,8,1,1] p, float[16,16,1,1] q, float[16] g, float[16] h> {
    a = Conv <group = 8, pads = [1, 1, 1, 1]> (x, d)  b = Conv(a, p)  c = Relu(b)
    e = Conv(c, q)  f = Relu(e)
    s = Flatten(f)
    y = Softmax(s)
}"""


def test_raw_is_without_merging_and_with_moves(graph: Callable[..., OperatorGraph]) -> None:
    raw = layer_graph(graph(NETWORK), ())
    assert [layer.op for layer in raw.layers] == [
        "Conv", "Conv", "Relu", "Conv", "Relu", "Reshape", "Softmax"
    ]  # fmt: skip
    assert raw.rules == f"{VERSION}-raw"


def test_merged_is_with_all_rules_and_without_moves(graph: Callable[..., OperatorGraph]) -> None:
    made = layer_graph(graph(NETWORK))
    assert [layer.op for layer in made.layers] == ["Conv+Conv+Relu", "Conv+Relu", "Softmax"]
    assert made.rules == VERSION
    assert layer_graph(graph(NETWORK), RULES[::-1]).rules == VERSION


def test_part_of_the_rules_is_named_in_the_graph(graph: Callable[..., OperatorGraph]) -> None:
    made = layer_graph(graph(NETWORK), ("conv-relu",))
    assert [layer.op for layer in made.layers] == ["Conv", "Conv+Relu", "Conv+Relu", "Softmax"]
    assert made.rules == f"{VERSION}-conv-relu"
    names = {
        layer_graph(graph(NETWORK), rules).rules
        for count in range(len(RULES) + 1)
        for rules in combinations(RULES, count)
    }
    assert len(names) == 2 ** len(RULES)


def test_a_rule_that_there_is_not_is_refused(graph: Callable[..., OperatorGraph]) -> None:
    with pytest.raises(BadOption, match="no merge rule 'conv-gelu': choose from conv-conv-bn-"):
        layer_graph(graph(NETWORK), ("conv-relu", "conv-gelu"))
