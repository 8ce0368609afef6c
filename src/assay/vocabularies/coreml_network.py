"""The layers of a Core ML neural network as an operator graph and weights [NeuralNetwork.proto].

Layers read and write named blobs of channels, height and width; the weights stand inside each
layer, as float32, float16, or with few bits and a scale or a table.  Axes are in ONNX's order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import prod

import numpy as np

from assay.containers.messages import Message, Span
from assay.errors import UnreadableModel
from assay.graphs.operators import FLOAT, OperatorGraph
from assay.vocabularies.builder import GraphBuilder
from assay.vocabularies.inputs import Dimension, InputShapes, concrete, match
from assay.weights import Array, Weight
from assay.weights.conventions import transposed_groups
from assay.weights.shapes import shape_of

MOST_LAYERS = 50_000
Reader = Callable[[], Array]
_CHANNELS = {10: 1, 20: 3, 30: 3, 40: 1}  # of an image, by color space
_ARRAYS = {1: ("float32", "<f4"), 2: ("float16", "<f2")}
_QUANTIZED, _RAW, _RAW8 = 40, 30, 31


@dataclass
class Layer:
    """One layer of the file."""

    name: str
    kind: int  # number of the field that holds its options
    options: Message
    inputs: list[str]
    outputs: list[str]


@dataclass
class Network:
    """What is read of a network; ``inputs`` are the types that the description gives."""

    inputs: Mapping[str, Message]
    given: InputShapes
    build: GraphBuilder = field(default_factory=GraphBuilder)
    weights: dict[str, Weight] = field(default_factory=dict)

    def read(self, message: Message, outputs: list[str]) -> OperatorGraph:
        """The graph of its layers."""
        from assay.vocabularies.coreml_layers import translate

        wanted = match(self.given, self.inputs)
        is_exact = message.integer(5) == 1  # else an array of three axes has no batch
        for name, kind in self.inputs.items():
            dims = _dims(kind, is_exact)
            self.build.input(name, concrete(name, FLOAT, dims, wanted.get(name)))
        layers = message.messages(1)
        if not 0 < len(layers) <= MOST_LAYERS:
            raise UnreadableModel(f"a network of {len(layers):,} layers")
        current: dict[str, str] = {name: name for name in self.inputs}  # a blob may be overwritten
        for part in layers:
            kinds = [number for number in part.numbers() if number >= 100]
            if len(kinds) != 1:
                raise UnreadableModel(f"layer {part.text(1)[:80]!r} is of {len(kinds)} kinds")
            own = part.texts(3)
            renamed = [n if n not in current else self.build.fresh(n) for n in own]
            inputs = [current.get(name, name) for name in part.texts(2)]
            layer = Layer(part.text(1), kinds[0], part.message(kinds[0]), inputs, renamed)
            if own:
                translate(self, layer)
                current |= dict(zip(own, renamed, strict=True))
        ends = [current[name] for name in outputs if name in current]  # others are class labels
        last = next(name for name in reversed(list(current.values())))
        return self.build.graph(ends or [last])

    def weight(
        self, layer: Layer, number: int, what: str, shape: tuple[int, ...], groups: int = 0
    ) -> str:
        """The name of one of a layer's tensors; "" where the layer has none.

        ``groups`` are those of a transposed convolution.
        """
        params = layer.options.message(number)
        if not layer.options.has(number) or not params.numbers():
            return ""
        name = f"{layer.name}/{what}"
        while name in self.weights:
            name = self.build.fresh(name)
        weight = _stored(name, params, shape_of(f"tensor {name!r}", shape))
        self.build.weight(weight)
        self.weights[name] = transposed_groups(weight, groups) if groups else weight
        return name


def _dims(kind: Message, is_exact: bool) -> list[Dimension]:
    if kind.has(4):
        image = kind.message(4)
        color = _CHANNELS.get(image.integer(3), 3)
        return [1, color, image.integer(2) or None, image.integer(1) or None]
    shape: list[Dimension] = [d or None for d in kind.message(5).integers(1)]
    return shape if is_exact or len(shape) != 3 else [1, *shape]


def _stored(name: str, params: Message, shape: tuple[int, ...]) -> Weight:
    """One tensor, checked against its shape."""
    count = prod(shape)
    for number, (dtype, numpy_type) in _ARRAYS.items():
        if params.has(number):
            size = sum(end - start for start, end in _floats(params, number))
            if size != count * np.dtype(numpy_type).itemsize:
                raise UnreadableModel(f"tensor {name!r} has {size:,} bytes for {count:,} numbers")
            return Weight(name, shape, dtype, _float_reader(params, number, shape), True)
    number = _RAW if params.has(_RAW) else _RAW8
    span = (params.spans(number) or [(0, 0)])[-1]
    quantization = params.message(_QUANTIZED)
    bits = quantization.integer(1, 8)
    if not 1 <= bits <= 8 or span[1] - span[0] < -(-count * bits // 8):
        raise UnreadableModel(f"tensor {name!r} is cut")
    return Weight(name, shape, f"uint{bits}", _quantized_reader(params, span, bits, shape), True)


def _floats(params: Message, number: int) -> list[Span]:
    """The payloads of a list of floats, packed or not."""
    return [(start, end) for _, start, end in params.listed(number)]


def _float_reader(params: Message, number: int, shape: tuple[int, ...]) -> Reader:
    dtype = _ARRAYS[number][1]
    return lambda: params.floats(number, dtype).reshape(shape)


def _quantized_reader(params: Message, span: Span, bits: int, shape: tuple[int, ...]) -> Reader:
    def read() -> Array:
        count = prod(shape)
        packed = np.frombuffer(params.source.data[span[0] : span[1]], np.uint8)
        places = np.unpackbits(packed, count=count * bits).reshape(count, bits)
        numbers = np.packbits(places, axis=1)[:, 0] >> (8 - bits)
        quantization = params.message(_QUANTIZED)
        if quantization.has(102):
            table = quantization.message(102).floats(1)
            if numbers.size and int(numbers.max()) >= table.size:
                raise UnreadableModel("a tensor's places lie outside its table")
            return np.asarray(table[numbers].reshape(shape), np.float32)
        scale, bias = (quantization.message(101).floats(n) for n in (1, 2))
        if params.has(_RAW8):
            numbers = numbers.view(np.int8)
        if scale.size not in (1, shape[0]) or bias.size not in (0, 1, shape[0]):
            raise UnreadableModel("a quantized tensor's scale does not fit its shape")
        per_output = (-1, *(1 for _ in shape[1:]))
        real = numbers.astype(np.float32).reshape(shape) * scale.reshape(per_output)
        return np.asarray(real + bias.reshape(per_output) if bias.size else real, np.float32)

    return read
