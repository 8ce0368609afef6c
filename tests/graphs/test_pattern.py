"""The language in which rewrite rules are written."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from assay.graphs._pattern import Call, Rule, parse, rewrite
from assay.graphs.operators import OperatorGraph

Read = Callable[..., OperatorGraph]
Shown = Callable[[OperatorGraph], str]
HEADER = """(float[2,4] x, float[2,4] z) => (y) <float one = {1}, float two = {2},
    float[2] ones = {1, 1},
    float[2] mixed = {1, 2}, float[4] w, float near = {1.001}, float far = {1.01}>"""


@pytest.fixture
def rewritten(typed: Read, shown: Shown) -> Callable[..., str]:
    """A pattern (or rules) and lines → the graph with each match as ``Found`` of the words."""

    def run(pattern: str | tuple[Rule, ...], body: str, header: str = HEADER) -> str:
        words = tuple(dict.fromkeys(w for w in ("x", "a", "b", "$s", "%w") if w in str(pattern)))
        rules = (Rule(pattern, "Found", words),) if isinstance(pattern, str) else pattern
        return shown(rewrite(typed(f"{header} {{ {body} }}"), rules))

    return run


def test_a_pattern_is_a_tree() -> None:
    assert parse("Mul(x, Sigmoid|Tanh(x, …), -0.5)") == Call(
        frozenset({"Mul"}),
        ("x", Call(frozenset({"Sigmoid", "Tanh"}), ("x",), True), -0.5),
        False,
    )


@pytest.mark.parametrize(
    ("pattern", "body", "expected"),
    [
        # a word is any tensor; a word that stands twice is the same tensor twice
        ("Abs(a)", "y = Abs(z)", "Found(z)"),
        ("Div(a, a)", "y = Div(z, z)", "Found(z)"),
        ("Div(a, a)", "y = Div(z, x)", "Div(z, x)"),
        ("Div(a, b)", "y = Div(z, x)", "Found(z, x)"),
        # one operator inside another
        ("Abs(Neg(a))", "n = Neg(z)  y = Abs(n)", "Found(z)"),
        ("Abs(Neg(a))", "n = Exp(z)  y = Abs(n)", "Abs(Exp(z))"),
        ("Abs(Neg(a))", "y = Abs(z)", "Abs(z)"),
        ("Abs(Neg|Exp(a))", "n = Exp(z)  y = Abs(n)", "Found(z)"),
        ("Abs|Neg(a)", "y = Neg(z)", "Found(z)"),
        # Add and Mul match either way round, others do not
        ("Add(Neg(a), b)", "n = Neg(x)  y = Add(z, n)", "Found(x, z)"),
        ("Mul(Neg(a), b)", "n = Neg(x)  y = Mul(z, n)", "Found(x, z)"),
        ("Sub(Neg(a), b)", "n = Neg(x)  y = Sub(z, n)", "Sub(z, Neg(x))"),
        ("Add(Mul(a, b), a)", "n = Mul(z, x)  y = Add(x, n)", "Found(x, z)"),
        # a number is a constant that has that value everywhere
        ("Add(a, 1)", "y = Add(z, one)", "Found(z)"),
        ("Add(a, 1)", "y = Add(one, z)", "Found(z)"),
        ("Max(a, 1)", "y = Max(z, ones)", "Found(z)"),
        ("Add(a, 1)", "y = Add(z, near)", "Found(z)"),
        ("Add(a, 1)", "y = Add(z, far)", "Add(z, 1.01)"),
        ("Add(a, 1)", "y = Add(z, two)", "Add(z, 2)"),
        ("Max(a, 1)", "y = Max(z, mixed)", "Max(z, mixed)"),
        ("Add(a, 1)", "y = Add(z, w)", "Add(z, w)"),
        ("Add(a, 1)", "y = Add(z, x)", "Add(z, x)"),
        # $ one number, % any constant
        ("Add(a, $s)", "y = Add(z, two)", "Found(z, 2)"),
        ("Max(a, $s)", "y = Max(z, ones)", "Found(z, ones)"),
        ("Max(a, $s)", "y = Max(z, mixed)", "Max(z, mixed)"),
        ("Add(a, $s)", "y = Add(z, w)", "Add(z, w)"),
        ("Add(a, %w)", "y = Add(z, w)", "Found(z, w)"),
        ("Add(a, %w)", "y = Add(z, one)", "Found(z, 1)"),
        ("Add(a, %w)", "y = Add(z, x)", "Add(z, x)"),
        # as many inputs as are written; more where the pattern is open
        ("Max(a, b)", "y = Max(x, z, w)", "Max(x, z, w)"),
        ("Max(a, b, …)", "y = Max(x, z, w)", "Found(x, z)"),
        ("Max(a, b)", "y = Max(x)", "Max(x)"),
        ("Max(a, b, …)", "y = Max(x)", "Max(x)"),
        ("Clip(a)", "y = Clip(x, , )", "Found(x)"),
    ],
)
def test_what_matches(
    pattern: str, body: str, expected: str, rewritten: Callable[..., str]
) -> None:
    header = HEADER.replace("float[2] ones", "float[1,4] ones").replace(
        "ones = {1, 1}", "ones = {1, 1, 1, 1}"
    )
    header = header.replace("float[2] mixed = {1, 2}", "float[4] mixed = {1, 2, 1, 1}")
    assert rewritten(pattern, body, header) == expected


@pytest.mark.parametrize(
    ("outputs", "body"),
    [
        ("(y, o)", "n = Neg(z)  y = Abs(n)  o = Exp(n)"),
        ("(y, n)", "n = Neg(z)  y = Abs(n)"),
        ("(y, o)", "n = Neg(z)  y = Abs(n)  o = Abs(n)"),
    ],
)
def test_what_stands_inside_is_read_by_nothing_outside(
    outputs: str, body: str, typed: Read, shown: Shown
) -> None:
    graph = typed(f"{HEADER.replace('(y)', outputs)} {{ {body} }}")
    assert shown(rewrite(graph, (Rule("Abs(Neg(a))", "Found", ("a",)),))) == shown(graph)


def test_another_output_of_what_stands_inside_counts_too(typed: Read, shown: Shown) -> None:
    rules = (Rule("Abs(Dropout(a))", "Found", ("a",)),)
    text = "(float[8] x) => {} {{ d, m = Dropout(x)  y = Abs(d) }}"
    assert shown(rewrite(typed(text.format("(y)")), rules)) == "Found(x)"
    kept = shown(rewrite(typed(text.format("(y, m)")), rules))
    assert kept == "Abs(Dropout(x)); Dropout(x).1"


def test_only_a_first_output_is_what_an_operator_stands_for(typed: Read, shown: Shown) -> None:
    text = "(float[8] x) => (y) { s, i = TopK(x, k)  y = Abs(i) }"
    graph = typed(text.replace("=> (y)", "=> (y) <int64[1] k = {2}>"))
    assert shown(rewrite(graph, (Rule("Abs(TopK(a, …))", "Found", ("a",)),))) == shown(graph)


def test_what_is_read_twice_inside_is_closed(rewritten: Callable[..., str]) -> None:
    assert rewritten("Mul(Neg(a), Neg(a))", "n = Neg(z)  y = Mul(n, n)") == "Found(z)"


def test_the_first_rule_wins_and_matches_are_matched_again(rewritten: Callable[..., str]) -> None:
    rules = (
        Rule("Abs(Neg(a))", "First", ("a",)),
        Rule("Abs(a)", "Second", ("a",)),
        Rule("Exp(First(a))", "Third", ("a",)),
    )
    assert rewritten(rules, "n = Neg(z)  y = Abs(n)") == "First(z)"
    assert rewritten(rules, "y = Abs(z)") == "Second(z)"
    assert rewritten(rules, "n = Neg(z)  m = Abs(n)  y = Exp(m)") == "Third(z)"


def test_readers_are_counted_anew_after_a_match(rewritten: Callable[..., str]) -> None:
    # Once Add(s, s) is one operator, it alone reads s.
    rules = (Rule("Add(a, a)", "Twice", ("a",)), Rule("Twice(Neg(a))", "Found", ("a",)))
    body = "s = Neg(z)  t = Add(s, s)  y = Abs(t)"
    assert rewritten((rules[0],), body) == "Abs(Twice(Neg(z)))"
    deeper = (*rules, Rule("Abs(Twice(Neg(a)))", "All", ("a",)))
    assert rewritten(deeper, body) == "All(z)"


def test_a_rule_can_make_attributes_of_what_it_found(rewritten: Callable[..., str]) -> None:
    rule = Rule("Add(a, $s)", "Found", ("a",), lambda found, _: {"by": found.number("$s")})
    assert rewritten((rule,), "y = Add(z, two)") == "Found<by=2>(z)"


def test_a_rule_can_think_better_of_it_and_the_next_one_is_tried(
    rewritten: Callable[..., str],
) -> None:
    refuses = Rule("Add(a, $s)", "Never", ("a",), lambda found, _: None)
    second = Rule("Add(a, b)", "Found", ("a",))
    assert rewritten((refuses, second), "y = Add(z, two)") == "Found(z)"
    assert rewritten((refuses,), "y = Add(z, two)") == "Add(z, 2)"


def test_the_other_way_round_is_tried_where_a_rule_refuses_the_first(
    rewritten: Callable[..., str],
) -> None:
    only_z = Rule(
        "Add(a, b)", "Found", ("a",), lambda found, _: {} if found.words["a"] == "z" else None
    )
    assert rewritten((only_z,), "y = Add(x, z)") == "Found(z)"


def test_an_input_that_a_pattern_does_not_name_is_left_out(rewritten: Callable[..., str]) -> None:
    rule = Rule("Abs(a)", "Found", ("a", "%b"))
    assert rewritten((rule,), "y = Abs(z)") == "Found(z)"


def test_a_graph_without_the_rules_operators_is_left_as_it_is(typed: Read) -> None:
    graph = typed(f"{HEADER} {{ y = Abs(x) }}")
    assert rewrite(graph, (Rule("Neg(a)", "Found", ("a",)),)) is graph
