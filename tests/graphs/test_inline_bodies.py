from __future__ import annotations

from collections.abc import Callable

import pytest

from assay.errors import UnreadableModel
from assay.graphs import inline_bodies as passes
from assay.graphs.inline_bodies import inline_bodies
from assay.graphs.operators import OperatorGraph
from assay.graphs.shapes import fold_shapes

Read = Callable[..., OperatorGraph]
Shown = Callable[[OperatorGraph], str]

IF = """(float[1,8] x, bool c) => (y) {
    y = If (c) <
        then_branch = a () => (p) { p = Relu(x) },
        else_branch = b () => (q) { t = Tanh(x)  q = Neg(t) }>
}"""
LOOP = """(float[1,8] x, float[1,8] z) => (last, all) <int64 n = {5}, bool go = {1}> {
    last, all = Loop (n, go, x) <
        body = b (int64 i, bool more, float[1,8] h) => (still, next, out) {
            still = Identity(more)  s = Add(h, z)  next = Tanh(s)  out = Neg(next)
        }>
}"""
SCAN = """(float[1,8] h, float[10,1,8] xs) => (last, all) {
    last, all = Scan (h, xs) <num_scan_inputs = 1, body = b (float[1,8] s, float[1,8] x)
        => (next, out) { t = Add(s, x)  next = Tanh(t)  out = Relu(t) }>
}"""


def inside(graph: OperatorGraph, name: str) -> str:
    """What a tensor of a body is called in the one list."""
    (found,) = (known for known in graph.tensors if known.endswith(f"/{name}"))
    return found


def test_rule_1_both_branches_stand_in_the_list_and_meet_in_an_if(
    graph: Read, shown: Shown
) -> None:
    inlined = inline_bodies(graph(IF))
    assert [node.op for node in inlined.operators] == ["Relu", "Tanh", "Neg", "If"]
    assert shown(inlined) == "If(c, Relu(x), Neg(Tanh(x)))"


def test_rule_1_each_output_of_an_if_is_joined_by_itself(graph: Read, shown: Shown) -> None:
    text = """(float[1,8] x, bool c) => (y, z) {
        y, z = If (c) <
            then_branch = a () => (p, q) { p = Relu(x)  q = Exp(x) },
            else_branch = b () => (r, s) { r = Tanh(x)  s = Neg(x) }>
    }"""
    assert shown(inline_bodies(graph(text))) == "If(c, Relu(x), Tanh(x)); If(c, Exp(x), Neg(x))"


def test_rule_1_a_branch_that_hands_on_an_outer_tensor_needs_no_operator(
    graph: Read, shown: Shown
) -> None:
    text = """(float[1,8] x, bool c) => (y) {
        t = Relu(x)
        y = If (c) <then_branch = a () => (p) { p = Neg(t) },
                    else_branch = b () => (q) { q = Identity(t) }>
    }"""
    assert shown(inline_bodies(graph(text))) == "If(c, Neg(Relu(x)), Identity(Relu(x)))"


def test_rule_2_a_loop_body_stands_once_between_what_enters_and_what_leaves(
    graph: Read, shown: Shown
) -> None:
    inlined = inline_bodies(graph(LOOP))
    turn = "Tanh(Add(Loop(x), z))"
    assert shown(inlined) == f"Loop({turn}, x); Loop<stacked=1>(Neg({turn}))"


def test_rule_2_what_a_loop_computes_is_not_constant_though_it_starts_from_a_constant(
    graph: Read,
) -> None:
    text = """(float[1,8] x) => (last) <int64 n = {5}, bool go = {1}, float[1,8] zero> {
        last = Loop (n, go, zero) <
            body = b (int64 i, bool more, float[1,8] h) => (still, next) {
                still = Identity(more)  next = Tanh(h)
            }>
    }"""
    known = fold_shapes(inline_bodies(graph(text)))
    assert [node.op for node in known.operators] == ["Loop", "Tanh", "Loop"]
    assert known.tensor("last").shape == (1, 8)


def test_rule_2_the_turn_and_the_condition_are_scalars_that_change(graph: Read) -> None:
    text = """(float[1,8] x) => (all) <int64 n = {5}, bool go = {1}> {
        all = Loop (n, go) <
            body = b (int64 i, bool more) => (still, out) {
                still = Not(more)  f = Cast <to = 1> (i)  out = Mul(f, x)
            }>
    }"""
    known = fold_shapes(inline_bodies(graph(text)))
    assert [node.op for node in known.operators] == ["Cast", "Mul", "Loop"]
    turn, more = (known.tensor(inside(known, name)) for name in ("i", "more"))
    assert (turn.dtype, turn.shape, more.dtype, more.shape) == (7, (), 9, ())
    assert known.tensor("all").shape == (-1, 1, 8)


def test_rule_3_a_scan_enters_slices_and_leaves_a_stack(graph: Read, shown: Shown) -> None:
    inlined = inline_bodies(graph(SCAN))
    turn = "Add(Scan(h), Scan<scanned=1>(xs))"
    assert shown(inlined) == f"Scan(Tanh({turn}), h); Scan<stacked=1>(Relu({turn}))"
    known = fold_shapes(inlined)
    assert known.tensor(inside(known, "x")).shape == (1, 8)
    assert known.tensor("last").shape == (1, 8)
    assert known.tensor("all").shape == (-1, 1, 8)


def test_bodies_in_bodies_are_inlined_too(graph: Read, shown: Shown) -> None:
    text = """(float[1,8] x, bool c) => (y) {
        y = If (c) <
            then_branch = a () => (p) {
                p = If (c) <then_branch = d () => (r) { r = Exp(x) },
                            else_branch = e () => (s) { s = Neg(x) }>
            },
            else_branch = b () => (q) { q = Tanh(x) }>
    }"""
    assert shown(inline_bodies(graph(text))) == "If(c, If(c, Exp(x), Neg(x)), Tanh(x))"


def test_a_graph_without_control_flow_is_left_as_it_is(graph: Read) -> None:
    plain = graph("(float[1,8] x) => (y) { y = Relu(x) }")
    assert inline_bodies(plain) is plain


def test_more_operators_than_the_limit_are_refused(
    graph: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passes, "MOST_OPERATORS", 4)
    assert len(inline_bodies(graph(IF)).operators) == 4
    monkeypatch.setattr(passes, "MOST_OPERATORS", 3)
    with pytest.raises(UnreadableModel, match="more than 3 operators"):
        inline_bodies(graph(IF))
