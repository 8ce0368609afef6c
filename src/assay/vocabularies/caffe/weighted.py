"""Caffe's layers that hold weights, in ONNX's words [Caffe layer catalogue].

Blobs are convolutions (output, input / groups, space), transposed ones (input, output / groups,
space), matrices (output, input).  A running mean is kept as a sum, with the sum of its factors as
a third blob: it is read divided.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import numpy as np

from assay.containers.prototxt import Section
from assay.errors import UnreadableModel
from assay.graphs.operators import Shape
from assay.vocabularies.caffe.graph import Step
from assay.weights import Array

_DEPTHWISE = (
    "DepthwiseConvolution",
    "ConvolutionDepthwise",
    "DepthWiseConvolution",
    "DwConvolution",
)
_MOST_SPACE = 8  # axes of a convolution


def opaque(step: Step) -> None:
    """As the file has it, with its weights."""
    weights = [name for name in map(step.weight, range(min(step.blobs, 100))) if name]
    step.end(f"caffe::{step.kind}"[:200], [*step.inputs, *weights])


def _convolution(step: Step) -> None:
    o = step.layer.settings.section("convolution_param")
    shape, outputs = step.shape(), o.integer("num_output")
    turned = step.kind == "Deconvolution"
    blob = step.blob(0)
    inputs = shape[1] if len(shape) > 2 else 0
    groups = o.integer("group", 1)
    if step.kind in _DEPTHWISE:
        groups, outputs = inputs or outputs, outputs or inputs
    if groups < 1 or o.integer("axis", 1) != 1:
        opaque(step)
        return
    rank = len(shape) - 2 if len(shape) > 2 else len(blob.shape) - 2 if blob else 2
    kernel = _each(o, "kernel_size", "kernel", rank, 0)
    wanted = (inputs, outputs // groups) if turned else (outputs, inputs // groups)
    weight = step.weight(0, (*wanted, *kernel))
    if not weight or not 0 < rank <= _MOST_SPACE:
        opaque(step)
        return
    pads = _each(o, "pad", "pad", rank, 0)
    attributes = {
        "strides": _each(o, "stride", "stride", rank, 1),
        "dilations": _each(o, "dilation", "", rank, 1),
        "pads": (*pads, *pads),
        "group": groups,
    }
    bias = [step.weight(1, (outputs,))] if o.flag("bias_term", True) else []
    step.end(
        "ConvTranspose" if turned else "Conv", [step.x, weight, *filter(None, bias)], attributes
    )


def _each(o: Section, name: str, short: str, rank: int, usual: int) -> tuple[int, ...]:
    """One number for each axis of space: given apart, for each, or one for all."""
    if short and rank == 2 and (o.has(f"{short}_h") or o.has(f"{short}_w")):
        return o.integer(f"{short}_h", usual), o.integer(f"{short}_w", usual)
    given = o.integers(name) or [usual]
    rank = min(max(rank, 1), _MOST_SPACE)
    return tuple(given) if len(given) == rank else (given[0],) * rank


def _inner_product(step: Step) -> None:
    o = step.layer.settings.section("inner_product_param")
    shape, outputs, turned = step.shape(), o.integer("num_output"), o.flag("transpose")
    axis = o.integer("axis", 1)
    rank = len(shape)
    if rank and not -rank <= axis < rank:
        raise UnreadableModel(f"layer {step.name[:80]!r} multiplies axis {axis} of {rank}")
    axis = axis % rank if rank else axis
    inputs = prod(shape[axis:]) if rank else 0
    weight = step.weight(0, (inputs, outputs) if turned else (outputs, inputs))
    if not weight:
        opaque(step)
        return
    bias = [step.weight(1, (outputs,))] if o.flag("bias_term", True) else []
    bias = [name for name in bias if name]
    if axis == 1 or not rank:
        flat = step.x if rank == 2 else step.add("Flatten", [step.x], {"axis": 1})
        step.end("Gemm", [flat, weight, *bias], {"transB": int(not turned)})
        return
    target = step.build.constant([*(0 for _ in range(axis)), -1])
    flat = step.x if axis == rank - 1 else step.add("Reshape", [step.x, target])
    matrix = weight if turned else step.build.transpose(weight, (1, 0))
    product = step.add("MatMul", [flat, matrix])
    step.end("Add" if bias else "Identity", [product, *bias])


def _channels(step: Step) -> int:
    """Of the first input, or of the first blob where that is unknown."""
    shape, blob = step.shape(), step.blob(0)
    if len(shape) > 1:
        return shape[1]
    return blob.size if blob is not None else 0


def _batch_norm(step: Step) -> None:
    """Mean and variance, both divided by the third blob; a Scale follows where there is one."""
    count = _channels(step)
    if count < 1 or count > 2**20:
        opaque(step)
        return
    divisor = step.blob(2)

    def divided(values: Array) -> Array:
        factor = divisor.read().reshape(-1)[:1] if divisor is not None else np.ones(1, np.float32)
        with np.errstate(all="ignore"):
            return values / factor if factor.size and factor[0] else values * np.float32(0)

    moments = [step.changed(place, (count,), divided) for place in (0, 1)]
    factor, shift = (step.build.constant(np.full(count, v, np.float32)) for v in (1, 0))
    epsilon = step.layer.settings.section("batch_norm_param").real("eps", 1e-5)
    step.writer.skip.add(f"{step.name}/2")
    step.end("BatchNormalization", [step.x, factor, shift, *moments], {"epsilon": epsilon})


def _bn(step: Step) -> None:
    """The layer of SegNet and PSPNet: factor, shift, mean, variance."""
    count = _channels(step)
    if count < 1:
        opaque(step)
        return
    names = [step.weight(place, (count,)) for place in range(4)]
    step.end("BatchNormalization", [step.x, *names])


def _scale(step: Step) -> None:
    """A factor from a blob or a second input, then a shift."""
    o = step.layer.settings.section("scale_param")
    if len(step.inputs) > 1:
        shape, other, axis = step.shape(0), step.shape(1), o.integer("axis", 1)
        behind = len(shape) - len(other) - (axis % len(shape) if shape else 0)
        factor = _widened(step, step.inputs[1], len(other), behind)
        shift = step.weight(0) if o.flag("bias_term") else ""
        behind = max(behind, 0)
    else:
        behind, dims = _covered(step, o)
        factor = step.weight(0, dims, last=behind)
        shift = step.weight(1, dims, last=behind) if o.flag("bias_term") else ""
    if not factor:
        opaque(step)
    elif shift:
        step.end("Add", [step.add("Mul", [step.x, factor]), shift])
    else:
        step.end("Mul", [step.x, factor])


def _bias(step: Step) -> None:
    o = step.layer.settings.section("bias_param")
    if len(step.inputs) > 1:
        shape, other, axis = step.shape(0), step.shape(1), o.integer("axis", 1)
        behind = len(shape) - len(other) - (axis % len(shape) if shape else 0)
        step.end("Add", [step.x, _widened(step, step.inputs[1], len(other), behind)])
        return
    behind, dims = _covered(step, o)
    shift = step.weight(0, dims, last=behind)
    if shift:
        step.end("Add", [step.x, shift])
    else:
        opaque(step)


def _covered(step: Step, o: Section) -> tuple[int, Shape | None]:
    """How many axes lie behind those that a factor is for, and how long these are."""
    shape, axis, count = step.shape(), o.integer("axis", 1), o.integer("num_axes", 1)
    rank = len(shape)
    if not rank:
        return 2, None
    axis += rank if axis < 0 else 0
    end = rank if count < 0 else min(axis + count, rank)
    return rank - end, shape[axis:end] if 0 <= axis < rank else None


def _widened(step: Step, name: str, rank: int, behind: int) -> str:
    """The tensor with axes of one behind."""
    if not 0 < behind < 64:
        return name
    axes = step.build.constant(list(range(rank, rank + behind)))
    return step.add("Unsqueeze", [name, axes])


def _prelu(step: Step) -> None:
    o = step.layer.settings.section("prelu_param")
    shape, blob = step.shape(), step.blob(0)
    count = 1 if o.flag("channel_shared") else shape[1] if len(shape) > 1 else 0
    count = count or (blob.size if blob is not None else 0)
    slope = step.weight(0, (count,), last=max(len(shape) - 2, 0))
    if slope:
        step.end("PRelu", [step.x, slope])
    else:
        opaque(step)


def _normalize(step: Step) -> None:
    """SSD's: each place's channels to length one, then a factor for each channel."""
    o = step.layer.settings.section("norm_param")
    shape = step.shape()
    if o.flag("across_spatial", True) or len(shape) < 2:
        opaque(step)
        return
    shared = o.flag("channel_shared", True)
    factor = step.weight(0, (1,) if shared else (shape[1],), last=0 if shared else len(shape) - 2)
    unit = step.add("LpNormalization", [step.x], {"axis": 1, "p": 2})
    step.end("Mul", [unit, factor])


def _embed(step: Step) -> None:
    o = step.layer.settings.section("embed_param")
    outputs = o.integer("num_output")
    table = step.weight(0, (o.integer("input_dim"), outputs))
    bias = step.weight(1, (outputs,)) if o.flag("bias_term", True) else ""
    if not table:
        opaque(step)
    elif bias:
        step.end("Add", [step.add("Gather", [table, step.x]), bias])
    else:
        step.end("Gather", [table, step.x])


def _lstm(step: Step) -> None:
    """Gates are input, forget, output, candidate, as in ONNX after two of them change places."""
    o = step.layer.settings.section("recurrent_param")
    shape, hidden = step.shape(), o.integer("num_output")
    extra = len(step.inputs) > 2 or o.flag("expose_hidden")
    if len(shape) != 3 or hidden < 1 or extra:
        opaque(step)
        return
    width = shape[2]

    def turned(values: Array) -> Array:
        """Input, output, forget, candidate: ONNX's order."""
        parts = values.reshape(4, hidden, -1)
        return np.ascontiguousarray(parts[[0, 2, 1, 3]])

    weight = step.changed(0, (1, 4 * hidden, width), turned)
    bias = step.changed(1, (1, 4 * hidden), turned)
    recurrence = step.changed(2, (1, 4 * hidden, hidden), turned)
    result = step.add("LSTM", [step.x, weight, recurrence, bias], {"hidden_size": hidden})
    axes = step.build.constant([1])
    step.end("Squeeze", [result, axes])


def _parameter(step: Step) -> None:
    """A blob as it is."""
    dims = step.layer.settings.section("parameter_param").section("shape").integers("dim")
    name = step.weight(0, dims)
    if name:
        step.write(name)
    else:
        opaque(step)


WEIGHTED: dict[str, Callable[[Step], None]] = {
    **dict.fromkeys(("Convolution", "Deconvolution", *_DEPTHWISE), _convolution),
    "InnerProduct": _inner_product,
    "BatchNorm": _batch_norm,
    "BN": _bn,
    "Scale": _scale,
    "Bias": _bias,
    "PReLU": _prelu,
    "Normalize": _normalize,
    "Embed": _embed,
    "LSTM": _lstm,
    "Parameter": _parameter,
}
