"""Which axis of a weight is the output, said by the operator that reads it [ONNX operators].

A rule gets the operator, the place of the weight among its inputs, and the weight's shape there;
it gives the steps to output, input, space, or None where the operator cannot say.
"""

from __future__ import annotations

from collections.abc import Callable

from assay.graphs.operators import Operator, Shape
from assay.weights.steps import Reorder, Reshape, Step, Transpose

Rule = Callable[[Operator, int, Shape], tuple[Step, ...] | None]

# Operators that dequantize what they read: place of the weight → places of scale, zero point; axis.
QUANTIZED = {
    ("QLinearConv", 3): (4, 5, 0),
    ("QLinearMatMul", 0): (1, 2, -2),
    ("QLinearMatMul", 3): (4, 5, -1),
    ("com.microsoft::QGemm", 3): (4, 5, -1),
    ("com.microsoft::DynamicQuantizeMatMul", 1): (2, 3, -1),
    ("com.microsoft::MatMulIntegerToFloat", 1): (3, 5, -1),
    ("com.microsoft::QAttention", 1): (4, 7, -1),
    ("com.microsoft::DynamicQuantizeLSTM", 1): (8, 9, -1),
    ("com.microsoft::DynamicQuantizeLSTM", 2): (10, 11, -1),
}
INTEGER = {("ConvInteger", 1): (3, 0), ("MatMulInteger", 1): (3, -1), ("MatMulInteger", 0): (2, 0)}
RECURRENT = ("LSTM", "GRU", "RNN")
_LSTM, _GRU = (0, 2, 3, 1), (1, 0, 2)  # ONNX lists i o f c and z r h; canonical: i f c o, r z h


def _as_is(node: Operator, place: int, shape: Shape) -> tuple[Step, ...] | None:
    return ()


def _swap(shape: Shape) -> tuple[Step, ...]:
    """The last two axes exchanged."""
    rank = len(shape)
    if rank < 2:
        return ()
    return (Transpose((*range(rank - 2), rank - 1, rank - 2)),)


def _matrix(node: Operator, place: int, shape: Shape) -> tuple[Step, ...] | None:
    """A factor: on the left its rows are the output, on the right its columns."""
    is_left = place == 0
    turned = bool(node.integer("transA" if is_left else "transB", 0))
    return () if is_left != turned else _swap(shape)


def _columns(node: Operator, place: int, shape: Shape) -> tuple[Step, ...] | None:
    return _swap(shape)


def _transposed_convolution(node: Operator, place: int, shape: Shape) -> tuple[Step, ...] | None:
    """Stored (input, output / groups, space): each group is turned by itself."""
    groups = node.integer("group", 1)
    if len(shape) < 3 or groups < 1 or shape[0] % groups:
        return None
    inputs, outputs, space = shape[0] // groups, shape[1], shape[2:]
    axes = tuple(range(3, 3 + len(space)))
    if groups == 1:
        return (Transpose((1, 0, *range(2, len(shape)))),)
    return (
        Reshape((groups, inputs, outputs, *space)),
        Transpose((0, 2, 1, *axes)),
        Reshape((groups * outputs, inputs, *space)),
    )


def _gates(node: Operator, place: int, shape: Shape) -> tuple[Step, ...] | None:
    """Stored (directions, gates · hidden, input); one direction needs no axis."""
    order = {"LSTM": _LSTM, "GRU": _GRU}.get(node.op, (0,))
    if len(shape) != 3 or shape[1] % len(order):
        return None
    if shape[0] == 1:
        steps: tuple[Step, ...] = (Reshape(shape[1:]), Reorder(0, order))
    else:
        steps = (Reorder(1, order),)
    return steps if len(order) > 1 else steps[:-1]


def _gates_last(node: Operator, place: int, shape: Shape) -> tuple[Step, ...] | None:
    """Stored (directions, input, gates · hidden)."""
    if len(shape) != 3 or shape[2] % len(_LSTM):
        return None
    order = Reorder(1, _LSTM)
    turned = (*_swap(shape), order)
    return (*turned, Reshape((shape[2], shape[1]))) if shape[0] == 1 else turned


RULES: dict[tuple[str, int], Rule] = {
    ("Conv", 1): _as_is,
    ("ConvInteger", 1): _as_is,
    ("QLinearConv", 3): _as_is,
    ("DeformConv", 1): _as_is,
    ("com.microsoft::FusedConv", 1): _as_is,
    ("ConvTranspose", 1): _transposed_convolution,
    ("Gemm", 0): _matrix,
    ("Gemm", 1): _matrix,
    ("MatMul", 0): _matrix,
    ("MatMul", 1): _matrix,
    ("MatMulInteger", 0): _matrix,
    ("MatMulInteger", 1): _matrix,
    ("QLinearMatMul", 0): _matrix,
    ("QLinearMatMul", 3): _matrix,
    ("com.microsoft::FusedGemm", 1): _matrix,
    ("com.microsoft::FusedMatMul", 1): _matrix,
    ("com.microsoft::QGemm", 3): _matrix,
    ("com.microsoft::DynamicQuantizeMatMul", 1): _matrix,
    ("com.microsoft::MatMulIntegerToFloat", 1): _matrix,
    ("com.microsoft::Attention", 1): _columns,
    ("com.microsoft::QAttention", 1): _columns,
    ("com.microsoft::EmbedLayerNormalization", 2): _as_is,
    ("com.microsoft::EmbedLayerNormalization", 3): _as_is,
    ("com.microsoft::EmbedLayerNormalization", 4): _as_is,
    **{("com.microsoft::DynamicQuantizeLSTM", place): _gates_last for place in (1, 2)},
    **{(op, place): _gates for op in RECURRENT for place in (1, 2)},
}
