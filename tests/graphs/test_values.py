"""Values of small tensors; onnx's reference implementation is the judge."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from onnx import ModelProto
from onnx.reference import ReferenceEvaluator

from assay.graphs.operators import MOST_VALUES, Operator, OperatorGraph, Tensor
from assay.graphs.shapes import fold_shapes

Read = Callable[..., OperatorGraph]
STORED = """<int64[4] i = {2, 3, -1, 7}, int64[4] j = {5, -2, 3, 2}, int64[2,3] m = {1, 2, 3, 4,
    5, 6},
    float[4] f = {0.5, 1.5, -2.25, 4}, float[4] h = {2, 1, 3, 0.5}, bool[4] t = {1, 0, 1, 0},
    bool[4] u = {1, 1, 0, 0}, int64[1] one = {1}, int64[1] zero = {0}, int64[1] neg = {-1},
    int64[2] both = {0, 1}, int64[2] s32 = {3, 2}, int64[2] rest = {0, -1}, int64[1] far = {-99},
    int64[1] two = {2}, int64[1] three = {3}, int64 n0 = {0}, int64 n9 = {9}, int64 n2 = {2},
    int64 n3 = {3}, int64 nm4 = {-4}, int64[2] reps = {2, 1}, int64[3] s213 = {2, 1, 3},
    int64[3] s214 = {2, 1, 4},
    int64[2] parts = {1, 2}, float[1] fone = {1.5}, float fzero = {0}>"""


@pytest.mark.parametrize(
    "call",
    [
        "Identity(i)",
        "Reshape(m, s32)",
        "Reshape(m, rest)",
        "Squeeze(one)",
        "Squeeze(one, zero)",
        "Unsqueeze(i, zero)",
        "Unsqueeze(i, both)",
        "Slice(i, one, three)",
        "Slice(i, neg, far, zero, neg)",
        "Slice(i, three, zero, zero, neg)",
        "Slice(m, zero, two, one)",
        "Slice(i, zero, far)",
        "Gather(i, both)",
        "Gather <axis = 1> (m, neg)",
        "Gather(m, n0)",
        "Cast <to = 1> (i)",
        "Cast <to = 7> (f)",
        "Cast <to = 9> (i)",
        "Cast <to = 6> (t)",
        "Concat <axis = 0> (i, j)",
        "Concat <axis = -1> (m, m)",
        "Transpose(m)",
        "Transpose <perm = [0, 1]> (m)",
        "Expand(i, s214)",
        "Expand(one, s213)",
        "Expand(fone, s213)",
        "Tile(m, reps)",
        "Range(n0, n9, n2)",
        "Range(n9, n0, nm4)",
        "Where(t, i, j)",
        "Clip(i, n0)",
        "Clip(i, nm4, n2)",
        'Clip(i, "", n2)',
        "Clip(f, fzero)",
        "Add(i, j)",
        "Add(m, n2)",
        "Sub(i, j)",
        "Mul(f, h)",
        "Div(i, j)",
        "Div(j, i)",
        "Div(f, h)",
        "Mod(i, j)",
        "Mod(j, i)",
        "Pow(j, n2)",
        "Pow(f, n2)",
        "Neg(i)",
        "Abs(f)",
        "Sign(f)",
        "Floor(f)",
        "Ceil(f)",
        "Round(f)",
        "Sqrt(h)",
        "Exp(f)",
        "Log(h)",
        "Reciprocal(f)",
        "Not(t)",
        "And(t, u)",
        "Or(t, u)",
        "Equal(i, j)",
        "Less(i, j)",
        "LessOrEqual(i, i)",
        "Greater(f, h)",
        "GreaterOrEqual(h, f)",
        "Min(i, j)",
        "Min(i, j, n2)",
        "Max(i, j)",
        "Sum(f, h, f)",
        "ReduceProd(j, zero)",
        "ReduceProd <keepdims = 0> (j, zero)",
        "ReduceSum(m, one)",
        "ReduceSum(m)",
        "ReduceMax(m, zero)",
        "ReduceMin <keepdims = 0> (m, one)",
        "ReduceMin(m, both)",
        "Shape(m)",
        "Shape <start = -1> (m)",
        "Shape <start = 0, end = 1> (m)",
        "Size(m)",
        "ConstantOfShape <value = int64[1] {7}> (s32)",
        "ConstantOfShape <value = bool[1] {1}> (s32)",
        "Constant <value_int = 3> ()",
        "Constant <value_ints = [3, 4]> ()",
        "Constant <value_float = 0.5> ()",
        "Constant <value_floats = [0.5, 1.5]> ()",
        "Constant <value = float[2] {0.5, 2}> ()",
    ],
)
def test_a_folded_value_is_what_the_operator_computes(
    call: str, proto: Callable[..., ModelProto], typed: Read
) -> None:
    text = f"() => (y) {STORED} {{ y = {call} }}"
    (expected,) = ReferenceEvaluator(proto(text)).run(None, {})
    found = typed(text).tensor("y")
    assert found.constant
    assert found.value is not None
    assert found.shape == found.value.shape
    np.testing.assert_allclose(found.value, expected, rtol=1e-6)
    assert found.value.dtype.kind == np.asarray(expected).dtype.kind


@pytest.mark.parametrize(
    ("call", "count"), [("Split(i, parts3)", 3), ("Split <num_outputs = 3> (i)", 3)]
)
def test_each_part_of_a_split_is_computed(
    call: str, count: int, proto: Callable[..., ModelProto], typed: Read
) -> None:
    stored = STORED.replace("<", "<int64[3] parts3 = {1, 1, 2}, ", 1)
    text = f"() => (a, b, c) {stored} {{ a, b, c = {call} }}"
    expected = ReferenceEvaluator(proto(text)).run(None, {})
    found = [typed(text).tensor(name).value for name in "abc"]
    assert len(found) == count
    for value, wanted in zip(found, expected, strict=True):
        np.testing.assert_array_equal(value, wanted)


@pytest.mark.parametrize(
    ("opset", "call"),
    [
        (9, "Slice <starts = [1], ends = [3]> (i)"),
        (9, "Slice <starts = [0, 1], ends = [1, 3], axes = [0, 1]> (m)"),
        (9, "Unsqueeze <axes = [0]> (i)"),
        (9, "Squeeze <axes = [0]> (one)"),
        (9, "ReduceSum <axes = [1], keepdims = 0> (m)"),
        (9, "Clip <min = 0.0> (f)"),
        (9, "Clip <min = 0.0, max = 1.0> (f)"),
    ],
)
def test_older_versions_of_an_operator(
    opset: int, call: str, proto: Callable[..., ModelProto], typed: Read
) -> None:
    text = f"() => (y) {STORED} {{ y = {call} }}"
    (expected,) = ReferenceEvaluator(proto(text, opset=opset)).run(None, {})
    np.testing.assert_array_equal(typed(text, opset=opset).tensor("y").value, expected)


LARGE = f"""int64[1] many = {{2000}}, int64[2] wide = {{500, 4}}, int64 n9999 = {{9999}},
    int64 n1 = {{1}}, int64 lowest = {{-9000000000000000000}},
    int64 highest = {{9000000000000000000}},
    int64 huge = {{1000000000000}}, float[4] nowhere, int64[1] s1 = {{{MOST_VALUES}}},
    int64[2] s2 = {{40, 1}}, int64[2] s3 = {{1, 40}}, int64[2] s4 = {{2, 512}},
        int64[1] s5 = {{8}}"""
FILLED = "  ".join(
    f"{name} = ConstantOfShape <value = int64[1] {{0}}> (s{place})"
    for place, name in enumerate(("big", "col", "row", "table", "eight"), start=1)
)


@pytest.mark.parametrize(
    "call",
    [
        # too many elements: before they are computed
        "Tile(i, many)",
        "Concat <axis = 0> (big, big)",
        "Expand(i, wide)",
        "ConstantOfShape <value = int64[1] {7}> (many)",
        "Range(n0, n9999, n1)",
        "Range(lowest, highest, huge)",
        "Add(col, row)",
        "Gather(table, eight)",
        # a float that is filled in stands for weights that were taken out of the file
        "ConstantOfShape <value = float[1] {0}> (s32)",
        "ConstantOfShape(s32)",
        "Neg(nowhere)",
        # operands that ONNX does not allow
        "Reshape(i, s32)",
        "Gather(i, n9999)",
        "Concat <axis = 7> (i, i)",
        "Squeeze(i, zero)",
        "Range(n0, n9, n0)",
        "Transpose <perm = [3, 0]> (i)",
        "Cast <to = 8> (i)",
        "Pow(i, nm4)",
        "Add(i, s32)",
        "Tile(i, s32)",
        "Slice(i, zero, one, both)",
        "Slice(i, zero, one, zero, zero)",
        "Unsqueeze(i, far)",
        'Constant <value_string = "word"> ()',
    ],
)
def test_what_is_too_large_or_not_allowed_has_no_value(call: str, typed: Read) -> None:
    stored = STORED.replace("<", f"<{LARGE}, ", 1)
    text = f"() => (y) {stored} {{ {FILLED}  y = {call} }}"
    assert typed(text).tensor("y").value is None


def test_the_large_operands_of_the_test_above_are_known(typed: Read) -> None:
    stored = STORED.replace("<", f"<{LARGE}, ", 1)
    graph = typed(f"() => (big, col, row, table, eight) {stored} {{ {FILLED} }}")
    for name in graph.outputs:
        assert graph.tensor(name).value is not None


def test_the_limit_is_on_elements_not_on_operands(typed: Read) -> None:
    sizes = f"int64[1] fits = {{{MOST_VALUES}}}, int64[1] over = {{{MOST_VALUES + 1}}}"
    known = typed(
        f"() => (a, b) <int64[1] x = {{1}}, {sizes}> {{ a = Tile(x, fits)  b = Tile(x, over) }}"
    )
    assert known.tensor("a").size == MOST_VALUES
    assert known.tensor("a").value is not None
    assert known.tensor("b").size == MOST_VALUES + 1
    assert known.tensor("b").value is None


def test_one_number_repeated_is_known_at_any_usual_size(typed: Read) -> None:
    text = "() => (y) <float[1] z = {{0}}, int64[1] n = {{{}}}> {{ y = Expand(z, n) }}"
    value = typed(text.format(2**20)).tensor("y").value
    assert value is not None
    assert value.strides == (0,)
    assert typed(text.format(2**20 + 1)).tensor("y").value is None


@pytest.mark.parametrize("op", ["Shape", "Size"])
def test_a_shape_past_what_an_integer_holds_has_no_value(op: str) -> None:
    graph = OperatorGraph(
        (Operator(op, ("x",), ("y",)),), ("x",), ("y",), {"x": Tensor(1, (2**40, 2**40))}
    )
    assert fold_shapes(graph).tensor("y").value is None
