"""TensorFlow Lite's operators in ONNX's: products, pooling, and what is per element.

A fused activation becomes an operator of its own.
"""

from __future__ import annotations

from assay.errors import UnreadableModel
from assay.vocabularies.tflite.convolutions import CONVOLUTIONS, padding, pair, shape_of_rank
from assay.vocabularies.tflite.graph import Writer
from assay.vocabularies.tflite.layout import BINARY, TRANSPOSED_WITH_BIAS, UNARY
from assay.vocabularies.tflite.lookups import LOOKUPS
from assay.vocabularies.tflite.moves import MOVES, Rule, integer
from assay.vocabularies.tflite.recurrent import lstm
from assay.vocabularies.tflite.schema import StoredOperator
from assay.vocabularies.tflite.subgraphs import branches

_CLIPS = {"RELU6": (0.0, 6.0), "RELU_N1_TO_1": (-1.0, 1.0), "RELU_0_TO_1": (0.0, 1.0)}
_FUSED_FIELD = {"ADD": 0, "SUB": 0, "MUL": 0, "DIV": 0}  # of the options


def write(writer: Writer, node: StoredOperator) -> None:
    """Writes one operator.  Raises UnreadableModel where it lacks what its kind needs."""
    rule = RULES.get(node.op)
    if rule is None or not node.outputs or -1 in node.outputs:
        writer.opaque(node)
        return
    if len(node.inputs) < _NEEDED.get(node.op, 1) or -1 in node.inputs[: _NEEDED.get(node.op, 1)]:
        raise UnreadableModel(f"{node.op} has {len(node.inputs)} inputs, too few")
    rule(writer, node)


def _pool(writer: Writer, node: StoredOperator) -> None:
    shape_of_rank(writer, node, node.inputs[0], 4)
    op = "MaxPool" if node.op == "MAX_POOL_2D" else "AveragePool"
    attributes = {
        **padding(node),
        "strides": pair(node, 2, 1),
        "kernel_shape": pair(node, 4, 3),
    }
    x = writer.read_map(node.inputs[0])
    if node.op == "L2_POOL_2D":  # the root of the mean square, where ONNX's LpPool takes the sum
        x = writer.step(op, (writer.step("Mul", (x, x)),), attributes)
        op, attributes = "Sqrt", {}
    fused = integer(node, 5, kind="i8")
    writer.emit(op, (x,), node.outputs[0], attributes, first=True, fused=fused)


def _fully_connected(writer: Writer, node: StoredOperator) -> None:
    x, weight = node.inputs[:2]
    wide = shape_of_rank(writer, node, weight, 2)[1]
    name, fused = writer.read(x), integer(node, 0, kind="i8")
    bias = writer.bias(node, 2)
    keep = node.options is not None and node.options.flag(2)
    rows = () if keep else writer.unfolded(node.outputs[0])
    if (keep and len(writer.shape(x)) != 2) or rows:
        if rows:
            name = writer.step("Reshape", (name, writer.vector((*rows, wide))))
        product = [name, writer.kernel(weight, (1, 0))]
        if bias:
            product = [writer.step("MatMul", product), *bias]
        shape = writer.shape(node.outputs[0]) if rows else ()
        op = "Add" if bias else "MatMul"
        writer.emit(op, product, node.outputs[0], fused=fused, shape=shape)
        return
    if len(writer.shape(x)) != 2 or writer.shape(x)[1] != wide:
        name = writer.step("Reshape", (name, writer.vector((-1, wide))))
    inputs = (name, writer.kernel(weight, (0, 1)), *bias)
    writer.emit("Gemm", inputs, node.outputs[0], {"transB": 1}, fused=fused)


def _product(writer: Writer, node: StoredOperator) -> None:
    inputs = []
    for place, adjoint in ((0, 0), (1, 1)):
        index = node.inputs[place]
        rank = len(writer.shape(index))
        turned = node.options is not None and node.options.flag(adjoint)
        if rank < 2:
            raise UnreadableModel(f"{node.op} has an operand of {rank} axes")
        swapped = (*range(rank - 2), rank - 1, rank - 2)
        name = writer.read(index)
        inputs.append(writer.turned(name, swapped) if turned else name)
    writer.emit("MatMul", inputs, node.outputs[0])


def _unary(writer: Writer, node: StoredOperator) -> None:
    first = node.outputs[0] in writer.maps
    x = writer.read_map(node.inputs[0]) if first else writer.read(node.inputs[0])
    op = UNARY.get(node.op, "")
    attributes: dict[str, object] = {}
    if node.op in _CLIPS:
        op, attributes = "Clip", dict(zip(("min", "max"), _CLIPS[node.op], strict=True))
    elif node.op == "LEAKY_RELU":
        alpha = 0.0 if node.options is None else node.options.real(0)
        op, attributes = "LeakyRelu", {"alpha": alpha}
    elif node.op == "GELU":
        tanh = node.options is not None and node.options.flag(0)
        op, attributes = "Gelu", {"approximate": "tanh"} if tanh else {}
    writer.emit(op, (x,), node.outputs[0], attributes, first)


def _along_channels(writer: Writer, node: StoredOperator) -> None:
    """Along the last axis, which is the second where channels come first."""
    op = {"SOFTMAX": "Softmax", "LOG_SOFTMAX": "LogSoftmax"}.get(node.op, "LpNormalization")
    first = node.outputs[0] in writer.maps
    x = writer.read_map(node.inputs[0]) if first else writer.read(node.inputs[0])
    fused = integer(node, 0, kind="i8") if op == "LpNormalization" else 0
    steepness = 1.0 if node.options is None or op != "Softmax" else node.options.real(0)
    if steepness != 1:
        x = writer.step("Mul", (x, writer.number(steepness)))
    writer.emit(op, (x,), node.outputs[0], {"axis": 1 if first else -1}, first, fused)


def operands(writer: Writer, node: StoredOperator) -> tuple[list[str], bool]:
    """What is broadcast, and whether channels come first."""
    first = node.outputs[0] in writer.maps
    rank = len(writer.shape(node.outputs[0]))
    if first and all(len(writer.shape(i)) <= rank for i in node.inputs if i >= 0):
        return [writer.operand(i, rank) for i in node.inputs], True
    return [writer.read(i) for i in node.inputs], False


def _binary(writer: Writer, node: StoredOperator) -> None:
    names, first = operands(writer, node)
    field = _FUSED_FIELD.get(node.op)
    fused = 0 if field is None else integer(node, field, kind="i8")
    writer.emit(BINARY[node.op], names, node.outputs[0], first=first, fused=fused)


def _composed(writer: Writer, node: StoredOperator) -> None:
    """What ONNX has no single operator for."""
    names, first = operands(writer, node)
    inner, outer = {
        "SQUARED_DIFFERENCE": ("Sub", "Mul"),
        "FLOOR_DIV": ("Div", "Floor"),
        "NOT_EQUAL": ("Equal", "Not"),
        "RSQRT": ("Sqrt", "Reciprocal"),
        "SQUARE": ("", "Mul"),
    }[node.op]
    made = writer.step(inner, names) if inner else names[0]
    inputs = (made, made) if outer == "Mul" else (made,)
    writer.emit(outer, inputs, node.outputs[0], first=first)


def _local_response(writer: Writer, node: StoredOperator) -> None:
    x = writer.read_map(node.inputs[0])
    size = 2 * integer(node, 0) + 1
    bias, alpha, beta = (
        (0.0, 0.0, 0.0) if node.options is None else map(node.options.real, (1, 2, 3))
    )
    attributes = {"size": size, "bias": bias, "alpha": alpha * size, "beta": beta}
    writer.emit("LRN", (x,), node.outputs[0], attributes, first=True)


_THREE = {"TRANSPOSE_CONV", "SELECT", "SELECT_V2", "SLICE", "PADV2", "SPLIT_V", "RANGE"}
_TWO = {"CONV_2D", "DEPTHWISE_CONV_2D", "CONV_3D", "FULLY_CONNECTED", "BATCH_MATMUL", "GATHER"}
_TWO |= BINARY.keys() - {"ADD_N"} | {"GATHER_ND", "SQUARED_DIFFERENCE", "FLOOR_DIV", "NOT_EQUAL"}
_TWO |= {"TRANSPOSE", "PAD", "MIRROR_PAD", "MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN", "ARG_MAX"}
_TWO |= {"REDUCE_PROD", "ARG_MIN", "EXPAND_DIMS", "TILE", "BROADCAST_TO", "FILL", "SPLIT", "CUMSUM"}
_TWO |= {"TOPK_V2", "EMBEDDING_LOOKUP", "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"}
_TWO |= {TRANSPOSED_WITH_BIAS}
_NEEDED = {
    **dict.fromkeys(_TWO, 2),
    **dict.fromkeys(_THREE, 3),
    **dict.fromkeys(("STRIDED_SLICE", "ONE_HOT"), 4),
}  # inputs that an operator cannot do without; all others need one
RULES: dict[str, Rule] = {
    **MOVES,
    **LOOKUPS,
    **CONVOLUTIONS,
    **dict.fromkeys(UNARY, _unary),
    **dict.fromkeys((*_CLIPS, "LEAKY_RELU", "GELU"), _unary),
    **dict.fromkeys(BINARY, _binary),
    **dict.fromkeys(("SQUARED_DIFFERENCE", "FLOOR_DIV", "NOT_EQUAL"), _composed),
    **dict.fromkeys(("RSQRT", "SQUARE"), _composed),
    **dict.fromkeys(("SOFTMAX", "LOG_SOFTMAX", "L2_NORMALIZATION"), _along_channels),
    **dict.fromkeys(("MAX_POOL_2D", "AVERAGE_POOL_2D", "L2_POOL_2D"), _pool),
    "FULLY_CONNECTED": _fully_connected,
    "BATCH_MATMUL": _product,
    "IF": branches,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": lstm,
    "LOCAL_RESPONSE_NORMALIZATION": _local_response,
}
