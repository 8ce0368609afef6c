"""Activations that an exporter took apart are put together again.

The rules are the patterns below, in the language of ``_pattern``; they run after ``spell_alike``,
so a division by a constant reads as a product, and bounds are attributes of Clip.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from assay.graphs._pattern import Found, Rule, rewrite
from assay.graphs.operators import Operator, OperatorGraph


def _clipped_at_six(found: Found, root: Operator) -> Mapping[str, Any] | None:
    """The Clip inside goes from 0 to 6."""
    clip = next(node for node in found.covered.values() if node.op == "Clip")
    return {} if clip.attributes == {"min": 0.0, "max": 6.0} else None


def _tanh_gelu(found: Found, root: Operator) -> Mapping[str, Any]:
    return {"approximate": "tanh"}


def _cut_off(found: Found, root: Operator) -> Mapping[str, Any]:
    clip = next(node for node in found.covered.values() if node.op == "Clip")
    return {"min": 0.0, "max": clip.attributes.get("max", 0.0)}


def _slope(found: Found, root: Operator) -> Mapping[str, Any] | None:
    alpha = found.number("$a")
    return {"alpha": alpha} if 0 <= alpha < 1 else None


_CUBE = "Mul(Mul(x, x), x)"
_TANH = "Add(Tanh(Mul(Add(x, Mul({cube}, 0.044715)), 0.797885)), 1)"
_ERF = "Add(Erf(Mul(x, 0.707107)), 1)"

RULES = (
    Rule("Mul(x, Sigmoid(x))", "Swish", ("x",)),
    Rule("Mul(x, Sigmoid(Mul(x, $a)))", "Swish", ("x",)),
    Rule("Mul(Clip(Add(x, 3)), 0.1666667)", "HardSigmoid", ("x",), _clipped_at_six),
    Rule("Mul(x, HardSigmoid(x))", "HardSwish", ("x",)),
    Rule("Mul(Mul(x, Clip(Add(x, 3))), 0.1666667)", "HardSwish", ("x",), _clipped_at_six),
    Rule("Mul(x, Mul(Clip(Add(x, 3)), 0.1666667))", "HardSwish", ("x",), _clipped_at_six),
    Rule(f"Mul(Mul(x, {_ERF}), 0.5)", "Gelu", ("x",)),
    Rule(f"Mul(Mul(x, 0.5), {_ERF})", "Gelu", ("x",)),
    Rule(f"Mul(x, Mul({_ERF}, 0.5))", "Gelu", ("x",)),
    *(
        Rule(text.format(tanh=_TANH.format(cube=cube)), "Gelu", ("x",), _tanh_gelu)
        for cube in (_CUBE, "Pow(x, 3)")
        for text in ("Mul(Mul(x, {tanh}), 0.5)", "Mul(Mul(x, 0.5), {tanh})", "Mul(x, Mul({tanh}, 0.5))")
    ),
    Rule("Log(Add(Exp(x), 1))", "Softplus", ("x",)),
    Rule("Mul(x, Tanh(Softplus(x)))", "Mish", ("x",)),
    Rule("Clip(Relu(x))", "Clip", ("x",), _cut_off),
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
