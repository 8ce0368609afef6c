from __future__ import annotations

from collections.abc import Callable

import pytest

from assay.graphs import layer_graph
from assay.graphs.dequantize import dequantize
from assay.graphs.neighborhoods import fingerprint
from assay.graphs.operators import OperatorGraph

Read = Callable[..., OperatorGraph]
Shown = Callable[[OperatorGraph], str]

# The same network in float and in the three ways in which it is written once it is quantized.
FLOAT = """(float[1,4,8,8] x) => (y) <float[8,4,3,3] w, float[8] b, float[8,10] m> {
    c = Conv(x, w, b)
    p = GlobalAveragePool(c)
    f = Flatten(p)
    y = Gemm(f, m)
}"""
SCALES = "float s = {0.5}, uint8 z = {128}, int8 zw = {0}, float[8] sw, int8[8] zs"
QDQ = f"""(float[1,4,8,8] x) => (y) <int8[8,4,3,3] w, int32[8] b, int8[8,10] m, {SCALES},
        float[8] sb, int32[8] zb> {{
    xq = QuantizeLinear(x, s, z)            xd = DequantizeLinear(xq, s, z)
    wd = DequantizeLinear <axis = 0> (w, sw, zs)
    bd = DequantizeLinear <axis = 0> (b, sb, zb)
    c = Conv(xd, wd, bd)
    cq = QuantizeLinear(c, s, z)            cd = DequantizeLinear(cq, s, z)
    p = GlobalAveragePool(cd)
    pq = QuantizeLinear(p, s, z)            pd = DequantizeLinear(pq, s, z)
    f = Flatten(pd)
    md = DequantizeLinear(m, s, zw)
    g = Gemm(f, md)
    gq = QuantizeLinear(g, s, z)            y = DequantizeLinear(gq, s, z)
}}"""
INTEGER = f"""(float[1,4,8,8] x) => (y) <int8[8,4,3,3] w, int32[8] b, int8[8,10] m, {SCALES}> {{
    xq = QuantizeLinear(x, s, z)
    c = QLinearConv(xq, s, z, w, sw, zs, s, z, b)
    p = com.microsoft.QLinearGlobalAveragePool <channels_last = 0> (c, s, z, s, z)
    f = Flatten(p)
    g = QLinearMatMul(f, s, z, m, s, zw, s, z)
    y = DequantizeLinear(g, s, z)
}}"""
DYNAMIC = f"""(float[1,4,8,8] x) => (y) <int8[8,4,3,3] w, float[8,1,1] b, int8[8,10] m, {SCALES}> {{
    xq, xs, xz = DynamicQuantizeLinear(x)
    ci = ConvInteger(xq, w, xz, zw)
    cf = Cast <to = 1> (ci)
    cs = Mul(xs, s)
    cm = Mul(cf, cs)
    c = Add(cm, b)
    p = GlobalAveragePool(c)
    f = Flatten(p)
    fq, fs, fz = DynamicQuantizeLinear(f)
    gi = MatMulInteger(fq, m, fz, zw)
    gf = Cast <to = 1> (gi)
    gs = Mul(fs, s)
    y = Mul(gf, gs)
}}"""


@pytest.mark.parametrize("quantized", [QDQ, INTEGER, DYNAMIC], ids=["QDQ", "integer", "dynamic"])
def test_a_quantized_network_has_the_layers_of_the_float_one(quantized: str, graph: Read) -> None:
    source, suspect = (layer_graph(graph(text)) for text in (FLOAT, quantized))
    assert [layer.op for layer in source.layers] == ["Conv", "GlobalAveragePool", "Gemm"]
    assert suspect == source
    assert fingerprint(suspect) == fingerprint(source)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        # 1
        ("q = QuantizeLinear(x, s, z)  y = DequantizeLinear(q, s, z)", "x"),
        ("q = com.microsoft.QuantizeLinear(x, s, z)  y = Relu(q)", "Relu(x)"),
        ("q = com.microsoft.DequantizeLinear(x, s, z)  y = Relu(q)", "Relu(x)"),
        ("d = DequantizeLinear(w, s, z)  y = MatMul(x, d)", "MatMul(x, w)"),
        # 2
        ("q, a, b = DynamicQuantizeLinear(x)  y = MatMulInteger(q, w, b, z)", "MatMul(x, w)"),
        ("q, , = DynamicQuantizeLinear(x)  y = Relu(q)", "Relu(x)"),
        # 3
        ("y = QLinearConv(x, s, z, w, s, z, s, z, b)", "Conv(x, w, b)"),
        ("y = QLinearConv(x, s, z, w, s, z, s, z)", "Conv(x, w)"),
        ("y = ConvInteger <group = 2> (x, w, z, z)", "Conv<group=2>(x, w)"),
        ("y = QLinearMatMul(x, s, z, w, s, z, s, z)", "MatMul(x, w)"),
        ("y = com.microsoft.QGemm <transB = 1> (x, s, z, w, s, z, b)", "Gemm<transB=1>(x, w, b)"),
        ("y = com.microsoft.DynamicQuantizeMatMul(x, w, s)", "MatMul(x, w)"),
        ("y = com.microsoft.MatMulIntegerToFloat(x, w, s, s)", "MatMul(x, w)"),
        ("y = com.microsoft.QLinearAdd(x, s, , x, s, , s)", "Add(x, x)"),
        ("y = com.microsoft.QLinearMul(x, s, z, x, s, z, s, z)", "Mul(x, x)"),
        ("y = com.microsoft.QLinearSigmoid(x, s, z, s, z)", "Sigmoid(x)"),
        ("y = com.microsoft.QLinearLeakyRelu(x, s, z, s, z)", "LeakyRelu(x)"),
        ("y = com.microsoft.QLinearSoftmax(x, s, z, s, z)", "Softmax(x)"),
        ("y = com.microsoft.QLinearAveragePool(x, s, z, s, z)", "AveragePool(x)"),
        ("y = com.microsoft.QLinearConcat <axis = 1> (s, z, x, s, z, w, s, z)",
         "Concat<axis=1>(x, w)"),
        # 4
        ("y = com.microsoft.MatMulNBits <K = 8, N = 16> (x, w, s)", "MatMul(x, w/float)"),
    ],
)  # fmt: skip
def test_each_quantized_operator_reads_as_its_float_one(
    body: str, expected: str, graph: Read, shown: Shown
) -> None:
    text = (
        f"(float[1,8,8,8] x) => (y) <uint8[8,8] w, int32[8] b, float[1] s, uint8[1] z> {{{body}}}"
    )
    assert shown(dequantize(graph(text))) == expected


def test_rule_2_the_scale_and_zero_point_that_are_found_while_it_runs_count_as_constants(
    graph: Read,
) -> None:
    text = "(float[1,8] x) => (y, s, z) { y, s, z = DynamicQuantizeLinear(x) }"
    known = dequantize(graph(text))
    assert known.operators == ()
    assert [known.tensor(name).constant for name in ("x", "s", "z")] == [False, True, True]
    assert not known.tensor("").constant


def test_rule_3_quantized_recurrent_weights_lie_transposed(graph: Read, shown: Shown) -> None:
    text = """(float[10,1,8] x) => (y) <int8[1,8,16] w, int8[1,4,16] r, float[1] s, uint8[1] z> {
        y = com.microsoft.DynamicQuantizeLSTM <hidden_size = 4> (x, w, r, , , , , , s, z, s, z)
    }"""
    known = dequantize(graph(text))
    assert shown(known) == "LSTM<hidden_size=4>(x, w/float, r/float, , , , , )"
    assert known.tensor("w/float").shape == (1, 16, 8)
    assert known.tensor("r/float").shape == (1, 16, 4)
    assert known.tensor("r/float").constant


def test_rule_4_packed_bits_are_a_matrix_of_the_shape_that_the_attributes_tell(
    graph: Read,
) -> None:
    text = """(float[1,64] x) => (y) <uint8[32,2,16] w, float[64] s> {
        y = com.microsoft.MatMulNBits <K = 64, N = 32, bits = 4> (x, w, s)
    }"""
    (layer,) = layer_graph(graph(text)).layers
    assert (layer.op, layer.shape, layer.macs, layer.parameters) == ("Gemm", (1, 32), 2048, 2048)


def test_a_graph_in_float_keeps_its_operators(graph: Read) -> None:
    before = graph(FLOAT)
    assert dequantize(before).operators == before.operators
