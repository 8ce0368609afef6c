"""TensorFlow's convolutions, pools, normalizations and products in ONNX's words [raw operators].

TensorFlow keeps channels last: a convolution becomes one with channels first between two
transpositions.  Kernels keep their stored axes and are turned by operators.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from assay.errors import UnreadableModel
from assay.graphs.operators import Operator
from assay.vocabularies.builder import GraphBuilder
from assay.vocabularies.tensorflow.node import Node, Rule, back, moved, numbers
from assay.vocabularies.windows import same

_SAME_NAME = (
    "Relu Elu Selu Sigmoid Tanh Softplus Softsign Exp Log Sqrt Abs Neg Ceil Floor Round Sign Sin"
    " Cos Tan Asin Acos Atan Sinh Cosh Erf Identity Mul Sub Pow Equal Less Greater Shape Reciprocal"
    " Reshape Tile Size Range"
)
NAMES = {  # of operators that differ in nothing but the name
    **{name: name for name in _SAME_NAME.split()},
    **{"Add": "Add", "AddV2": "Add", "AddN": "Sum", "BroadcastTo": "Expand", "Inv": "Reciprocal"},
    **{
        "RealDiv": "Div",
        "Div": "Div",
        "DivNoNan": "Div",
        "FloorMod": "Mod",
        "GatherNd": "GatherND",
    },
    **{"Maximum": "Max", "Minimum": "Min", "Select": "Where", "SelectV2": "Where"},
    **{"GreaterEqual": "GreaterOrEqual", "LessEqual": "LessOrEqual"},
    **{"LogicalAnd": "And", "LogicalOr": "Or", "LogicalNot": "Not"},
    "IsNan": "IsNaN",
    **dict.fromkeys(("StopGradient", "PreventGradient", "Snapshot"), "Identity"),
}


def _space(node: Node, name: str, rank: int) -> tuple[int, ...]:
    """What an attribute says of the axes of space."""
    values = node.ints(name, (1,) * (rank + 2))
    return values[2:] if node.is_first else values[1:-1]


def _window(node: Node, rank: int, kernel: Sequence[int] = ()) -> dict[str, Any]:
    """Strides and padding; and dilations where it has a kernel, of axes of space."""
    strides = _space(node, "strides", rank)
    dilations = _space(node, "dilations", rank) if kernel else ()
    found: dict[str, Any] = {"strides": strides} | ({"dilations": dilations} if kernel else {})
    padding = node.text("padding", "VALID")
    pads = node.ints("explicit_paddings")
    if padding == "EXPLICIT" and len(pads) == 2 * rank + 4:
        inner = pads[4:] if node.is_first else pads[2:-2]
        return found | {"pads": (*inner[::2], *inner[1::2])}
    if padding == "SAME":
        return found | same(kernel, strides, dilations)
    return found | {"auto_pad": "VALID"}


def _conv(build: GraphBuilder, node: Node) -> None:
    kernel, rank = node.inputs[1], 3 if node.op == "Conv3D" else 2
    shape = build.known(kernel).shape
    if shape is None or len(shape) != rank + 2:
        build.add(f"tensorflow::{node.op}", node.inputs, node.outputs)
        return
    attributes = _window(node, rank, shape[:rank])
    if "Depthwise" in node.op:
        turned = build.transpose(kernel, (2, 3, 0, 1))
        flat = build.constant([shape[2] * shape[3], 1, *shape[:2]])
        weight = build.add("Reshape", [turned, flat])
        attributes["group"] = shape[2]
    else:
        weight = build.transpose(kernel, (rank + 1, rank, *range(rank)))
        channels = build.known(node.inputs[0]).shape or (0,)
        width = channels[1 if node.is_first and len(channels) > 1 else -1]
        if width > shape[-2] > 0:
            attributes["group"] = width // shape[-2]
    fused = node.texts("fused_ops")
    others = [weight, *(node.inputs[2:3] if "BiasAdd" in fused else [])]
    result = moved(build, node, "Conv", others, attributes)
    back(build, node, _fused(build, node, result))


def _fused(build: GraphBuilder, node: Node, result: str) -> str:
    """What an operator does to its result besides; the bias is added before."""
    for name in node.texts("fused_ops"):
        if name == "BiasAdd":
            continue
        if name == "Relu6":
            result = clipped(build, result, "")
        elif name == "Prelu":
            result = build.add("PRelu", [result, slope(build, node.inputs[3:4], result)])
        elif name == "LeakyRelu":
            alpha = {"alpha": node.real("leakyrelu_alpha", 0.2)}
            result = build.add("LeakyRelu", [result], "", alpha)
        else:
            result = build.add(NAMES.get(name, f"tensorflow::{name}"[:200]), [result])
    return result


def slope(build: GraphBuilder, given: Sequence[str], images: str) -> str:
    """The slopes of a PRelu, one for each channel, as it reads them where channels are first."""
    if not given:
        raise UnreadableModel("Prelu has no slopes")
    axes = build.rank(given[0])
    space = build.rank(images) - 2
    if axes == space + 1:
        return build.transpose(given[0], (axes - 1, *range(axes - 1)))
    return given[0]


def _prelu(build: GraphBuilder, node: Node) -> None:
    """TF.js has it as one operator."""
    x = node.inputs[0]
    if x not in build.twins:
        build.add("PRelu", node.inputs[:2], node.outputs[0])
        return
    images = build.twins[x]
    build.last(
        build.add("PRelu", [images, slope(build, node.inputs[1:2], images)]), node.outputs[0]
    )


def clipped(build: GraphBuilder, tensor: str, output: str) -> str:
    """The tensor between 0 and 6."""
    bounds = [build.constant(np.float32(b)) for b in (0.0, 6.0)]
    return build.add("Clip", [tensor, *bounds], output)


def _conv_transpose(build: GraphBuilder, node: Node) -> None:
    """Reads the wanted size, the kernel (space, output, input) and the images."""
    rank = 3 if node.op.startswith("Conv3D") else 2
    weight = build.transpose(node.inputs[1], (rank + 1, rank, *range(rank)))
    inner = Node(node.op, [node.inputs[2]], node.outputs, node.attributes)
    attributes = _window(node, rank)
    wanted, before = numbers(build, node.inputs[0]), build.known(node.inputs[2]).shape or ()
    if len(wanted) == len(before) == rank + 2:
        start = 2 if node.is_first else 1
        usual = [size * by for size, by in zip(before[start:], attributes["strides"], strict=False)]
        if attributes.get("auto_pad") == "SAME_UPPER" and wanted[start : start + rank] != usual:
            attributes["output_shape"] = tuple(wanted[start : start + rank])
        elif attributes.get("auto_pad") == "VALID":  # what no window reaches is there all the same
            kernel = (build.known(node.inputs[1]).shape or ())[:rank]
            sizes = zip(wanted[start:], before[start:], attributes["strides"], kernel, strict=False)
            more = tuple(w - (n - 1) * s - k for w, n, s, k in sizes)
            attributes |= {"output_padding": more} if any(more) else {}
    back(build, node, moved(build, inner, "ConvTranspose", [weight], attributes))


def _pool(build: GraphBuilder, node: Node) -> None:
    op = "MaxPool" if node.op.startswith("Max") else "AveragePool"
    rank = 3 if node.op.endswith("3D") else 2
    attributes = _window(node, rank) | {"kernel_shape": _space(node, "ksize", rank)}
    back(build, node, moved(build, node, op, [], attributes))


def _response(build: GraphBuilder, node: Node) -> None:
    """ONNX divides the factor by the number of channels, of which there are two radii and one."""
    size = 2 * node.integer("depth_radius", 5) + 1
    attributes = {"size": size, "alpha": node.real("alpha", 1.0) * size}
    attributes |= {"beta": node.real("beta", 0.5), "bias": node.real("bias", 1.0)}
    back(build, node, moved(build, node, "LRN", [], attributes))


def _batch_norm(build: GraphBuilder, node: Node) -> None:
    attributes = {"epsilon": node.real("epsilon", 1e-4)}
    back(build, node, moved(build, node, "BatchNormalization", [*node.inputs[1:5]], attributes))


def _bias(build: GraphBuilder, node: Node) -> None:
    """A bias right behind a convolution is the convolution's."""
    x, bias = node.inputs[:2]
    twin = build.twins.get(x)
    last = build.operators[-2] if twin and len(build.operators) > 1 else None
    if last is not None and last.outputs == (twin,) and last.op == "Conv" and len(last.inputs) == 2:
        inputs = [*last.inputs, bias]
        build.last(build.add(last.op, inputs, "", last.attributes), node.outputs[0])
        return
    build.add("Add", [x, bias], node.outputs[0])


def _matmul(build: GraphBuilder, node: Node) -> None:
    names = []
    flags = (("transpose_a", "adj_x"), ("transpose_b", "adj_y"))
    for name, turned in zip(node.inputs[:2], flags, strict=True):
        rank = build.rank(name) or 2
        if rank > 1 and any(node.integer(flag) for flag in turned):
            name = build.transpose(name, (*range(rank - 2), rank - 1, rank - 2))
        names.append(name)
    fused = node.texts("fused_ops")
    product = build.add("MatMul", names, "" if fused else node.outputs[0])
    if "BiasAdd" in fused and len(node.inputs) > 2:
        product = build.add("Add", [product, node.inputs[2]])
    if fused:
        build.add("Identity", [_fused(build, node, product)], node.outputs[0])


def _batch_to_space(build: GraphBuilder, node: Node) -> None:
    """A convolution between SpaceToBatchND and BatchToSpaceND is a dilated one.

    Along one axis it stands between ExpandDims and Squeeze besides.
    """
    block = numbers(build, node.inputs[1])
    chain = _chain(build, node.inputs[0], _DILATED.get(len(block), ()))
    if not chain or numbers(build, chain[-1].inputs[1]) != block:
        build.add(f"tensorflow::{node.op}", node.inputs, node.outputs)
        return
    pads, crops = numbers(build, chain[-1].inputs[2]), numbers(build, node.inputs[2])
    if not len(pads) == len(crops) == 2 * len(block):
        build.add(f"tensorflow::{node.op}", node.inputs, node.outputs)
        return
    inner = [pad - crop for pad, crop in zip(pads, crops, strict=True)]
    is_line = len(block) == 1
    if is_line:
        block, inner = [1, *block], [0, 0, *inner]
    conv = next(each for each in chain if each.op == "Conv")
    attributes = dict(conv.attributes) | {"dilations": tuple(block)}
    attributes |= {"auto_pad": "NOTSET", "pads": (*inner[::2], *inner[1::2])}
    x = chain[-1].inputs[0]
    if is_line:
        x = build.add("Unsqueeze", [x, build.constant([1])])
    wide = Node(node.op, [x], [build.fresh(x)] if is_line else node.outputs, node.attributes)
    back(build, wide, moved(build, wide, "Conv", conv.inputs[1:], attributes))
    if is_line:
        build.add("Squeeze", [wide.outputs[0], build.constant([1])], node.outputs[0])


def _chain(build: GraphBuilder, name: str, ops: Sequence[str]) -> list[Operator]:
    """The operators of these kinds of which each writes what the one before reads first."""
    writers = {each.outputs[0]: each for each in build.operators[-_NEAR:]}
    chain = []
    for op in ops:
        writer = writers.get(name)
        if writer is None or writer.op != op:
            return []
        chain.append(writer)
        name = writer.inputs[0]
    return chain


_CUT = "tensorflow::SpaceToBatchND"
_DILATED = {  # by the number of axes: what leads from the end of a dilated convolution to its begin
    1: ("Squeeze", "Transpose", "Conv", "Transpose", "Unsqueeze", _CUT),
    2: ("Transpose", "Conv", "Transpose", _CUT),
}
_NEAR = 12  # operators back to the beginning of a dilated convolution
RULES: dict[str, tuple[int, Rule]] = {  # inputs that it cannot do without, and the rule
    "Prelu": (2, _prelu),
    **dict.fromkeys(("Conv2D", "Conv3D", "_FusedConv2D"), (2, _conv)),
    **dict.fromkeys(("DepthwiseConv2dNative", "FusedDepthwiseConv2dNative"), (2, _conv)),
    **dict.fromkeys(("Conv2DBackpropInput", "Conv3DBackpropInputV2"), (3, _conv_transpose)),
    **dict.fromkeys(("MaxPool", "AvgPool", "MaxPool3D", "AvgPool3D"), (1, _pool)),
    **{f"FusedBatchNorm{version}": (5, _batch_norm) for version in ("", "V2", "V3")},
    "_FusedBatchNormEx": (5, _batch_norm),
    "LRN": (1, _response),
    "BiasAdd": (2, _bias),
    **dict.fromkeys(("MatMul", "BatchMatMul", "BatchMatMulV2", "BatchMatMulV3"), (2, _matmul)),
    "_FusedMatMul": (2, _matmul),
    "BatchToSpaceND": (3, _batch_to_space),
}
