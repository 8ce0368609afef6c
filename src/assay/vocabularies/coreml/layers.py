"""The layers of Core ML neural networks in ONNX's words: those with weights [NeuralNetwork.proto].

A layer's kind is the number of the field that its options are in.  Others are told in modules of
their own; what has no counterpart keeps that number in the domain ``coreml``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from assay.graphs.operators import OperatorGraph
from assay.vocabularies.coreml import functions, layer_moves, layer_windows, recurrent_layers
from assay.vocabularies.coreml.network import Layer
from assay.vocabularies.coreml.parameters import length, stored
from assay.weights.conventions import matrix


def translate(layer: Layer) -> None:
    """The layer, added to its network's graph."""
    rule = _RULES.get(layer.kind)
    if rule is not None:
        rule(layer)
    else:
        layer.emit(f"coreml::layer{layer.kind}", layer.inputs)


def _inner_product(layer: Layer) -> None:
    """A product over the last axis, or over all of a feature map."""
    o = layer.options
    weight = layer.weight(20, "weights", (o.integer(2), o.integer(1)))
    bias = layer.weight(21, "bias", (o.integer(2),)) if o.integer(10) else ""
    if layer.rank == 3:
        _product(layer, layer.x, weight, bias)
        return
    flat = layer.x if layer.rank < 3 else layer.build.add("Flatten", [layer.x], "", {"axis": 1})
    inputs = [flat, weight, *([bias] if bias else [])]
    if layer.rank < 3 or not layer.network.is_exact:
        layer.emit("Gemm", inputs, {"transB": 1})
        return
    product = layer.build.add("Gemm", inputs, "", {"transB": 1})
    layer.emit("Unsqueeze", [product, layer.build.constant([2, 3])])


def _product(layer: Layer, x: str, weight: str, bias: str) -> None:
    turned = layer.build.transpose(weight, (1, 0))
    if bias:
        layer.emit("Add", [layer.build.add("MatMul", [x, turned]), bias])
    else:
        layer.emit("MatMul", [x, turned])


def _batched_matmul(layer: Layer) -> None:
    """Of two inputs, or with a matrix that is stored with its outputs first."""
    o = layer.options
    if len(layer.inputs) == 1:
        inputs, outputs = o.integer(5), o.integer(6)
        weight = layer.weight(8, "weights", (outputs, inputs))
        bias = layer.weight(9, "bias", (outputs,)) if o.integer(7) else ""
        _product(layer, layer.x, weight, bias)
        return
    names = []
    for name, turned in zip(layer.inputs, (o.integer(1), o.integer(2)), strict=False):
        rank = layer.build.rank(name)
        if turned and rank > 1:
            name = layer.build.transpose(name, (*range(rank - 2), rank - 1, rank - 2))
        names.append(name)
    layer.emit("MatMul", names)


def _embedding(layer: Layer) -> None:
    """A table that is stored with its entries in columns; the last axes of the places are one."""
    o = layer.options
    entries, width = o.integer(1), o.integer(2)
    has_bias = o.integer(10) if layer.kind == 150 else o.integer(3)
    found = layer.stored(20, "weights", (width, entries))
    bias = layer.weight(21, "bias", (width,)) if has_bias else ""
    if found is None:
        layer.emit("coreml::embedding", layer.inputs)
        return
    name = layer.keep("weights", found, (entries, width))
    weights = layer.network.weights
    weights[name] = matrix(weights[name])
    flat = layer.build.constant([-1] if layer.kind == 150 else [0] * (layer.rank - 1))
    places = layer.build.add("Reshape", [layer.x, flat])
    if bias:
        layer.emit("Add", [layer.build.add("Gather", [name, places]), bias])
    else:
        layer.emit("Gather", [name, places])


def _batch_norm(layer: Layer) -> None:
    o = layer.options
    shape = (o.integer(1),)
    fields = ((15, "gamma"), (16, "beta"), (17, "mean"), (18, "variance"))
    names = [layer.weight(number, what, shape) for number, what in fields]
    attributes = {"epsilon": o.real(10) or 1e-5}
    if o.integer(5):
        op = "InstanceNormalization" if o.integer(6) else "coreml::batchnormOfBatch"
        layer.emit(op, [layer.x, *filter(None, names[:2])], attributes)
    else:
        layer.emit("BatchNormalization", [layer.x, *names], attributes)


def _layer_norm(layer: Layer) -> None:
    o = layer.options
    shape = o.integers(1)
    names = [layer.weight(number, what, shape) for number, what in ((3, "gamma"), (4, "beta"))]
    attributes = {"epsilon": o.real(2) or 1e-5, "axis": -len(shape)}
    layer.emit("LayerNormalization", [layer.x, *filter(None, names)], attributes)


def _broadcast(layer: Layer, number: int, what: str, shape: Sequence[int]) -> str:
    """A tensor of one number, of channels or of a feature map, over a feature map."""
    upright = [*shape, 1, 1] if len(shape) == 1 and layer.rank > 2 else shape
    return layer.weight(number, what, shape, upright)


def _scale(layer: Layer) -> None:
    o = layer.options
    factor = _broadcast(layer, 2, "scale", o.integers(1))
    if not o.integer(3):
        layer.emit("Mul", [layer.x, factor])
        return
    shift = _broadcast(layer, 5, "bias", o.integers(4))
    layer.emit("Add", [layer.build.add("Mul", [layer.x, factor]), shift])


def _bias(layer: Layer) -> None:
    layer.emit("Add", [layer.x, _broadcast(layer, 2, "bias", layer.options.integers(1))])


def _constant(layer: Layer) -> None:
    shape = layer.options.integers(1)
    whole = [1, *shape] if layer.kind == 290 and len(shape) == 3 else shape
    layer.emit("Identity", [layer.weight(2, "data", shape, whole)])


def _prelu(layer: Layer) -> None:
    """The slopes are of channels, or one for all."""
    slopes = layer.options.message(25)
    inner = replace(layer, options=slopes)
    count = length(slopes.message(1))
    shape = (count, 1, 1) if count > 1 and layer.rank > 2 else (count,)
    layer.emit("PRelu", [layer.x, inner.weight(1, "alpha", (count,), shape)])


def _activation(layer: Layer) -> None:
    if layer.options.has(25):
        _prelu(layer)
    else:
        functions.activation(layer)


def _custom(layer: Layer) -> None:
    """A layer that the app brings along; what its weights mean, only it knows."""
    names = []
    for place, params in enumerate(layer.options.messages(20)):
        what = f"weights{place}"
        found = stored(f"{layer.name}/{what}", params, (length(params),))
        names.append(layer.keep(what, found))
    layer.emit(f"coreml::{layer.options.text(10)[:80]}", [*layer.inputs, *names])


def _branch(layer: Layer) -> None:
    """What either network leaves is there afterwards; one may be left out."""
    network, options = layer.network, layer.options
    before = dict(network.blobs)
    bodies, after = [], []
    for number in (1, 2):
        body, blobs = OperatorGraph((), (), (), {}), before
        if options.has(number):
            body, blobs = network.body(options.message(number))
        bodies.append(body)
        after.append(blobs)
    changed = [
        name
        for name in after[0].keys() & after[1].keys()
        if {after[0][name], after[1][name]} != {before.get(name)}
    ]
    names = sorted(changed)
    chosen, other = (
        replace(body, outputs=tuple(blobs[name] for name in names))
        for body, blobs in zip(bodies, after, strict=True)
    )
    outputs = [layer.build.fresh(name) for name in names]
    attributes = {"then_branch": chosen, "else_branch": other}
    layer.build.add("If", [layer.x], outputs or "", attributes)
    network.blobs |= dict(zip(names, outputs, strict=True))


def _loop(layer: Layer) -> None:
    """Its condition and its body, once: what they write is there afterwards."""
    for number in (3, 4):
        if layer.options.has(number):
            layer.network.layers(layer.options.message(number))


_RULES: Mapping[int, Callable[[Layer], None]] = {
    **functions.RULES,
    **layer_moves.RULES,
    **layer_windows.RULES,
    **recurrent_layers.RULES,
    130: _activation,
    140: _inner_product,
    **dict.fromkeys((150, 1040), _embedding),
    160: _batch_norm,
    245: _scale,
    250: _bias,
    **dict.fromkeys((290, 1070), _constant),
    500: _custom,
    605: _branch,
    615: _loop,
    1045: _batched_matmul,
    1350: _layer_norm,
}
