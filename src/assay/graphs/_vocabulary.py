"""ONNX's operators by kind: what keeps a shape, what broadcasts, what only moves elements."""

from __future__ import annotations

from assay.graphs.operators import BOOL, INT64


def _set(names: str) -> frozenset[str]:
    return frozenset(names.split())


ACTIVATIONS = _set(
    "Relu LeakyRelu PRelu Clip Elu Selu Celu ThresholdedRelu Sigmoid HardSigmoid HardSwish Swish"
    " Tanh Softplus Softsign Gelu Mish Shrink"
)
ELEMENTWISE = ACTIVATIONS | _set(
    "Abs Acos Acosh Asin Asinh Atan Atanh Ceil Cos Cosh Erf Exp Floor Identity IsInf IsNaN Log"
    " LogSoftmax Hardmax Softmax Neg Not Reciprocal Round Sign Sin Sinh Sqrt Tan BitwiseNot CumSum"
    " CumProd LRN Trilu ReverseSequence"
    " ScatterElements Scatter ScatterND MeanVarianceNormalization LpNormalization Bernoulli"
    " RotaryEmbedding TensorScatter RandomNormalLike RandomUniformLike"
)
BROADCAST = _set(
    "Add Sub Mul Div Pow Mod Max Min Mean Sum And Or Xor Equal Less Greater LessOrEqual"
    " GreaterOrEqual BitShift BitwiseAnd BitwiseOr BitwiseXor Where"
)
REDUCTIONS = frozenset(
    "Reduce" + kind for kind in _set("Mean Sum Max Min Prod L1 L2 LogSum LogSumExp SumSquare")
)
GLOBAL_POOLS = _set("GlobalAveragePool GlobalMaxPool GlobalLpPool")
NORMALIZATIONS = _set(
    "BatchNormalization InstanceNormalization LayerNormalization GroupNormalization"
    " RMSNormalization"
)
# These change the place or the count of elements, never a value.
LAYOUT = _set("Reshape Transpose DepthToSpace SpaceToDepth Expand")
OUTPUT_DTYPE = {
    **dict.fromkeys(_set("Equal Less Greater LessOrEqual GreaterOrEqual And Or Xor Not"), BOOL),
    **dict.fromkeys(_set("IsInf IsNaN"), BOOL),
    "Shape": INT64,
}


def known(op: str) -> bool:
    """Whether an operator, or each part of a merged one, is in ONNX's own domain."""
    return "::" not in op
