"""One spelling for what ONNX can write in several ways.

1. Flatten, Squeeze, Unsqueeze → Reshape; Upsample → Resize; a Sum of two → Add.
2. Division by a constant → Mul, subtraction of a constant → Add, Pow(x, 2) → Mul(x, x).
3. Clip's and Min's and Max's bounds → attributes of Clip; Clip from 0 without end → Relu.
4. A product with a constant matrix → Gemm, whatever the rank and however the matrix lies; a Gemm
   of two computed matrices → MatMul; an Einsum that sums over one shared axis likewise.
5. Split, to a sequence too, and Gather of one place → Slice, one for each output that is read; a Gather that
   lays a whole vector out in another shape → Reshape.
6. Averages and maxima over all of space → GlobalAveragePool, GlobalMaxPool.
7. A convolution's bias that is one zero repeated, as exporters write for none, is no bias.
8. ONNX Runtime's Gelu, QuickGelu, FastGelu, FusedConv, FusedGemm … → ONNX's operators.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from assay.graphs.operators import Operator, OperatorGraph, Tensor, Values, without_dead

_MS = "com.microsoft::"
_NAMES = {
    "Flatten": "Reshape",
    "Squeeze": "Reshape",
    "Unsqueeze": "Reshape",
    "Upsample": "Resize",
    _MS + "Gelu": "Gelu",
    _MS + "FastGelu": "Gelu",
    _MS + "BiasGelu": "Gelu",
    _MS + "QuickGelu": "Swish",
    "SimplifiedLayerNormalization": "RMSNormalization",
    _MS + "SimplifiedLayerNormalization": "RMSNormalization",
    _MS + "MultiHeadAttention": "Attention",
    _MS + "FusedMatMul": "MatMul",
}
_NUMERIC = "biuf"


@dataclass
class _Speller:
    graph: OperatorGraph
    added: dict[str, Tensor] = field(default_factory=dict)

    def constant(self, name: str, tensor: Tensor, value: Values | None) -> str:
        self.added[name] = Tensor(tensor.dtype, tensor.shape, value, True)
        return name

    def spell(self, node: Operator) -> Iterator[Operator]:
        op = _NAMES.get(node.op, node.op)
        if op != node.op:
            node = Operator(op, node.inputs, node.outputs, node.attributes)
        if op in ("Div", "Sub", "Pow", "Sum"):
            yield self._arithmetic(node)
        elif op in ("Clip", "Min", "Max"):
            yield self._clip(node)
        elif op in ("MatMul", "Gemm"):
            yield from self._product(node)
        elif op == "Einsum" and _sums_last(node):
            yield from self._product(Operator("MatMul", node.inputs, node.outputs))
        elif op in ("Split", "SplitToSequence", "SequenceAt", "Gather"):
            yield from self._slices(node)
        elif op in ("ReduceMean", "ReduceMax", "AveragePool", "MaxPool"):
            yield self._global(node)
        elif op in ("Conv", "ConvTranspose"):
            yield self._without_zeros(node)
        elif op in (_MS + "FusedConv", _MS + "FusedGemm"):
            yield from _unfused(node)
        else:
            yield node

    def _arithmetic(self, node: Operator) -> Operator:
        if len(node.inputs) != 2:
            return node
        x, y = node.inputs
        if node.op == "Sum":
            return Operator("Add", node.inputs, node.outputs)
        other = self.graph.tensor(y)
        if not other.constant or self.graph.tensor(x).constant:
            return node
        value = other.value if other.value is not None and other.value.dtype.kind == "f" else None
        if node.op == "Div":
            with np.errstate(divide="ignore"):
                inverse = None if value is None else 1 / value
            return Operator("Mul", (x, self.constant(y + "/inverse", other, inverse)), node.outputs)
        if node.op == "Sub":
            negative = None if value is None else -value
            return Operator("Add", (x, self.constant(y + "/negative", other, negative)), node.outputs)
        square = value is not None and value.size == 1 and float(value.reshape(-1)[0]) == 2
        return Operator("Mul", (x, x), node.outputs) if square else node

    def _clip(self, node: Operator) -> Operator:
        low, high = -np.inf, np.inf
        if node.op == "Clip":
            bounds = [self._number(name) for name in node.inputs[1:3]]
            if any(b is None and name for b, name in zip(bounds, node.inputs[1:3], strict=True)):
                return node
            low = node.attributes.get("min", bounds[0] if bounds and bounds[0] is not None else low)
            high = node.attributes.get("max", bounds[1] if bounds[1:] and bounds[1] is not None else high)
        elif len(node.inputs) == 2:
            bound = self._number(node.inputs[1])
            if bound is None:
                return node
            low, high = (low, bound) if node.op == "Min" else (bound, high)
        else:
            return node
        # Exporters write no bound as the largest number of the type.
        low, high = (float(b) if abs(b) < 1e30 else np.sign(b) * np.inf for b in (low, high))
        if (low, high) == (0.0, np.inf):
            return Operator("Relu", node.inputs[:1], node.outputs)
        bounds_known = {"min": float(low), "max": float(high)}
        finite = {name: b for name, b in bounds_known.items() if np.isfinite(b)}
        return Operator("Clip", node.inputs[:1], node.outputs, finite)

    def _number(self, name: str) -> float | None:
        value = self.graph.tensor(name).value
        if value is None or value.size != 1 or value.dtype.kind not in _NUMERIC:
            return None
        return float(value.reshape(-1)[0])

    def _without_zeros(self, node: Operator) -> Operator:
        bias = self.graph.tensor(node.inputs[2]).value if len(node.inputs) > 2 else None
        filled = bias is not None and not any(bias.strides)  # one number repeated, not stored
        if bias is None or not filled or bias.flat[0] != 0:
            return node
        return Operator(node.op, node.inputs[:2], node.outputs, node.attributes)

    def _product(self, node: Operator) -> Iterator[Operator]:
        a, b = (self.graph.tensor(name) for name in node.inputs[:2])
        if b.constant and b.shape is not None and len([d for d in b.shape[:-2] if d != 1]) == 0:
            yield Operator("Gemm", node.inputs[:3], node.outputs)
        elif a.constant and a.shape is not None and len(a.shape) == 2:
            yield Operator("Gemm", (node.inputs[1], node.inputs[0], *node.inputs[2:3]), node.outputs)
        elif node.op == "Gemm" and len(node.inputs) > 2 and node.inputs[2]:
            product = node.outputs[0] + "/product"
            self.added[product] = self.graph.tensor(node.outputs[0])
            yield Operator("MatMul", node.inputs[:2], (product,))
            yield Operator("Add", (product, node.inputs[2]), node.outputs)
        else:
            yield Operator("MatMul", node.inputs[:2], node.outputs)

    def _slices(self, node: Operator) -> Iterator[Operator]:
        if node.op == "SplitToSequence":
            yield Operator("Identity", node.inputs[:1], node.outputs)
            return
        if node.op == "SequenceAt":
            yield Operator("Slice", node.inputs[:1], node.outputs)
            return
        if node.op == "Split":
            for output in node.outputs:
                if output:
                    yield Operator("Slice", node.inputs[:1], (output,))
            return
        table, place = (self.graph.tensor(name) for name in node.inputs[:2])
        picks = place.constant and not table.constant
        if picks and place.size == 1:
            yield Operator("Slice", node.inputs[:1], node.outputs)
        elif picks and table.shape is not None and table.shape == (place.size,):
            yield Operator("Reshape", node.inputs[:1], node.outputs)  # each element once
        else:
            yield node

    def _global(self, node: Operator) -> Operator:
        before, after = (self.graph.tensor(n).shape for n in (node.inputs[0], node.outputs[0]))
        if before is None or after is None or len(before) < 4 or -1 in before:
            return node
        mean = node.op in ("ReduceMean", "AveragePool")
        pooled = Operator(
            "GlobalAveragePool" if mean else "GlobalMaxPool", node.inputs[:1], node.outputs[:1]
        )
        if node.op in ("ReduceMean", "ReduceMax"):
            kept = [d for d in after if d != 1]
            for channels in (before[1], before[-1]):  # channels first, channels last
                if kept == [d for d in (before[0], channels) if d != 1] and channels > 1:
                    return pooled
            return node
        whole = node.ints("kernel_shape") == before[2:] and all(d == 1 for d in after[2:])
        return pooled if whole else node


def _sums_last(node: Operator) -> bool:
    """Whether an Einsum of two sums over the first's last axis and nothing else: a product."""
    left, _, right = str(node.attributes.get("equation", "")).replace(" ", "").partition("->")
    first, _, second = left.partition(",")
    summed = set(first + second) - set(right)
    return len(node.inputs) == 2 and bool(first) and summed == {first[-1]} & set(second)


def _unfused(node: Operator) -> Iterator[Operator]:
    inner = node.outputs[0] + "/unfused"
    op = node.op.removeprefix(_MS + "Fused")
    yield Operator(op, node.inputs, (inner,), node.attributes)
    yield Operator(str(node.attributes.get("activation", "Relu")), (inner,), node.outputs)


def spell_alike(graph: OperatorGraph) -> OperatorGraph:
    """The graph with each operation in one spelling."""
    speller = _Speller(graph)
    operators = [new for node in graph.operators for new in speller.spell(node)]
    return without_dead(graph.replaced(operators, {**graph.tensors, **speller.added}))
