"""MXNet's operators in ONNX's words [MXNet 1.9, operator reference].

A rule gets one operator and gives its outputs.  What is not listed stays opaque in the domain
``mxnet``, as do settings that ONNX has no counterpart for; the weights stay with it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from assay.vocabularies.mxnet.graph import Step
from assay.vocabularies.mxnet.moves import MOVES
from assay.vocabularies.mxnet.weighted import WEIGHTED, opaque
from assay.vocabularies.windows import behind

Rule = Callable[[Step], list[str]]
_SIMPLE = {
    "relu": "Relu", "sigmoid": "Sigmoid", "tanh": "Tanh", "softsign": "Softsign", "erf": "Erf",
    "exp": "Exp", "log": "Log", "sqrt": "Sqrt", "abs": "Abs", "negative": "Neg", "ceil": "Ceil",
    "floor": "Floor", "round": "Round", "sign": "Sign", "reciprocal": "Reciprocal", "sin": "Sin",
    "cos": "Cos", "tan": "Tan", "logical_not": "Not", "LogisticRegressionOutput": "Sigmoid",
    "log_softmax": "LogSoftmax",
}  # fmt: skip
# Of two operands, by the last part of any of their many names.
_BINARY = {
    "add": "Add", "plus": "Add", "sub": "Sub", "minus": "Sub", "mul": "Mul", "div": "Div",
    "power": "Pow", "maximum": "Max", "minimum": "Min", "mod": "Mod", "equal": "Equal",
    "greater": "Greater", "lesser": "Less", "greater_equal": "GreaterOrEqual",
    "lesser_equal": "LessOrEqual", "logical_and": "And", "logical_or": "Or",
}  # fmt: skip
_PREFIXES = ("elemwise_", "broadcast_", "_npi_", "_np_", "_grad_", "_r", "_")
# What gives its first input on while a network is only run.
_SAME = {
    "Dropout", "BlockGrad", "stop_gradient", "identity", "_copy", "_copyto", "MakeLoss",
    "make_loss", "Cast", "amp_cast", "LinearRegressionOutput", "MAERegressionOutput", "SVMOutput",
    "IdentityAttachKLSparseReg", "_identity_with_attr_like_rhs", "_npx_dropout",
}  # fmt: skip
_ACTIVATIONS = {
    "relu": "Relu", "sigmoid": "Sigmoid", "tanh": "Tanh", "softrelu": "Softplus",
    "softsign": "Softsign", "mish": "Mish",
}  # fmt: skip
_REDUCTIONS = {
    "sum": "ReduceSum", "sum_axis": "ReduceSum", "mean": "ReduceMean", "max": "ReduceMax",
    "max_axis": "ReduceMax", "min": "ReduceMin", "min_axis": "ReduceMin", "prod": "ReduceProd",
}  # fmt: skip
_LEAKY = {"elu": "Elu", "selu": "Selu", "gelu": "Gelu"}


def translate(step: Step) -> list[str]:
    """The operator's outputs, its own operators added to the graph."""
    if step.op in _RULES:
        return _RULES[step.op](step)
    if step.op in _SAME:
        return [step.x]
    if step.op in _SIMPLE:
        return [step.add(_SIMPLE[step.op], [step.x])]
    return _arithmetic(step) or opaque(step)


def _arithmetic(step: Step) -> list[str]:
    """Sums, products and comparisons of two tensors, or of one and a number."""
    name, turned = step.op.lower(), False
    is_scalar = name.endswith("_scalar")
    name = name.removesuffix("_scalar")
    for prefix in _PREFIXES:
        if name.startswith(prefix) and name not in _BINARY:
            name, turned = name.removeprefix(prefix), prefix == "_r"
    op = _BINARY.get(name)
    if op is None:
        return []
    if not is_scalar:
        return [step.add(op, [step.tensor(0), step.tensor(1)])]
    with np.errstate(all="ignore"):
        number = step.build.constant(np.float32(step.node.real("scalar")))
    inputs = [number, step.x] if turned else [step.x, number]
    return [step.add(op, inputs)]


def _sum(step: Step) -> list[str]:
    inputs = step.tensors()
    return [step.add("Add" if len(inputs) == 2 else "Sum", inputs)] if inputs else opaque(step)


def _activation(step: Step) -> list[str]:
    op = _ACTIVATIONS.get(step.node.text("act_type"))
    return [step.add(op, [step.x])] if op else opaque(step)


def _leaky(step: Step) -> list[str]:
    kind, slope = step.node.text("act_type", "leaky"), step.node.real("slope", 0.25)
    if kind == "prelu":
        shape = step.shape()
        wanted = (shape[1],) if len(shape) > 1 and step.inputs[1:] else ()
        held = step.writer.held.get(step.inputs[1]) if len(step.inputs) > 1 else None
        wanted = (1,) if held is not None and held.shape == (1,) else wanted
        factor = step.weight(1, wanted, last=max(len(shape) - 2, 0))
        return [step.add("PRelu", [step.x, factor])] if factor else opaque(step)
    if kind == "rrelu":  # while it runs, its slope is the mean of its bounds
        slope = (step.node.real("lower_bound", 0.125) + step.node.real("upper_bound", 0.334)) / 2
    elif kind in _LEAKY:
        return [step.add(_LEAKY[kind], [step.x], {"alpha": slope} if kind == "elu" else {})]
    elif kind != "leaky":
        return opaque(step)
    return [step.add("LeakyRelu", [step.x], {"alpha": slope})]


def _hard_sigmoid(step: Step) -> list[str]:
    attributes = {"alpha": step.node.real("alpha", 0.2), "beta": step.node.real("beta", 0.5)}
    return [step.add("HardSigmoid", [step.x], attributes)]


def _clip(step: Step) -> list[str]:
    with np.errstate(all="ignore"):
        bounds = [np.float32(step.node.real(key)) for key in ("a_min", "a_max")]
    return [step.add("Clip", [step.x, *(step.build.constant(bound) for bound in bounds)])]


def _square(step: Step) -> list[str]:
    return [step.add("Mul", [step.x, step.x])]


def _rsqrt(step: Step) -> list[str]:
    return [step.add("Reciprocal", [step.add("Sqrt", [step.x])])]


def _softmax_output(step: Step) -> list[str]:
    """Of a vector; of each place of a map where it has several outputs."""
    several = step.node.flag("multi_output") or step.node.text("mode") == "channel"
    keeps = several or step.node.flag("preserve_shape")
    axis = 1 if several or len(step.shape()) <= 2 else -1
    if len(step.shape()) > 2 and not keeps:
        flat = step.add("Flatten", [step.x], {"axis": 1})
        return [step.add("Softmax", [flat], {"axis": 1})]
    return [step.add("Softmax", [step.x], {"axis": axis})]


def _softmax(step: Step) -> list[str]:
    """``Softmax`` with a capital is the loss of old."""
    x, temperature = step.x, step.node.real("temperature", 1.0)
    if temperature not in (0.0, 1.0):
        x = step.add("Div", [x, step.build.constant(np.float32(temperature))])
    return [step.add("Softmax", [x], {"axis": step.node.integer("axis", -1)})]


def _pooling(step: Step) -> list[str]:
    node, shape = step.node, step.shape()
    kind, convention = node.text("pool_type", "max"), node.text("pooling_convention", "valid")
    op = {"max": "MaxPool", "avg": "AveragePool", "lp": "LpPool"}.get(kind)
    if op is None or not node.text("layout", "NC").startswith(("NC", "None")):
        return opaque(step)
    if node.flag("global_pool"):
        return [step.add(f"Global{op}", [step.x])]
    kernel = node.integers("kernel")
    rank = len(kernel)
    strides, pads = (node.integers(k) or (n,) * rank for k, n in (("stride", 1), ("pad", 0)))
    if not rank or len(strides) != rank or len(pads) != rank or min(strides) < 1:
        return opaque(step)
    attributes = {
        "kernel_shape": kernel,
        "strides": strides,
        "pads": (*pads, *pads),
        "ceil_mode": int(convention == "full"),
    }
    if convention == "full" and len(shape) == rank + 2 and min(shape) > 0:
        last = behind(shape[2:], kernel, strides, pads, keep=True)
        attributes |= {"pads": (*pads, *last), "ceil_mode": 0}
    if convention == "same":
        attributes = {"kernel_shape": kernel, "strides": strides, "auto_pad": "SAME_UPPER"}
    if op == "AveragePool" and node.text("count_include_pad") not in ("False", "0"):
        attributes["count_include_pad"] = 1
    return [step.add(op, [step.x], attributes)]


def _adaptive(step: Step) -> list[str]:
    """Averages over as many windows as the output has places."""
    sizes = step.node.integers("output_size") or (1,)
    return [step.add("GlobalAveragePool", [step.x])] if set(sizes) == {1} else opaque(step)


def _lrn(step: Step) -> list[str]:
    node = step.node
    attributes = {
        "size": node.integer("nsize", 5),
        "alpha": node.real("alpha", 1e-4),
        "beta": node.real("beta", 0.75),
        "bias": node.real("knorm", 2.0),
    }
    return [step.add("LRN", [step.x], attributes)]


def _unit(step: Step) -> list[str]:
    """Vectors of length one: of an instance, of a place's channels, of a channel's places."""
    mode, rank = step.node.text("mode", "instance"), len(step.shape())
    if rank < 2:
        return opaque(step)
    last = 2 if mode == "channel" else rank
    axes = list(range(2 if mode == "spatial" else 1, last))
    if len(axes) == 1:
        return [step.add("LpNormalization", [step.x], {"axis": axes[0], "p": 2})]
    length = step.add("ReduceL2", [step.x, step.build.constant(axes)], {"keepdims": 1})
    return [step.add("Div", [step.x, length])]


def _reduce(step: Step) -> list[str]:
    axes, rank = step.node.integers("axis"), len(step.shape())
    if step.node.flag("exclude"):
        if not rank:
            return opaque(step)
        axes = tuple(axis for axis in range(rank) if axis not in {a % rank for a in axes})
    named = [step.build.constant(list(axes))] if axes else []
    attributes = {"keepdims": int(step.node.flag("keepdims"))}
    return [step.add(_REDUCTIONS[step.op], [step.x, *named], attributes)]


def _norm(step: Step) -> list[str]:
    axes, order = step.node.integers("axis"), step.node.integer("ord", 2)
    if order not in (1, 2):
        return opaque(step)
    named = [step.build.constant(list(axes))] if axes else []
    attributes = {"keepdims": int(step.node.flag("keepdims"))}
    return [step.add(f"ReduceL{order}", [step.x, *named], attributes)]


def _arg(step: Step) -> list[str]:
    if step.node.numbers("axis") is None:
        return opaque(step)
    keep = step.node.flag("keepdims")
    attributes = {"axis": step.node.integer("axis"), "keepdims": int(keep)}
    return [step.add("ArgMax" if step.op == "argmax" else "ArgMin", [step.x], attributes)]


_RULES: dict[str, Rule] = {
    **WEIGHTED,
    **MOVES,
    **dict.fromkeys(("add_n", "ElementWiseSum", "_sum"), _sum),
    "Activation": _activation,
    "LeakyReLU": _leaky,
    "hard_sigmoid": _hard_sigmoid,
    "clip": _clip,
    "square": _square,
    "rsqrt": _rsqrt,
    **dict.fromkeys(("SoftmaxOutput", "Softmax", "SoftmaxActivation"), _softmax_output),
    "softmax": _softmax,
    "Pooling": _pooling,
    "_contrib_AdaptiveAvgPooling2D": _adaptive,
    "LRN": _lrn,
    "L2Normalization": _unit,
    **dict.fromkeys(_REDUCTIONS, _reduce),
    "norm": _norm,
    **dict.fromkeys(("argmax", "argmin"), _arg),
}
