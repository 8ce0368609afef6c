"""TensorFlow's graph operators in ONNX's words [TensorFlow, raw operators].

Shared by TF.js graph models and SavedModels.  TensorFlow keeps channels last: a convolution becomes
one with channels first between two transpositions.  Weights keep their stored axes and are turned
by operators.  What has no counterpart keeps its name in the domain ``tensorflow``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from assay.vocabularies.builder import GraphBuilder

_SAME_NAME = [
    "Relu",
    "Elu",
    "Selu",
    "Sigmoid",
    "Tanh",
    "Softplus",
    "Softsign",
    "Exp",
    "Log",
    "Sqrt",
    "Abs",
    "Neg",
    "Ceil",
    "Floor",
    "Round",
    "Sign",
    "Sin",
    "Cos",
    "Tan",
    "Asin",
    "Acos",
    "Atan",
    "Sinh",
    "Cosh",
    "Erf",
    "Identity",
    "Mul",
    "Sub",
    "Pow",
    "Equal",
    "Less",
    "Greater",
    "Shape",
    "Reciprocal",
    "Reshape",
]
_NAMES = {
    **{name: name for name in _SAME_NAME},
    "Add": "Add",
    "AddV2": "Add",
    "RealDiv": "Div",
    "Div": "Div",
    "DivNoNan": "Div",
    "Maximum": "Max",
    "Minimum": "Min",
    "AddN": "Sum",
    "GreaterEqual": "GreaterOrEqual",
    "LessEqual": "LessOrEqual",
    "LogicalAnd": "And",
    "LogicalOr": "Or",
    "LogicalNot": "Not",
    "Select": "Where",
    "SelectV2": "Where",
    "StopGradient": "Identity",
    "PreventGradient": "Identity",
    "Snapshot": "Identity",
    "Inv": "Reciprocal",
    "Fill": "tensorflow::Fill",
}
_REDUCTIONS = {
    "Mean": "ReduceMean",
    "Sum": "ReduceSum",
    "Max": "ReduceMax",
    "Min": "ReduceMin",
    "Prod": "ReduceProd",
}


@dataclass(frozen=True)
class Node:
    """One operator of TensorFlow: names of tensors, plain attributes."""

    op: str
    inputs: Sequence[str]
    outputs: Sequence[str]
    attributes: Mapping[str, Any] = field(default_factory=dict)

    def ints(self, name: str, usual: tuple[int, ...] = ()) -> tuple[int, ...]:
        value = self.attributes.get(name)
        return tuple(int(v) for v in value) if isinstance(value, list | tuple) else usual

    def integer(self, name: str, usual: int = 0) -> int:
        value = self.attributes.get(name)
        return int(value) if isinstance(value, int) else usual

    def real(self, name: str, usual: float) -> float:
        value = self.attributes.get(name)
        return float(value) if isinstance(value, int | float) else usual

    def text(self, name: str, usual: str = "") -> str:
        value = self.attributes.get(name)
        return value if isinstance(value, str) else usual

    @property
    def is_first(self) -> bool:
        """Whether channels come first."""
        return self.text("data_format").startswith("NC")


def translate(build: GraphBuilder, node: Node) -> None:
    """The operator, added to the graph."""
    rule = _RULES.get(node.op)
    if rule is not None:
        rule(build, node)
    elif node.op in _NAMES:
        build.add(_NAMES[node.op], node.inputs, node.outputs[0])
    elif node.op in _REDUCTIONS:
        keep = {"keepdims": node.integer("keep_dims")}
        build.add(_REDUCTIONS[node.op], node.inputs, node.outputs[0], keep)
    else:
        build.add(f"tensorflow::{node.op}"[:200], node.inputs, node.outputs)


def _space(node: Node, name: str, rank: int) -> tuple[int, ...]:
    """What an attribute says of the axes of space."""
    values = node.ints(name, (1,) * (rank + 2))
    return values[2:] if node.is_first else values[1:-1]


def _window(node: Node, rank: int) -> dict[str, Any]:
    found: dict[str, Any] = {"strides": _space(node, "strides", rank)}
    padding = node.text("padding", "VALID")
    pads = node.ints("explicit_paddings")
    if padding == "EXPLICIT" and len(pads) == 2 * rank + 4:
        inner = pads[4:] if node.is_first else pads[2:-2]
        return found | {"pads": (*inner[::2], *inner[1::2])}
    return found | {"auto_pad": "SAME_UPPER" if padding == "SAME" else "VALID"}


def _moved(
    build: GraphBuilder, node: Node, op: str, others: list[str], attributes: Mapping[str, Any]
) -> str:
    """The result, channels first, of an operator that wants them so."""
    x = node.inputs[0]
    rank = max(build.rank(x) - 2, 1) if build.rank(x) else 2
    return build.add(op, [x if node.is_first else build.first(x, rank), *others], "", attributes)


def _back(build: GraphBuilder, node: Node, result: str) -> None:
    if node.is_first:
        build.add("Identity", [result], node.outputs[0])
    else:
        build.last(result, node.outputs[0])


def _conv(build: GraphBuilder, node: Node) -> None:
    kernel, rank = node.inputs[1], 3 if node.op == "Conv3D" else 2
    axes = (rank + 1, rank, *range(rank))
    attributes = _window(node, rank) | {"dilations": _space(node, "dilations", rank)}
    shape = build.known(kernel).shape
    if "Depthwise" in node.op:
        if shape is None or len(shape) != 4:
            build.add("tensorflow::DepthwiseConv2dNative", node.inputs, node.outputs)
            return
        turned = build.transpose(kernel, (2, 3, 0, 1))
        flat = build.constant([shape[2] * shape[3], 1, *shape[:2]])
        weight = build.add("Reshape", [turned, flat])
        attributes["group"] = shape[2]
    else:
        weight = build.transpose(kernel, axes)
        channels = build.known(node.inputs[0]).shape
        if shape and channels and channels[-1] > shape[-2] > 0 and not node.is_first:
            attributes["group"] = channels[-1] // shape[-2]
    fused = [str(name) for name in node.attributes.get("fused_ops", ())]
    others = [weight]
    if fused[:1] == ["BiasAdd"]:
        others.append(node.inputs[2])
    result = _moved(build, node, "Conv", others, attributes)
    _back(build, node, _fused(build, node, result, fused[1:]))


def _fused(build: GraphBuilder, node: Node, result: str, names: Sequence[str]) -> str:
    for name in names:
        if name == "Relu6":
            result = _clipped(build, result, "")
        elif name == "LeakyRelu":
            alpha = {"alpha": node.real("leakyrelu_alpha", 0.2)}
            result = build.add("LeakyRelu", [result], "", alpha)
        else:
            result = build.add(_NAMES.get(name, f"tensorflow::{name}"[:200]), [result])
    return result


def _clipped(build: GraphBuilder, tensor: str, output: str) -> str:
    bounds = [build.constant(np.float32(b)) for b in (0.0, 6.0)]
    return build.add("Clip", [tensor, *bounds], output)


def _conv_transpose(build: GraphBuilder, node: Node) -> None:
    """Reads the wanted size, the kernel (height, width, output, input) and the images."""
    weight = build.transpose(node.inputs[1], (3, 2, 0, 1))
    inner = Node(node.op, [node.inputs[2]], node.outputs, node.attributes)
    _back(build, node, _moved(build, inner, "ConvTranspose", [weight], _window(node, 2)))


def _pool(build: GraphBuilder, node: Node) -> None:
    op = "MaxPool" if node.op.startswith("Max") else "AveragePool"
    rank = 3 if node.op.endswith("3D") else 2
    attributes = _window(node, rank) | {"kernel_shape": _space(node, "ksize", rank)}
    _back(build, node, _moved(build, node, op, [], attributes))


def _batch_norm(build: GraphBuilder, node: Node) -> None:
    attributes = {"epsilon": node.real("epsilon", 1e-4)}
    _back(build, node, _moved(build, node, "BatchNormalization", [*node.inputs[1:5]], attributes))


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
    for _i, (name, flags) in enumerate(
        zip(node.inputs[:2], (("transpose_a", "adj_x"), ("transpose_b", "adj_y")), strict=True)
    ):
        rank = build.rank(name) or 2
        if any(node.integer(flag) for flag in flags):
            name = build.transpose(name, (*range(rank - 2), rank - 1, rank - 2))
        names.append(name)
    fused = [str(name) for name in node.attributes.get("fused_ops", ())]
    product = build.add("MatMul", names, "" if fused else node.outputs[0])
    if fused[:1] == ["BiasAdd"]:
        product = build.add("Add", [product, node.inputs[2]])
    if fused:
        build.add("Identity", [_fused(build, node, product, fused[1:])], node.outputs[0])


def _numbers(build: GraphBuilder, name: str) -> list[int]:
    value = build.known(name).value
    return [] if value is None else [int(v) for v in np.asarray(value).reshape(-1)]


def _pad(build: GraphBuilder, node: Node) -> None:
    pairs = _numbers(build, node.inputs[1])
    pads = build.constant([*pairs[::2], *pairs[1::2]]) if pairs else node.inputs[1]
    mode = {"REFLECT": "reflect", "SYMMETRIC": "edge"}.get(node.text("mode"), "constant")
    build.add("Pad", [node.inputs[0], pads], node.outputs[0], {"mode": mode})


def _transpose(build: GraphBuilder, node: Node) -> None:
    axes = _numbers(build, node.inputs[1])
    attributes = {"perm": tuple(axes)} if axes else {}
    build.add("Transpose", node.inputs[:1], node.outputs[0], attributes)


def _concat(build: GraphBuilder, node: Node) -> None:
    axis = (_numbers(build, node.inputs[-1]) or [-1])[0]
    inputs = node.inputs[:-1]
    if axis in (-1, build.rank(inputs[0]) - 1) and all(name in build.twins for name in inputs):
        joined = build.add("Concat", [build.twins[name] for name in inputs], "", {"axis": 1})
        build.last(joined, node.outputs[0])
        return
    build.add("Concat", inputs, node.outputs[0], {"axis": axis})


def _pack(build: GraphBuilder, node: Node) -> None:
    axis = node.integer("axis")
    at = build.constant([axis])
    parts = [build.add("Unsqueeze", [name, at]) for name in node.inputs]
    build.add("Concat", parts, node.outputs[0], {"axis": axis})


def _expand(build: GraphBuilder, node: Node) -> None:
    axes = build.constant(_numbers(build, node.inputs[1]) or [0])
    build.add("Unsqueeze", [node.inputs[0], axes], node.outputs[0])


def _squeeze(build: GraphBuilder, node: Node) -> None:
    axes = node.ints("squeeze_dims") or node.ints("axis")
    others = [build.constant(list(axes))] if axes else []
    build.add("Squeeze", [node.inputs[0], *others], node.outputs[0])


def _strided_slice(build: GraphBuilder, node: Node) -> None:
    begin, end, step = (_numbers(build, name) for name in node.inputs[1:4])
    if not begin or not len(begin) == len(end) == len(step) or node.integer("ellipsis_mask"):
        build.add("Slice", node.inputs[:1], node.outputs[0])
        return
    masks = {
        name: node.integer(f"{name}_mask") for name in ("begin", "end", "shrink_axis", "new_axis")
    }
    starts, stops, steps, axes, gone, new, axis = [], [], [], [], [], [], 0
    for i in range(len(begin)):
        if masks["new_axis"] >> i & 1:
            new.append(i)
            continue
        shrinks = masks["shrink_axis"] >> i & 1
        forward = step[i] > 0
        starts.append((0 if forward else 2**31 - 1) if masks["begin"] >> i & 1 else begin[i])
        open_end = masks["end"] >> i & 1 or (shrinks and begin[i] == -1)
        limit = 2**31 - 1 if forward else -(2**31)
        stops.append(limit if open_end else begin[i] + 1 if shrinks else end[i])
        steps.append(step[i])
        axes.append(axis)
        gone += [axis] if shrinks else []
        axis += 1
    result = node.inputs[0]
    if axes:
        lists = [build.constant(values) for values in (starts, stops, axes, steps)]
        result = build.add("Slice", [result, *lists])
    if gone:
        result = build.add("Squeeze", [result, build.constant(gone)])
    if new:
        result = build.add("Unsqueeze", [result, build.constant(new)])
    build.add("Identity", [result], node.outputs[0])


def _slice(build: GraphBuilder, node: Node) -> None:
    begin, size = (_numbers(build, name) for name in node.inputs[1:3])
    if not begin or len(begin) != len(size):
        build.add("Slice", node.inputs[:1], node.outputs[0])
        return
    end = [2**31 - 1 if s < 0 else b + s for b, s in zip(begin, size, strict=True)]
    lists = [build.constant(values) for values in (begin, end, list(range(len(begin))))]
    build.add("Slice", [node.inputs[0], *lists], node.outputs[0])


def _split(build: GraphBuilder, node: Node) -> None:
    sized = node.op == "SplitV"
    data, axis = (node.inputs[0], node.inputs[2]) if sized else (node.inputs[1], node.inputs[0])
    inputs = [data, *([node.inputs[1]] if sized else [])]
    build.add("Split", inputs, node.outputs, {"axis": (_numbers(build, axis) or [0])[0]})


def _softmax(build: GraphBuilder, node: Node) -> None:
    build.add("Softmax", node.inputs, node.outputs[0], {"axis": -1})


def _square(build: GraphBuilder, node: Node) -> None:
    build.add("Mul", [node.inputs[0]] * 2, node.outputs[0])


def _rsqrt(build: GraphBuilder, node: Node) -> None:
    build.add("Reciprocal", [build.add("Sqrt", node.inputs)], node.outputs[0])


def _relu6(build: GraphBuilder, node: Node) -> None:
    _clipped(build, node.inputs[0], node.outputs[0])


def _leaky(build: GraphBuilder, node: Node) -> None:
    build.add("LeakyRelu", node.inputs, node.outputs[0], {"alpha": node.real("alpha", 0.2)})


def _gather(build: GraphBuilder, node: Node) -> None:
    axis = (_numbers(build, node.inputs[2]) or [0])[0] if len(node.inputs) > 2 else 0
    build.add("Gather", node.inputs[:2], node.outputs[0], {"axis": axis})


def _cast(build: GraphBuilder, node: Node) -> None:
    build.add("Cast", node.inputs, node.outputs[0], {"to": node.integer("DstT", 1)})


def _resize(build: GraphBuilder, node: Node) -> None:
    mode = "nearest" if "Nearest" in node.op else "linear"
    attributes = {"mode": mode, "axes": (2, 3)}
    _back(build, node, _moved(build, node, "Resize", ["", "", node.inputs[1]], attributes))


_RULES: dict[str, Callable[[GraphBuilder, Node], None]] = {
    **dict.fromkeys(("Conv2D", "Conv3D", "_FusedConv2D"), _conv),
    **dict.fromkeys(("DepthwiseConv2dNative", "FusedDepthwiseConv2dNative"), _conv),
    "Conv2DBackpropInput": _conv_transpose,
    **dict.fromkeys(("MaxPool", "AvgPool", "MaxPool3D", "AvgPool3D"), _pool),
    **{f"FusedBatchNorm{version}": _batch_norm for version in ("", "V2", "V3")},
    "BiasAdd": _bias,
    **dict.fromkeys(("MatMul", "BatchMatMul", "BatchMatMulV2", "_FusedMatMul"), _matmul),
    **dict.fromkeys(("Pad", "PadV2", "MirrorPad"), _pad),
    "Transpose": _transpose,
    "ConcatV2": _concat,
    "Pack": _pack,
    "ExpandDims": _expand,
    "Squeeze": _squeeze,
    "StridedSlice": _strided_slice,
    "Slice": _slice,
    **dict.fromkeys(("Split", "SplitV"), _split),
    "Softmax": _softmax,
    "Square": _square,
    "Rsqrt": _rsqrt,
    "Relu6": _relu6,
    "LeakyRelu": _leaky,
    **dict.fromkeys(("Gather", "GatherV2"), _gather),
    "Cast": _cast,
    **dict.fromkeys(("ResizeBilinear", "ResizeNearestNeighbor"), _resize),
}
