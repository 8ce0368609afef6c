"""Normalizations that an exporter took apart are put together again.

1. (x − mean) / √(variance + ε), by Div or by Reciprocal → LayerNormalization; where the mean is
   that over all of space → InstanceNormalization.
2. x / √(mean square + ε) → RMSNormalization.
3. The scale and the shift behind either → its operands.
4. Reshape, InstanceNormalization, Reshape, scale, shift → GroupNormalization.
5. x / max(‖x‖, ε) → LpNormalization.
6. x · s + (shift − mean · s), where s is scale / √(variance + ε) → LayerNormalization with both.
"""

from __future__ import annotations

from assay.graphs._pattern import Rule, rewrite
from assay.graphs.operators import OperatorGraph

_MEAN = "ReduceMean({0}, …)"
_QUOTIENTS = ("Div({0}, {1})", "Mul({0}, Reciprocal({1}))", "Mul({0}, Div(1, {1}))")


_AVERAGE = "ReduceMean(x, …)"
_VARIANCE = f"ReduceMean(Mul(Sub(x, {_AVERAGE}), Sub(x, {_AVERAGE})), …)"
_FACTOR = f"Mul(Reciprocal(Sqrt(Add({_VARIANCE}, $e))), %w)"  # rule 6's s, shared by both products


def _normalized(mean: str, center: str) -> tuple[str, ...]:
    """``center`` over the root of its mean square, in the ways in which a quotient is written."""
    deviation = f"Sqrt(Add({mean.format(f'Mul({center}, {center})')}, $e))"
    return tuple(quotient.format(center, deviation) for quotient in _QUOTIENTS)


RULES = (
    *(
        Rule(text, op, ("x",))
        for op, mean, center in (
            ("InstanceNormalization", "GlobalAveragePool({0})", "Sub(x, GlobalAveragePool(x))"),
            ("LayerNormalization", _MEAN, "Sub(x, ReduceMean(x, …))"),
            ("RMSNormalization", _MEAN, "x"),
        )
        for text in _normalized(mean, center)
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
    *(
        Rule(f"Add(Mul(x, {_FACTOR}), {rest})", "LayerNormalization", ("x", "%w", "%b"))
        for rest in (
            f"Add(Mul(Neg({_AVERAGE}), {_FACTOR}), %b)",
            f"Sub(%b, Mul({_AVERAGE}, {_FACTOR}))",
        )
    ),
    Rule("Div(x, Expand(Clip(ReduceL2(x, …)), …))", "LpNormalization", ("x",)),
    Rule("Div(x, Clip(ReduceL2(x, …)))", "LpNormalization", ("x",)),
)


def recognize_norms(graph: OperatorGraph) -> OperatorGraph:
    """The graph with LayerNormalization, RMSNormalization, GroupNormalization as one operator."""
    return rewrite(graph, RULES)
