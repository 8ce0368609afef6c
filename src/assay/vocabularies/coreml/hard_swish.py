"""HardSwish as coremltools takes it apart [coremltools, PyTorch frontend].

It writes t · HardSigmoid(t) where t is x, but zero below -3.  There the hard sigmoid is zero
anyway, so t is x for all that comes out, and the product is told as that of other exporters.
"""

from __future__ import annotations

from assay.graphs.operators import Operator, OperatorGraph, bypass

_ROUNDED = 1e-3  # what half precision makes of zero


def without_cuts(graph: OperatorGraph) -> OperatorGraph:
    """The graph without thresholds that change nothing, as a hard sigmoid follows them."""
    readers = graph.consumers()

    def through(node: Operator) -> str | None:
        if node.op != "ThresholdedRelu" or node.outputs[0] in graph.outputs:
            return None
        after = sorted(readers.get(node.outputs[0], ()), key=lambda reader: reader.op)
        if [reader.op for reader in after] != ["HardSigmoid", "Mul"]:
            return None
        hard, product = after
        most = hard.real("alpha", 0.2) * node.real("alpha", 1.0) + hard.real("beta", 0.5)
        follows = hard.outputs[0] in product.inputs
        return node.inputs[0] if follows and most <= _ROUNDED else None

    return bypass(graph, through)
