from __future__ import annotations

from collections.abc import Callable

import pytest

from assay.graphs import layer_graph
from assay.graphs.fold_batch_norm import fold_batch_norm
from assay.graphs.operators import OperatorGraph
from assay.graphs.spell_alike import spell_alike

After = Callable[..., str]
HEADER = """(float[1,4,6,6] x, float[1,8,6,6] z) => (y)
    <float[8,4,1,1] w, float[4,8,1,1] t, float[8] b, float[8] g, float[8] h, float[8] mean,
    float[8] var,
     float[8,1,1] c, float[1,8,1,1] d, float[1,1,6,6] places, float half = {0.5},
     float zero = {0}>"""
NORM = "BatchNormalization({}, g, h, mean, var)"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        # 1
        (f"a = Conv(x, w, b)  y = {NORM.format('a')}", "Conv(x, w, b)"),
        (f"a = Conv(x, w)  y = {NORM.format('a')}", "Conv(x, w, y/bias)"),
        (f"a = ConvTranspose(x, t)  y = {NORM.format('a')}", "ConvTranspose(x, t, y/bias)"),
        (
            f"n = {NORM.format('z')}  y = {NORM.format('n')}",
            "BatchNormalization(z, g, h, mean, var)",
        ),
        (f"a = Conv(x, w)  n = {NORM.format('a')}  y = {NORM.format('n')}", "Conv(x, w, n/bias)"),
        # 2
        ("a = Conv(x, w)  y = Mul(a, c)", "Conv(x, w)"),
        ("a = Conv(x, w)  y = Mul(d, a)", "Conv(x, w)"),
        ("a = Conv(x, w)  y = Mul(a, half)", "Conv(x, w)"),
        ("a = Conv(x, w)  y = Add(a, c)", "Conv(x, w, y/bias)"),
        ("a = Conv(x, w)  y = Add(a, half)", "Conv(x, w)"),
        ("a = Conv(x, w, b)  y = Add(c, a)", "Conv(x, w, b)"),
        ("a = Conv(x, w)  m = Mul(a, c)  y = Add(m, d)", "Conv(x, w, y/bias)"),
        (
            f"n = {NORM.format('z')}  m = Mul(n, c)  y = Add(m, c)",
            "BatchNormalization(z, g, h, mean, var)",
        ),
        # 3
        ("m = Mul(z, c)  y = Add(m, d)", "BatchNormalization(z, c, d)"),
        ("m = Mul(c, z)  y = Add(d, m)", "BatchNormalization(z, c, d)"),
        # Not channel by channel, not a constant, nothing linear before it.
        ("a = Conv(x, w)  y = Mul(a, places)", "Mul(Conv(x, w), places)"),
        ("a = Conv(x, w)  y = Mul(a, z)", "Mul(Conv(x, w), z)"),
        ("a = Conv(x, w)  r = Relu(a)  y = Mul(r, c)", "Mul(Relu(Conv(x, w)), c)"),
        # Nothing of the layer would be left.
        ("a = Conv(x, w)  y = Mul(a, zero)", "Mul(Conv(x, w), 0)"),
        ("a = Conv(x, w)  y = Add(a, zero)", "Conv(x, w)"),
        ("m = Mul(z, places)  y = Add(m, d)", "Add(Mul(z, places), d)"),
        ("m = Mul(z, half)  y = Add(m, d)", "Add(Mul(z, 0.5), d)"),
        ("y = Mul(z, c)", "Mul(z, c)"),
        (f"r = Relu(z)  y = {NORM.format('r')}", "BatchNormalization(Relu(z), g, h, mean, var)"),
    ],
)
def test_rules(body: str, expected: str, after: After) -> None:
    assert after(fold_batch_norm, f"{HEADER} {{ {body} }}") == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("a = MatMul(x, w)  y = Add(a, b)", "Gemm(x, w, y/bias)"),
        ("a = MatMul(x, w)  m = Mul(a, b)  y = Add(m, b)", "Gemm(x, w, y/bias)"),
        ("a = MatMul(x, w)  y = Mul(a, half)", "Gemm(x, w)"),
        ("a = MatMul(x, w)  y = Mul(a, rows)", "Mul(Gemm(x, w), rows)"),
        ("m = Mul(x, in)  y = Add(m, in)", "Add(Mul(x, in), in)"),
    ],
)
def test_rule_2_channels_of_a_product_come_last(body: str, expected: str, after: After) -> None:
    text = f"""(float[1,5,8] x) => (y) <float[8,16] w, float[16] b, float half = {{0.5}},
        float[5,1] rows, float[8] in> {{ {body} }}"""
    assert after(spell_alike, fold_batch_norm, text) == expected


@pytest.mark.parametrize(("rank", "folded"), [("8", True), ("8,5", False)])
def test_rule_1_channels_of_a_batch_norm_come_second(rank: str, folded: bool, after: After) -> None:
    text = f"""(float[4,{rank}] x) => (y) <float[{rank.split(",")[-1]},8] w, float[8] g, float[8] h,
        float[8] mean, float[8] var> {{ a = MatMul(x, w)  y = {NORM.format("a")} }}"""
    found = after(spell_alike, fold_batch_norm, text)
    assert found == ("Gemm(x, w, y/bias)" if folded else after(spell_alike, text))


@pytest.mark.parametrize(
    ("outputs", "end"), [("(y, o)", "o = Neg(a)"), ("(y, a)", ""), ("(y, o)", "o = Add(a, a)")]
)
def test_a_layer_that_something_else_reads_is_not_folded(
    outputs: str, end: str, after: After
) -> None:
    header = HEADER.replace("(y)", outputs)
    text = f"{header} {{ a = Conv(x, w)  y = {NORM.format('a')}  {end} }}"
    assert after(fold_batch_norm, text) == after(text)


def test_a_product_of_a_layer_with_itself_is_no_scale(after: After) -> None:
    text = f"{HEADER} {{ a = Conv(x, w)  y = Mul(a, a) }}"
    assert after(fold_batch_norm, text) == "Mul(Conv(x, w), Conv(x, w))"


def test_a_bias_that_arises_has_one_number_a_channel(typed: Callable[..., OperatorGraph]) -> None:
    folded = fold_batch_norm(typed(f"{HEADER} {{ a = Conv(x, w)  y = {NORM.format('a')} }}"))
    bias = folded.tensor("y/bias")
    assert (bias.shape, bias.constant) == ((8,), True)


BLOCKS = {
    "folded away": "y = Conv(x, w, b)",
    "kept": f"a = Conv(x, w)  y = {NORM.format('a')}",
    "kept, with a bias": f"a = Conv(x, w, b)  y = {NORM.format('a')}",
    "taken apart": "a = Conv(x, w)  s = Mul(a, c)  y = Add(s, c)",
    "by its own formula": "a = Conv(x, w)  s = Sub(a, c)  q = Div(s, c)  r = Mul(q, c)"
                          "  y = Add(r, c)",
}  # fmt: skip


@pytest.mark.parametrize("name", BLOCKS)
def test_folded_or_not_the_layers_are_equal(name: str, graph: Callable[..., OperatorGraph]) -> None:
    first, found = (
        layer_graph(graph(f"{HEADER} {{ {BLOCKS[key]} }}")) for key in ("folded away", name)
    )
    assert found == first
    assert (first.macs, first.parameters) == (8 * 36 * 4, 32 + 8)
