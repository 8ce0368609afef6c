"""MXNet's operators that hold weights, in ONNX's words [MXNet 1.9, operator reference].

Convolutions are (output, input / groups, space), transposed ones (input, output / groups, space),
matrices (output, input).  The weights of a recurrent network are one long array: those of each
layer and direction, input's before state's, then all biases.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from assay.errors import UnreadableModel
from assay.vocabularies.mxnet.graph import Step
from assay.weights import Array
from assay.weights.layout import Stored
from assay.weights.shapes import shape_of

_MODES: dict[
    str, tuple[str, tuple[int, ...]]
] = {  # ONNX's operator, and its gates by MXNet's place
    "lstm": ("LSTM", (0, 3, 1, 2)),
    "gru": ("GRU", (1, 0, 2)),
    "rnn_tanh": ("RNN", (0,)),
    "rnn_relu": ("RNN", (0,)),
}
_MOST_LAYERS = 1000  # of a recurrent network
_MOST_UNITS = 2**24
_MOST_SPACE = 3


def opaque(step: Step) -> list[str]:
    """As the file has it, with its weights."""
    names = [step.build.fresh(step.name or step.op) for _ in range(step.outputs)]
    step.build.add(f"mxnet::{step.op}"[:200], step.tensors(), names)
    return names


def _each(step: Step, key: str, rank: int, usual: int) -> tuple[int, ...]:
    found = step.node.integers(key) or (usual,) * rank
    if len(found) != rank:
        raise UnreadableModel(f"{key!r} of {step.name[:80]!r} is not for {rank} axes")
    return found


def _convolution(step: Step) -> list[str]:
    node, shape = step.node, step.shape()
    kernel, outputs = node.integers("kernel"), node.integer("num_filter")
    groups, rank = node.integer("num_group", 1), len(kernel)
    is_plain = node.text("layout", "NC").startswith(("NC", "None"))
    if not 0 < rank <= _MOST_SPACE or groups < 1 or not is_plain:
        return opaque(step)
    turned = step.op == "Deconvolution"
    inputs = shape[1] if len(shape) > 2 else 0
    sizes = (inputs, outputs // groups) if turned else (outputs, inputs // groups)
    weight = step.weight(1, (*sizes, *kernel))
    has_bias = not node.flag("no_bias", turned)
    bias = [step.weight(2, (outputs,))] if has_bias else []
    if not weight or not all(bias):
        return opaque(step)
    pads = _each(step, "pad", rank, 0)
    attributes = {
        "strides": _each(step, "stride", rank, 1),
        "dilations": _each(step, "dilate", rank, 1),
        "group": groups,
        "pads": (*pads, *pads),
    }
    if turned:
        attributes["output_padding"] = _each(step, "adj", rank, 0)
        if node.integers("target_shape"):
            del attributes["pads"]
            attributes["output_shape"] = _each(step, "target_shape", rank, 0)
    return [step.add("ConvTranspose" if turned else "Conv", [step.x, weight, *bias], attributes)]


def _bilinear(step: Step) -> list[str]:
    """Maps made larger by a transposed convolution, each by itself."""
    scale, shape = step.node.integer("scale", 1), step.shape()
    if not 0 < scale < 2**10 or len(shape) != 4:
        return opaque(step)
    size, pad = 2 * scale - scale % 2, scale // 2
    weight = step.weight(1, (shape[1], 1, size, size))
    attributes = {"strides": (scale, scale), "pads": (pad,) * 4, "group": shape[1]}
    return [step.add("ConvTranspose", [step.x, weight], attributes)] if weight else opaque(step)


def _up_sampling(step: Step) -> list[str]:
    scale, shape = step.node.integer("scale", 1), step.shape()
    if step.node.text("sample_type") == "bilinear":
        return _bilinear(step)
    if len(step.inputs) != 1 or len(shape) != 4 or not 0 < scale < 2**16:
        return opaque(step)
    scales = step.build.constant(np.array([1, 1, scale, scale], np.float32))
    return [step.add("Resize", [step.x, "", scales], {"mode": "nearest"})]


def _fully_connected(step: Step) -> list[str]:
    node, shape = step.node, step.shape()
    outputs, flatten = node.integer("num_hidden"), node.flag("flatten", True)
    inputs = 0 if not shape else prod(shape[1:]) if flatten else shape[-1]
    weight = step.weight(1, (outputs, inputs))
    bias = [] if node.flag("no_bias") else [step.weight(2, (outputs,))]
    if not weight or not all(bias):
        return opaque(step)
    if flatten or len(shape) == 2:
        flat = step.x if len(shape) == 2 else step.add("Flatten", [step.x], {"axis": 1})
        return [step.add("Gemm", [flat, weight, *bias], {"transB": 1})]
    product = step.add("MatMul", [step.x, step.build.transpose(weight, (1, 0))])
    return [step.add("Add", [product, *bias])] if bias else [product]


def _batch_norm(step: Step) -> list[str]:
    shape, axis = step.shape(), step.node.integer("axis", 1)
    if axis not in (1, 1 - len(shape)):
        return opaque(step)
    count = shape[1] if len(shape) > 1 else 0
    names = [step.weight(place, (count,)) for place in range(1, 5)]
    if not all(names):
        return opaque(step)
    attributes = {"epsilon": step.node.real("eps", 1e-3)}
    return [step.add("BatchNormalization", [step.x, *names], attributes)]


def _normalization(step: Step) -> list[str]:
    op = {"LayerNorm": "LayerNormalization", "InstanceNorm": "InstanceNormalization"}.get(step.op)
    shape, axis = step.shape(), step.node.integer("axis", -1)
    is_layer = op == "LayerNormalization"
    if is_layer and axis not in (-1, len(shape) - 1):
        return opaque(step)
    count = 0 if not shape else shape[-1] if is_layer else shape[1] if len(shape) > 1 else 0
    count = step.node.integer("num_groups", 1) if op is None else count
    names = [step.weight(place, (count,)) for place in (1, 2)]
    if not all(names):
        return opaque(step)
    usual = 1e-3 if step.op == "InstanceNorm" else 1e-5
    attributes: dict[str, float] = {"epsilon": step.node.real("eps", usual)}
    if op is None:
        op = "GroupNormalization"
        attributes["num_groups"] = step.node.integer("num_groups", 1)
    return [step.add(op, [step.x, *names], attributes | ({"axis": -1} if is_layer else {}))]


def _embedding(step: Step) -> list[str]:
    sizes = (step.node.integer("input_dim"), step.node.integer("output_dim"))
    table = step.weight(1, sizes)
    return [step.add("Gather", [table, step.x], {"axis": 0})] if table else opaque(step)


def _recurrent(step: Step) -> list[str]:
    """One operator of ONNX for each layer; its weights are parts of the long array."""
    node, shape = step.node, step.shape()
    op, order = _MODES.get(node.text("mode"), ("", ()))
    hidden, layers = node.integer("state_size"), node.integer("num_layers", 1)
    directions = 2 if node.flag("bidirectional") else 1
    is_usual = len(shape) == 3 and 0 < hidden < _MOST_UNITS and 0 < layers <= _MOST_LAYERS
    if not op or not is_usual or node.numbers("projection_size") or len(step.inputs) < 2:
        return opaque(step)
    held, rows = step.writer.held.get(step.inputs[1]), len(order) * hidden
    if held.places if held is not None else step.inputs[1] not in step.writer.variables:
        return opaque(step)
    widths = [shape[2], *[hidden * directions] * (layers - 1)]
    biases = directions * rows * sum(width + hidden for width in widths)
    total = biases + directions * 2 * rows * layers
    if held is not None and prod(held.shape) != total:
        raise UnreadableModel(
            f"array {held.name[:80]!r} has {prod(held.shape):,} numbers, its layers {total:,}"
        )
    attributes = {
        "hidden_size": hidden,
        "direction": "bidirectional" if directions == 2 else "forward",
    }
    if op == "GRU":
        attributes["linear_before_reset"] = 1
    x, at = step.x, 0
    for layer, width in enumerate(widths):
        both, after = rows * (width + hidden), biases + directions * 2 * rows * layer
        parts = [
            _Part(f"l{layer}_i2h_weight", at, both, (directions, rows, width)),
            _Part(f"l{layer}_h2h_weight", at + rows * width, both, (directions, rows, hidden)),
            _Part(f"l{layer}_bias", after, 2 * rows, (directions, 2 * rows)),
        ]
        at += directions * both
        result = step.add(op, [x, *(_share(step, part, order) for part in parts)], attributes)
        turned = step.build.transpose(result, (0, 2, 1, 3))
        x = step.add("Reshape", [turned, step.build.constant([0, 0, -1])])
    return [x]


@dataclass(frozen=True)
class _Part:
    """What one operator of ONNX reads of the long array."""

    name: str
    start: int  # of the first direction's numbers
    stride: int  # from there to the next direction's
    shape: tuple[int, ...]  # directions, gates · hidden, and inputs; a bias has the gates twice


def _share(step: Step, part: _Part, order: Sequence[int]) -> str:
    """The weight that a part is, its gates in ONNX's order."""
    whole, dims = step.inputs[1], part.shape
    array, name = step.writer.held.get(whole), f"{whole}/{part.name}"
    if array is not None:
        lists = 1 if len(dims) == 3 else 2  # of gates

        def read() -> Array:
            starts = [part.start + part.stride * direction for direction in range(dims[0])]
            found = np.stack([array.cut(start, prod(dims[1:])) for start in starts])
            gates = found.reshape(dims[0], lists, len(order), -1)[:, :, list(order)]
            return np.ascontiguousarray(gates).reshape(dims)

        step.writer.stored[name] = Stored(dims, array.dtype, read)
        step.writer.parted.add(whole)
    step.build.untyped(name, shape_of(f"array {name[:80]!r}", dims))
    return name


WEIGHTED: dict[str, Callable[[Step], list[str]]] = {
    **dict.fromkeys(("Convolution", "Deconvolution"), _convolution),
    "UpSampling": _up_sampling,
    "FullyConnected": _fully_connected,
    "BatchNorm": _batch_norm,
    **dict.fromkeys(("LayerNorm", "InstanceNorm", "GroupNorm"), _normalization),
    "Embedding": _embedding,
    "RNN": _recurrent,
}
