from __future__ import annotations

from collections.abc import Callable

import pytest

from assay.graphs import layer_graph
from assay.graphs.neighborhoods import fingerprint
from assay.graphs.operators import OperatorGraph
from assay.graphs.unfuse import unfuse

Read = Callable[..., OperatorGraph]
MAP = "(float[1,8,8,8] x, float[1,8,8,8] z) => (y) <float[8,8,1,1] w, float[8] b>"
WORDS = "(float[1,16,8] x, float[1,16,8] z) => (y) <float[8,8] w, float[8] b, float[8] g>"


def same(graph: Read, fused: str, plain: str) -> bool:
    a, b = (layer_graph(graph(text)) for text in (fused, plain))
    return fingerprint(a) == fingerprint(b) and len(a.layers) > 0


@pytest.mark.parametrize(
    ("header", "fused", "plain"),
    [
        # 1
        (MAP, "y = com.microsoft.FusedConv (x, w, b)", "c = Conv(x, w, b)  y = Relu(c)"),
        (
            MAP,
            'y = com.microsoft.FusedConv <activation = "Tanh"> (x, w)',
            "c = Conv(x, w)  y = Tanh(c)",
        ),
        (
            MAP,
            'y = com.microsoft.FusedConv <activation = "Clip", activation_params = [0.0, 6.0]>'
            " (x, w, b)",
            "c = Conv(x, w, b)  lo = Constant <value_float = 0.0> ()"
            "  hi = Constant <value_float = 6.0> ()  y = Clip(c, lo, hi)",
        ),
        (
            MAP,
            'y = com.microsoft.FusedConv <activation = "Relu"> (x, w, b, z)',
            "c = Conv(x, w, b)  s = Add(c, z)  y = Relu(s)",
        ),
        (
            "(float[4,8] x) => (y) <float[8,8] w, float[8] b>",
            'y = com.microsoft.FusedGemm <activation = "Sigmoid", transB = 1> (x, w, b)',
            "g = Gemm <transB = 1> (x, w, b)  y = Sigmoid(g)",
        ),
        (WORDS, "y = com.microsoft.FusedMatMul <alpha = 0.5> (x, w)", "y = MatMul(x, w)"),
        (
            WORDS,
            "y = com.microsoft.FusedMatMul <transB = 1> (x, z)",
            "t = Transpose <perm = [0, 2, 1]> (z)  y = MatMul(x, t)",
        ),
        (
            WORDS,
            "y = com.microsoft.FusedMatMul <transA = 1> (x, z)",
            "t = Transpose <perm = [0, 2, 1]> (x)  y = MatMul(t, z)",
        ),
        # 2
        (WORDS, "y = com.microsoft.Gelu (x)", "y = Gelu(x)"),
        (WORDS, "y = com.microsoft.FastGelu (x)", "y = Gelu(x)"),
        (WORDS, "y = com.microsoft.FastGelu (x, b)", "a = Add(x, b)  y = Gelu(a)"),
        (
            WORDS,
            "m = MatMul(x, w)  y = com.microsoft.BiasGelu (m, b)",
            "m = MatMul(x, w)  a = Add(m, b)  y = Gelu(a)",
        ),
        (
            WORDS,
            "y = com.microsoft.QuickGelu (x)",
            "a = Constant <value_float = 1.702> ()  m = Mul(x, a)  s = Sigmoid(m)  y = Mul(x, s)",
        ),
        (
            WORDS,
            "y = com.microsoft.QuickGelu <alpha = 1.0> (x)",
            "s = Sigmoid(x)  y = Mul(x, s)",
        ),
        # 3
        (
            WORDS,
            "y = com.microsoft.SkipLayerNormalization (x, z, g, b)",
            "s = Add(x, z)  y = LayerNormalization(s, g, b)",
        ),
        (
            WORDS,
            "n, , , s = com.microsoft.SkipLayerNormalization (x, z, g, b)  y = Mul(n, s)",
            "s = Add(x, z)  n = LayerNormalization(s, g, b)  y = Mul(n, s)",
        ),
        (
            WORDS,
            "m = MatMul(x, w)  y = com.microsoft.SkipLayerNormalization (m, z, g, b, b)",
            "m = MatMul(x, w)  s = Add(m, z)  t = Add(s, b)  y = LayerNormalization(t, g, b)",
        ),
        (
            WORDS,
            "y = com.microsoft.SkipSimplifiedLayerNormalization (x, z, g)",
            "s = Add(x, z)  y = com.microsoft.SimplifiedLayerNormalization(s, g)",
        ),
        (WORDS, "y = com.microsoft.SimplifiedLayerNormalization (x, g)",
         "y = SimplifiedLayerNormalization(x, g)"),
    ],
)  # fmt: skip
def test_a_fused_operator_gives_the_layers_of_its_parts(
    header: str, fused: str, plain: str, graph: Read
) -> None:
    assert same(graph, f"{header} {{{fused}}}", f"{header} {{{plain}}}")


def test_the_parts_of_a_fused_operator_have_shapes_and_costs(graph: Read) -> None:
    text = f"{MAP} {{ y = com.microsoft.FusedConv (x, w, b, z) }}"
    conv, add, relu = layer_graph(graph(text)).layers
    assert (conv.op, conv.shape, conv.macs, conv.parameters) == ("Conv", (1, 8, 8, 8), 4096, 72)
    assert (add.op, add.shape) == ("Add", (1, 8, 8, 8))
    assert (relu.op, relu.shape) == ("Relu", (1, 8, 8, 8))


QKV = "(float[1,16,64] q, float[1,20,64] k, float[1,20,32] v) => (y)"


def test_rule_4_several_heads_are_one_attention(graph: Read) -> None:
    text = f"{QKV} {{ y = com.microsoft.MultiHeadAttention <num_heads = 8> (q, k, v) }}"
    (layer,) = layer_graph(graph(text)).layers
    assert (layer.op, layer.shape) == ("Attention", (1, 16, 32))
    assert layer.macs == 16 * 20 * 64 + 16 * 20 * 32


def test_rule_4_groups_of_queries_share_keys_and_values(graph: Read) -> None:
    text = """(float[1,16,64] q, float[1,16,16] k, float[1,16,16] v) => (y) {
        y = com.microsoft.GroupQueryAttention <num_heads = 8, kv_num_heads = 2> (q, k, v)
    }"""
    (layer,) = layer_graph(graph(text)).layers
    assert (layer.op, layer.shape, layer.macs) == ("Attention", (1, 16, 64), 2 * 16 * 16 * 64)


def test_rule_4_packed_weights_are_one_product(graph: Read, shown: Callable[..., str]) -> None:
    text = """(float[1,16,8] x) => (y) <float[8,24] w, float[24] b> {
        y = com.microsoft.Attention <num_heads = 2> (x, w, b)
    }"""
    parts = "Split<axis=-1>(Add(MatMul(x, w), b))"
    assert shown(unfuse(graph(text))) == f"Attention({parts}, {parts}.1, {parts}.2)"
    made = layer_graph(graph(text))
    assert [layer.op for layer in made.layers] == ["Gemm", "Slice", "Slice", "Slice", "Attention"]
    assert made.layers[-1].shape == (1, 16, 8)
    unbiased = text.replace("(x, w, b)", "(x, w, )")
    assert "Add" not in shown(unfuse(graph(unbiased)))


@pytest.mark.parametrize(
    "call",
    [
        "com.microsoft.MultiHeadAttention <num_heads = 8> (x)",
        "com.microsoft.MultiHeadAttention <num_heads = 8> (x, , z)",
        "com.microsoft.Attention <num_heads = 8> (x, z)",
        "com.microsoft.NeverHeardOf (x)",
        "mine.Gelu (x)",
    ],
)
def test_what_is_not_known_stays_as_it_is(call: str, graph: Read) -> None:
    before = graph(f"{WORDS} {{ y = {call} }}")
    assert unfuse(before).operators == before.operators


def test_a_graph_in_onnx_alone_is_left_as_it_is(graph: Read) -> None:
    plain = graph(f"{WORDS} {{ y = MatMul(x, w) }}")
    assert unfuse(plain) is plain
