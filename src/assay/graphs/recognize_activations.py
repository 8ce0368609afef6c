"""Activations that an exporter took apart are put together again.

The rules are the patterns below, in the language of ``_pattern``; they run after ``spell_alike``,
so a division by a constant reads as a product, and bounds are attributes of Clip.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from assay.graphs._pattern import Found, Rule, rewrite
from assay.graphs.operators import Operator, OperatorGraph


def _clip(found: Found) -> Operator:
    return next(node for node in found.covered.values() if node.op == "Clip")


def _clipped_at_six(found: Found, root: Operator) -> Mapping[str, Any] | None:
    return {} if _clip(found).attributes == {"min": 0.0, "max": 6.0} else None


def _hard_sigmoid(found: Found, root: Operator) -> Mapping[str, Any] | None:
    top = 1.0 if root.op == "Clip" else 6.0
    return {"alpha": 1 / 6} if _clip(found).attributes == {"min": 0.0, "max": top} else None


def _of_a_sixth(found: Found, root: Operator) -> Mapping[str, Any] | None:
    """The slope that HardSwish has; ONNX's HardSigmoid has 0.2 where none is given."""
    inner = next(node for node in found.covered.values() if node.op == "HardSigmoid")
    usual = abs(inner.real("alpha", 0.2) - 1 / 6) < 1e-3 and inner.real("beta", 0.5) == 0.5
    return {} if usual else None


def _tanh_gelu(found: Found, root: Operator) -> Mapping[str, Any]:
    return {"approximate": "tanh"}


def _cut_off(found: Found, root: Operator) -> Mapping[str, Any] | None:
    """Relu and Clip, either first: the tighter bounds."""
    clip = _clip(found)
    low, high = clip.real("min", 0.0), clip.attributes.get("max")
    bounds = {"min": max(low, 0.0)} | ({} if high is None else {"max": high})
    return None if bounds == {"min": 0.0} else bounds


def _steepness(found: Found, root: Operator) -> Mapping[str, Any] | None:
    alpha = found.number("$a")
    return {"alpha": alpha} if alpha > 0 else None


def _slope(found: Found, root: Operator) -> Mapping[str, Any] | None:
    alpha = found.number("$a")
    return {"alpha": alpha} if 0 < alpha < 1 else None


_ERF = "Add(Erf(Mul(x, 0.707107)), 1)"
_CUBES = ("Mul(Mul(Mul(x, x), x), 0.044715)", "Mul(Pow(x, 3), 0.044715)")
_SQUARES = ("Mul(Mul(x, 0.044715), x)", "Mul(Mul(x, x), 0.044715)")
_TANHS = tuple(
    f"Add(Tanh({inner}), 1)"
    for inner in (
        *(f"Mul(Add(x, {cube}), 0.797885)" for cube in _CUBES),
        *(f"Mul(Mul(x, 0.797885), Add({square}, 1))" for square in _SQUARES),
    )
)
_HALVES = ("Mul(Mul(x, {}), 0.5)", "Mul(Mul(x, 0.5), {})", "Mul(x, Mul({}, 0.5))")

RULES = (
    Rule("Mul(x, Sigmoid(x))", "Swish", ("x",)),
    Rule("Mul(x, Sigmoid(Mul(x, $a)))", "Swish", ("x",), _steepness),
    Rule("Mul(Clip(Add(x, 3)), 0.1666667)", "HardSigmoid", ("x",), _hard_sigmoid),
    Rule("Clip(Add(Mul(x, 0.1666667), 0.5))", "HardSigmoid", ("x",), _hard_sigmoid),
    Rule("Mul(x, HardSigmoid(x))", "HardSwish", ("x",), _of_a_sixth),
    Rule("Mul(Mul(x, Clip(Add(x, 3))), 0.1666667)", "HardSwish", ("x",), _clipped_at_six),
    *(Rule(text.format(_ERF), "Gelu", ("x",)) for text in _HALVES),
    *(Rule(t.format(tanh), "Gelu", ("x",), _tanh_gelu) for tanh in _TANHS for t in _HALVES),
    Rule("Log(Add(Exp(x), 1))", "Softplus", ("x",)),
    Rule("Mul(x, Tanh(Softplus(x)))", "Mish", ("x",)),
    Rule("Clip(Relu(x))", "Clip", ("x",), _cut_off),
    Rule("Relu(Clip(x))", "Clip", ("x",), _cut_off),
    Rule("Max(x, Mul(x, $a))", "LeakyRelu", ("x",), _slope),
    Rule("Max(Mul(x, $a), x)", "LeakyRelu", ("x",), _slope),
    Rule("Add(Relu(x), Mul(Neg(Relu(Neg(x))), %a))", "PRelu", ("x", "%a")),
    Rule("Add(Relu(x), Mul(Relu(Neg(x)), %a))", "PRelu", ("x", "%a")),
    Rule(
        "Div(Exp(Sub(x, ReduceMax(x, …))), ReduceSum(Exp(Sub(x, ReduceMax(x, …))), …))",
        "Softmax",
        ("x",),
    ),
    Rule("Div(Exp(x), ReduceSum(Exp(x), …))", "Softmax", ("x",)),
)


def recognize_activations(graph: OperatorGraph) -> OperatorGraph:
    """The graph with Swish, HardSwish, Gelu, Softmax … as one operator each."""
    return rewrite(graph, RULES)
