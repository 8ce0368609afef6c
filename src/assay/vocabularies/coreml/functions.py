"""The layers of Core ML neural networks that compute with numbers, in ONNX's words.

[NeuralNetwork.proto] Activations, arithmetic, comparisons, reductions, normalizations without
weights.  Where a layer has one input, the other operand is an option.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np

from assay.vocabularies.coreml.network import Layer

_UNARY = {
    665: "Ceil",
    670: "Floor",
    680: "Sign",
    685: "Round",
    710: "Sin",
    715: "Cos",
    720: "Tan",
    730: "Asin",
    735: "Acos",
    740: "Atan",
    750: "Sinh",
    755: "Cosh",
    760: "Tanh",
    770: "Asinh",
    775: "Acosh",
    780: "Atanh",
    790: "Erf",
    850: "Not",
}
_BINARY = {
    840: "Or",
    845: "Xor",
    855: "And",
    865: "Mod",
    870: "Min",
    875: "Max",
    880: "Add",
    885: "Pow",
    890: "Div",
    900: "Mul",
    905: "Sub",
    1330: "Where",
}
_COMPARISONS = {
    815: ("Equal", 1),
    820: ("NotEqual", 1),
    825: ("Less", 2),
    827: ("LessOrEqual", 2),
    830: ("Greater", 2),
    832: ("GreaterOrEqual", 2),
}
_REDUCTIONS = {
    1250: "ReduceL1",
    1255: "ReduceL2",
    1260: "ReduceMax",
    1265: "ReduceMin",
    1270: "ReduceSum",
    1275: "ReduceProd",
    1280: "ReduceMean",
    1285: "ReduceLogSum",
    1290: "ReduceSumSquare",
    1295: "ReduceLogSumExp",
}
_MODES = ("Sum", "Mean", "Prod", "LogSum", "SumSquare", "L1", "L2", "Max", "Min")  # of a reduction
_AXES = ((-3, -2, -1), (-2, -1), (-3,), (-2,), (-1,))  # of a reduction, by its option
_FUNCTIONS = ("Sqrt", "RSqrt", "Reciprocal", "Pow", "Exp", "Log", "Abs", "Max")
_ACTIVATIONS = {10: "Relu", 30: "Tanh", 40: "Sigmoid", 60: "Softsign", 70: "Softplus"}
_WITH_ALPHA = {15: "LeakyRelu", 20: "ThresholdedRelu", 50: "Elu"}


def activation(layer: Layer) -> None:
    """An activation without weights."""
    kind = next(iter(layer.options.numbers()), 0)
    options = layer.options.message(kind)
    alpha, beta = options.real(1), options.real(2)
    if kind in _ACTIVATIONS:
        layer.emit(_ACTIVATIONS[kind], [layer.x])
    elif kind in _WITH_ALPHA:
        layer.emit(_WITH_ALPHA[kind], [layer.x], {"alpha": alpha})
    elif kind == 41:
        layer.emit("HardSigmoid", [layer.x], {"alpha": alpha, "beta": beta})
    elif kind == 5:
        layer.steps(("Mul", [layer.number(alpha)], {}), ("Add", [layer.number(beta)], {}))
    elif kind == 31:
        inner, outer = layer.number(beta), layer.number(alpha)
        layer.steps(("Mul", [inner], {}), ("Tanh", [], {}), ("Mul", [outer], {}))
    else:
        layer.emit(f"coreml::activation{kind}", [layer.x])


def _named(op: str, layer: Layer) -> None:
    layer.emit(op, layer.inputs)


def _with_option(op: str, layer: Layer) -> None:
    """Of one input and an option, of two inputs, or of more."""
    inputs = list(layer.inputs)
    if len(inputs) == 1:
        inputs.append(layer.number(layer.options.real(1)))
    layer.emit({"Add": "Sum"}.get(op, op) if len(inputs) > 2 else op, inputs)


def _multiply(layer: Layer) -> None:
    """Of any number of inputs; ONNX multiplies two."""
    if len(layer.inputs) < 3:
        _with_option("Mul", layer)
        return
    layer.steps(*(("Mul", [name], {}) for name in layer.inputs[1:]))


def _compared(op: str, option: int, layer: Layer) -> None:
    inputs = list(layer.inputs)
    if len(inputs) == 1:
        inputs.append(layer.number(layer.options.real(option)))
    if op == "NotEqual":
        layer.emit("Not", [layer.build.add("Equal", inputs)])
    else:
        layer.emit(op, inputs)


def _reduced(op: str, layer: Layer) -> None:
    options = layer.options
    axes = [] if options.integer(3) else options.integers(1)
    inputs = [layer.x, *([layer.build.constant(axes)] if axes else [])]
    layer.emit(op, inputs, {"keepdims": options.integer(2)})


def _reduce(layer: Layer) -> None:
    """Over channels, height, width; a vector has channels only."""
    mode, place = layer.options.integer(1), layer.options.integer(3)
    axes = list(_AXES[min(max(place, 0), len(_AXES) - 1)])
    if layer.rank == 2 and not layer.network.is_exact:
        axes = [1] if -3 in axes else []
    if not axes:
        layer.emit("Identity", [layer.x])
    elif 0 <= mode < len(_MODES):
        inputs = [layer.x, layer.build.constant(axes)]
        layer.emit(f"Reduce{_MODES[mode]}", inputs, {"keepdims": 1})
    else:
        layer.emit("ArgMax", [layer.x], {"axis": axes[0], "keepdims": 1})


def _arg(op: str, layer: Layer) -> None:
    attributes = {"axis": layer.options.integer(1), "keepdims": int(not layer.options.integer(2))}
    layer.emit(op, [layer.x], attributes)


def _unary(layer: Layer) -> None:
    """A function of scale · x + shift."""
    options = layer.options
    name = layer.x
    scale, shift = options.real(5) or 1.0, options.real(4)
    if scale != 1:
        name = layer.build.add("Mul", [name, layer.number(scale)])
    if shift:
        name = layer.build.add("Add", [name, layer.number(shift)])
    op = _FUNCTIONS[min(max(options.integer(1), 0), len(_FUNCTIONS) - 1)]
    if op == "RSqrt":
        layer.emit("Reciprocal", [layer.build.add("Sqrt", [name])])
    elif op in ("Pow", "Max"):
        layer.emit(op, [name, layer.number(options.real(2))])
    else:
        layer.emit(op, [name])


def _gelu(layer: Layer) -> None:
    mode = layer.options.integer(1)
    if mode == 2:
        layer.emit("com.microsoft::QuickGelu", [layer.x])
    else:
        layer.emit("Gelu", [layer.x], {"approximate": "tanh" if mode == 1 else "none"})


def _clip(layer: Layer) -> None:
    bounds = [layer.number(layer.options.real(number)) for number in (1, 2)]
    layer.emit("Clip", [layer.x, *bounds])


def _clamped_relu(layer: Layer) -> None:
    alpha, beta = layer.options.real(1), layer.options.real(2)
    layer.steps(("LeakyRelu", [], {"alpha": alpha}), ("Min", [layer.number(beta)], {}))


def _exp2(layer: Layer) -> None:
    layer.emit("Pow", [layer.number(2.0), layer.x])


def _floor_div(layer: Layer) -> None:
    layer.emit("Floor", [layer.build.add("Div", layer.inputs)])


def _softmax(layer: Layer) -> None:
    axis = layer.options.integer(1) if layer.kind == 950 else layer.channels
    layer.emit("Softmax", [layer.x], {"axis": axis})


def _lrn(layer: Layer) -> None:
    options = layer.options
    attributes = {"size": options.integer(3), "bias": options.real(4) or 1.0}
    layer.emit("LRN", [layer.x], attributes | {"alpha": options.real(1), "beta": options.real(2)})


def _mean_variance(layer: Layer) -> None:
    """Over space, or over channels and space; told in parts, as exporters to ONNX do."""
    build = layer.build
    shape = build.known(layer.x).shape or ()
    over = (-3, -2, -1) if layer.options.integer(1) else (-2, -1)
    long = [axis for axis in over if -axis > len(shape) or shape[axis] != 1]
    axes = build.constant(long or list(over))
    mean = build.add("ReduceMean", [layer.x, axes])
    if not layer.options.integer(2):
        layer.emit("Sub", [layer.x, mean])
        return
    difference = build.add("Sub", [layer.x, mean])
    squares = build.add("Pow", [difference, layer.number(2.0)])
    variance = build.add("ReduceMean", [squares, axes])
    shifted = build.add("Add", [variance, layer.number(layer.options.real(3) or 1e-6)])
    layer.emit("Div", [difference, build.add("Sqrt", [shifted])])


def _l2_normalize(layer: Layer) -> None:
    axes = layer.build.constant([-3, -2, -1] if layer.rank != 2 else [1])
    squares = layer.build.add("ReduceSumSquare", [layer.x, axes])
    shifted = layer.build.add("Add", [squares, layer.number(layer.options.real(1) or 1e-6)])
    layer.emit("Div", [layer.x, layer.build.add("Sqrt", [shifted])])


def _dot(layer: Layer) -> None:
    """The product of two vectors of channels."""
    if layer.options.integer(1):
        layer.emit("coreml::cosineSimilarity", layer.inputs)
        return
    axis = layer.build.constant([layer.channels])
    layer.emit("ReduceSum", [layer.build.add("Mul", layer.inputs), axis])


def _one_hot(layer: Layer) -> None:
    options = layer.options
    values = layer.build.constant(np.array([options.real(4), options.real(3)], np.float32))
    size = layer.build.constant(options.integer(1))
    inputs = [layer.x, layer.inputs[1] if len(layer.inputs) > 1 else size, values]
    layer.emit("OneHot", inputs, {"axis": options.integer(2)})


def _cumulative(layer: Layer) -> None:
    axis = layer.build.constant(layer.options.integer(1))
    layer.emit("CumSum", [layer.x, axis])


def _triangle(upper: int, layer: Layer) -> None:
    inputs = [layer.x, layer.build.constant(layer.options.integer(1))]
    layer.emit("Trilu", inputs, {"upper": upper})


RULES: Mapping[int, Callable[[Layer], None]] = {
    **{kind: partial(_named, op) for kind, op in (_UNARY | _BINARY).items()},
    **{kind: partial(_compared, *how) for kind, how in _COMPARISONS.items()},
    **{kind: partial(_reduced, op) for kind, op in _REDUCTIONS.items()},
    165: _mean_variance,
    170: _l2_normalize,
    **dict.fromkeys((175, 950), _softmax),
    180: _lrn,
    220: _unary,
    230: partial(_with_option, "Add"),
    231: _multiply,
    240: partial(_named, "Mean"),
    260: partial(_named, "Max"),
    261: partial(_named, "Min"),
    270: _dot,
    280: _reduce,
    600: partial(_named, "Identity"),
    660: _clip,
    700: _exp2,
    795: _gelu,
    895: _floor_div,
    1020: partial(_arg, "ArgMin"),
    1025: partial(_arg, "ArgMax"),
    1320: partial(_triangle, 0),
    1325: partial(_triangle, 1),
    1450: _one_hot,
    1455: _cumulative,
    1460: _clamped_relu,
}
