"""Batch normalization, folded into the layer before it or not, reads the same.

1. Conv, ConvTranspose, Gemm or BatchNormalization, then BatchNormalization → the layer with a bias.
2. The same, then Mul or Add with a constant for each channel → the layer (with a bias).
3. Mul and Add with constants for each channel that follow nothing of that kind (a batch norm that
   was taken apart) → BatchNormalization.

A layer is folded only where nothing else reads what lies between.
"""

from __future__ import annotations

from assay.graphs._pattern import Found, Rule, rewrite
from assay.graphs.operators import FLOAT, Operator, OperatorGraph, Tensor

_LINEAR = {"Conv", "ConvTranspose", "Gemm", "BatchNormalization"}
_AFTER = {"BatchNormalization", "Mul", "Add"}


def fold_batch_norm(graph: OperatorGraph) -> OperatorGraph:
    """The graph with rules 1 and 2 applied as often as they fit, then rule 3."""
    readers: dict[str, int] = {}
    for node in graph.operators:
        for name in node.inputs:
            readers[name] = readers.get(name, 0) + 1
    for name in graph.outputs:
        readers[name] = readers.get(name, 0) + 1
    kept: dict[str, Operator] = {}  # by first output, in order
    tensors = dict(graph.tensors)
    for node in graph.operators:
        before = _layer_before(node, graph, kept)
        alone = before is not None and readers.get(before.outputs[0]) == 1
        if before is None or not alone:
            kept[node.outputs[0]] = node
            continue
        del kept[before.outputs[0]]
        folded = _with_bias(before, node, tensors)
        kept[node.outputs[0]] = folded
    return rewrite(graph.replaced(kept.values(), tensors), (_ALONE,))


def _layer_before(
    node: Operator, graph: OperatorGraph, kept: dict[str, Operator]
) -> Operator | None:
    """The linear layer whose output ``node`` scales or shifts channel by channel."""
    if node.op not in _AFTER:
        return None
    for place in (0,) if node.op == "BatchNormalization" else (0, 1):
        layer = kept.get(node.inputs[place])
        if layer is None or layer.op not in _LINEAR:
            continue
        if node.op == "BatchNormalization":
            # Its channels are axis 1; a product's are the last.
            flat = len(graph.tensor(layer.outputs[0]).shape or ()) == 2
            return layer if layer.op != "Gemm" or flat else None
        other = graph.tensor(node.inputs[1 - place])
        if other.constant and _for_each_channel(
            other, graph.tensor(layer.outputs[0]), layer.op, node.op == "Mul"
        ):
            return layer
    return None


def _for_each_channel(constant: Tensor, output: Tensor, op: str, product: bool = False) -> bool:
    """Whether the constant has one value, or one for each channel of ``output``."""
    if constant.shape is None or output.shape is None:
        return False
    if constant.size == 1:
        # A product with zero leaves nothing of the layer.
        return constant.value is None or bool(constant.value.any()) or not product
    axis = len(output.shape) - 1 if op == "Gemm" else 1
    aligned = (1,) * (len(output.shape) - len(constant.shape)) + constant.shape
    return len(aligned) == len(output.shape) and all(
        d == (output.shape[axis] if i == axis else 1) for i, d in enumerate(aligned)
    )


def _with_bias(layer: Operator, after: Operator, tensors: dict[str, Tensor]) -> Operator:
    inputs = layer.inputs
    shape = tensors.get(layer.outputs[0], Tensor()).shape
    axis = -1 if layer.op == "Gemm" else 1
    one = shape is not None and len(shape) > 1 and shape[axis] == 1
    shifts = after.op == "BatchNormalization" or (
        after.op == "Add"
        and any(one or tensors.get(n, Tensor()).size > 1 for n in _constants(after, layer))
    )
    if shifts and layer.op != "BatchNormalization" and len(inputs) < 3:
        bias = after.outputs[0] + "/bias"
        tensors[bias] = Tensor(FLOAT, None if shape is None else (shape[axis],), None, True)
        inputs = (*inputs, bias)
    return Operator(layer.op, inputs, after.outputs[:1], layer.attributes)


def _constants(after: Operator, layer: Operator) -> list[str]:
    return [name for name in after.inputs if name != layer.outputs[0]]


def _on_feature_map(found: Found, root: Operator) -> dict[str, object] | None:
    """Both constants have one value for each channel of a feature map."""
    output = found.graph.get(root.outputs[0], Tensor())
    parts = [found.graph[found.words[word]] for word in ("%w", "%b")]
    each = all(p.size > 1 and _for_each_channel(p, output, "Conv") for p in parts)
    return {} if each and output.shape is not None and len(output.shape) >= 3 else None


_ALONE = Rule("Add(Mul(x, %w), %b)", "BatchNormalization", ("x", "%w", "%b"), _on_feature_map)
