"""ONNX's operators by kind: what keeps a shape, what broadcasts, what only moves elements."""

from __future__ import annotations

from assay.graphs.operators import BOOL, FLOAT, INT64

ACTIVATIONS = frozenset(
    "Relu LeakyRelu PRelu Clip Elu Selu Celu ThresholdedRelu Sigmoid HardSigmoid HardSwish Swish"
    " Tanh Softplus Softsign Gelu Mish Shrink".split()
)
ELEMENTWISE = ACTIVATIONS | frozenset(
    "Abs Acos Acosh Asin Asinh Atan Atanh Ceil Cos Cosh Erf Exp Floor Identity IsInf IsNaN Log"
    " LogSoftmax Hardmax Softmax Neg Not Reciprocal Round Sign Sin Sinh Sqrt Tan BitwiseNot CumSum"
    " CumProd QuantizeLinear DequantizeLinear LRN Trilu ReverseSequence"
    " ScatterElements Scatter ScatterND MeanVarianceNormalization LpNormalization Bernoulli"
    " QLinearSigmoid QLinearLeakyRelu RotaryEmbedding TensorScatter RandomNormalLike"
    " RandomUniformLike com.microsoft::Gelu com.microsoft::QuickGelu com.microsoft::FastGelu"
    " com.microsoft::BiasGelu com.microsoft::QLinearSigmoid com.microsoft::QLinearLeakyRelu"
    " com.microsoft::QuantizeLinear com.microsoft::DequantizeLinear".split()
)
BROADCAST = frozenset(
    "Add Sub Mul Div Pow Mod Max Min Mean Sum And Or Xor Equal Less Greater LessOrEqual"
    " GreaterOrEqual BitShift BitwiseAnd BitwiseOr BitwiseXor Where".split()
)
REDUCTIONS = frozenset(
    f"Reduce{kind}" for kind in "Mean Sum Max Min Prod L1 L2 LogSum LogSumExp SumSquare".split()
)
NORMALIZATIONS = frozenset(
    "BatchNormalization InstanceNormalization LayerNormalization GroupNormalization"
    " RMSNormalization SimplifiedLayerNormalization com.microsoft::SkipLayerNormalization"
    " com.microsoft::SimplifiedLayerNormalization".split()
)
# These change the place or the count of elements, never a value.
LAYOUT = frozenset("Reshape Transpose DepthToSpace SpaceToDepth Expand".split())
OUTPUT_DTYPE = {
    **dict.fromkeys("Equal Less Greater LessOrEqual GreaterOrEqual And Or Xor Not".split(), BOOL),
    **dict.fromkeys("IsInf IsNaN".split(), BOOL),
    **dict.fromkeys("ConvInteger MatMulInteger".split(), 6),
    "DequantizeLinear": FLOAT,
    "QuantizeLinear": 2,
    "Shape": INT64,
}


def known(op: str) -> bool:
    """Whether an operator, or each part of a merged one, is in ONNX's own domain."""
    return "::" not in op
