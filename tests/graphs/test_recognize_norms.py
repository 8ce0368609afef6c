from __future__ import annotations

from collections.abc import Callable

import pytest

from assay.graphs import layer_graph
from assay.graphs.operators import OperatorGraph
from assay.graphs.recognize_activations import recognize_activations
from assay.graphs.recognize_norms import recognize_norms
from assay.graphs.spell_alike import spell_alike

After = Callable[..., str]
TOKENS = """(float[1,5,8] x, float[1,5,8] z) => (y)
    <int64[1] last = {-1}, float e = {1e-5}, float two = {2}, float one = {1}, float half = {0.5},
     float[8] w, float[8] b>"""
CENTERED = "m = ReduceMean(x, last)  c = Sub(x, m)"
VARIANCE = "p = Pow(c, two)  v = ReduceMean(p, last)  a = Add(v, e)  d = Sqrt(a)"
SQUARE = "p = Pow(x, two)  v = ReduceMean(p, last)  a = Add(v, e)  d = Sqrt(a)"


@pytest.fixture
def put_together(after: After) -> Callable[..., str]:
    """Lines of a decomposed normalization of x → what is recognized."""

    def run(body: str, header: str = TOKENS) -> str:
        return after(spell_alike, recognize_activations, recognize_norms, f"{header} {{ {body} }}")

    return run


@pytest.mark.parametrize(
    "body",
    [
        f"{CENTERED} {VARIANCE} y = Div(c, d)",
        f"{CENTERED} {VARIANCE} r = Reciprocal(d)  y = Mul(c, r)",
        f"{CENTERED} {VARIANCE} r = Div(one, d)  y = Mul(r, c)",
        f"{CENTERED} p = Mul(c, c)  v = ReduceMean(p, last)  a = Add(e, v)  d = Sqrt(a)"
        "  y = Div(c, d)",
        # The difference is computed twice, once for the variance.
        f"{CENTERED} n = ReduceMean(x, last)  k = Sub(x, n)  p = Mul(k, k)"
        "  v = ReduceMean(p, last)  a = Add(v, e)  d = Sqrt(a)  y = Div(c, d)",
    ],
)
def test_rule_1_layer_normalization(body: str, put_together: Callable[..., str]) -> None:
    assert put_together(body) == "LayerNormalization(x)"


SHARED = f"{CENTERED} {VARIANCE} r = Reciprocal(d)  s = Mul(r, w)  p1 = Mul(x, s)"


@pytest.mark.parametrize(
    "rest",
    [
        "n = Neg(m)  q = Mul(n, s)  k = Add(q, b)  y = Add(p1, k)",
        "q = Mul(s, m)  k = Sub(b, q)  y = Add(k, p1)",
    ],
)
def test_rule_6_scale_and_shift_are_multiplied_out(
    rest: str, put_together: Callable[..., str]
) -> None:
    assert put_together(f"{SHARED} {rest}") == "LayerNormalization(x, w, b)"


def test_rule_6_another_mean_is_no_normalization(put_together: Callable[..., str]) -> None:
    other = "o = ReduceMean(z, last)  q = Mul(s, o)  k = Sub(b, q)  y = Add(k, p1)"
    assert "LayerNormalization" not in put_together(f"{SHARED} {other}")


MAP = """(float[1,8,6,6] x) => (y) <int64[2] space = {2, 3}, int64[3] all = {1, 2, 3},
    int64[2] behind = {-1, -2}, int64[1] channels = {1}, float e = {1e-5}, float two = {2},
    float[8,1,1] w, float[8,1,1] b>"""
MAP_BODY = """m = ReduceMean(x, {axes})  c = Sub(x, m)  p = Mul(c, c)  v = ReduceMean(p, {axes})
    a = Add(v, e)  d = Sqrt(a)  {end}"""


@pytest.mark.parametrize(
    ("axes", "expected"),
    [
        ("space", "InstanceNormalization(x)"),
        ("behind", "InstanceNormalization(x)"),
        ("all", "LayerNormalization(x)"),
        ("channels", "LayerNormalization(x)"),
    ],
)
def test_rule_1_over_space_alone_it_is_instance_normalization(
    axes: str, expected: str, put_together: Callable[..., str]
) -> None:
    assert put_together(MAP_BODY.format(axes=axes, end="y = Div(c, d)"), MAP) == expected


def test_rule_1_axes_were_attributes_once(
    graph: Callable[..., OperatorGraph],
) -> None:
    text = """(float[1,8,6,6] x) => (y) <float e = {1e-5}> {
        m = ReduceMean <axes = [2, 3]> (x)  c = Sub(x, m)  p = Mul(c, c)
        v = ReduceMean <axes = [2, 3]> (p)  a = Add(v, e)  d = Sqrt(a)  y = Div(c, d)
    }"""
    for axes, op in (([2, 3], "InstanceNormalization"), ([1, 2, 3], "LayerNormalization")):
        old = graph(text.replace("[2, 3]", str(axes)), opset=13)
        assert [layer.op for layer in layer_graph(old).layers] == [op]


@pytest.mark.parametrize(
    "body",
    [
        f"{SQUARE} y = Div(x, d)",
        f"{SQUARE} r = Reciprocal(d)  y = Mul(x, r)",
        f"{SQUARE} r = Div(one, d)  y = Mul(r, x)",
    ],
)
def test_rule_2_root_mean_square(body: str, put_together: Callable[..., str]) -> None:
    assert put_together(body) == "RMSNormalization(x)"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (f"{CENTERED} {VARIANCE} n = Div(c, d)  y = Mul(n, w)", "LayerNormalization(x, w)"),
        (
            f"{CENTERED} {VARIANCE} n = Div(c, d)  s = Mul(w, n)  y = Add(b, s)",
            "LayerNormalization(x, w, b)",
        ),
        (f"{SQUARE} n = Div(x, d)  y = Mul(n, w)", "RMSNormalization(x, w)"),
        ("n = LayerNormalization(x, w)  y = Add(n, b)", "LayerNormalization(x, w, b)"),
        # A shift without a scale, a second shift, a scale that is computed: not its operands.
        (f"{CENTERED} {VARIANCE} n = Div(c, d)  y = Add(n, b)", "Add(LayerNormalization(x), b)"),
        (
            "n = LayerNormalization(x, w, b)  y = Add(n, b)",
            "Add(LayerNormalization(x, w, b), b)",
        ),
        ("n = LayerNormalization(x, w)  y = Mul(n, z)", "Mul(LayerNormalization(x, w), z)"),
    ],
)
def test_rule_3_scale_and_shift(body: str, expected: str, put_together: Callable[..., str]) -> None:
    assert put_together(body) == expected


def test_rule_3_scale_and_shift_of_channels(put_together: Callable[..., str]) -> None:
    end = "n = Div(c, d)  s = Mul(n, w)  y = Add(s, b)"
    found = put_together(MAP_BODY.format(axes="space", end=end), MAP)
    assert found == "InstanceNormalization(x, w, b)"


GROUP = """(float[1,8,6,6] x) => (y) <int64[3] flat = {{0, 2, -1}}, int64[4] back = {{1, 8, 6, 6}},
    float[2] ones = {{1, 1}}, float[2] zeros = {{0, 0}}, float[8,1,1] w, float[8,1,1] b> {{
    f = Reshape(x, flat)  n = InstanceNormalization(f, ones, zeros)  r = Reshape(n, back)
    {end}
}}"""


def test_rule_4_group_normalization(after: After) -> None:
    for end in ("s = Mul(r, w)  y = Add(s, b)", "s = Mul(w, r)  y = Add(b, s)"):
        found = after(recognize_norms, GROUP.format(end=end))
        assert found == "GroupNormalization(x, w, b)"


@pytest.mark.parametrize("end", ["y = Mul(r, w)", "y = Add(r, b)", "s = Mul(r, w)  y = Add(s, x)"])
def test_rule_4_without_scale_and_shift_stays(end: str, after: After) -> None:
    text = GROUP.format(end=end)
    assert after(recognize_norms, text) == after(text)


@pytest.mark.parametrize(
    "end",
    [
        "c = Clip(n, e)  y = Div(x, c)",
        "c = Max(n, e)  y = Div(x, c)",
        "c = Clip(n, e)  s = Shape(x)  g = Expand(c, s)  y = Div(x, g)",
    ],
)
def test_rule_5_length_one(end: str, put_together: Callable[..., str]) -> None:
    assert put_together(f"n = ReduceL2(x, last)  {end}") == "LpNormalization(x)"


@pytest.mark.parametrize(
    "body",
    [
        # another variable in one of the places
        f"{CENTERED} k = Sub(z, m)  {VARIANCE} y = Div(k, d)",
        f"{CENTERED} p = Mul(c, z)  v = ReduceMean(p, last)  a = Add(v, e)  d = Sqrt(a)"
        "  y = Div(c, d)",
        f"{SQUARE} y = Div(z, d)",
        # the wrong operator in one of the places
        f"{CENTERED} p = Pow(c, two)  v = ReduceSum(p, last)  a = Add(v, e)  d = Sqrt(a)"
        "  y = Div(c, d)",
        f"{CENTERED} {VARIANCE} y = Div(d, c)",
        "n = ReduceL1(x, last)  c = Clip(n, e)  y = Div(x, c)",
        "n = ReduceL2(z, last)  c = Clip(n, e)  y = Div(x, c)",
    ],
)
def test_something_like_it_stays(body: str, after: After) -> None:
    text = f"{TOKENS} {{ {body} }}"
    spelled = after(spell_alike, text)
    assert after(spell_alike, recognize_norms, text) == spelled


def test_a_variance_that_is_read_elsewhere_is_not_swallowed(after: After) -> None:
    header = TOKENS.replace("(y)", "(y, v)")
    text = f"{header} {{ {CENTERED} {VARIANCE} y = Div(c, d) }}"
    assert after(spell_alike, recognize_norms, text) == after(spell_alike, text)


def test_a_mean_that_is_read_elsewhere_stays_with_what_it_is_taken_from(after: After) -> None:
    header = TOKENS.replace("(y)", "(y, m)")
    text = f"{header} {{ {CENTERED} {VARIANCE} y = Div(c, d) }}"
    mean = "ReduceMean(x, -1)"
    found = after(spell_alike, recognize_norms, text)
    assert found == f"RMSNormalization(Sub(x, {mean})); {mean}"


def test_decomposed_or_not_the_layers_are_equal(graph: Callable[..., OperatorGraph]) -> None:
    taken_apart = f"{CENTERED} {VARIANCE} n = Div(c, d)  s = Mul(n, w)  y = Add(s, b)"
    whole = "y = LayerNormalization(x, w, b)"
    apart, one = (layer_graph(graph(f"{TOKENS} {{ {body} }}")) for body in (taken_apart, whole))
    assert apart == one
    assert (one.macs, one.parameters) == (5 * 40, 16)
