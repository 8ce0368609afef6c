"""TensorFlow Lite's convolutions in ONNX's.  SAME padding is ONNX's SAME_UPPER."""

from __future__ import annotations

import struct
from typing import Any

from assay.errors import UnreadableModel
from assay.graphs.operators import Shape
from assay.vocabularies.tflite.graph import Writer
from assay.vocabularies.tflite.layout import TRANSPOSED_WITH_BIAS
from assay.vocabularies.tflite.moves import Rule, integer
from assay.vocabularies.tflite.schema import StoredOperator
from assay.vocabularies.windows import same

_THREE_NUMBERS = struct.Struct("<3i")  # padding, stride along the width, along the height
_SAME, _VALID = 1, 2  # as the runtime counts them, not the schema
_OHWI, _HWIM, _OIHW_TO_IOHW = (0, 3, 1, 2), (3, 0, 1, 2), (3, 0, 1, 2)
_DHWIO = (4, 3, 0, 1, 2)


def padding(
    node: StoredOperator, kernel: Shape = (), strides: Shape = (), dilations: Shape = ()
) -> dict[str, Any]:
    """What an operator says of the padding of its windows."""
    is_same = node.padded or integer(node, 0, kind="i8") == 0
    return same(kernel, strides, dilations) if is_same else {}


def pair(node: StoredOperator, height: int, width: int) -> Shape:
    """Two of its options, 1 where absent."""
    return (integer(node, height, 1), integer(node, width, 1))


def shape_of_rank(writer: Writer, node: StoredOperator, place: int, rank: int) -> Shape:
    """An operand's shape.  Raises UnreadableModel where it has another number of axes."""
    shape = writer.shape(place)
    if len(shape) != rank:
        raise UnreadableModel(f"{node.op} has an operand of {len(shape)} axes, not {rank}")
    return shape


def _conv(writer: Writer, node: StoredOperator) -> None:
    channels = shape_of_rank(writer, node, node.inputs[0], 4)[3]
    inputs = shape_of_rank(writer, node, node.inputs[1], 4)[3]
    groups = max(channels // max(inputs, 1), 1)
    _convolution(writer, node, _OHWI, groups, (5, 4), activation=3)


def _depthwise(writer: Writer, node: StoredOperator) -> None:
    channels = shape_of_rank(writer, node, node.inputs[0], 4)[3]
    _convolution(writer, node, _HWIM, max(channels, 1), (6, 5), activation=4)


def _convolution(
    writer: Writer,
    node: StoredOperator,
    layout: Shape,
    groups: int,
    dilated: tuple[int, int],
    activation: int,
) -> None:
    """``dilated`` and ``activation``: the fields of its options that tell them."""
    x, weight = node.inputs[:2]
    kernel = shape_of_rank(writer, node, weight, 4)[1:3]
    strides, dilations = pair(node, 2, 1), node.dilations or pair(node, *dilated)
    attributes = {
        **padding(node, kernel, strides, dilations),
        "strides": strides,
        "dilations": dilations,
        "kernel_shape": kernel,
        "group": groups,
    }
    inputs = (writer.read_map(x), writer.kernel(weight, layout), *writer.bias(node, 2))
    fused = integer(node, activation, kind="i8")
    writer.emit("Conv", inputs, node.outputs[0], attributes, first=True, fused=fused)


def _transposed(writer: Writer, node: StoredOperator) -> None:
    """Its inputs: the output's shape, the weight, the feature map, the bias."""
    size, weight, x = node.inputs[:3]
    attributes = {**padding(node), "strides": pair(node, 2, 1)}
    shape = writer.numbers(size)
    if shape is not None and len(shape) == 4:
        attributes["output_shape"] = shape[1:3]
    names = (writer.read_map(x), *writer.bias(node, 3))
    _emit_transposed(writer, node, weight, names, attributes)


def _transposed_with_bias(writer: Writer, node: StoredOperator) -> None:
    """MediaPipe's: the feature map, the weight, the bias; its options are three whole numbers.

    Options that do not lead to the output's stored size are not what they are taken for.
    """
    x, weight = node.inputs[:2]
    before = shape_of_rank(writer, node, x, 4)[1:3]
    after = shape_of_rank(writer, node, node.outputs[0], 4)[1:3]
    kernel = shape_of_rank(writer, node, weight, 4)[1:3]
    start, length = node.custom
    if length != _THREE_NUMBERS.size:
        writer.opaque(node)
        return
    kind, width, height = _THREE_NUMBERS.unpack_from(writer.file.content, start)
    strides = (height, width)
    beyond = (0, 0) if kind == _SAME else tuple(k - s for k, s in zip(kernel, strides, strict=True))
    sizes = tuple(n * s + b for n, s, b in zip(before, strides, beyond, strict=True))
    if kind not in (_SAME, _VALID) or min(strides) < 1 or sizes != after:
        writer.opaque(node)
        return
    attributes: dict[str, object] = {"auto_pad": "SAME_UPPER"} if kind == _SAME else {}
    names = (writer.read_map(x), *writer.bias(node, 2))
    _emit_transposed(writer, node, weight, names, {**attributes, "strides": strides})


def _emit_transposed(
    writer: Writer,
    node: StoredOperator,
    weight: int,
    names: tuple[str, ...],
    attributes: dict[str, object],
) -> None:
    """The operator; ``names``: of the feature map, and of the bias if there is one."""
    kernel = shape_of_rank(writer, node, weight, 4)
    x, *bias = names
    inputs = (x, writer.kernel(weight, _OIHW_TO_IOHW), *bias)
    attributes["kernel_shape"] = kernel[1:3]
    fused = integer(node, 3, kind="i8")
    writer.emit("ConvTranspose", inputs, node.outputs[0], attributes, first=True, fused=fused)


def _conv_3d(writer: Writer, node: StoredOperator) -> None:
    x, weight = node.inputs[:2]
    kernel = shape_of_rank(writer, node, weight, 5)
    channels = shape_of_rank(writer, node, x, 5)[4]
    strides = (integer(node, 1, 1), *pair(node, 3, 2))
    dilations = (integer(node, 5, 1), *pair(node, 7, 6))
    attributes = {
        **padding(node, kernel[:3], strides, dilations),
        "strides": strides,
        "dilations": dilations,
        "kernel_shape": kernel[:3],
        "group": max(channels // max(kernel[3], 1), 1),
    }
    inputs = (writer.read_map(x), writer.kernel(weight, _DHWIO), *writer.bias(node, 2))
    fused = integer(node, 4, kind="i8")
    writer.emit("Conv", inputs, node.outputs[0], attributes, first=True, fused=fused)


CONVOLUTIONS: dict[str, Rule] = {
    "CONV_2D": _conv,
    "DEPTHWISE_CONV_2D": _depthwise,
    "TRANSPOSE_CONV": _transposed,
    "CONV_3D": _conv_3d,
    TRANSPOSED_WITH_BIAS: _transposed_with_bias,
}
