from __future__ import annotations

from collections.abc import Callable

import pytest

from assay.graphs.drop_identities import drop_identities

After = Callable[..., str]
MAP = "(float[1,8,6,6] x) => (y) <float[8,8,3,3] w>"


@pytest.mark.parametrize(
    "body",
    [
        # 1
        "i = Identity(x)  y = Relu(i)",
        "i = Dropout(x)  y = Relu(i)",
        "i, mask = Dropout(x)  y = Relu(i)",
        "i = Cast <to = 10> (x)  y = Relu(i)",
        "i = Cast <to = 11> (x)  y = Relu(i)",
        "no = Constant <value = bool[1] {0}> ()  i = Dropout(x, , no)  y = Relu(i)",
        "like = Constant <value = float16[1] {1}> ()  i = CastLike(x, like)  y = Relu(i)",
        "a = Identity(x)  b = Cast <to = 1> (a)  c = Dropout(b)  y = Relu(c)",
        # 2
        "s = Constant <value_ints = [1, 8, 6, 6]> ()  i = Reshape(x, s)  y = Relu(i)",
        "s = Constant <value_ints = [0, -1, 6, 6]> ()  i = Reshape(x, s)  y = Relu(i)",
        "s = Constant <value_ints = [1, 8, 1, 6]> ()  i = Expand(x, s)  y = Relu(i)",
        "i = Transpose <perm = [0, 1, 2, 3]> (x)  y = Relu(i)",
        "s = Constant <value_ints = [0]> ()  e = Constant <value_ints = [99]> ()"
        "  a = Constant <value_ints = [2]> ()  i = Slice(x, s, e, a)  y = Relu(i)",
        "p = Constant <value_ints = [0, 0, 0, 0, 0, 0, 0, 0]> ()  i = Pad(x, p)  y = Relu(i)",
        "r = Constant <value_ints = [1, 1, 1, 1]> ()  i = Tile(x, r)  y = Relu(i)",
        "s = Constant <value_floats = [1.0, 1.0, 1.0, 1.0]> ()  i = Resize(x, , s)  y = Relu(i)",
        # 3
        "i = MaxPool <kernel_shape = [1, 1]> (x)  y = Relu(i)",
        "i = AveragePool <kernel_shape = [1, 1], strides = [1, 1]> (x)  y = Relu(i)",
        # 5
        "i = Concat <axis = 1> (x)  y = Relu(i)",
        *(f"i = {op}(x)  y = Relu(i)" for op in ("Sum", "Mean", "Max", "Min")),
    ],
)
def test_what_changes_nothing_is_dropped(body: str, after: After) -> None:
    assert after(drop_identities, f"{MAP} {{ {body} }}") == "Relu(x)"


@pytest.mark.parametrize(
    "body",
    [
        "s = Constant <value_ints = [1, 8, 36]> ()  i = Reshape(x, s)  y = Relu(i)",
        "s = Constant <value_ints = [2, 8, 6, 6]> ()  i = Expand(x, s)  y = Relu(i)",
        "i = Transpose <perm = [0, 1, 3, 2]> (x)  y = Relu(i)",
        "s = Constant <value_ints = [-1]> ()  e = Constant <value_ints = [-99]> ()"
        "  a = Constant <value_ints = [2]> ()  t = Constant <value_ints = [-1]> ()"
        "  i = Slice(x, s, e, a, t)  y = Relu(i)",
        "p = Constant <value_ints = [0, 0, 1, 0, 0, 0, -1, 0]> ()  i = Pad(x, p)  y = Relu(i)",
        "p = Constant <value_ints = [0, 0, 1, 1, 0, 0, 1, 1]> ()  i = Pad(x, p)  y = Relu(i)",
        "i = MaxPool <kernel_shape = [1, 1], strides = [2, 2]> (x)  y = Relu(i)",
        "i = MaxPool <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (x)  y = Relu(i)",
        "i = Cast <to = 7> (x)  y = Relu(i)",
        "i = Cast <to = 9> (x)  y = Relu(i)",
        "yes = Constant <value = bool {1}> ()  i = Dropout(x, , yes)  y = Relu(i)",
        "i = Concat <axis = 1> (x, x)  y = Relu(i)",
        "i = Sum(x, x)  y = Relu(i)",
        "i = Relu(x)  y = Relu(i)",
    ],
)
def test_what_changes_something_stays(body: str, after: After) -> None:
    text = f"{MAP} {{ {body} }}"
    assert after(drop_identities, text) == after(text) != "Relu(x)"


@pytest.mark.parametrize("kind", ["int64", "int32", "bool"])
def test_a_cast_of_integers_loses_nothing(kind: str, after: After) -> None:
    text = f"({kind}[8] x) => (y) {{ i = Cast <to = 1> (x)  y = Relu(i) }}"
    assert after(drop_identities, text) == "Relu(x)"


def test_axes_of_length_one_may_change_places(after: After) -> None:
    text = "(float[1,8,1,1] x) => (y) {{ i = Transpose <perm = {}> (x)  y = Relu(i) }}"
    assert after(drop_identities, text.format([2, 1, 0, 3])) == "Relu(x)"
    assert after(drop_identities, text.format([0, 2, 3, 1])) != "Relu(x)"


def test_a_transpose_without_an_order_turns_all_axes_round(after: After) -> None:
    kept = after(drop_identities, "(float[2,2] x) => (y) { i = Transpose(x)  y = Relu(i) }")
    assert kept == "Relu(Transpose(x))"


def test_an_unknown_shape_says_nothing_about_a_reshape(after: After) -> None:
    text = """(float[1,8,6,6] x, int64[4] s) => (y) {
        a = Reshape(x, s)  b = Reshape(a, s)  y = Relu(b)
    }"""
    assert after(drop_identities, text) == "Relu(Reshape(Reshape(x, s), s))"


def test_an_output_may_be_dropped_down_to_the_input(after: After) -> None:
    assert after(drop_identities, "(float[8] x) => (y) { y = Identity(x) }") == "x"


def test_a_mask_or_places_that_something_reads_keep_the_operator(after: After) -> None:
    masked = "(float[8] x) => (y) { i, mask = Dropout(x)  y = Where(mask, i, x) }"
    assert after(drop_identities, masked) == "Where(Dropout(x).1, Dropout(x), x)"
    output = "(float[8] x) => (i, mask) { i, mask = Dropout(x) }"
    assert after(drop_identities, output) == "Dropout(x); Dropout(x).1"


PAD = "p = Constant <value_ints = [0, 0, 1, 1, 0, 0, 1, 1]> ()  i = Pad{mode} (x, p)  {rest}"


@pytest.mark.parametrize(
    ("rest", "expected"),
    [
        ("y = Conv(i, w)", "Conv(x, w)"),
        ("y = MaxPool <kernel_shape = [2, 2]> (i)", "MaxPool<kernel_shape=(2,2)>(x)"),
        ("y = AveragePool <kernel_shape = [2, 2]> (i)", "AveragePool<kernel_shape=(2,2)>(x)"),
        (
            "c = Conv(i, w)  d = MaxPool <kernel_shape = [3, 3]> (i)  y = Add(c, d)",
            "Add(Conv(x, w), MaxPool<kernel_shape=(3,3)>(x))",
        ),
        # Something that cannot pad reads it as well, or alone.
        ("c = Conv(i, w)  d = Conv(c, w)  e = Relu(i)  y = Concat <axis = 0> (d, e)", None),
        ("y = Relu(i)", None),
        ("y = ConvTranspose(i, w)", None),
    ],
)
def test_rule_4_a_pad_belongs_to_the_windows_behind_it(
    rest: str, expected: str | None, after: After
) -> None:
    text = f"{MAP} {{ {PAD.format(mode='', rest=rest)} }}"
    found = after(drop_identities, text)
    assert found == (expected or after(text))


@pytest.mark.parametrize("mode", ["reflect", "edge", "wrap"])
def test_rule_4_a_pad_with_what_is_there_stays(mode: str, after: After) -> None:
    pad = PAD.format(mode=f' <mode = "{mode}">', rest="y = Conv(i, w)")
    text = f"{MAP} {{ {pad} }}"
    assert after(drop_identities, text) == f"Conv(Pad<mode={mode}>(x, p), w)"
    constant = text.replace(mode, "constant")
    assert after(drop_identities, constant) == "Conv(x, w)"


@pytest.mark.parametrize(
    "pad",
    [
        "p = Constant <value_ints = [0, 1, 1, 1, 0, 0, 1, 1]> ()  i = Pad(x, p)",
        "p = Constant <value_ints = [0, 0, 1, 1, 1, 0, 1, 1]> ()  i = Pad(x, p)",
        "p = Constant <value_ints = [0, 0, 1, 1, 0, 0, 1, 1]> ()"
        "  v = Constant <value_float = 1.0> ()  i = Pad(x, p, v)",
        "p = Constant <value_ints = [1, 1]> ()  a = Constant <value_ints = [0]> ()"
        "  i = Pad(x, p, , a)",
    ],
)
def test_rule_4_no_window_pads_so(pad: str, after: After) -> None:
    text = f"{MAP} {{ {pad}  y = MaxPool <kernel_shape = [2, 2]> (i) }}"
    assert after(drop_identities, text) == after(text)


def test_rule_4_a_pad_with_a_zero_that_is_written_out(after: After) -> None:
    pad = PAD.format(mode="", rest="y = Conv(i, w)").replace("(x, p)", "(x, p, z)")
    text = f"{MAP} {{ z = Constant <value_float = 0.0> ()  {pad} }}"
    assert after(drop_identities, text) == "Conv(x, w)"


def test_rule_4_a_pad_that_is_an_output_or_a_kernel_stays(after: After) -> None:
    output = f"{MAP.replace('(y)', '(y, i)')} {{ {PAD.format(mode='', rest='y = Conv(i, w)')} }}"
    assert after(drop_identities, output) == "Conv(Pad(x, p), w); Pad(x, p)"
    kernel = """(float[8,8,1,1] x, float[1,8,9,9] z) => (y) {
        p = Constant <value_ints = [0, 0, 1, 1, 0, 0, 1, 1]> ()  i = Pad(x, p)  y = Conv(z, i)
    }"""
    assert after(drop_identities, kernel) == "Conv(z, Pad(x, p))"


def test_rule_6_what_is_empty_is_no_part_of_a_concat(after: After) -> None:
    empty = (
        "s = Constant <value_ints = [6]> ()  e = Constant <value_ints = [99]> ()"
        "  a = Constant <value_ints = [3]> ()  n = Slice(x, s, e, a)"
    )
    one = f"{MAP} {{ {empty}  c = Concat <axis = 3> (x, n)  y = Relu(c) }}"
    assert after(drop_identities, one) == "Relu(x)"
    two = f"{MAP} {{ {empty}  b = Neg(x)  c = Concat <axis = -1> (n, x, n, b)  y = Relu(c) }}"
    assert after(drop_identities, two) == "Relu(Concat<axis=-1>(x, Neg(x)))"
    none = f"{MAP} {{ {empty}  c = Concat <axis = 3> (n, n)  y = Relu(c) }}"
    assert "Concat" in after(drop_identities, none)
