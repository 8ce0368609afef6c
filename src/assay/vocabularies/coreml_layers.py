"""The layers of Core ML neural networks in ONNX's words [NeuralNetwork.proto].

A layer's kind is the number of the field that its options are in.  What has no counterpart keeps
that number in the domain ``coreml``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from assay.containers.messages import Message
from assay.vocabularies.coreml_network import Layer, Network

_UNARY = {0: "Sqrt", 2: "Reciprocal", 4: "Exp", 5: "Log", 6: "Abs"}
_SIMPLE = {
    231: "Mul",
    240: "Mean",
    260: "Max",
    261: "Min",
    600: "Identity",
    665: "Ceil",
    670: "Floor",
    680: "Sign",
    685: "Round",
    710: "Sin",
    715: "Cos",
    760: "Tanh",
    790: "Erf",
    795: "Gelu",
    870: "Min",
    875: "Max",
    880: "Add",
    885: "Pow",
    890: "Div",
    900: "Mul",
    905: "Sub",
    1330: "Where",
}
_REDUCTIONS = {
    1250: "ReduceL1",
    1255: "ReduceL2",
    1260: "ReduceMax",
    1265: "ReduceMin",
    1270: "ReduceSum",
    1275: "ReduceProd",
    1280: "ReduceMean",
}
_REDUCED = ("Sum", "Mean", "Prod", "LogSum", "SumSquare", "L1", "L2", "Max", "Min")
_REDUCED_AXES = ((1, 2, 3), (2, 3), (1,), (2,), (3,))
_ACTIVATIONS = {10: "Relu", 30: "Tanh", 40: "Sigmoid", 60: "Softsign", 70: "Softplus"}
_WITH_ALPHA = {15: "LeakyRelu", 20: "ThresholdedRelu", 50: "Elu"}


def translate(network: Network, layer: Layer) -> None:
    """The layer, added to the network's graph."""
    rule = _RULES.get(layer.kind)
    if rule is not None:
        rule(network, layer)
    elif layer.kind in _SIMPLE:
        network.build.add(_SIMPLE[layer.kind], layer.inputs, layer.outputs)
    elif layer.kind in _REDUCTIONS:
        axes = layer.options.integers(1)
        inputs = [*layer.inputs, *([network.build.constant(axes)] if axes else [])]
        attributes = {"keepdims": layer.options.integer(2)}
        network.build.add(_REDUCTIONS[layer.kind], inputs, layer.outputs, attributes)
    else:
        network.build.add(f"coreml::layer{layer.kind}", layer.inputs, layer.outputs)


def _spatial(options: Message, valid: int) -> dict[str, Any]:
    """Padding of a sliding window; the next field after ``valid`` says that sizes are kept."""
    if options.has(valid + 1):
        lower = options.message(valid + 1).integer(1) == 1
        return {"auto_pad": "SAME_LOWER" if lower else "SAME_UPPER"}
    edges = options.message(valid, 1).messages(10)
    if len(edges) != 2:
        return {}
    return {"pads": (*(e.integer(1) for e in edges), *(e.integer(2) for e in edges))}


def _pair(options: Message, number: int, usual: int) -> tuple[int, ...]:
    found = options.integers(number)
    return tuple(found) if len(found) == 2 else (usual, usual)


def _conv(network: Network, layer: Layer) -> None:
    o = layer.options
    outputs, inputs, groups = o.integer(1), o.integer(2), max(o.integer(10), 1)
    kernel = _pair(o, 20, 3)
    turned = bool(o.integer(60))
    shape = (inputs, outputs // groups, *kernel) if turned else (outputs, inputs, *kernel)
    weight = network.weight(layer, 90, "weights", shape, groups if turned else 0)
    bias = network.weight(layer, 91, "bias", (outputs,)) if o.integer(70) else ""
    attributes = {"strides": _pair(o, 30, 1), "dilations": _pair(o, 40, 1), "group": groups}
    names = [layer.inputs[0], weight or layer.inputs[-1], *([bias] if bias else [])]
    op = "ConvTranspose" if turned else "Conv"
    network.build.add(op, names, layer.outputs, attributes | _spatial(o, 50))


def _inner_product(network: Network, layer: Layer) -> None:
    """As the file has it: a product over the last axis, or over channels of a 1×1 image."""
    o = layer.options
    weight = network.weight(layer, 20, "weights", (o.integer(2), o.integer(1)))
    bias = network.weight(layer, 21, "bias", (o.integer(2),)) if o.integer(10) else ""
    shape = network.build.constant([0, -1])
    flat = network.build.add("Reshape", [layer.inputs[0], shape])
    names = [flat, weight, *([bias] if bias else [])]
    network.build.add("Gemm", names, layer.outputs, {"transB": 1})


def _embedding(network: Network, layer: Layer) -> None:
    o = layer.options
    weight = network.weight(layer, 20, "weights", (o.integer(2), o.integer(1)))
    bias = network.weight(layer, 21, "bias", (o.integer(2),)) if o.integer(10) else ""
    table = network.build.transpose(weight, (1, 0))
    if not bias:
        network.build.add("Gather", [table, layer.inputs[0]], layer.outputs)
        return
    found = network.build.add("Gather", [table, layer.inputs[0]])
    network.build.add("Add", [found, bias], layer.outputs)


def _batch_norm(network: Network, layer: Layer) -> None:
    o = layer.options
    shape = (o.integer(1),)
    names = [
        network.weight(layer, number, what, shape)
        for number, what in ((15, "gamma"), (16, "beta"), (17, "mean"), (18, "variance"))
    ]
    attributes = {"epsilon": o.real(10, 1e-5)}
    if o.integer(6) or not all(names):
        inputs = [layer.inputs[0], *filter(None, names[:2])]
        network.build.add("InstanceNormalization", inputs, layer.outputs, attributes)
        return
    network.build.add("BatchNormalization", [layer.inputs[0], *names], layer.outputs, attributes)


def _pool(network: Network, layer: Layer) -> None:
    o = layer.options
    kind = ("Max", "Average", "Lp")[min(o.integer(1), 2)]
    if o.integer(60):
        network.build.add(f"Global{kind}Pool", layer.inputs, layer.outputs)
        return
    attributes: dict[str, Any] = {"kernel_shape": _pair(o, 10, 3), "strides": _pair(o, 20, 1)}
    if o.has(32):  # the last window may hang over
        pads = tuple(o.message(32).integers(10)) or (0, 0)
        attributes |= {"pads": pads * 2 if len(pads) == 2 else (0, 0, 0, 0), "ceil_mode": 1}
    else:
        attributes |= _spatial(o, 30)
    network.build.add(f"{kind}Pool", layer.inputs, layer.outputs, attributes)


def _activation(network: Network, layer: Layer) -> None:
    kinds = layer.options.numbers()
    kind = kinds[0] if kinds else 0
    o = layer.options.message(kind)
    if kind in _ACTIVATIONS:
        network.build.add(_ACTIVATIONS[kind], layer.inputs, layer.outputs)
    elif kind in _WITH_ALPHA:
        attributes = {"alpha": o.real(1)}
        network.build.add(_WITH_ALPHA[kind], layer.inputs, layer.outputs, attributes)
    elif kind == 41:
        attributes = {"alpha": o.real(1), "beta": o.real(2)}
        network.build.add("HardSigmoid", layer.inputs, layer.outputs, attributes)
    elif kind == 25:
        inner = Layer(layer.name, kind, o, layer.inputs, layer.outputs)
        size = sum(end - start for _, start, end in o.message(1).listed(1)) // 4
        size = size or sum(end - start for _, start, end in o.message(1).listed(2)) // 2
        slope = network.weight(inner, 1, "alpha", (size, 1, 1))
        network.build.add("PRelu", [*layer.inputs, slope], layer.outputs)
    elif kind == 5:
        factor = network.build.constant(np.float32(o.real(1)))
        scaled = network.build.add("Mul", [*layer.inputs, factor])
        shift = network.build.constant(np.float32(o.real(2)))
        network.build.add("Add", [scaled, shift], layer.outputs)
    else:
        network.build.add(f"coreml::activation{kind}", layer.inputs, layer.outputs)


def _scale(network: Network, layer: Layer) -> None:
    o = layer.options
    shape = tuple(o.integers(1))
    factor = network.weight(layer, 2, "scale", shape)
    if not o.integer(3):
        network.build.add("Mul", [*layer.inputs, factor], layer.outputs)
        return
    shift = network.weight(layer, 5, "bias", tuple(o.integers(4)))
    scaled = network.build.add("Mul", [*layer.inputs, factor])
    network.build.add("Add", [scaled, shift], layer.outputs)


def _bias(network: Network, layer: Layer) -> None:
    shift = network.weight(layer, 2, "bias", tuple(layer.options.integers(1)))
    network.build.add("Add", [*layer.inputs, shift], layer.outputs)


def _constant(network: Network, layer: Layer) -> None:
    data = network.weight(layer, 2, "data", tuple(layer.options.integers(1)))
    network.build.add("Identity", [data], layer.outputs)


def _add(network: Network, layer: Layer) -> None:
    names = list(layer.inputs)
    if len(names) == 1:
        names.append(network.build.constant(np.float32(layer.options.real(1))))
    network.build.add("Add" if len(names) == 2 else "Sum", names, layer.outputs)


def _unary(network: Network, layer: Layer) -> None:
    kind = layer.options.integer(1)
    if kind == 1:
        root = network.build.add("Sqrt", layer.inputs)
        network.build.add("Reciprocal", [root], layer.outputs)
    elif kind == 3:
        power = network.build.constant(np.float32(layer.options.real(2)))
        network.build.add("Pow", [*layer.inputs, power], layer.outputs)
    else:
        network.build.add(_UNARY.get(kind, "coreml::threshold"), layer.inputs, layer.outputs)


def _concat(network: Network, layer: Layer) -> None:
    axis = layer.options.integer(1) if layer.kind == 980 else 1
    network.build.add("Concat", layer.inputs, layer.outputs, {"axis": axis})


def _softmax(network: Network, layer: Layer) -> None:
    axis = layer.options.integer(1, -1) if layer.kind == 950 else 1
    network.build.add("Softmax", layer.inputs, layer.outputs, {"axis": axis})


def _split(network: Network, layer: Layer) -> None:
    axis = layer.options.integer(1) if layer.kind == 975 else 1
    network.build.add("Split", layer.inputs, layer.outputs, {"axis": axis})


def _permute(network: Network, layer: Layer) -> None:
    axes = tuple(layer.options.integers(1))
    network.build.add("Transpose", layer.inputs, layer.outputs, {"perm": axes})


def _reshape(network: Network, layer: Layer) -> None:
    target = layer.options.integers(1)
    shape = [0, *target] if layer.kind == 300 and len(target) == 3 else target
    names = [layer.inputs[0], network.build.constant(shape)]
    network.build.add("Reshape", names, layer.outputs)


def _flatten(network: Network, layer: Layer) -> None:
    network.build.add("Flatten", layer.inputs, layer.outputs)


def _axes(network: Network, layer: Layer) -> None:
    op = "Squeeze" if layer.kind == 1120 else "Unsqueeze"
    names = [layer.inputs[0], network.build.constant(layer.options.integers(1))]
    network.build.add(op, names, layer.outputs)


def _reduce(network: Network, layer: Layer) -> None:
    mode, axis = layer.options.integer(1), layer.options.integer(3)
    if not 0 <= mode < len(_REDUCED) or not 0 <= axis < len(_REDUCED_AXES):
        network.build.add("coreml::reduce", layer.inputs, layer.outputs)
        return
    axes = network.build.constant(list(_REDUCED_AXES[axis]))
    network.build.add(f"Reduce{_REDUCED[mode]}", [*layer.inputs, axes], layer.outputs)


def _pad(network: Network, layer: Layer) -> None:
    edges = layer.options.message(10).messages(10)
    pads = [0, 0, *(e.integer(1) for e in edges), 0, 0, *(e.integer(2) for e in edges)]
    mode = "reflect" if layer.options.has(2) else "edge" if layer.options.has(3) else "constant"
    names = [layer.inputs[0], network.build.constant(pads if len(pads) == 8 else [0] * 8)]
    network.build.add("Pad", names, layer.outputs, {"mode": mode})


def _upsample(network: Network, layer: Layer) -> None:
    factors = layer.options.integers(1) or [2, 2]
    scales = network.build.constant(np.array([1, 1, *factors], np.float32))
    mode = "linear" if layer.options.integer(5) else "nearest"
    network.build.add("Resize", [layer.inputs[0], "", scales], layer.outputs, {"mode": mode})


def _clip(network: Network, layer: Layer) -> None:
    low, high = (network.build.constant(np.float32(layer.options.real(n))) for n in (1, 2))
    network.build.add("Clip", [*layer.inputs, low, high], layer.outputs)


def _slice(network: Network, layer: Layer) -> None:
    network.build.add("Slice", layer.inputs[:1], layer.outputs)


_RULES: dict[int, Callable[[Network, Layer], None]] = {
    100: _conv,
    120: _pool,
    130: _activation,
    140: _inner_product,
    **dict.fromkeys((150, 1040), _embedding),
    160: _batch_norm,
    **dict.fromkeys((175, 950), _softmax),
    200: _pad,
    210: _upsample,
    220: _unary,
    230: _add,
    245: _scale,
    250: _bias,
    280: _reduce,
    **dict.fromkeys((290, 1070), _constant),
    **dict.fromkeys((300, 1140), _reshape),
    **dict.fromkeys((301, 1130), _flatten),
    **dict.fromkeys((310, 985), _permute),
    **dict.fromkeys((320, 980), _concat),
    **dict.fromkeys((330, 975), _split),
    **dict.fromkeys((350, 995), _slice),
    660: _clip,
    **dict.fromkeys((1120, 1125), _axes),
}
