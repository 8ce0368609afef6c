"""The layers of Core ML neural networks with sliding windows, in ONNX's words.

[NeuralNetwork.proto] Convolutions and pooling, over two axes of space or three.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from assay.containers.messages import Message
from assay.vocabularies.coreml.network import Layer
from assay.weights.conventions import transposed_groups


def _numbers(layer: Layer, first: int, count: int, usual: int) -> tuple[int, ...]:
    """Fields that follow each other, one number each."""
    return tuple(layer.options.integer(first + i) or usual for i in range(count))


def _pair(options: Message, number: int, usual: int) -> tuple[int, ...]:
    found = options.integers(number)
    return tuple(found) if len(found) == 2 else (usual, usual)


def _edges(options: Message, valid: int) -> dict[str, Any]:
    """Padding of a sliding window; the next field after ``valid`` says that sizes are kept."""
    if options.has(valid + 1):
        lower = options.message(valid + 1).integer(1) == 1
        return {"auto_pad": "SAME_LOWER" if lower else "SAME_UPPER"}
    edges = options.message(valid, 1).messages(10)
    if len(edges) != 2:
        return {}
    return {"pads": (*(e.integer(1) for e in edges), *(e.integer(2) for e in edges))}


def _edges_3d(layer: Layer, kind: int, first: int) -> dict[str, Any]:
    """The same of three axes: a type of padding, and amounts before and after each axis."""
    if layer.options.integer(kind) == 2:
        return {"auto_pad": "SAME_UPPER"}
    amounts = _numbers(layer, first, 6, 0)
    return {} if layer.options.integer(kind) == 1 else {"pads": (*amounts[::2], *amounts[1::2])}


def _conv(layer: Layer) -> None:
    o = layer.options
    kernel = _pair(o, 20, 3)
    attributes = {"strides": _pair(o, 30, 1), "dilations": _pair(o, 40, 1)} | _edges(o, 50)
    bias = 91 if o.integer(70) else 0
    _convolution(layer, kernel, attributes, (90, bias, 100 if o.integer(60) else 0))


def _conv_3d(layer: Layer) -> None:
    o = layer.options
    kernel = _numbers(layer, 20, 3, 3)
    attributes: dict[str, Any] = {"strides": _numbers(layer, 31, 3, 1)}
    attributes |= {"dilations": _numbers(layer, 40, 3, 1)} | _edges_3d(layer, 70, 80)
    bias = 61 if o.integer(50) else 0
    _convolution(layer, kernel, attributes, (60, bias, 87 if o.integer(86) else 0))


def _convolution(
    layer: Layer, kernel: tuple[int, ...], attributes: dict[str, Any], fields: tuple[int, int, int]
) -> None:
    """``fields`` of weight, bias and, of a transposed one, of the shape that it gives."""
    o, (weights, bias, turned) = layer.options, fields
    outputs, inputs, groups = o.integer(1), o.integer(2), max(o.integer(10), 1)
    attributes["group"] = groups
    if turned:
        shape: tuple[int, ...] = (inputs, outputs // groups, *kernel)
        attributes["dilations"] = tuple(1 for _ in kernel)
        if o.integers(turned):
            attributes["output_shape"] = tuple(o.integers(turned)[-len(kernel) :])
    else:
        shape = (outputs, inputs, *kernel)
    found = layer.stored(weights, "weights", shape, 1 if turned else 0)
    weight = layer.last if found is None else layer.keep("weights", found)
    if turned and found is not None:
        kept = replace(layer.network.weights[weight], canonical=False)
        layer.network.weights[weight] = transposed_groups(kept, groups)
    names = [layer.image if len(kernel) == 2 else layer.x, weight]
    if bias:
        names.append(layer.weight(bias, "bias", (outputs,)))
    layer.emit("ConvTranspose" if turned else "Conv", names, attributes)


def _pool(layer: Layer) -> None:
    o = layer.options
    kind = ("Max", "Average", "Lp")[min(max(o.integer(1), 0), 2)]
    if o.integer(60):
        layer.emit(f"Global{kind}Pool", [layer.image])
        return
    attributes: dict[str, Any] = {"kernel_shape": _pair(o, 10, 3), "strides": _pair(o, 20, 1)}
    if o.has(32):  # the last window may hang over
        attributes |= {"pads": _pair(o.message(32), 10, 0) * 2, "ceil_mode": 1}
    else:
        attributes |= _edges(o, 30)
    if kind == "Average":
        attributes["count_include_pad"] = int(not o.integer(50))
    layer.emit(f"{kind}Pool", [layer.image], attributes)


def _pool_3d(layer: Layer) -> None:
    o = layer.options
    kind = "Average" if o.integer(1) else "Max"
    if layer.kind == 1466:
        layer.emit(f"Global{kind}Pool", [layer.x])
        return
    attributes: dict[str, Any] = {"kernel_shape": _numbers(layer, 2, 3, 1)}
    attributes |= {"strides": _numbers(layer, 5, 3, 1)} | _edges_3d(layer, 15, 8)
    if kind == "Average":
        attributes["count_include_pad"] = int(not o.integer(14))
    layer.emit(f"{kind}Pool", [layer.x], attributes)


RULES: Mapping[int, Callable[[Layer], None]] = {
    100: _conv,
    120: _pool,
    **dict.fromkeys((1465, 1466), _pool_3d),
    1471: _conv_3d,
}
