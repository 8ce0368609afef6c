from __future__ import annotations

from collections.abc import Callable

import pytest

from assay.graphs import layer_graph
from assay.graphs.operators import OperatorGraph
from assay.graphs.recognize_pooling import MOST_STEPS, recognize_pooling

After = Callable[..., str]
# A map of 8 channels, 6 by 6, is pooled to 4 by 4: windows of up to 3 by 3, cut by a mask.
HEADER = """(float[1,8,6,6] x, float[3,3,1,8] z) => (y)
    <int64[4,3,4,3,2] places, bool[4,3,4,3,1,1] mask, float zero = {0}, float[4,4,1,1] counts,
     int64[2] windows = {1, 3}, int64[2] inner = {1, 2}>"""
GATHER = "t = Transpose <perm = [2, 3, 0, 1]> (x)  g = GatherND(t, places)"
MEAN = """w = Where(mask, g, zero)  s = ReduceSum <keepdims = 0> (w, windows)
    d = Div(s, counts)  y = Transpose <perm = [2, 3, 0, 1]> (d)"""
POOLED = "AveragePool<kernel_shape=(3,3)>(x)"


@pytest.mark.parametrize(
    "body",
    [
        f"{GATHER} {MEAN}",
        # the mean is taken along one axis after the other
        f"""{GATHER} w = Where(mask, g, zero)  a = ReduceSum <keepdims = 0> (w, windows)
            b = Mul(a, counts)  c = Add(b, counts)  y = Transpose <perm = [2, 3, 0, 1]> (c)""",
        # two ways meet again
        f"""{GATHER} w = Where(mask, g, zero)  v = Sub(g, w)  u = Add(v, w)
            s = ReduceSum <keepdims = 0> (u, windows)  y = Transpose <perm = [2, 3, 0, 1]> (s)""",
        f"""{GATHER} w = Mul(g, g)  s = ReduceMean <keepdims = 0> (w, windows)
            y = Transpose <perm = [2, 3, 0, 1]> (s)""",
    ],
)
def test_rule_1_adaptive_pooling(body: str, after: After) -> None:
    assert after(recognize_pooling, f"{HEADER} {{ {body} }}") == POOLED


def test_rule_1_the_map_may_lie_as_it_is_gathered(after: After) -> None:
    text = """(float[6,6,4,4] x) => (y) <int64[4,3,4,3,2] places, int64[2] windows = {1, 3},
        int64[4] back = {6, 6, 4, 4}> {
        g = GatherND(x, places)  y = ReduceMean <keepdims = 0> (g, windows)
    }"""
    assert after(recognize_pooling, text) == after(text)  # (4, 4, 4, 4) is no map of 6 images
    turned = text.replace("float[6,6,4,4] x", "float[4,4,6,6] x")
    assert after(recognize_pooling, turned) == POOLED


@pytest.mark.parametrize(
    ("header", "body"),
    [
        # something else reads what lies between, or it is an output
        (HEADER.replace("(y)", "(y, o)"), f"{GATHER} {MEAN}  o = Neg(w)"),
        (HEADER.replace("(y)", "(y, o)"), f"{GATHER} {MEAN}  o = Add(g, w)"),
        (HEADER.replace("(y)", "(y, w)"), f"{GATHER} {MEAN}"),
        (HEADER.replace("(y)", "(y, g)"), f"{GATHER} {MEAN}"),
        # something else comes in
        (HEADER, f"{GATHER} {MEAN.replace('Div(s, counts)', 'Div(s, z2)')}"),
        # an operator that no pooling has
        (HEADER, f"{GATHER} n = Tanh(g)  {MEAN.replace('g, zero', 'n, zero')}"),
        # the places are computed, or are not places of windows
        (HEADER.replace("int64[4,3,4,3,2] places, ", "").replace(
            "(float[1", "(int64[4,3,4,3,2] places, float[1"), f"{GATHER} {MEAN}"),
        (HEADER.replace("int64[4,3,4,3,2]", "int64[3,4,3,2]"), f"{GATHER} y = Neg(g)"),
        # no map comes out of it
        (HEADER, f"{GATHER} w = Where(mask, g, zero)  y = ReduceSum(w, windows)"),
    ],
)  # fmt: skip
def test_something_like_it_stays(header: str, body: str, after: After) -> None:
    text = f"{header.replace('(float[1', '(float[4,4,1,8] z2, float[1')} {{ {body} }}"
    assert after(recognize_pooling, text) == after(text)


def test_longer_ways_than_the_limit_are_something_else(after: After) -> None:
    for steps, recognized in ((MOST_STEPS - 3, True), (MOST_STEPS - 2, False)):
        adds = "  ".join(f"a{i + 1} = Add(a{i}, zero)" for i in range(steps))
        body = f"""{GATHER} a0 = Where(mask, g, zero)  {adds}
            s = ReduceSum <keepdims = 0> (a{steps}, windows)
            y = Transpose <perm = [2, 3, 0, 1]> (s)"""
        found = after(recognize_pooling, f"{HEADER} {{ {body} }}")
        assert (found == POOLED) == recognized


def test_the_pooling_keeps_its_shape_and_costs_what_its_windows_do(
    graph: Callable[..., OperatorGraph],
) -> None:
    (layer,) = layer_graph(graph(f"{HEADER} {{ {GATHER} {MEAN} }}")).layers
    assert (layer.op, layer.shape, layer.macs) == ("AveragePool", (1, 8, 4, 4), 8 * 16 * 9)


def test_a_graph_without_a_gather_is_left_as_it_is(
    typed: Callable[..., OperatorGraph],
) -> None:
    plain = typed("(float[8] x) => (y) { y = Abs(x) }")
    assert recognize_pooling(plain) is plain
