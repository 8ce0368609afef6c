"""Costs of single operators, counted by hand; ``test_zoo_graphs`` holds whole networks to torch."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from assay.graphs.compact import compact
from assay.graphs.costs import macs
from assay.graphs.operators import Operator, OperatorGraph, Tensor
from assay.graphs.spell_alike import spell_alike

Read = Callable[..., OperatorGraph]


@pytest.fixture
def costs(typed: Read) -> Callable[..., list[tuple[str, int, int]]]:
    """Text → operator, MACs and parameters of each layer, in one spelling and otherwise raw."""

    def run(text: str, opset: int = 20) -> list[tuple[str, int, int]]:
        made = compact(spell_alike(typed(text, opset)), "test")
        return [(layer.op, layer.macs, layer.parameters) for layer in made.layers]

    return run


MAP = """(float[2,4,6,6] x, float[2,4,6,6] z) => (y) <float[8,4,3,3] w, float[8] b,
    float[8,2,3,3] g,
    float[4,8,3,3] t, float[4,1,3,3] d, float[4] c, float[4] s, float[1,1,6,6] p, float one = {2},
    float[1,4,1,1] one1, int64[2] space = {2, 3}>"""


@pytest.mark.parametrize(
    ("call", "op", "macs", "parameters"),
    [
        # output elements × what each sums over
        ("Conv <pads = [1, 1, 1, 1]> (x, w)", "Conv", 2 * 8 * 36 * 36, 288),
        ("Conv(x, w, b)", "Conv", 2 * 8 * 16 * 36, 288 + 8),
        ("Conv <group = 2> (x, g)", "Conv", 2 * 8 * 16 * 18, 144),
        ("Conv <group = 4> (x, d)", "Conv", 2 * 4 * 16 * 9, 36),
        # input elements × what each is spread over
        ("ConvTranspose <strides = [2, 2]> (x, t)", "ConvTranspose", 2 * 4 * 36 * 72, 288),
        ("ConvTranspose <group = 4> (x, d, c)", "ConvTranspose", 2 * 4 * 36 * 9, 36 + 4),
        ("MaxPool <kernel_shape = [2, 3]> (x)", "MaxPool", 2 * 4 * 5 * 4 * 6, 0),
        ("AveragePool <kernel_shape = [2, 2]> (x)", "AveragePool", 2 * 4 * 25 * 4, 0),
        ("GlobalAveragePool(x)", "GlobalAveragePool", 288, 0),
        ("GlobalMaxPool(x)", "GlobalMaxPool", 288, 0),
        ("ReduceMean(x, space)", "GlobalAveragePool", 288, 0),
        ("ReduceSum(x, space)", "ReduceSum", 288, 0),
        # a few operations for each element
        ("BatchNormalization(x, c, c2, m, v)", "BatchNormalization", 2 * 288, 8),
        ("InstanceNormalization(x, c, c2)", "InstanceNormalization", 5 * 288, 8),
        ("LayerNormalization <axis = 1> (x, l)", "LayerNormalization", 5 * 288, 144),
        ("GroupNormalization <num_groups = 2> (x, c, c2)", "GroupNormalization", 5 * 288, 8),
        ("LpNormalization(x)", "LpNormalization", 3 * 288, 0),
        ("Softmax(x)", "Softmax", 5 * 288, 0),
        ("LogSoftmax(x)", "LogSoftmax", 5 * 288, 0),
        ("LRN <size = 3> (x)", "LRN", 5 * 288, 0),
        ("Relu(x)", "Relu", 288, 0),
        ("PRelu(x, s)", "PRelu", 288, 4),
        ("PRelu(x, slope)", "PRelu", 288, 1),
        ("Add(x, z)", "Add", 288, 0),
        ("Add(x, p)", "Add", 288, 36),
        ("Mul(x, one)", "Mul", 288, 0),
        ("Mul(x, one1)", "Mul", 288, 4),
        # what moves elements, or compares them for free, costs nothing
        ("Concat <axis = 1> (x, z)", "Concat", 0, 0),
        ("Transpose(x)", "Transpose", 0, 0),
        ("mine.Thing(x, w)", "mine::Thing", 0, 288),
    ],
)  # fmt: skip
def test_costs_of_an_operator(
    call: str,
    op: str,
    macs: int,
    parameters: int,
    costs: Callable[..., list[tuple[str, int, int]]],
) -> None:
    header = MAP.replace(
        "<", "<float[4] c2, float[4] m, float[4] v, float[4,6,6] l, float[1] slope, ", 1
    )
    assert costs(f"{header} {{ y = {call} }}") == [(op, macs, parameters)]


@pytest.mark.parametrize(
    ("call", "macs"),
    [
        ("MatMul(x, w)", 2 * 5 * 8 * 16),
        ("MatMul(x, v)", 2 * 5 * 8),
        ("MatMul(u, x)", 3 * 5 * 2 * 8),  # u (3, 5) stands first: Gemm(x, u)
        ("Gemm(r, w, b)", 7 * 8 * 16),
        ("Gemm <transB = 1> (r, t, b)", 7 * 8 * 16),
        ('Einsum <equation = "nij,jk->nik"> (x, w)', 2 * 5 * 8 * 16),
    ],
)
def test_a_product_with_a_constant_counts_each_multiplication_once(
    call: str, macs: int, costs: Callable[..., list[tuple[str, int, int]]]
) -> None:
    text = f"""(float[2,5,8] x, float[7,8] r) => (y) <float[8,16] w, float[16,8] t, float[16] b,
        float[8] v, float[3,5] u> {{ y = {call} }}"""
    ((op, found, _),) = costs(text)
    assert (op, found) == ("Gemm", macs)


def test_a_product_of_two_computed_tensors(
    costs: Callable[..., list[tuple[str, int, int]]],
) -> None:
    text = "(float[2,3,5,8] x, float[2,3,8,7] z) => (y) { y = MatMul(x, z) }"
    assert costs(text) == [("MatMul", 2 * 3 * 5 * 7 * 8, 0)]


@pytest.mark.parametrize(
    ("text", "macs"),
    [
        ("(float[4,8] a, float[8,16] b) => (y) { y = Gemm(a, b) }", 4 * 8 * 16),
        ("(float[8,4] a, float[8,16] b) => (y) { y = Gemm <transA = 1> (a, b) }", 4 * 8 * 16),
        ("(float[4,8] a, float[16,8] b) => (y) { y = Gemm <transB = 1> (a, b) }", 4 * 8 * 16),
        ("(float[8] a, float[3,8,16] b) => (y) { y = MatMul(a, b) }", 3 * 8 * 16),
        ("(float[3,4,8] a, float[8] b) => (y) { y = MatMul(a, b) }", 3 * 4 * 8),
        ("(float[5,1,4,8] a, float[3,8,16] b) => (y) { y = MatMul(a, b) }", 5 * 3 * 4 * 8 * 16),
    ],
)
def test_a_product_counts_the_same_whichever_way_its_operands_lie(
    text: str, macs: int, costs: Callable[..., list[tuple[str, int, int]]]
) -> None:
    assert costs(text) == [("MatMul", macs, 0)]


@pytest.mark.parametrize("shapes", [((4, 0), (0, 16), (4, 16)), ((0, 8), (8, 16), (0, 16))])
@pytest.mark.parametrize("op", ["MatMul", "Gemm"])
def test_a_product_of_nothing_costs_nothing(op: str, shapes: tuple[tuple[int, ...], ...]) -> None:
    tensors = {name: Tensor(1, shape) for name, shape in zip("xwy", shapes, strict=True)}
    node = Operator(op, ("x", "w"), ("y",))
    assert macs(node, OperatorGraph((node,), ("x", "w"), ("y",), tensors)) == 0


@pytest.mark.parametrize(("op", "gates"), [("LSTM", 4), ("GRU", 3), ("RNN", 1)])
def test_a_recurrent_layer_counts_both_products_of_every_step(
    op: str, gates: int, costs: Callable[..., list[tuple[str, int, int]]]
) -> None:
    n = gates * 6
    text = f"""(float[10,2,8] x) => (y) <float[1,{n},8] w, float[1,{n},6] r, float[1,{2 * n}] b> {{
        y = {op} <hidden_size = 6> (x, w, r, b)
    }}"""
    assert costs(text) == [(op, 10 * 2 * n * (8 + 6), n * (8 + 6 + 2))]


def test_the_state_that_a_recurrent_layer_starts_from_is_no_parameter(
    costs: Callable[..., list[tuple[str, int, int]]],
) -> None:
    text = """(float[10,2,8] x) => (y) <float[1,24,8] w, float[1,24,6] r, float[1,2,6] h,
        int32[2] lengths> { y = LSTM <hidden_size = 6> (x, w, r, , lengths, h, h) }"""
    assert costs(text) == [("LSTM", 10 * 2 * 24 * 14, 24 * 14)]


@pytest.mark.parametrize(
    ("q", "k", "v", "macs"),
    [
        ("1,2,5,8", "1,2,7,8", "1,2,7,4", 2 * 5 * 7 * 8 + 2 * 5 * 7 * 4),
        ("1,5,16", "1,7,16", "1,7,8", 5 * 7 * 16 + 5 * 7 * 8),
    ],
)
def test_attention_counts_both_of_its_products(
    q: str, k: str, v: str, macs: int, costs: Callable[..., list[tuple[str, int, int]]]
) -> None:
    text = f"(float[{q}] q, float[{k}] k, float[{v}] v) => (y) {{ y = Attention(q, k, v) }}"
    assert costs(text, 23) == [("Attention", macs, 0)]


def test_a_stored_tensor_counts_once_where_it_comes_first(
    costs: Callable[..., list[tuple[str, int, int]]],
) -> None:
    text = """(float[4,8] x) => (y) <float[8,8] w, float[8] b> {
        s = Gemm(x, w, b)  t = Gemm(s, w, b)  y = Gemm(t, w)
    }"""
    assert [parameters for _, _, parameters in costs(text)] == [64 + 8, 0, 0]


def test_an_embedding_counts_its_table_and_not_its_indices(
    costs: Callable[..., list[tuple[str, int, int]]],
) -> None:
    table = "(int64[1,16] i) => (y) <{}[100,8] t> {{ y = Gather(t, i) }}"
    assert costs(table.format("float")) == [("Gather", 0, 800)]
    assert costs(table.format("int8")) == [("Gather", 0, 800)]
    assert costs(table.format("int64")) == [("Gather", 0, 0)]
    fixed = "(float[100,8] t) => (y) <int64[5] i> { y = Gather(t, i) }"
    assert costs(fixed) == [("Gather", 0, 0)]


@pytest.mark.parametrize("kind", ["int8", "uint8", "int4", "float16", "bfloat16", "double"])
def test_weights_of_any_type_count(
    kind: str, costs: Callable[..., list[tuple[str, int, int]]]
) -> None:
    header = f"(float[4,8] x) => (y) <{kind}[8,16] w, int32[16] b>"
    assert costs(f"{header} {{ y = Gemm(x, w, b) }}") == [("Gemm", 4 * 8 * 16, 128 + 16)]


def test_a_single_number_is_a_parameter_of_a_weighted_layer_only(
    costs: Callable[..., list[tuple[str, int, int]]],
) -> None:
    text = """(float[1,1,6,6] x) => (y) <float[1,1,1,1] w, float[1] b, float[1] s> {
        c = Conv(x, w, b)  y = Mul(c, s)
    }"""
    assert costs(text) == [("Conv", 36, 2), ("Mul", 36, 0)]


@pytest.mark.parametrize(
    "call",
    ["Conv(n, w)", "ConvTranspose(n, t)", "MatMul(n, n)", "Conv(x, n)", "Gemm(n, m)", "Softmax(n)",
     "LSTM(n, l, l)", "AveragePool <kernel_shape = [3, 3]> (n)", "ReduceMean(n)", "Relu(n)"],
)  # fmt: skip
def test_what_is_unknown_costs_nothing(
    call: str, costs: Callable[..., list[tuple[str, int, int]]]
) -> None:
    header = MAP.replace("<", "<float[8,8] m, float[1,8,8] l, ", 1)
    found = costs(f"{header} {{ n = mine.Thing(x)  y = {call} }}")
    assert [macs for _, macs, _ in found] == [0, 0]
