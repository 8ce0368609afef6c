"""Normalizations that an exporter took apart are put together again.

1. (x − mean) / √(variance + ε), by Div or by Reciprocal → LayerNormalization; over space alone
   (all axes behind the channels of a feature map) → InstanceNormalization.
2. x / √(mean square + ε) → RMSNormalization.
3. The scale and the shift behind either → its operands.
4. Reshape, InstanceNormalization, Reshape, scale, shift → GroupNormalization.
5. x / max(‖x‖, ε) → LpNormalization.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from assay.graphs._pattern import Found, Rule, rewrite
from assay.graphs.operators import UNKNOWN, Operator, OperatorGraph

_CENTERED = "Sub(x, ReduceMean(x, …))"
_DEVIATION = "Sqrt(Add(ReduceMean(Mul({0}, {0}), …), $e))"
_QUOTIENTS = ("Div({0}, {1})", "Mul({0}, Reciprocal({1}))", "Mul({0}, Div(1, {1}))")


def _over_space(found: Found, root: Operator) -> Mapping[str, Any] | None:
    shape = found.graph.get(found.words["x"], UNKNOWN).shape or ()
    for node in found.covered.values():
        if node.op == "ReduceMean":
            given = found.graph.get("".join(node.inputs[1:2]), UNKNOWN).value
            axes = node.ints("axes") if given is None else tuple(given.reshape(-1).tolist())
            if len(shape) < 4 or {a % len(shape) for a in axes} != set(range(2, len(shape))):
                return None
    return {}


RULES = (
    *(
        Rule(text.format(x, _DEVIATION.format(x)), op, ("x",), condition)
        for x, op, condition in (
            (_CENTERED, "InstanceNormalization", _over_space),
            (_CENTERED, "LayerNormalization", None),
            ("x", "RMSNormalization", None),
        )
        for text in _QUOTIENTS
    ),
    *(
        rule
        for op in ("LayerNormalization", "RMSNormalization", "InstanceNormalization")
        for rule in (
            Rule(f"Mul({op}(x), %w)", op, ("x", "%w")),
            Rule(f"Add({op}(x, %w), %b)", op, ("x", "%w", "%b")),
        )
    ),
    Rule(
        "Add(Mul(Reshape(InstanceNormalization(Reshape(x, …), …), …), %w), %b)",
        "GroupNormalization",
        ("x", "%w", "%b"),
    ),
    Rule("Div(x, Expand(Clip(ReduceL2(x, …)), …))", "LpNormalization", ("x",)),
    Rule("Div(x, Clip(ReduceL2(x, …)))", "LpNormalization", ("x",)),
)


def recognize_norms(graph: OperatorGraph) -> OperatorGraph:
    """The graph with LayerNormalization, RMSNormalization, GroupNormalization as one operator."""
    return rewrite(graph, RULES)
