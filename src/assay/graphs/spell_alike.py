"""One spelling for what ONNX can write in several ways.

1. Flatten, Squeeze, Unsqueeze → Reshape; Upsample → Resize; a Sum of two → Add.
2. Division by a constant → Mul, subtraction of a constant → Add, Pow(x, 2) → Mul(x, x).
3. Min and Max with one number → Clip; its bounds → attributes; Clip from 0 without end → Relu.
4. A product with a constant matrix → Gemm, whatever the rank and however the matrix lies; a Gemm
   of two computed matrices → MatMul; an Einsum that sums over the first's last axis likewise.
5. Split, to a sequence too, and Gather of one place → Slice, one for each output that is read; a
   Gather that lays a whole vector out in another shape → Reshape.
6. Averages and maxima over all of space, channels first or last → GlobalAveragePool, GlobalMaxPool.
7. A convolution's bias that is one zero repeated, as exporters write for none, is no bias.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from assay.graphs._values import of_each
from assay.graphs.operators import Operator, OperatorGraph, Tensor, Values, without_dead

_NAMES = {
    "Flatten": "Reshape",
    "Squeeze": "Reshape",
    "Unsqueeze": "Reshape",
    "Upsample": "Resize",
}
_NUMERIC = "biuf"
_UNBOUNDED = 1e30


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
        else:
            yield node

    def _arithmetic(self, node: Operator) -> Operator:
        if len(node.inputs) != 2:
            return node
        x, y = node.inputs
        if node.op == "Sum":
            return Operator("Add", node.inputs, node.outputs)
        if node.op == "Pow":
            return Operator("Mul", (x, x), node.outputs) if self._number(y) == 2 else node
        other = self.graph.tensor(y)
        if not other.constant or self.graph.tensor(x).constant:
            return node
        value = other.value if other.value is not None and other.value.dtype.kind == "f" else None
        if node.op == "Div":
            with np.errstate(all="ignore"):
                inverse = None if value is None else of_each(np.reciprocal, value)
            return Operator("Mul", (x, self.constant(y + "/inverse", other, inverse)), node.outputs)
        opposite = None if value is None else of_each(np.negative, value)
        negative = self.constant(y + "/negative", other, opposite)
        return Operator("Add", (x, negative), node.outputs)

    def _clip(self, node: Operator) -> Operator:
        bounds = self._bounds(node)
        if bounds is None:
            return node
        source, low, high = bounds
        # Exporters write no bound as the largest number of the type.
        finite = {name: b for name, b in (("min", low), ("max", high)) if abs(b) < _UNBOUNDED}
        if finite == {"min": 0.0}:
            return Operator("Relu", (source,), node.outputs)
        return Operator("Clip", (source,), node.outputs, finite)

    def _bounds(self, node: Operator) -> tuple[str, float, float] | None:
        """What a Clip, Min or Max cuts off, below and above which numbers."""
        low, high = -np.inf, np.inf
        if node.op == "Clip":
            given = [self._number(name) if name else None for name in node.inputs[1:3]]
            if any(b is None and name for b, name in zip(given, node.inputs[1:3], strict=True)):
                return None
            first, second = (*given, None, None)[:2]
            low = node.real("min", low) if first is None else first
            high = node.real("max", high) if second is None else second
            return node.inputs[0], low, high
        if len(node.inputs) != 2:
            return None
        for source, other in (node.inputs, node.inputs[::-1]):
            bound = self._number(other)
            if bound is not None:
                return (source, low, bound) if node.op == "Min" else (source, bound, high)
        return None

    def _number(self, name: str) -> float | None:
        value = self.graph.tensor(name).value
        if value is None or value.size != 1 or value.dtype.kind not in _NUMERIC:
            return None
        return float(value.reshape(-1)[0])

    def _without_zeros(self, node: Operator) -> Operator:
        bias = self.graph.tensor(node.inputs[2]).value if len(node.inputs) > 2 else None
        # One number repeated, not stored.
        filled = bias is not None and bias.size > 0 and not any(bias.strides)
        if bias is None or not filled or bias.flat[0] != 0:
            return node
        return Operator(node.op, node.inputs[:2], node.outputs, node.attributes)

    def _product(self, node: Operator) -> Iterator[Operator]:
        a, b = (self.graph.tensor(name) for name in node.inputs[:2])
        if b.constant and b.shape is not None and len([d for d in b.shape[:-2] if d != 1]) == 0:
            yield Operator("Gemm", node.inputs[:3], node.outputs)
        elif a.constant and a.shape is not None and len(a.shape) == 2:
            yield Operator(
                "Gemm", (node.inputs[1], node.inputs[0], *node.inputs[2:3]), node.outputs
            )
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
        if before is None or after is None or len(before) < 4 or len(node.outputs) > 1:
            return node
        if node.op in ("ReduceMean", "ReduceMax"):
            axes = self._axes(node, len(before))
            # Channels come first, or last.
            whole = axes in (set(range(2, len(before))), set(range(1, len(before) - 1)))
        else:
            axes = set()
            whole = node.ints("kernel_shape") == before[2:] and set(after[2:]) == {1}
        mean = node.op in ("ReduceMean", "AveragePool")
        op = "GlobalAveragePool" if mean else "GlobalMaxPool"
        if whole and len(after) < len(before):  # the layer's own shape keeps the axes
            kept = tuple(1 if axis in axes else d for axis, d in enumerate(before))
            self.added[node.outputs[0]] = Tensor(self.graph.tensor(node.outputs[0]).dtype, kept)
        return Operator(op, node.inputs[:1], node.outputs) if whole else node

    def _axes(self, node: Operator, rank: int) -> set[int]:
        """The axes that a reduction sums over, empty where unknown."""
        given = self.graph.tensor(node.inputs[1]).value if len(node.inputs) > 1 else None
        listed = node.ints("axes") if given is None else tuple(given.reshape(-1).tolist())
        return {axis % rank for axis in listed}


def _sums_last(node: Operator) -> bool:
    """Whether an Einsum of two sums over the first's last axis and nothing else: a product."""
    left, _, right = str(node.attributes.get("equation", "")).replace(" ", "").partition("->")
    first, _, second = left.partition(",")
    summed = set(first + second) - set(right)
    product = bool(set(second) - set(first)) and set(second) - set(first) <= set(right)
    return len(node.inputs) == 2 and product and summed == set(first[-1:]) & set(second) != set()


def spell_alike(graph: OperatorGraph) -> OperatorGraph:
    """The graph with each operation in one spelling."""
    speller = _Speller(graph)
    operators = [new for node in graph.operators for new in speller.spell(node)]
    return without_dead(graph.replaced(operators, {**graph.tensors, **speller.added}))
