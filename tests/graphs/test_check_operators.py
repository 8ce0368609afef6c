from __future__ import annotations

from collections.abc import Callable

import pytest

from assay.errors import UnreadableModel
from assay.graphs.check_operators import check_operators
from assay.graphs.inline_bodies import inline_bodies
from assay.graphs.operators import BOOL, Operator, OperatorGraph, Tensor

X = {"x": Tensor(1, (1, 8))}


def network(*operators: Operator, output: str = "y") -> OperatorGraph:
    return OperatorGraph(operators, ("x",), (output,), X)


def test_rule_1_an_operator_that_writes_nothing_is_dropped() -> None:
    silent = Operator("Relu", ("x",), ())
    unnamed = Operator("Relu", ("x",), ("", ""))
    last = Operator("Tanh", ("x",), ("y",))
    assert check_operators(network(silent, unnamed, last)).operators == (last,)


def test_rule_2_an_unnamed_first_output_gets_a_name_of_its_own() -> None:
    first = Operator("LSTM", ("x", "x", "x"), ("", "h"))
    second = Operator("LSTM", ("h", "x", "x"), ("", "y", ""))
    nodes = check_operators(network(first, second)).operators
    assert [node.outputs for node in nodes] == [("h/first", "h"), ("y/first", "y", "")]


def test_rule_2_recurrent_layers_that_hand_on_their_states_all_stay(
    layers: Callable[..., list[str]],
) -> None:
    text = """(float[10,1,8] x) => (y) <float[1,16,8] w, float[1,16,4] r, float[1,16,4] v> {
        , h = LSTM <hidden_size = 4> (x, w, r)
        , g = LSTM <hidden_size = 4> (h, v, r)
        , k = LSTM <hidden_size = 4> (g, v, r)
        y = Relu(k)
    }"""
    assert layers(text) == ["LSTM", "LSTM", "LSTM", "Relu"]


def test_rule_3_operators_are_put_in_order() -> None:
    late, early = Operator("Relu", ("t",), ("y",)), Operator("Tanh", ("x",), ("t",))
    assert check_operators(network(late, early)).operators == (early, late)


def test_rule_3_a_body_may_read_what_is_listed_behind_it(
    graph: Callable[..., OperatorGraph],
) -> None:
    text = """(float[1,8] x, bool c) => (y) {
        y = If (c) <then_branch = a () => (p) { p = Neg(t) },
                    else_branch = b () => (q) { q = Exp(t) }>
        t = Relu(x)
    }"""
    ordered = check_operators(inline_bodies(graph(text)))
    assert [node.op for node in ordered.operators] == ["Relu", "Neg", "Exp", "If"]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("p = Relu(r)  r = Tanh(p)", "the graph has a cycle near Relu"),
        ("p = Relu(nowhere)", "Relu reads '.*nowhere', which nothing writes"),
    ],
)
def test_a_body_is_refused_for_what_a_graph_is_refused_for(
    body: str, reason: str, graph: Callable[..., OperatorGraph]
) -> None:
    text = f"""(float[1,8] x, bool c) => (y) {{
        y = If (c) <then_branch = a () => (p) {{ {body} }},
                    else_branch = b () => (q) {{ q = Exp(x) }}>
    }}"""
    with pytest.raises(UnreadableModel, match=reason):
        check_operators(inline_bodies(graph(text)))


@pytest.mark.parametrize(
    ("nodes", "reason"),
    [
        ([Operator("Relu", ("y",), ("y",))], "the graph has a cycle near Relu"),
        ([Operator("Relu", ("t",), ("y",))], "Relu reads 't', which nothing writes"),
        ([Operator("Relu", ("x",), ("t",))], "output 'y' is written by nothing"),
        ([Operator("Relu", ("x",), ("y",))] * 2, "tensor 'y' is written twice"),
        ([Operator("Relu", ("x",), ("x",))], "tensor 'x' is written twice"),
        ([Operator("Relu", (), ("y",))], "Relu has no input 1, which ONNX demands"),
        ([Operator("Conv", ("x",), ("y",))], "Conv has no input 2, which ONNX demands"),
        ([Operator("MatMul", ("x", ""), ("y",))], "MatMul has no input 2, which ONNX demands"),
        ([Operator("LSTM", ("x", "x"), ("y",))], "LSTM has no input 3, which ONNX demands"),
        ([Operator("QLinearConv", ("x",) * 3, ("y",))], "QLinearConv has no input 4"),
        ([Operator("QLinearConv", ("", *"xxx"), ("y",))], "QLinearConv has no input 1"),
        ([Operator("ReduceMean", ("",), ("y",))], "ReduceMean has no input 1"),
    ],
)
def test_what_is_no_graph_is_refused(nodes: list[Operator], reason: str) -> None:
    with pytest.raises(UnreadableModel, match=reason):
        check_operators(network(*nodes))


def test_operators_that_start_from_nothing_and_unknown_ones_are_welcome() -> None:
    noise = Operator("RandomNormal", (), ("t",))
    opaque = Operator("mine::Thing", ("", "t"), ("y",))
    optional = Operator("Clip", ("y", "", ""), ("z",))
    whole = check_operators(network(noise, opaque, optional, output="z"))
    assert whole.operators == (noise, opaque, optional)


def test_nothing_is_changed_where_all_is_well() -> None:
    nodes = (Operator("Relu", ("x",), ("t",)), Operator("Add", ("t", "x"), ("y",)))
    graph = OperatorGraph(nodes, ("x",), ("y",), {**X, "c": Tensor(BOOL, ())})
    assert check_operators(graph).operators == nodes
