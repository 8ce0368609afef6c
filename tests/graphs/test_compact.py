from __future__ import annotations

from collections.abc import Callable

import pytest

from assay.graphs import layer_graph
from assay.graphs.compact import compact
from assay.graphs.operators import Operator, OperatorGraph, Tensor
from assay.graphs.spell_alike import spell_alike
from assay.values import LayerGraph

Read = Callable[..., OperatorGraph]
MAP = """(float[2,4,6,6] x, float[2,8] m) => (y) <float[8,4,3,3] w, float[8,2,3,3] g,
    float[4,8,3,3] t,
    float[16,8] n, float two = {2}, float[4] sizes = {1, 1, 2, 2}, float[6,6] l,
    int64[8] pads = {0, 0, 1, 1, 0, 0, 1, 1}>"""


def made(typed: Read, text: str) -> LayerGraph:
    return compact(spell_alike(typed(text)), "g1-raw")


def test_rule_1_layers_stand_in_the_order_in_which_they_run(typed: Read) -> None:
    text = "(float[1,8] x) => (y) { b = Neg(a)  a = Relu(x)  y = Add(a, b) }"
    graph = made(typed, text)
    assert [layer.op for layer in graph.layers] == ["Relu", "Neg", "Add"]
    assert [layer.shape for layer in graph.layers] == [(1, 8)] * 3
    assert graph.rules == "g1-raw"


def test_rule_2_an_edge_is_there_once_however_often_a_tensor_is_read(typed: Read) -> None:
    text = "(float[1,8] x) => (y) { a = Relu(x)  b = Mul(a, a)  y = Sum(b, a, b) }"
    assert made(typed, text).edges == ((0, 1), (0, 2), (1, 2))


def test_rule_2_any_output_of_a_layer_makes_the_edge(typed: Read) -> None:
    text = "(float[8] x) => (y) <int64[1] k = {2}> { v, i = TopK(x, k)  y = Cast <to = 1> (i) }"
    assert made(typed, text).edges == ((0, 1),)


@pytest.mark.parametrize(
    ("call", "attributes"),
    [
        ("Conv(x, w)", {"kernel_shape": (3, 3)}),
        ("Conv <kernel_shape = [3, 3], strides = [2, 1]> (x, w)",
         {"kernel_shape": (3, 3), "strides": (2, 1)}),
        ("Conv <dilations = [2, 2], strides = [1, 1], group = 1> (x, w)",
         {"kernel_shape": (3, 3), "dilations": (2, 2)}),
        ("Conv <group = 2, pads = [1, 1, 1, 1]> (x, g)", {"kernel_shape": (3, 3), "group": 2}),
        ("ConvTranspose(x, t)", {"kernel_shape": (3, 3)}),
        ("MaxPool <kernel_shape = [2, 2], ceil_mode = 1> (x)", {"kernel_shape": (2, 2)}),
        ("Clip(x, two, two)", {"min": 2.0, "max": 2.0}),
        ("LeakyRelu <alpha = 0.01> (x)", {}),
        ("LeakyRelu <alpha = 0.1> (x)", {"alpha": 0.1}),
        ("LeakyRelu(x)", {}),
        ("Elu <alpha = 0.1> (x)", {}),
        ("Resize <mode = \"linear\"> (x, , sizes)", {"mode": "linear"}),
        ("Resize <mode = \"nearest\"> (x, , sizes)", {}),
        ("Pad <mode = \"edge\"> (x, pads)", {}),
        ("Trilu <upper = 0> (m)", {"upper": 0}),
        ("Trilu <upper = 1> (m)", {}),
        ("Trilu(m)", {}),
        ("Softmax <axis = 1> (x)", {"axis": -3}),
        ("Softmax <axis = -3> (x)", {"axis": -3}),
        ("Softmax <axis = 3> (x)", {}),
        ("Softmax(x)", {}),
        ("LogSoftmax <axis = 0> (m)", {"axis": -2}),
        ("LayerNormalization <axis = 2> (x, l)", {"axis": -2}),
        ("Concat <axis = 1> (x, x)", {}),
        ("Gemm <transB = 1> (m, n)", {}),
    ],
)  # fmt: skip
def test_it_keeps_the_attributes_that_matter_without_defaults(
    call: str, attributes: dict[str, object], typed: Read
) -> None:
    (layer,) = made(typed, f"{MAP} {{ y = {call} }}").layers
    assert dict(layer.attributes) == attributes


@pytest.mark.parametrize(("direction", "kept"), [("forward", False), ("reverse", True)])
def test_it_keeps_a_direction_other_than_forward(direction: str, kept: bool, typed: Read) -> None:
    text = f"""(float[10,2,8] x) => (y) <float[1,24,8] w, float[1,24,6] r> {{
        y = LSTM <hidden_size = 6, direction = "{direction}"> (x, w, r)
    }}"""
    attributes = dict(made(typed, text).layers[0].attributes)
    assert attributes == {"hidden_size": 6, **({"direction": direction} if kept else {})}


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), (1, 2.5), Tensor(), None, ("a", "b")]
)
def test_it_leaves_out_what_is_no_number_and_no_text(value: object) -> None:
    node = Operator("mine::Clip", ("x",), ("y",), {"max": value, "strides": value})
    graph = OperatorGraph((node,), ("x",), ("y",), {"x": Tensor(1, (8,))})
    assert compact(graph, "g1").layers[0].attributes == ()


def test_costs_stay_within_what_a_database_holds() -> None:
    wide = 2**31 - 1
    tensors = {
        "x": Tensor(1, (wide, wide)),
        "w": Tensor(1, (wide, wide), None, True),
        "y": Tensor(1, (wide, wide)),
        "z": Tensor(1, (wide, wide)),
    }
    nodes = [
        Operator("Gemm", ("x", "w"), ("y",)),
        Operator("AveragePool", ("y",), ("z",), {"kernel_shape": (-5, 3)}),
    ]
    gemm, pool = compact(OperatorGraph(tuple(nodes), ("x",), ("z",), tensors), "g1").layers
    assert gemm.macs == gemm.parameters == 2**46
    assert pool.macs == 0
    assert 100_000 * 2**46 < 2**63


def test_the_whole_way_from_text_to_layers(graph: Read) -> None:
    text = """(float[1,3,8,8] x) => (y) <float[4,3,3,3] w, float[4] b, float[64,10] m,
        float[10] c> {
        k = Conv <pads = [1, 1, 1, 1]> (x, w, b)  r = Relu(k)
        p = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (r)
        f = Flatten(p)  y = Gemm(f, m, c)
    }"""
    made_graph = layer_graph(graph(text))
    assert [layer.to_json() for layer in made_graph.layers] == [
        ["Conv+Relu", [1, 4, 8, 8], 4 * 64 * 27 + 256, 112, {"kernel_shape": (3, 3)}],
        ["MaxPool", [1, 4, 4, 4], 64 * 4, 0, {"kernel_shape": (2, 2), "strides": (2, 2)}],
        ["Gemm", [1, 10], 640, 650, {}],
    ]
    assert made_graph.edges == ((0, 1), (1, 2))
    assert (made_graph.macs, made_graph.parameters) == (4 * 64 * 27 + 256 + 256 + 640, 762)
