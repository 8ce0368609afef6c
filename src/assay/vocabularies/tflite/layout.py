"""Which feature maps a TensorFlow Lite graph holds channels last, where ONNX has them first.

The schema does not tell an image from a stack of matrices: both have four axes.  What convolutions,
pooling and resizing read or write are feature maps, and so is whatever is joined to them by
operators that treat each axis alike; at a Reshape, a Transpose or a product that ends, and there
the graph gets a Transpose.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import prod

from assay.graphs.operators import Shape
from assay.vocabularies.tflite.schema import StoredOperator, Subgraph


def _set(names: str) -> frozenset[str]:
    return frozenset(names.split())


TRANSPOSED_WITH_BIAS = "custom::Convolution2DTransposeBias"  # MediaPipe's
SEEDS = _set(
    "CONV_2D DEPTHWISE_CONV_2D TRANSPOSE_CONV CONV_3D AVERAGE_POOL_2D MAX_POOL_2D L2_POOL_2D"
    " RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR DEPTH_TO_SPACE SPACE_TO_DEPTH"
    f" LOCAL_RESPONSE_NORMALIZATION {TRANSPOSED_WITH_BIAS}"
)
UNARY = {
    "ABS": "Abs", "CEIL": "Ceil", "COS": "Cos", "ELU": "Elu", "EXP": "Exp", "FLOOR": "Floor",
    "HARD_SWISH": "HardSwish", "LOG": "Log", "LOGICAL_NOT": "Not", "LOGISTIC": "Sigmoid",
    "NEG": "Neg", "RELU": "Relu", "ROUND": "Round", "SIGN": "Sign", "SIN": "Sin", "SQRT": "Sqrt",
    "TANH": "Tanh", "FAKE_QUANT": "Identity", "DENSIFY": "Identity",
    "QUANTIZE": "Identity", "DEQUANTIZE": "Identity",  # of real numbers, as quantized ones are read
}  # fmt: skip
BINARY = {
    "ADD": "Add", "SUB": "Sub", "MUL": "Mul", "DIV": "Div", "POW": "Pow", "MAXIMUM": "Max",
    "MINIMUM": "Min", "EQUAL": "Equal", "LESS": "Less", "LESS_EQUAL": "LessOrEqual",
    "GREATER": "Greater", "GREATER_EQUAL": "GreaterOrEqual", "LOGICAL_AND": "And",
    "LOGICAL_OR": "Or", "FLOOR_MOD": "Mod", "ADD_N": "Sum", "PRELU": "PRelu", "SELECT": "Where",
    "SELECT_V2": "Where", "BITWISE_XOR": "BitwiseXor",
}  # fmt: skip
REDUCTIONS = {
    "MEAN": "ReduceMean", "SUM": "ReduceSum", "REDUCE_MAX": "ReduceMax",
    "REDUCE_MIN": "ReduceMin", "REDUCE_PROD": "ReduceProd",
}  # fmt: skip
_OTHERS = _set(
    "RELU6 RELU_N1_TO_1 RELU_0_TO_1 LEAKY_RELU GELU SQUARE RSQRT SQUARED_DIFFERENCE FLOOR_DIV"
    " NOT_EQUAL SOFTMAX LOG_SOFTMAX L2_NORMALIZATION CAST CONCATENATION PAD PADV2 MIRROR_PAD SLICE"
    " SPLIT SPLIT_V ZEROS_LIKE"
)
_KEEPING = UNARY.keys() | BINARY.keys() | _OTHERS
_MASKS = (2, 3, 4)  # of a strided slice: ellipsis, new axes, dropped axes


def channels_first(rank: int) -> Shape:
    """The order of axes that makes channels last channels first."""
    return (0, rank - 1, *range(1, rank - 1))


def channels_last(rank: int) -> Shape:
    """The inverse of ``channels_first``."""
    return (0, *range(2, rank), 1)


def feature_maps(
    graph: Subgraph, constants: frozenset[int], known: Iterable[int] = ()
) -> frozenset[int]:
    """The tensors, by their place, that ONNX would hold channels first; ``known``: some of them."""
    group = list(range(len(graph.tensors)))

    def root(place: int) -> int:
        while group[place] != place:
            group[place] = group[group[place]]
            place = group[place]
        return place

    def maps(places: Iterable[int]) -> list[int]:
        return [
            place
            for place in places
            if place >= 0 and place not in constants and len(graph.tensors[place].shape) in (4, 5)
        ]

    seeds = maps(known)
    for node in graph.operators:
        found = maps((*node.inputs, *node.outputs))
        if node.op in SEEDS:
            seeds += found
        elif _treats_axes_alike(node):
            for place in found[1:]:
                if len(graph.tensors[place].shape) == len(graph.tensors[found[0]].shape):
                    group[root(place)] = root(found[0])
    seeded = {root(place) for place in seeds}
    return frozenset(place for place in maps(range(len(group))) if root(place) in seeded)


def _treats_axes_alike(node: StoredOperator) -> bool:
    if node.op in REDUCTIONS:
        return node.options is not None and node.options.flag(0)
    if node.op == "STRIDED_SLICE":
        return node.options is None or not any(node.options.integer(m) for m in _MASKS)
    return node.op in _KEEPING


def unfolded(graph: Subgraph, place: int, readers: Sequence[int]) -> Shape:
    """The leading axes that a matrix is seen with next, where nothing else reads it.

    Converters fold what stands before the last axis, multiply, and unfold it again; where only axes
    of one place are missing, what is broadcast with it brings them back.
    """
    before = graph.tensors[place]
    node = graph.operators[readers[0]] if len(readers) == 1 and readers[0] >= 0 else None
    if node is None or len(node.outputs) != 1 or node.outputs[0] < 0 or len(before.shape) != 2:
        return ()
    after = graph.tensors[node.outputs[0]]
    static = -1 not in (*after.signature, *before.signature)
    same = prod(after.shape) == prod(before.shape) and after.shape[-1:] == before.shape[-1:]
    joined = node.op in BINARY and after.shape[-2:] == before.shape
    seen = len(after.shape) > 2 and (node.op == "RESHAPE" or joined)
    return after.shape[:-1] if static and same and seen else ()


def spellings(graph: Subgraph) -> dict[int, int]:
    """Tensors that are only another spelling of a constant → that constant."""
    found: dict[int, int] = {}
    for node in graph.operators:
        if node.op not in ("DEQUANTIZE", "DENSIFY") or len(node.inputs) != 1:
            continue
        source = found.get(node.inputs[0], node.inputs[0])
        if source >= 0 and len(node.outputs) == 1 and graph.tensors[source].constant:
            found[node.outputs[0]] = source
    found.pop(-1, None)
    return found
