"""Layers that the networks of Hugging Face's transformers are made of, as ONNX's operators.

A network is put together from the tensors that its files hold: their shapes say how wide a layer
is, and whether it has a bias.  The configuration says only what no shape tells, such as the heads.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from assay.errors import UnreadableModel
from assay.graphs.operators import FLOAT, INT64, OperatorGraph, Shape, Tensor
from assay.vocabularies.builder import GraphBuilder
from assay.weights.shapes import shape_of

MOST_LAYERS = 1000
_ACTIVATIONS = {  # by their names in transformers
    "relu": "Relu", "silu": "Swish", "swish": "Swish", "tanh": "Tanh", "sigmoid": "Sigmoid",
    "mish": "Mish",
    **dict.fromkeys(("gelu", "gelu_new", "gelu_fast", "gelu_python", "gelu_pytorch_tanh"), "Gelu"),
}  # fmt: skip


class Network:
    """A graph in the making; values are (batch, places, width), and named as in the graph."""

    def __init__(
        self, config: Mapping[str, Any], shapes: Mapping[str, Shape], names: Mapping[str, str]
    ) -> None:
        self.config, self.shapes, self.names = config, shapes, names
        self.builder = GraphBuilder()
        self.add = self.builder.add
        self.batch = self.places = 1

    def graph(self, *outputs: str) -> OperatorGraph:
        return self.builder.graph(outputs)

    def number(self, *names: str, default: int = 0) -> int:
        """The first of these that the configuration has, as a positive number."""
        value = next((v for n in names if (v := self.config.get(n)) is not None), default)
        if type(value) is not int or not 0 < value < 2**31:
            raise UnreadableModel(f"its configuration has no {names[0]}")
        return value

    def layers(self) -> range:
        """The numbers of the blocks that are alike."""
        count = self.number("num_hidden_layers", "n_layer", "n_layers")
        if count > MOST_LAYERS:
            raise UnreadableModel(f"its configuration has {count:,} layers")
        return range(count)

    def has(self, name: str) -> bool:
        return name in self.shapes

    def prefix(self, *names: str) -> str:
        """What stands before the names of the network's own tensors, by one that it must have."""
        first, *others = names
        return next((p for p in others if self.has(p + first)), "")

    def shape(self, name: str, rank: int) -> Shape:
        """Of a tensor of the set.  Raises UnreadableModel where it has none of this rank."""
        shape = self.shapes.get(name)
        if shape is None:
            raise UnreadableModel(f"no tensor {name[:80]!r}, which its configuration asks for")
        if len(shape) != rank or 0 in shape:
            raise UnreadableModel(f"tensor {name[:80]!r} has not the shape of its layer")
        return shape_of(f"tensor {name[:80]!r}", shape)

    def weight(self, name: str, rank: int) -> str:
        """A tensor of the set as a constant, by the name that the graph has for it."""
        stored = self.names.get(name, name)
        self.builder.tensors[stored] = Tensor(FLOAT, self.shape(name, rank), None, True)
        return stored

    def ids(self, name: str) -> str:
        """An input of numbers: of words, of their places, of their kinds."""
        self.builder.input(name, Tensor(INT64, (self.batch, self.places)))
        return name

    def embedding(self, ids: str, name: str) -> str:
        return self.add("Gather", [self.weight(name + ".weight", 2), ids])

    def linear(self, x: str, name: str) -> str:
        """A layer whose matrix is stored (output, input)."""
        matrix = self.weight(name + ".weight", 2)
        x = self.add("com.microsoft::FusedMatMul", [x, matrix], "", {"transB": 1})
        return self.biased(x, name + ".bias")

    def biased(self, x: str, name: str) -> str:
        return self.add("Add", [x, self.weight(name, 1)]) if self.has(name) else x

    def turned_linear(self, x: str, name: str) -> str:
        """A layer whose matrix is stored (input, output), a Conv1D of GPT-2."""
        matrix, bias = self.weight(name + ".weight", 2), self.weight(name + ".bias", 1)
        inputs, outputs = self.shape(name + ".weight", 2)
        flat = self.reshape(x, (self.batch * self.places, inputs))
        product = self.add("Gemm", [flat, matrix, bias])
        return self.reshape(product, (self.batch, self.places, outputs))

    def norm(self, x: str, name: str) -> str:
        """LayerNormalization; its first checkpoints called scale and shift gamma and beta."""
        scale, shift = name + ".weight", name + ".bias"
        if not self.has(scale) and self.has(name + ".gamma"):
            scale, shift = name + ".gamma", name + ".beta"
        inputs = [x, self.weight(scale, 1)]
        if self.has(shift):
            inputs.append(self.weight(shift, 1))
        return self.add("LayerNormalization", inputs, "", {"axis": -1})

    def rms_norm(self, x: str, name: str) -> str:
        inputs = [x, self.weight(name + ".weight", 1)]
        return self.add("RMSNormalization", inputs, "", {"axis": -1})

    def activation(self, x: str, *names: str) -> str:
        """The activation that the configuration calls by the first of these names it has."""
        said = next((self.config[name] for name in names if name in self.config), "")
        if not isinstance(said, str) or said not in _ACTIVATIONS:
            raise UnreadableModel(f"its configuration has an unknown activation {said!r:.40}")
        return self.add(_ACTIVATIONS[said], [x])

    def reshape(self, x: str, shape: Shape) -> str:
        return self.add("Reshape", [x, self.builder.constant(shape, "shape")])

    def part(self, x: str, start: int, end: int) -> str:
        """Of the last axis, from ``start`` to ``end``."""
        bounds = [self.builder.constant([number]) for number in (start, end, -1)]
        return self.add("Slice", [x, *bounds])

    def first_place(self, x: str) -> str:
        """What stands first, without the axis.  # (b, s, w) → (b, w)."""
        return self.add("Gather", [x, self.builder.constant(0)], "", {"axis": 1})

    def width(self, name: str) -> int:
        """Outputs of a layer whose matrix is stored (output, input)."""
        return self.shape(name + ".weight", 2)[0]

    def heads(self, x: str, width: int, count: int, norm: str = "") -> str:
        """Split into heads, each normalized where it has a norm.  # (b, s, n·d) → (b, n, s, d)."""
        if width % count:
            raise UnreadableModel(f"{width:,} values are not {count:,} heads")
        x = self.reshape(x, (self.batch, self.places, count, width // count))
        if self.has(norm + ".weight"):
            x = self.rms_norm(x, norm)
        return self.builder.transpose(x, (0, 2, 1, 3))

    def attention(self, parts: Iterable[str], width: int) -> str:
        """What the heads of queries, keys and values give.  # 3 × (b, n, s, d) → (b, s, n·d)."""
        x = self.builder.transpose(self.add("Attention", tuple(parts)), (0, 2, 1, 3))
        return self.reshape(x, (self.batch, self.places, width))
