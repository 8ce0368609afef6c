"""ONNX's operators that work on each element by itself, as torch functions [ONNX operators].

A function gets the operator, for its options, and the tensors that it reads; None stands for one
that is not given.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from assay.graphs.operators import Operator

EXTRA = "torch"

Function = Callable[..., Any]
Numbers = Any  # NDArray: a small tensor that is known by its numbers

# Of onnx.TensorProto.DataType; all real numbers are computed with as float32.
DTYPES = {
    1: torch.float32, 10: torch.float32, 11: torch.float32, 16: torch.float32,
    2: torch.uint8, 3: torch.int8, 4: torch.int32, 5: torch.int16, 6: torch.int32,
    7: torch.int64, 12: torch.int64, 13: torch.int64, 9: torch.bool,
}  # fmt: skip


def _plain(function: Callable[..., Any]) -> Function:
    """A function of the tensors alone."""
    return lambda node, *inputs: function(*inputs)


def _of_all(function: Callable[[Any, Any], Any]) -> Function:
    """A function of two, for any number."""
    return lambda node, *inputs: reduce(function, inputs)


def _divide(node: Operator, a: Tensor, b: Tensor) -> Tensor:
    whole = not (a.is_floating_point() or b.is_floating_point())
    return torch.div(a, b, rounding_mode="trunc" if whole else None)


def _modulo(node: Operator, a: Tensor, b: Tensor) -> Tensor:
    return torch.fmod(a, b) if node.integer("fmod", 0) else torch.remainder(a, b)


def _power(node: Operator, a: Tensor, b: Tensor) -> Tensor:
    return torch.pow(a, b).to(a.dtype)


def _shift(node: Operator, a: Tensor, b: Tensor) -> Tensor:
    return a << b if node.attributes.get("direction") == "LEFT" else a >> b


def _cast(node: Operator, x: Tensor) -> Tensor:
    return x.to(DTYPES[node.integer("to", 1)])


def _is_infinite(node: Operator, x: Tensor) -> Tensor:
    up, down = node.integer("detect_positive", 1), node.integer("detect_negative", 1)
    return torch.isinf(x) & (((x > 0) & bool(up)) | ((x < 0) & bool(down)))


def _clip(node: Operator, x: Tensor, low: Numbers = None, high: Numbers = None) -> Tensor:
    least = node.attributes.get("min") if low is None else low.item()
    most = node.attributes.get("max") if high is None else high.item()
    if least is None and most is None:
        return x
    return torch.clamp(x, least, most)


def _parametric_relu(node: Operator, x: Tensor, slope: Tensor) -> Tensor:
    return torch.where(x < 0, x * slope, x)


def _hard_sigmoid(node: Operator, x: Tensor) -> Tensor:
    return torch.clamp(x * node.real("alpha", 0.2) + node.real("beta", 0.5), 0, 1)


def _selu(node: Operator, x: Tensor) -> Tensor:
    alpha, gamma = node.real("alpha", 1.67326319), node.real("gamma", 1.05070102)
    return gamma * F.elu(x, alpha)


def _shrink(node: Operator, x: Tensor) -> Tensor:
    bias, threshold = node.real("bias", 0.0), node.real("lambd", 0.5)
    zero = torch.zeros_like(x)
    return torch.where(x < -threshold, x + bias, torch.where(x > threshold, x - bias, zero))


def _gelu(node: Operator, x: Tensor) -> Tensor:
    return F.gelu(x, approximate=node.attributes.get("approximate", "none"))


def _swish(default: float) -> Function:
    return lambda node, x: x * torch.sigmoid(node.real("alpha", default) * x)


_OF_ONE = (  # called alike in torch
    "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh",
    "sigmoid", "neg", "abs", "sign", "sqrt", "reciprocal", "exp", "log", "floor", "ceil", "round",
    "erf",
)  # fmt: skip

ELEMENTWISE: dict[str, Function] = {
    "Identity": _plain(lambda x: x),
    "Dropout": lambda node, x, *options: (x, torch.ones_like(x, dtype=torch.bool)),
    "Cast": _cast,
    "CastLike": lambda node, x, like: x.to(like.dtype),
    # arithmetic
    "Add": _plain(torch.add),
    "Sub": _plain(torch.sub),
    "Mul": _plain(torch.mul),
    "Div": _divide,
    "Mod": _modulo,
    "Pow": _power,
    "Max": _of_all(torch.maximum),
    "Min": _of_all(torch.minimum),
    "Sum": _of_all(torch.add),
    "Mean": lambda node, *inputs: reduce(torch.add, inputs) / len(inputs),
    **{name.capitalize(): _plain(getattr(torch, name)) for name in _OF_ONE},
    "aten::atan2": _plain(torch.atan2),
    # comparisons and logic
    "Equal": _plain(torch.eq),
    "Less": _plain(torch.lt),
    "LessOrEqual": _plain(torch.le),
    "Greater": _plain(torch.gt),
    "GreaterOrEqual": _plain(torch.ge),
    "Not": _plain(torch.logical_not),
    "And": _plain(torch.logical_and),
    "Or": _plain(torch.logical_or),
    "Xor": _plain(torch.logical_xor),
    "BitwiseAnd": _plain(torch.bitwise_and),
    "BitwiseOr": _plain(torch.bitwise_or),
    "BitwiseXor": _plain(torch.bitwise_xor),
    "BitwiseNot": _plain(torch.bitwise_not),
    "BitShift": _shift,
    "IsNaN": _plain(torch.isnan),
    "IsInf": _is_infinite,
    "Where": _plain(torch.where),
    # activations
    "Relu": _plain(F.relu),
    "LeakyRelu": lambda node, x: F.leaky_relu(x, node.real("alpha", 0.01)),
    "PRelu": _parametric_relu,
    "ThresholdedRelu": lambda node, x: F.threshold(x, node.real("alpha", 1.0), 0.0),
    "Clip": _clip,
    "Elu": lambda node, x: F.elu(x, node.real("alpha", 1.0)),
    "Celu": lambda node, x: F.celu(x, node.real("alpha", 1.0)),
    "Selu": _selu,
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": _plain(F.hardswish),
    "Swish": _swish(1.0),
    "Mish": _plain(F.mish),
    "Softplus": _plain(F.softplus),
    "Softsign": _plain(F.softsign),
    "Shrink": _shrink,
    "Gelu": _gelu,
    "com.microsoft::Gelu": _plain(F.gelu),
    "com.microsoft::QuickGelu": _swish(1.702),
    "com.microsoft::FastGelu": lambda node, x, bias=None: F.gelu(
        x if bias is None else x + bias, approximate="tanh"
    ),
    "com.microsoft::BiasGelu": lambda node, x, bias: F.gelu(x + bias),
}
