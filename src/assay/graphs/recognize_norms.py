"""Normalizations that an exporter took apart are put together again.

1. (x − mean) / √(variance + ε), by Div or by Reciprocal → LayerNormalization.
2. x / √(mean square + ε) → RMSNormalization.
3. The scale and the shift behind either → its operands.
4. Reshape, InstanceNormalization, Reshape, scale, shift → GroupNormalization.
5. x / max(‖x‖, ε) → LpNormalization.
"""

from __future__ import annotations

from assay.graphs._pattern import Rule, rewrite
from assay.graphs.operators import OperatorGraph

_CENTERED = "Sub(x, ReduceMean(x, …))"
_DEVIATION = "Sqrt(Add(ReduceMean(Mul({0}, {0}), …), $e))"

RULES = (
    *(
        Rule(text.format(x, _DEVIATION.format(x)), op, ("x",))
        for x, op in ((_CENTERED, "LayerNormalization"), ("x", "RMSNormalization"))
        for text in ("Div({0}, {1})", "Mul({0}, Reciprocal({1}))", "Mul({0}, Div(1, {1}))")
    ),
    *(
        rule
        for op in ("LayerNormalization", "RMSNormalization")
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
    Rule("Div(x, Expand(Max(ReduceL2(x, …), $e), …))", "LpNormalization", ("x",)),
    Rule("Div(x, Clip(ReduceL2(x, …)))", "LpNormalization", ("x",)),
)


def recognize_norms(graph: OperatorGraph) -> OperatorGraph:
    """The graph with LayerNormalization, RMSNormalization, GroupNormalization as one operator."""
    return rewrite(graph, RULES)
