"""ONNX Runtime's fused operators are read as the ONNX operators that they were made of.

1. FusedConv, FusedGemm → Conv or Gemm, Add where a fourth input is added, the activation;
   FusedMatMul → MatMul.
2. Gelu, FastGelu, BiasGelu → Gelu, behind an Add where a bias is given; QuickGelu → Swish.
3. SkipLayerNormalization, SkipSimplifiedLayerNormalization → Add, then LayerNormalization or
   RMSNormalization; SimplifiedLayerNormalization → RMSNormalization.
4. MultiHeadAttention, GroupQueryAttention → Attention; Attention with packed weights → MatMul, Add,
   Split, Attention.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from assay.graphs.operators import Operator, OperatorGraph

_MS = "com.microsoft::"
_NAMES = {
    "SimplifiedLayerNormalization": "RMSNormalization",
    _MS + "SimplifiedLayerNormalization": "RMSNormalization",
    _MS + "FusedMatMul": "MatMul",
    _MS + "RotaryEmbedding": "RotaryEmbedding",
}
_GELUS = {_MS + "Gelu", _MS + "FastGelu", _MS + "BiasGelu"}
_SKIPS = {
    _MS + "SkipLayerNormalization": "LayerNormalization",
    _MS + "SkipSimplifiedLayerNormalization": "RMSNormalization",
}
_HEADS = {_MS + "MultiHeadAttention", _MS + "GroupQueryAttention"}
Step = tuple[str, tuple[str, ...], Mapping[str, Any]]  # "": what the step before writes


def unfuse(graph: OperatorGraph) -> OperatorGraph:
    """The graph in ONNX's own operators; runs before types are known."""
    if not any("::" in node.op or node.op in _NAMES for node in graph.operators):
        return graph
    return graph.replaced(new for node in graph.operators for new in _parts(node))


def _parts(node: Operator) -> Iterator[Operator]:
    extra = [name for name in node.inputs[3:4] if name]
    if node.op in _NAMES:
        yield Operator(_NAMES[node.op], node.inputs, node.outputs, node.attributes)
    elif node.op in (_MS + "FusedConv", _MS + "FusedGemm"):
        op = node.op.removeprefix(_MS + "Fused")
        added: list[Step] = [("Add", ("", name), {}) for name in extra]
        first: Step = (op, node.inputs[:3], node.attributes)
        yield from _chain([first, *added, _activation(node)], node.outputs)
    elif node.op == _MS + "QuickGelu":
        yield Operator("Swish", node.inputs, node.outputs, {"alpha": 1.702, **node.attributes})
    elif node.op in _GELUS:
        biased: list[Step] = [("Add", node.inputs, {})] if all(node.inputs[1:2] or [""]) else []
        source = "" if biased else node.inputs[0]
        yield from _chain([*biased, ("Gelu", (source,), {})], node.outputs)
    elif node.op in _SKIPS:
        yield from _skip(node)
    elif node.op in _HEADS and len(node.inputs) >= 3 and all(node.inputs[:3]):
        heads = node.integer("num_heads", 1)
        counts = {"q_num_heads": heads, "kv_num_heads": node.integer("kv_num_heads", heads)}
        yield Operator("Attention", node.inputs[:3], node.outputs[:1], counts)
    elif node.op == _MS + "Attention" and len(node.inputs) >= 3 and len(node.outputs) == 1:
        yield from _packed(node)
    else:
        yield node


def _activation(node: Operator) -> Step:
    name, limits = node.attributes.get("activation"), node.attributes.get("activation_params", ())
    bounds = {}
    if name == "Clip" and isinstance(limits, tuple):
        bounds = dict(zip(("min", "max"), limits, strict=False))
    return (name if isinstance(name, str) else "Relu", ("",), bounds)


def _chain(steps: list[Step], outputs: tuple[str, ...]) -> Iterator[Operator]:
    """Operators one behind the other; the last one writes ``outputs``."""
    before = ""
    for place, (op, inputs, attributes) in enumerate(steps):
        last = place == len(steps) - 1
        names = outputs if last else (f"{outputs[0]}/{place}",)
        yield Operator(op, tuple(given or before for given in inputs), names, attributes)
        before = names[0]


def _skip(node: Operator) -> Iterator[Operator]:
    """Inputs: x, skip, scale, then for LayerNormalization the shift, then the bias of x."""
    op = _SKIPS[node.op]
    shifts = 4 if op == "LayerNormalization" else 3
    total = node.outputs[3] if len(node.outputs) > 3 and node.outputs[3] else node.outputs[0] + "/0"
    added = node.inputs[shifts] if len(node.inputs) > shifts else ""
    inner = total + "/skipped" if added else total
    yield Operator("Add", node.inputs[:2], (inner,))
    if added:
        yield Operator("Add", (inner, added), (total,))
    yield Operator(op, (total, *node.inputs[2:shifts]), node.outputs[:1])


def _packed(node: Operator) -> Iterator[Operator]:
    """Queries, keys and values are made by one product."""
    x, weight, bias = node.inputs[:3]
    product, parts = node.outputs[0] + "/0", [f"{node.outputs[0]}/{part}" for part in "qkv"]
    yield Operator("MatMul", (x, weight), (product,))
    if bias:
        yield Operator("Add", (product, bias), (product + "/biased",))
        product += "/biased"
    yield Operator("Split", (product,), tuple(parts), {"axis": -1})
    yield Operator("Attention", tuple(parts), node.outputs)
