from __future__ import annotations

from collections.abc import Callable

import pytest

from assay.graphs import layer_graph
from assay.graphs.drop_identities import drop_identities
from assay.graphs.neighborhoods import fingerprint
from assay.graphs.operators import OperatorGraph
from assay.graphs.recognize_attention import MOST_STEPS, recognize_attention
from assay.graphs.spell_alike import spell_alike

After = Callable[..., str]
# 2 heads, 5 queries, 7 keys of 8 numbers, values of 16
HEADER = """(float[1,2,5,8] q, float[1,2,8,7] k, float[1,2,7,16] v, float[1,2,5,7] other,
             float[1,2,3,5] left, bool[1,1,5,7] choice) => (y)
    <float scale = {0.35}, float root = {2.8}, float never = {-1e9}, float zero = {0},
     float[1,1,5,7] mask, bool[1,1,5,7] keep, float[1,2,5,7] bias, float[2,5,7] heads,
     float[2,1,1] temperature, float[8] each>"""
SHAPES = "query_shape=(1,2,5,8), score_shape=(1,2,5,7)"


@pytest.fixture
def put_together(after: After) -> Callable[..., str]:
    """Lines → what is recognized once it is spelled alike; the operators' shapes left out."""

    def run(body: str, header: str = HEADER) -> str:
        text = f"{header} {{ {body} }}"
        found = after(spell_alike, drop_identities, recognize_attention, text)
        return found.replace(f"<{SHAPES}>", "")

    return run


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        # 1
        ("s = MatMul(q, k)", "Attention(q, k, v)"),
        ("m = MatMul(q, k)  s = Mul(m, scale)", "Attention(q, k, v)"),
        ("m = MatMul(q, k)  s = Div(m, root)", "Attention(q, k, v)"),
        ("m = MatMul(q, k)  s = Add(m, mask)", "Attention(q, k, v)"),
        ("m = MatMul(q, k)  s = Add(mask, m)", "Attention(q, k, v)"),
        ("m = MatMul(q, k)  n = Mul(m, scale)  s = Add(n, mask)", "Attention(q, k, v)"),
        ("m = MatMul(q, k)  s = Where(keep, m, never)", "Attention(q, k, v)"),
        # a mask that is computed
        ("m = MatMul(q, k)  s = Add(m, other)", "Attention(q, k, v)"),
        ("m = MatMul(q, k)  n = Neg(other)  s = Add(n, m)", "Attention(q, k, v)"),
        ("m = MatMul(q, k)  s = Where(choice, m, never)", "Attention(q, k, v)"),
        # 3
        ("a = Mul(q, scale)  s = MatMul(a, k)", "Attention(q, k, v)"),
        ("a = Mul(q, scale)  b = Mul(scale, k)  s = MatMul(a, b)", "Attention(q, k, v)"),
        ("a = Div(q, root)  s = MatMul(a, k)", "Attention(q, k, v)"),
        # 4
        ("m = MatMul(q, k)  s = Add(m, bias)", "Attention(q, k, v, bias)"),
        ("m = MatMul(q, k)  s = Add(m, heads)", "Attention(q, k, v, heads)"),
        ("m = MatMul(q, k)  n = Add(m, heads)  s = Add(n, mask)", "Attention(q, k, v, heads)"),
        ("m = MatMul(q, k)  s = Mul(m, temperature)", "Attention(q, k, v, temperature)"),
    ],
)
def test_rules_1_3_and_4_what_lies_before_the_softmax(
    scores: str, expected: str, put_together: Callable[..., str]
) -> None:
    assert put_together(f"{scores}  p = Softmax(s)  y = MatMul(p, v)") == expected


GUARD = "s = MatMul(q, k)  p = Softmax(s)  n = IsNaN(p)  g = Where(n, zero, p)"


def test_rule_2_a_guard_belongs_to_the_softmax(put_together: Callable[..., str]) -> None:
    assert put_together(f"{GUARD}  y = MatMul(g, v)") == "Attention(q, k, v)"


def test_rule_2_moves_behind_the_softmax_belong_to_it(put_together: Callable[..., str]) -> None:
    body = """s = MatMul(q, k)  p = Softmax(s)  a = Constant <value_ints = [2, 5, 7]> ()
        r = Reshape(p, a)  b = Constant <value_ints = [2, 7, 16]> ()  u = Reshape(v, b)
        y = MatMul(r, u)"""
    assert put_together(body) == "Attention(q, k, Reshape(v, b))"


def test_moves_between_the_scores_and_the_softmax_belong_to_it(
    put_together: Callable[..., str],
) -> None:
    body = """m = MatMul(q, k)  a = Constant <value_ints = [2, 5, 7]> ()  r = Reshape(m, a)
        t = Transpose <perm = [0, 1, 2]> (r)  b = Constant <value_ints = [1, 2, 5, 7]> ()
        s = Reshape(t, b)  p = Softmax(s)  y = MatMul(p, v)"""
    assert put_together(body) == "Attention(q, k, v)"


def test_rule_3_moves_of_queries_and_keys_belong_to_it(put_together: Callable[..., str]) -> None:
    header = HEADER.replace("float[1,2,5,8] q", "float[1,5,2,8] q").replace(
        "float[1,2,8,7] k", "float[1,7,2,8] k"
    )
    body = """a = Transpose <perm = [0, 2, 1, 3]> (q)  b = Mul(a, scale)
        c = Transpose <perm = [0, 2, 3, 1]> (k)  s = MatMul(b, c)  p = Softmax(s)
        y = MatMul(p, v)"""
    assert put_together(body, header) == "Attention(q, k, v)"


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ("a = Mul(q, each)  s = MatMul(a, k)", "Attention(Mul(q, each), k, v)"),
        ("a = Relu(q)  s = MatMul(a, k)", "Attention(Relu(q), k, v)"),
        ("a = Mul(q, q)  s = MatMul(a, k)", "Attention(Mul(q, q), k, v)"),
    ],
)
def test_rule_3_other_ways_to_queries_are_not_its_own(
    scores: str, expected: str, put_together: Callable[..., str]
) -> None:
    assert put_together(f"{scores}  p = Softmax(s)  y = MatMul(p, v)") == expected


@pytest.mark.parametrize(
    "body",
    [
        "s = Neg(q)  p = Softmax(s)  y = MatMul(p, k)",
        "p = Softmax(q)  y = MatMul(p, k)",
        "s = MatMul(q, k)  p = Softmax(s)  y = Neg(p)",
        "s = MatMul(q, k)  p = Softmax(s)  y = MatMul(left, p)",
        "s = MatMul(q, k)  p = Softmax(s)  t = Tanh(p)  y = MatMul(t, v)",
        "m = MatMul(q, k)  s = Tanh(m)  p = Softmax(s)  y = MatMul(p, v)",
        "m = MatMul(q, k)  n = MatMul(q, k)  s = Add(m, n)  p = Softmax(s)  y = MatMul(p, v)",
        # something else reads what lies between
        "s = MatMul(q, k)  p = Softmax(s)  a = MatMul(p, v)  b = MatMul(p, v)  y = Add(a, b)",
        "s = MatMul(q, k)  p = Softmax(s)  a = MatMul(p, v)  y = Concat <axis = 3> (a, s)",
        "m = MatMul(q, k)  s = Mul(m, scale)  p = Softmax(s)  a = MatMul(p, v)"
        "  y = Concat <axis = 3> (a, m)",
        GUARD + "  h = Neg(p)  i = Add(g, h)  y = MatMul(i, v)",
        GUARD + "  a = MatMul(g, v)  y = Concat <axis = 3> (a, n)",
    ],
)
def test_something_like_it_stays(body: str, after: After) -> None:
    text = f"{HEADER} {{ {body} }}"
    assert after(spell_alike, recognize_attention, text) == after(spell_alike, text)


@pytest.mark.parametrize("read", ["p", "s", "m", "n", "g"])
def test_weights_that_are_an_output_are_not_swallowed(read: str, after: After) -> None:
    body = """m = MatMul(q, k)  s = Mul(m, scale)  p = Softmax(s)
        n = IsNaN(p)  g = Where(n, zero, p)  y = MatMul(g, v)"""
    text = f"{HEADER.replace('(y)', f'(y, {read})')} {{ {body} }}"
    assert after(recognize_attention, text) == after(text)


def test_longer_ways_than_the_limit_are_something_else(put_together: Callable[..., str]) -> None:
    for steps, recognized in ((MOST_STEPS - 1, True), (MOST_STEPS, False)):
        adds = "  ".join(f"s{i + 1} = Add(s{i}, mask)" for i in range(steps))
        body = f"s0 = MatMul(q, k)  {adds}  p = Softmax(s{steps})  y = MatMul(p, v)"
        assert put_together(body).startswith("Attention") == recognized


def test_a_far_away_product_on_the_way_of_a_mask_is_not_looked_for(
    put_together: Callable[..., str],
) -> None:
    for steps, ambiguous in ((MOST_STEPS, True), (MOST_STEPS + 1, False)):
        adds = "  ".join(f"t{i + 1} = Add(t{i}, mask)" for i in range(steps))
        body = f"t0 = MatMul(q, k)  {adds}  m = MatMul(q, k)  s = Add(m, t{steps})"
        found = put_together(f"{body}  p = Softmax(s)  y = MatMul(p, v)")
        assert found.startswith("MatMul") == ambiguous


def test_decomposed_or_not_the_layers_are_equal(graph: Callable[..., OperatorGraph]) -> None:
    apart = """(float[1,2,5,8] q, float[1,2,7,8] k, float[1,2,7,16] v) => (y) <float s = {0.35}> {
        t = Transpose <perm = [0, 1, 3, 2]> (k)  m = MatMul(q, t)  n = Mul(m, s)
        p = Softmax(n)  y = MatMul(p, v)
    }"""
    header, _, _ = apart.partition("<")
    whole = f"{header} {{ y = Attention(q, k, v) }}"
    first, second = (layer_graph(graph(text, opset=23)) for text in (apart, whole))
    assert fingerprint(first) == fingerprint(second)
    assert first.macs == 2 * 5 * 7 * 8 + 2 * 5 * 7 * 16


def test_a_graph_without_a_softmax_is_left_as_it_is(
    typed: Callable[..., OperatorGraph],
) -> None:
    plain = typed("(float[2,2] x) => (y) { y = MatMul(x, x) }")
    assert recognize_attention(plain) is plain
