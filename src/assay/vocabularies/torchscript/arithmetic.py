"""ATen's operators on each element, and its sums, in ONNX's words [ATen]."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from assay.graphs.operators import FLOAT
from assay.vocabularies.torchscript.graph import DTYPES, TorchGraph
from assay.vocabularies.torchscript.values import Traced, Value

Rule = Callable[..., Value]


def _unary(op: str) -> Rule:
    return lambda g, x, *rest: g.add(op, [x])


def _binary(op: str) -> Rule:
    return lambda g, x, y, *rest: g.add(op, [g.like(x, y), g.like(y, x)])


def _scaled(g: TorchGraph, y: Value, alpha: Value, x: Value) -> Value:
    return y if alpha == 1 else g.add("Mul", [g.like(y, x), g.like(alpha, y)])


def _add(g: TorchGraph, x: Value, y: Value, alpha: Value = 1) -> Traced:
    y = _scaled(g, y, alpha, x)
    return g.add("Add", [g.like(x, y), g.like(y, x)])


def _sub(g: TorchGraph, x: Value, y: Value, alpha: Value = 1) -> Traced:
    y = _scaled(g, y, alpha, x)
    return g.add("Sub", [g.like(x, y), g.like(y, x)])


def _div(g: TorchGraph, x: Value, y: Value, rounding_mode: str | None = None) -> Traced:
    if rounding_mode is None and not g.is_float(x) and not g.is_float(y):
        x, y = (g.add("Cast", [v], {"to": FLOAT}) if g.is_whole(v) else v for v in (x, y))
    result = g.add("Div", [g.like(x, y), g.like(y, x)])
    if rounding_mode is None or not (g.is_float(x) or g.is_float(y)):
        return result
    return _trunc(g, result) if rounding_mode == "trunc" else g.add("Floor", [result])


def _trunc(g: TorchGraph, x: Traced) -> Traced:
    """Toward zero, for which ONNX has no operator."""
    return g.add("Mul", [g.add("Sign", [x]), g.add("Floor", [g.add("Abs", [x])])])


def _remainder(g: TorchGraph, x: Value, y: Value) -> Traced:
    """Of the divisor's sign; ONNX has that for integers only."""
    if not (g.is_float(x) or g.is_float(y)):
        return g.add("Mod", [g.like(x, y), g.like(y, x)])
    return _sub(g, x, g.add("Mul", [_div(g, x, y, "floor"), g.like(y, x)]))


def _fmod(g: TorchGraph, x: Value, y: Value) -> Traced:
    """Of the dividend's sign."""
    return g.add("Mod", [g.like(x, y), g.like(y, x)], {"fmod": 1})


def _floor_divide(g: TorchGraph, x: Value, y: Value) -> Traced:
    return _div(g, x, y, "floor")


def _power(g: TorchGraph, x: Value, y: Value) -> Traced:
    if y == 0.5:
        return g.add("Sqrt", [x])
    if isinstance(y, int | float) and not isinstance(y, bool):
        y = float(y)
    return g.add("Pow", [g.like(x, y), g.like(y, x)])


def _rsqrt(g: TorchGraph, x: Traced) -> Traced:
    return g.add("Reciprocal", [g.add("Sqrt", [x])])


def _square(g: TorchGraph, x: Traced) -> Traced:
    return g.add("Mul", [x, x])


def _clamp(g: TorchGraph, x: Traced, min: Value = None, max: Value = None) -> Traced:
    if g.known(x.name).value is not None:  # a size: its value is followed
        for op, bound in (("Max", min), ("Min", max)):
            x = x if bound is None else g.add(op, [x, g.like(bound, x)])
        return x
    bounds = [b if b is None else g.like(b, x) for b in (min, max)]
    return g.add("Clip", [x, *bounds])


def _clamp_max(g: TorchGraph, x: Traced, max: Value) -> Traced:
    return _clamp(g, x, None, max)


def _relu6(g: TorchGraph, x: Traced) -> Traced:
    return _clamp(g, x, 0.0, 6.0)


def _hardtanh(g: TorchGraph, x: Traced, min_val: Value = -1.0, max_val: Value = 1.0) -> Traced:
    return _clamp(g, x, float(min_val), float(max_val))


def _leaky_relu(g: TorchGraph, x: Traced, negative_slope: float = 0.01) -> Traced:
    return g.add("LeakyRelu", [x], {"alpha": float(negative_slope)})


def _elu(
    g: TorchGraph, x: Traced, alpha: float = 1.0, scale: float = 1.0, input_scale: float = 1.0
) -> Traced:
    if (scale, input_scale) != (1.0, 1.0):
        raise ValueError("a scaled unit")
    return g.add("Elu", [x], {"alpha": float(alpha)})


def _celu(g: TorchGraph, x: Traced, alpha: float = 1.0) -> Traced:
    return g.add("Celu", [x], {"alpha": float(alpha)})


def _hardsigmoid(g: TorchGraph, x: Traced) -> Traced:
    return g.add("HardSigmoid", [x], {"alpha": 1 / 6, "beta": 0.5})


def _silu(g: TorchGraph, x: Traced) -> Traced:
    return g.add("Mul", [x, g.add("Sigmoid", [x])])


def _gelu(g: TorchGraph, x: Traced, approximate: str = "none") -> Traced:
    return g.add("Gelu", [x], {"approximate": "tanh"} if approximate == "tanh" else {})


def _prelu(g: TorchGraph, x: Traced, weight: Traced) -> Traced:
    axes = range(1, g.rank(x) - 1)
    slopes = g.add("Unsqueeze", [weight, np.array([*axes])]) if axes else weight
    return g.add("PRelu", [x, slopes])


def _softmax(g: TorchGraph, x: Traced, dim: int = -1, *rest: Value) -> Traced:
    return g.add("Softmax", [x], {"axis": int(dim)})


def _log_softmax(g: TorchGraph, x: Traced, dim: int = -1, *rest: Value) -> Traced:
    return g.add("LogSoftmax", [x], {"axis": int(dim)})


def _softplus(g: TorchGraph, x: Traced, beta: Value = 1, *rest: Value) -> Traced:
    if beta != 1:
        raise ValueError("a scaled unit")
    return g.add("Softplus", [x])


def _threshold(g: TorchGraph, x: Traced, threshold: Value, value: Value) -> Traced:
    if value != 0:
        raise ValueError("another value below")
    return g.add("ThresholdedRelu", [x], {"alpha": float(threshold)})


def _glu(g: TorchGraph, x: Traced, dim: int = -1) -> Traced:
    first, second = g.several("Split", [x], 2, {"axis": int(dim), "num_outputs": 2})
    return g.add("Mul", [first, g.add("Sigmoid", [second])])


def _shrink(bias: int) -> Rule:
    def rule(g: TorchGraph, x: Traced, lambd: Value = 0.5) -> Traced:
        return g.add("Shrink", [x], {"lambd": float(lambd), "bias": float(lambd) * bias})

    return rule


def _equal(g: TorchGraph, x: Value, y: Value) -> Traced:
    g.compare(x, y)
    g.compare(y, x)
    return g.add("Equal", [g.like(x, y), g.like(y, x)])


def _not_equal(g: TorchGraph, x: Value, y: Value) -> Traced:
    return g.add("Not", [_equal(g, x, y)])


def _where(g: TorchGraph, condition: Traced, x: Value, y: Value) -> Traced:
    return g.add("Where", [condition, g.like(x, y), g.like(y, x)])


def _masked_fill(g: TorchGraph, x: Traced, mask: Traced, value: Value) -> Traced:
    return g.add("Where", [mask, g.like(value, x), x])


def _lerp(g: TorchGraph, x: Traced, end: Traced, weight: Value) -> Traced:
    moved = g.add("Mul", [g.add("Sub", [end, x]), g.like(weight, x)])
    return g.add("Add", [x, moved])


def _addcmul(g: TorchGraph, x: Traced, a: Traced, b: Traced, value: Value = 1) -> Traced:
    return _add(g, x, g.add("Mul", [a, b]), value)


def cast(g: TorchGraph, x: Traced, dtype: Value) -> Traced:
    """A tensor of another type: ``dtype`` is torch's number for it."""
    code = DTYPES.get(dtype, 0) if type(dtype) is int else 0
    if not code or code == g.dtype(x):
        return x
    return g.add("Cast", [x], {"to": code})


def _typed(dtype: int) -> Rule:
    return lambda g, x, *rest: cast(g, x, dtype)


def _log_sigmoid(g: TorchGraph, x: Traced) -> Traced:
    return g.add("Log", [g.add("Sigmoid", [x])])


_NAMES = {
    "relu": "Relu", "sigmoid": "Sigmoid", "tanh": "Tanh", "selu": "Selu", "hardswish": "HardSwish",
    "mish": "Mish", "softsign": "Softsign", "erf": "Erf", "exp": "Exp", "log": "Log", "abs": "Abs",
    "sqrt": "Sqrt", "neg": "Neg", "floor": "Floor", "ceil": "Ceil", "round": "Round", "sin": "Sin",
    "cos": "Cos", "tan": "Tan", "asin": "Asin", "acos": "Acos", "atan": "Atan", "sinh": "Sinh",
    "cosh": "Cosh", "asinh": "Asinh", "acosh": "Acosh", "atanh": "Atanh",
    "reciprocal": "Reciprocal", "sign": "Sign", "logical_not": "Not", "bitwise_not": "Not",
    "isnan": "IsNaN", "isinf": "IsInf",
}  # fmt: skip
_PAIRS = {
    "mul": "Mul", "multiply": "Mul", "true_divide": "Div", "maximum": "Max", "minimum": "Min",
    "lt": "Less", "le": "LessOrEqual", "gt": "Greater", "ge": "GreaterOrEqual",
    "logical_and": "And", "logical_or": "Or", "logical_xor": "Xor", "bitwise_and": "And",
    "bitwise_or": "Or", "bitwise_xor": "Xor", "__and__": "And", "__or__": "Or", "__xor__": "Xor",
    "prim.max": "Max", "prim.min": "Min",
}  # fmt: skip
_TYPES = {"half": 5, "double": 7, "long": 4, "int": 3, "bool": 11}
ARITHMETIC: dict[str, Rule] = {
    **{name: _unary(op) for name, op in _NAMES.items()},
    **{name: _binary(op) for name, op in _PAIRS.items()},
    **{name: _typed(number) for name, number in _TYPES.items()},
    "add": _add,
    "sub": _sub,
    "subtract": _sub,
    "rsub": lambda g, x, y, alpha=1: _sub(g, y, x, alpha),
    "div": _div,
    "divide": _div,
    "floor_divide": _floor_divide,
    "floordiv": _floor_divide,
    "trunc": _trunc,
    "fix": _trunc,
    "remainder": _remainder,
    "fmod": _fmod,
    "pow": _power,
    "rsqrt": _rsqrt,
    "square": _square,
    "clamp": _clamp,
    "clip": _clamp,
    "clamp_min": _clamp,
    "clamp_max": _clamp_max,
    "relu6": _relu6,
    "hardtanh": _hardtanh,
    "leaky_relu": _leaky_relu,
    "elu": _elu,
    "celu": _celu,
    "hardsigmoid": _hardsigmoid,
    "silu": _silu,
    "gelu": _gelu,
    "prelu": _prelu,
    "softmax": _softmax,
    "log_softmax": _log_softmax,
    "softplus": _softplus,
    "threshold": _threshold,
    "glu": _glu,
    "hardshrink": _shrink(0),
    "softshrink": _shrink(1),
    "eq": _equal,
    "ne": _not_equal,
    "where": _where,
    "masked_fill": _masked_fill,
    "lerp": _lerp,
    "addcmul": _addcmul,
    "log_sigmoid": _log_sigmoid,
}
