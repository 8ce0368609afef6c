"""Caffe's layers in ONNX's words [Caffe layer catalogue].

A rule gets one layer and writes its tops.  A kind that is not listed stays opaque in the domain
``caffe``, as do settings that ONNX has no counterpart for; the weights stay with it.
"""

from __future__ import annotations

from collections.abc import Callable
from math import e
from typing import Any

import numpy as np

from assay.containers.prototxt import Section
from assay.vocabularies.caffe.graph import Step
from assay.vocabularies.caffe.layers import RESULTS
from assay.vocabularies.caffe.moves import MOVES
from assay.vocabularies.caffe.weighted import WEIGHTED, opaque
from assay.vocabularies.windows import behind

Rule = Callable[[Step], None]
_SIMPLE = {
    "AbsVal": "Abs",
    "BNLL": "Softplus",
    "Sigmoid": "Sigmoid",
    "TanH": "Tanh",
    "Mish": "Mish",
    "Softplus": "Softplus",
    "SoftmaxOutput": "Softmax",
}
_REDUCTIONS = {"SUM": "Sum", "ASUM": "L1", "SUMSQ": "SumSquare", "MEAN": "Mean"}
_ELTWISE = {"PROD": "Mul", "SUM": "Add", "MAX": "Max", "0": "Mul", "1": "Add", "2": "Max"}


def translate(step: Step) -> None:
    """The layer, added to the graph."""
    kind = RESULTS.get(step.kind, step.kind)
    rule = _RULES.get(kind)
    if rule is not None:
        rule(step)
    elif kind in _SIMPLE:
        step.end(_SIMPLE[kind], [step.x])
    else:
        opaque(step)


def pair(o: Section, name: str, usual: int, short: str) -> tuple[int, int]:
    """Height and width of a window: given apart, or one for both."""
    one = o.integer(name, usual)
    return o.integer(f"{short}_h", one), o.integer(f"{short}_w", one)


def _same(step: Step) -> None:
    """What does nothing while a network is only run."""
    step.write(*[step.x] * max(len(step.layer.tops), 1))


def _pooling(step: Step) -> None:
    o = step.layer.settings.section("pooling_param")
    kind = o.text("pool", "MAX")
    if kind not in ("MAX", "AVE", "0", "1") or len(step.layer.tops) > 2:
        opaque(step)
        return
    op = "MaxPool" if kind in ("MAX", "0") else "AveragePool"
    if o.flag("global_pooling"):
        step.end("Global" + op, [step.x])
        return
    pads, ceil = pair(o, "pad", 0, "pad"), _rounds_up(o)
    kernel, strides = pair(o, "kernel_size", 1, "kernel"), pair(o, "stride", 1, "stride")
    attributes: dict[str, Any] = {"kernel_shape": kernel, "strides": strides}
    attributes["pads"] = (*pads, *pads)
    if ceil:
        shape = step.shape()
        if len(shape) == 4 and min(strides) > 0:
            last = behind(shape[2:], kernel, strides, pads, keep=not any(pads))
            attributes["pads"] = (*pads, *last)
        else:
            attributes |= {"ceil_mode": 1}
    ends = attributes["pads"][len(pads) :]
    if op == "AveragePool" and any(pads) and all(e <= p for e, p in zip(ends, pads, strict=True)):
        attributes["count_include_pad"] = 1  # its own padding, not what was added behind
    step.end(op, [step.x], attributes)


def _rounds_up(o: Section) -> bool:
    """Whether windows that hang over are counted: by a flag in one branch, a word in another."""
    if o.has("round_mode"):
        return (o.texts("round_mode") or [str(n) for n in o.integers("round_mode")])[-1] in (
            "CEIL",
            "0",
        )
    return o.flag("ceil_mode", True)


def _relu(step: Step) -> None:
    slope = step.layer.settings.section("relu_param").real("negative_slope")
    if slope:
        step.end("LeakyRelu", [step.x], {"alpha": slope})
    else:
        step.end("Relu", [step.x])


def _elu(step: Step) -> None:
    alpha = step.layer.settings.section("elu_param").real("alpha", 1.0)
    step.end("Elu", [step.x], {"alpha": alpha})


def _clip(step: Step) -> None:
    o = step.layer.settings.section("clip_param")
    low, high = o.real("min", 0.0), o.real("max", 6.0)
    if step.kind == "ReLU6":
        low, high = 0.0, step.layer.settings.section("relu6_param").real("threshold", 6.0)
    bounds = [step.build.constant(np.float32(value)) for value in (low, high)]
    step.end("Clip", [step.x, *bounds])


def _swish(step: Step) -> None:
    step.end("Mul", [step.x, step.add("Sigmoid", [step.x])])


def _hard_sigmoid(step: Step) -> None:
    o = step.layer.settings.section("hardsigmoid_param")
    step.end("HardSigmoid", [step.x], {"alpha": o.real("alpha", 0.2), "beta": o.real("beta", 0.5)})


def _linear(step: Step, scale: float, shift: float) -> str:
    """Scale · x + shift."""
    with np.errstate(all="ignore"):
        factor, summand = np.float32(scale), np.float32(shift)
    result = step.x
    if factor != 1:
        result = step.add("Mul", [result, step.build.constant(factor)])
    if summand != 0:
        result = step.add("Add", [result, step.build.constant(summand)])
    return result


def _power(step: Step) -> None:
    o = step.layer.settings.section("power_param")
    result = _linear(step, o.real("scale", 1.0), o.real("shift"))
    power = o.real("power", 1.0)
    if power != 1:
        with np.errstate(all="ignore"):
            exponent = step.build.constant(np.float32(power))
        result = step.add("Pow", [result, exponent])
    step.end("Identity", [result])


def _exp(step: Step) -> None:
    """Base ^ (scale · x + shift); a base below zero means e."""
    o = step.layer.settings.section("exp_param")
    base = o.real("base", -1.0)
    factor = 1.0 if base <= 0 else float(np.log(min(base, 1e30)))
    scale, shift = o.real("scale", 1.0), o.real("shift")
    step.end("Exp", [_linear(step, factor * scale, factor * shift)])


def _log(step: Step) -> None:
    o = step.layer.settings.section("log_param")
    base = o.real("base", -1.0)
    inner = step.add("Log", [_linear(step, o.real("scale", 1.0), o.real("shift"))])
    if base > 0 and base != 1 and abs(base - e) > 1e-6:
        factor = step.build.constant(np.float32(1 / np.log(min(base, 1e30))))
        inner = step.add("Mul", [inner, factor])
    step.end("Identity", [inner])


def _lrn(step: Step) -> None:
    o = step.layer.settings.section("lrn_param")
    if o.text("norm_region", "ACROSS_CHANNELS") in ("WITHIN_CHANNEL", "1"):
        opaque(step)
        return
    attributes = {
        "size": o.integer("local_size", 5),
        "alpha": o.real("alpha", 1.0),
        "beta": o.real("beta", 0.75),
        "bias": o.real("k", 1.0),
    }
    step.end("LRN", [step.x], attributes)


def _mvn(step: Step) -> None:
    o = step.layer.settings.section("mvn_param")
    if not o.flag("normalize_variance", True) or len(step.shape()) not in (0, 4):
        opaque(step)
        return
    axes = (1, 2, 3) if o.flag("across_channels") else (2, 3)
    step.end("MeanVarianceNormalization", [step.x], {"axes": axes})


def _eltwise(step: Step) -> None:
    o = step.layer.settings.section("eltwise_param")
    operation = o.text("operation", "SUM")
    if o.has("operation") and not o.texts("operation"):
        operation = str(o.integer("operation"))
    factors, names = o.reals("coeff"), list(step.inputs)
    if operation not in _ELTWISE or not names:
        opaque(step)
        return
    op = _ELTWISE[operation]
    if op == "Add" and factors == [1.0, -1.0] and len(names) == 2:
        step.end("Sub", names)
        return
    if op == "Add" and len(factors) == len(names):
        names = [
            name
            if factor == 1
            else step.add("Mul", [name, step.build.constant(np.float32(min(factor, 1e30)))])
            for name, factor in zip(names, factors, strict=True)
        ]
    result = names[0]
    for other in names[1:-1]:
        result = step.add(op, [result, other])
    if len(names) == 1:
        step.end("Identity", [result])
    else:
        step.end(op, [result, names[-1]])


def _softmax(step: Step) -> None:
    axis = step.layer.settings.section("softmax_param").integer("axis", 1)
    step.end("Softmax", [step.x], {"axis": axis})


def _reduction(step: Step) -> None:
    o = step.layer.settings.section("reduction_param")
    rank, axis = len(step.shape()), o.integer("axis")
    op = _REDUCTIONS.get(o.text("operation", "SUM"))
    if op is None or not rank or not -rank <= axis < rank:
        opaque(step)
        return
    axes = step.build.constant(list(range(axis % rank, rank)))
    reduced = step.add(f"Reduce{op}", [step.x, axes], {"keepdims": 0})
    factor = o.real("coeff", 1.0)
    if factor == 1:
        step.end("Identity", [reduced])
    else:
        step.end("Mul", [reduced, step.build.constant(np.float32(factor))])


def _arg_max(step: Step) -> None:
    o = step.layer.settings.section("argmax_param")
    if o.integer("top_k", 1) != 1 or o.flag("out_max_val") or not o.has("axis"):
        opaque(step)
        return
    step.end("ArgMax", [step.x], {"axis": o.integer("axis"), "keepdims": 1})


def _axpy(step: Step) -> None:
    """A factor for each channel of a map, and another map."""
    if len(step.inputs) != 3:
        opaque(step)
        return
    factor, x, y = step.inputs
    step.end("Add", [step.add("Mul", [x, factor]), y])


_RULES: dict[str, Rule] = {
    **WEIGHTED,
    **MOVES,
    **dict.fromkeys(("Dropout", "Split", "SpatialDropout", "Identity"), _same),
    "Pooling": _pooling,
    "ReLU": _relu,
    "ELU": _elu,
    **dict.fromkeys(("Clip", "ReLU6"), _clip),
    "Swish": _swish,
    "HardSigmoid": _hard_sigmoid,
    "Power": _power,
    "Exp": _exp,
    "Log": _log,
    "LRN": _lrn,
    "MVN": _mvn,
    "Eltwise": _eltwise,
    "Softmax": _softmax,
    "Reduction": _reduction,
    "ArgMax": _arg_max,
    "Axpy": _axpy,
}
