"""Functions that a Keras model calls on tensors, in ONNX's words [Keras ops API; tf.keras].

Keras 3 keeps each as an operation of its own class (``x * 2`` is a ``Multiply``), tf.keras as a
``TFOpLambda`` that names the function.
"""

from __future__ import annotations

from typing import Any

from assay.vocabularies.keras.elementwise import concatenated
from assay.vocabularies.keras.layer import Layer, Rule

_BINARY = {
    "Add": "Add",
    "Subtract": "Sub",
    "Multiply": "Mul",
    "Divide": "Div",
    "TrueDivide": "Div",
    "Power": "Pow",
    "Maximum": "Max",
    "Minimum": "Min",
    "Matmul": "MatMul",
    "Equal": "Equal",
    "Greater": "Greater",
    "Less": "Less",
    "Where": "Where",
}
_UNARY = {
    "Exp": "Exp",
    "Log": "Log",
    "Sqrt": "Sqrt",
    "Abs": "Abs",
    "Absolute": "Abs",
    "Negative": "Neg",
    "Reciprocal": "Reciprocal",
    "Sin": "Sin",
    "Cos": "Cos",
    "Erf": "Erf",
    "Floor": "Floor",
    "Ceil": "Ceil",
    "Sign": "Sign",
    "Round": "Round",
}
_ACTIVATIONS = {
    "Relu": "relu",
    "Relu6": "relu6",
    "Sigmoid": "sigmoid",
    "Tanh": "tanh",
    "Silu": "silu",
    "Swish": "silu",
    "Gelu": "gelu",
    "Selu": "selu",
    "Elu": "elu",
    "Softplus": "softplus",
    "Softsign": "softsign",
    "HardSigmoid": "hard_sigmoid",
    "HardSilu": "hard_silu",
    "HardSwish": "hard_silu",
    "LogSoftmax": "log_softmax",
    "Softmax": "softmax",
}
_REDUCTIONS = {kind: f"Reduce{kind}" for kind in ("Mean", "Sum", "Max", "Min", "Prod")}
_GLOBAL = {"ReduceMean": "GlobalAveragePool", "ReduceMax": "GlobalMaxPool"}
# TensorFlow's names of functions, without their modules, where they are not the same in lower case.
_TENSORFLOW = {
    "truediv": "Divide",
    "reduce_mean": "Mean",
    "reduce_sum": "Sum",
    "reduce_max": "Max",
    "reduce_min": "Min",
    "pow": "Power",
    "concat": "Concatenate",
    "expand_dims": "ExpandDims",
    "hard_sigmoid": "HardSigmoid",
    "log_softmax": "LogSoftmax",
}
_MOST_AXES = 64


def function(layer: Layer) -> str | list[str]:
    """What a ``TFOpLambda`` names; opaque where it is not known."""
    name = str(layer.config.get("function", "")).rsplit(".", 1)[-1]
    kind = _TENSORFLOW.get(name, name[:1].upper() + name[1:])
    layer.call.kind = kind if kind in RULES else f"TFOpLambda.{name}"[:100]
    return RULES[kind](layer) if kind in RULES else layer.opaque()


def _option(layer: Layer, *names: str) -> Any:
    """An option by any of its names, of the operation or of the call."""
    for name in names:
        for options in (layer.config, layer.call.arguments.options):
            if options.get(name) is not None:
                return options[name]
    return None


def _whole(value: Any) -> list[int] | None:
    """Numbers of axes or sizes; None where there are none."""
    values = [value] if isinstance(value, int) else value
    if not isinstance(values, list) or len(values) > _MOST_AXES:
        return None
    return [-1 if v is None else v for v in values if v is None or isinstance(v, int)]


def _operands(layer: Layer) -> list[str]:
    """Tensors and numbers in the order of the call."""
    numbers = layer.call.arguments.numbers
    tensors = iter(layer.call.inputs)
    count = len(numbers) + len(layer.call.inputs)
    return [layer.number(numbers[i]) if i in numbers else next(tensors) for i in range(count)]


def _binary(layer: Layer) -> str:
    return layer.add(_BINARY[layer.call.kind], _operands(layer))


def _unary(layer: Layer) -> str:
    return layer.add(_UNARY[layer.call.kind], [layer.x])


def _rsqrt(layer: Layer) -> str:
    return layer.add("Reciprocal", [layer.add("Sqrt", [layer.x])])


def _square(layer: Layer) -> str:
    return layer.add("Mul", [layer.x, layer.x])


def _activation(layer: Layer) -> str:
    return layer.activation(layer.x, _ACTIVATIONS[layer.call.kind])


def _leaky(layer: Layer) -> str:
    alpha = _option(layer, "negative_slope", "alpha")
    slope = float(alpha) if isinstance(alpha, int | float) else 0.2
    return layer.add("LeakyRelu", [layer.x], {"alpha": slope})


def _reduce(layer: Layer) -> str:
    """Over the space of what lies channels first too, it is a pool; of a sequence it is none."""
    axes = _whole(_option(layer, "axis"))
    op, keep = _REDUCTIONS[layer.call.kind], int(bool(_option(layer, "keepdims")))
    space = layer.rank() - 2 if layer.x in layer.build.twins else 0
    if op in _GLOBAL and space > 0 and axes == list(range(1, space + 1)) and not keep:
        pooled = layer.moved(space, _GLOBAL[op], [])
        return layer.add("Squeeze", [pooled, layer.constant(axes)])
    others = [layer.constant(axes)] if axes else []
    return layer.add(op, [layer.x, *others], {"keepdims": keep})


def reshape(layer: Layer) -> str:
    """The function of that name: its target counts the batch."""
    target = _whole(_option(layer, "newshape", "shape"))
    if not target:
        return layer.opaque()
    if target[0] == -1 and target.count(-1) > 1:
        target = [0, *target[1:]]  # the batch, as it is
    return layer.add("Reshape", [layer.x, layer.constant(target)])


def _transpose(layer: Layer) -> str:
    axes = _whole(_option(layer, "axes", "perm"))
    return layer.add("Transpose", [layer.x], {"perm": tuple(axes)} if axes else {})


def _expand(layer: Layer) -> str:
    axes = _whole(_option(layer, "axis"))
    return layer.add("Unsqueeze", [layer.x, layer.constant(axes)]) if axes else layer.opaque()


def _squeeze(layer: Layer) -> str:
    axes = _whole(_option(layer, "axis"))
    return layer.add("Squeeze", [layer.x, *([layer.constant(axes)] if axes else [])])


def _concat(layer: Layer) -> str:
    return concatenated(layer, _option(layer, "axis"))


def _stack(layer: Layer) -> str:
    axis = (_whole(_option(layer, "axis")) or [0])[0]
    at = layer.constant([axis])
    parts = [layer.add("Unsqueeze", [name, at]) for name in layer.call.inputs]
    return layer.add("Concat", parts, {"axis": axis})


def _same(layer: Layer) -> str:
    return layer.x


RULES: dict[str, Rule] = {
    **dict.fromkeys(_BINARY, _binary),
    **dict.fromkeys(_UNARY, _unary),
    **dict.fromkeys(_ACTIVATIONS, _activation),
    **dict.fromkeys(_REDUCTIONS, _reduce),
    "Rsqrt": _rsqrt,
    "Square": _square,
    "LeakyRelu": _leaky,
    "Reshape": reshape,
    "Transpose": _transpose,
    "ExpandDims": _expand,
    "Squeeze": _squeeze,
    "Concatenate": _concat,
    "Stack": _stack,
    **dict.fromkeys(("Cast", "StopGradient", "Identity", "Copy"), _same),
}
