from __future__ import annotations

from collections.abc import Callable

import pytest

from assay.graphs.join_moves import MOST_INPUTS, join_moves
from assay.graphs.spell_alike import spell_alike

After = Callable[..., str]
HEADER = "(float[1,2,6,6] a, float[1,3,6,6] b, float[1,4,6,6] c) => (y)"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("i = Concat <axis = 1> (a, b)  y = Concat <axis = 1> (i, c)", "Concat<axis=1>(a, b, c)"),
        ("i = Concat <axis = 1> (b, c)  y = Concat <axis = 1> (a, i)", "Concat<axis=1>(a, b, c)"),
        ("i = Concat <axis = -3> (a, b)  y = Concat <axis = 1> (i, c)", "Concat<axis=1>(a, b, c)"),
        (
            "i = Concat <axis = 1> (a, b)  j = Concat <axis = 1> (i, c)"
            "  y = Concat <axis = 1> (j, i)",
            "Concat<axis=1>(a, b, c, a, b)",
        ),
        # along another axis
        (
            "i = Concat <axis = 2> (a, a)  y = Concat <axis = 0> (i, i)",
            "Concat<axis=0>(Concat<axis=2>(a, a), Concat<axis=2>(a, a))",
        ),
        # something between
        (
            "i = Concat <axis = 1> (a, b)  r = Relu(i)  y = Concat <axis = 1> (r, c)",
            "Concat<axis=1>(Relu(Concat<axis=1>(a, b)), c)",
        ),
    ],
)
def test_rule_1_concatenations(body: str, expected: str, after: After) -> None:
    assert after(join_moves, f"{HEADER} {{ {body} }}") == expected


def test_rule_1_also_where_the_inner_one_has_other_readers(after: After) -> None:
    text = f"""{HEADER.replace("(y)", "(y, r)")} {{
        i = Concat <axis = 1> (a, b)  r = Relu(i)  y = Concat <axis = 1> (i, c)
    }}"""
    assert after(join_moves, text) == "Concat<axis=1>(a, b, c); Relu(Concat<axis=1>(a, b))"


@pytest.mark.parametrize(("axis", "joined"), [(1, True), (2, False), (-3, False)])
def test_rule_1_an_unknown_rank_joins_equal_axes_only(
    axis: int, joined: bool, after: After
) -> None:
    text = f"""(float[1,2,6,6] a) => (y) {{
        n = mine.Thing(a)  i = Concat <axis = 1> (n, n)  y = Concat <axis = {axis}> (i, n)
    }}"""
    n = "mine::Thing(a)"
    flat, nested = f"{n}, {n}, {n}", f"Concat<axis=1>({n}, {n}), {n}"
    assert after(join_moves, text) == f"Concat<axis={axis}>({flat if joined else nested})"


def test_rule_1_stops_where_a_concatenation_would_be_too_long(after: After) -> None:
    def nested(width: int) -> str:
        inner, outer = ", ".join(["a"] * (width - 1)), "i, a"
        return f"{HEADER} {{ i = Concat <axis = 1> ({inner})  y = Concat <axis = 1> ({outer}) }}"

    assert after(join_moves, nested(MOST_INPUTS)).count("Concat") == 1
    assert after(join_moves, nested(MOST_INPUTS + 1)).count("Concat") == 2


def test_rule_2_slices_of_slices(after: After) -> None:
    body = """i = Constant <value_int = 0> ()  s, t = Split <axis = 2, num_outputs = 2> (c)
        g = Gather <axis = 1> (s, i)  y = Relu(g)"""
    text = f"{HEADER} {{ {body} }}"
    assert after(spell_alike, text) == "Relu(Slice(Slice(c)))"
    assert after(spell_alike, join_moves, text) == "Relu(Slice(c))"
    between = text.replace(
        "g = Gather <axis = 1> (s, i)", "n = Neg(s)  g = Gather <axis = 1> (n, i)"
    )
    assert after(spell_alike, join_moves, between) == "Relu(Slice(Neg(Slice(c))))"


def test_rule_2_a_slice_with_other_readers_stays_for_them(after: After) -> None:
    text = f"""{HEADER.replace("(y)", "(y, s)")} {{
        i = Constant <value_int = 0> ()  s, t = Split <axis = 2, num_outputs = 2> (c)
        y = Gather <axis = 1> (s, i)
    }}"""
    assert after(spell_alike, join_moves, text) == "Slice(c); Slice(c)"
