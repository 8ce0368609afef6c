from __future__ import annotations

from collections.abc import Callable
from itertools import permutations

import pytest

from assay.graphs.recognize_activations import recognize_activations
from assay.graphs.spell_alike import spell_alike

After = Callable[..., str]
HEADER = """(float[1,8,6,6] x, float[1,8,6,6] z) => (y)
    <float half = {0.5}, float one = {1}, float two = {2}, float three = {3}, float six = {6},
     float sixth = {0.16666667}, float zero = {0}, float root = {1.4142135},
     float iroot = {0.70710677},
     float cube = {0.044715}, float pi = {0.7978846}, float tenth = {0.1}, float quick = {1.702},
     float h16 = {0.4999}, float[1,8,1,1] slopes, int64[1] last = {-1}, float neg = {-1}>"""


@pytest.fixture
def put_together(after: After) -> Callable[[str], str]:
    """Lines of a decomposed activation of x → what is recognized."""

    def run(body: str) -> str:
        return after(spell_alike, recognize_activations, f"{HEADER} {{ {body} }}")

    return run


def orders(*calls: str) -> list[str]:
    """Each line with its two operands in both orders: ``Mul(a, b)`` and ``Mul(b, a)``."""
    found = [""]
    for call in calls:
        name, _, rest = call.partition("(")
        operands = rest.rstrip(")").split(", ")
        turned = permutations(operands) if name.endswith(("Add", "Mul")) else [operands]
        found = [f"{before} {name}({', '.join(o)}) " for before in found for o in turned]
    return found


@pytest.mark.parametrize("body", orders("s = Sigmoid(x)", "y = Mul(x, s)"))
def test_swish(body: str, put_together: Callable[[str], str]) -> None:
    assert put_together(body) == "Swish(x)"


@pytest.mark.parametrize("body", orders("q = Mul(x, quick)", "s = Sigmoid(q)", "y = Mul(x, s)"))
def test_quick_gelu_is_a_steeper_swish(body: str, put_together: Callable[[str], str]) -> None:
    assert put_together(body) == "Swish<alpha=1.702>(x)"


@pytest.mark.parametrize(
    "body",
    [
        *orders("a = Add(x, three)", "c = Clip(a, zero, six)", "y = Mul(c, sixth)"),
        "a = Add(x, three)  c = Clip(a, zero, six)  y = Div(c, six)",
        "a = Add(x, three)  r = Relu(a)  c = Min(r, six)  y = Div(c, six)",
        "a = Add(x, three)  r = Min(a, six)  c = Max(r, zero)  y = Div(c, six)",
        "a = Mul(x, sixth)  b = Add(a, half)  y = Clip(b, zero, one)",
        "a = Div(x, six)  b = Add(a, half)  y = Clip(b, zero, one)",
    ],
)
def test_hard_sigmoid(body: str, put_together: Callable[[str], str]) -> None:
    assert put_together(body) == "HardSigmoid<alpha=0.166667>(x)"


@pytest.mark.parametrize(
    "body",
    [
        "s = HardSigmoid <alpha = 0.16666667, beta = 0.5> (x)  y = Mul(x, s)",
        "s = HardSigmoid <alpha = 0.16666667> (x)  y = Mul(s, x)",
        *orders(
            "a = Add(x, three)", "c = Clip(a, zero, six)", "d = Mul(c, sixth)", "y = Mul(x, d)"
        ),
        *orders("a = Add(x, three)", "c = Clip(a, zero, six)", "d = Mul(x, c)", "y = Div(d, six)"),
        "a = Add(x, three)  r = Relu(a)  c = Min(r, six)  d = Mul(x, c)  y = Div(d, six)",
    ],
)
def test_hard_swish(body: str, put_together: Callable[[str], str]) -> None:
    assert put_together(body) == "HardSwish(x)"


ERF = ("d = Mul(x, iroot)", "e = Erf(d)", "f = Add(e, one)")


@pytest.mark.parametrize(
    "body",
    [
        *orders(*ERF, "g = Mul(x, f)", "y = Mul(g, half)"),
        *orders(*ERF, "g = Mul(x, half)", "y = Mul(g, f)"),
        *orders(*ERF, "g = Mul(f, half)", "y = Mul(x, g)"),
        "d = Div(x, root)  e = Erf(d)  f = Add(e, one)  g = Mul(x, f)  y = Mul(g, half)",
        "d = Div(x, root)  e = Erf(d)  f = Add(e, one)  g = Mul(x, f)  y = Div(g, two)",
        "d = Div(x, root)  e = Erf(d)  f = Add(e, one)  g = Mul(x, f)  y = Mul(g, h16)",
    ],
)
def test_gelu_by_erf(body: str, put_together: Callable[[str], str]) -> None:
    assert put_together(body) == "Gelu(x)"


TANH = (
    "p = Pow(x, three)  k = Mul(p, cube)  s = Add(x, k)  i = Mul(s, pi)",
    "q = Mul(x, x)  p = Mul(q, x)  k = Mul(p, cube)  s = Add(x, k)  i = Mul(s, pi)",
    "q = Mul(x, x)  p = Mul(x, q)  k = Mul(cube, p)  s = Add(k, x)  i = Mul(pi, s)",
    "p = Pow(x, two)  q = Mul(p, x)  k = Mul(q, cube)  s = Add(x, k)  i = Mul(s, pi)",
    "a = Mul(x, pi)  k = Mul(x, cube)  q = Mul(k, x)  s = Add(q, one)  i = Mul(a, s)",
    "a = Mul(x, pi)  q = Mul(x, x)  k = Mul(q, cube)  s = Add(one, k)  i = Mul(a, s)",
)
HALVED = (
    "g = Mul(x, f)  y = Mul(g, half)",
    "g = Mul(x, half)  y = Mul(g, f)",
    "g = Mul(half, f)  y = Mul(g, x)",
)


@pytest.mark.parametrize("inner", TANH)
@pytest.mark.parametrize("halved", HALVED)
def test_gelu_by_tanh(inner: str, halved: str, put_together: Callable[[str], str]) -> None:
    body = f"{inner}  t = Tanh(i)  f = Add(t, one)  {halved}"
    assert put_together(body) == "Gelu<approximate=tanh>(x)"


@pytest.mark.parametrize("body", orders("e = Exp(x)", "a = Add(e, one)", "y = Log(a)"))
def test_softplus(body: str, put_together: Callable[[str], str]) -> None:
    assert put_together(body) == "Softplus(x)"


@pytest.mark.parametrize(
    "body",
    [
        *orders("s = Softplus(x)", "t = Tanh(s)", "y = Mul(x, t)"),
        *orders("e = Exp(x)", "a = Add(e, one)", "s = Log(a)", "t = Tanh(s)", "y = Mul(x, t)"),
    ],
)
def test_mish(body: str, put_together: Callable[[str], str]) -> None:
    assert put_together(body) == "Mish(x)"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("r = Relu(x)  y = Clip(r, zero, six)", "Clip<max=6, min=0>(x)"),
        ("r = Relu(x)  y = Min(r, six)", "Clip<max=6, min=0>(x)"),
        ("r = Min(x, six)  y = Relu(r)", "Clip<max=6, min=0>(x)"),
        ("r = Relu(x)  y = Clip(r, two, six)", "Clip<max=6, min=2>(x)"),
        ("r = Clip(x, neg, six)  y = Relu(r)", "Clip<max=6, min=0>(x)"),
        # Nothing is cut off above: no rule speaks of it.
        ("r = Relu(x)  y = Clip(r)", "Clip(Relu(x))"),
    ],
)
def test_bounds_are_joined(body: str, expected: str, put_together: Callable[[str], str]) -> None:
    assert put_together(body) == expected


@pytest.mark.parametrize(
    "body", ["m = Mul(x, tenth)  y = Max(x, m)", "m = Mul(tenth, x)  y = Max(m, x)"]
)
def test_leaky_relu(body: str, put_together: Callable[[str], str]) -> None:
    assert put_together(body) == "LeakyRelu<alpha=0.1>(x)"


@pytest.mark.parametrize(
    "body",
    [
        "r = Relu(x)  n = Neg(x)  s = Relu(n)  t = Neg(s)  m = Mul(t, slopes)  y = Add(r, m)",
        "r = Relu(x)  n = Neg(x)  s = Relu(n)  m = Mul(slopes, s)  y = Add(m, r)",
    ],
)
def test_prelu(body: str, put_together: Callable[[str], str]) -> None:
    assert put_together(body) == "PRelu(x, slopes)"


@pytest.mark.parametrize(
    "body",
    [
        "e = Exp(x)  t = ReduceSum(e, last)  y = Div(e, t)",
        "m = ReduceMax(x, last)  s = Sub(x, m)  e = Exp(s)  t = ReduceSum(e, last)  y = Div(e, t)",
    ],
)
def test_softmax(body: str, put_together: Callable[[str], str]) -> None:
    assert put_together(body) == "Softmax(x)"


@pytest.mark.parametrize(
    "body",
    [
        "s = Sigmoid(x)  y = Mul(z, s)",
        "q = Mul(z, quick)  s = Sigmoid(q)  y = Mul(x, s)",
        "q = Mul(x, slopes)  s = Sigmoid(q)  y = Mul(x, s)",
        "q = Mul(x, neg)  s = Sigmoid(q)  y = Mul(x, s)",
        "q = Mul(x, zero)  s = Sigmoid(q)  y = Mul(x, s)",
        "a = Add(x, three)  c = Clip(a, zero, three)  y = Mul(c, sixth)",
        "a = Add(x, two)  c = Clip(a, zero, six)  y = Mul(c, sixth)",
        "a = Add(x, three)  c = Clip(a, zero, six)  d = Mul(z, c)  y = Mul(d, sixth)",
        "s = HardSigmoid(x)  y = Mul(x, s)",
        "s = HardSigmoid <alpha = 0.16666667, beta = 0.4> (x)  y = Mul(x, s)",
        "a = Mul(x, sixth)  b = Add(a, half)  y = Clip(b, zero, six)",
        "d = Mul(x, half)  e = Erf(d)  f = Add(e, one)  g = Mul(x, f)  y = Mul(g, half)",
        "d = Mul(z, iroot)  e = Erf(d)  f = Add(e, one)  g = Mul(x, f)  y = Mul(g, half)",
        "d = Mul(x, iroot)  e = Erf(d)  f = Add(e, two)  g = Mul(x, f)  y = Mul(g, half)",
        "e = Exp(x)  a = Add(e, two)  y = Log(a)",
        "s = Softplus(z)  t = Tanh(s)  y = Mul(x, t)",
        "m = Mul(x, two)  y = Max(x, m)",
        "m = Mul(x, zero)  y = Max(x, m)",
        "m = Mul(z, tenth)  y = Max(x, m)",
        "r = Relu(x)  s = Relu(x)  m = Mul(s, slopes)  y = Add(r, m)",
        "e = Exp(x)  f = Exp(z)  t = ReduceSum(f, last)  y = Div(e, t)",
    ],
)
def test_something_like_it_stays_as_it_is(body: str, after: After) -> None:
    text = f"{HEADER} {{ {body} }}"
    spelled = after(spell_alike, text)
    recognized = after(spell_alike, recognize_activations, text)
    assert recognized == spelled


@pytest.mark.parametrize(
    ("body", "shared"),
    [
        ("s = Sigmoid(x)  y = Mul(x, s)", "s"),
        (" ".join((*ERF, "g = Mul(x, f)  y = Mul(g, half)")), "e"),
        ("s = Softplus(x)  t = Tanh(s)  y = Mul(x, t)", "t"),
    ],
)
def test_what_is_read_elsewhere_is_not_swallowed(body: str, shared: str, after: After) -> None:
    both = HEADER.replace("(y)", "(y, o)")
    for end in (f"o = Neg({shared})", f"o = Identity({shared})"):
        text = f"{both} {{ {body}  {end} }}"
        assert after(recognize_activations, text) == after(text)
    output = HEADER.replace("(y)", f"(y, {shared})")
    text = f"{output} {{ {body} }}"
    assert after(recognize_activations, text) == after(text)


def test_a_graph_without_any_is_left_as_it_is(typed: Callable[..., object]) -> None:
    plain = typed("(float[8] x) => (y) { y = Abs(x) }")
    assert recognize_activations(plain) is plain  # type: ignore[arg-type]
