"""An MXNet symbol as an operator graph in ONNX's words, its arrays as ONNX's operators read them.

A variable is a weight where the file of arrays has it, or where an operator reads it at the place
of one; else it is an input of the network.  Labels, which only losses read, are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from assay.containers.ndarray_list import NdArray
from assay.errors import UnreadableModel
from assay.graphs.operators import FLOAT, INT64, MOST_VALUES, OperatorGraph, Shape
from assay.vocabularies.builder import GraphBuilder
from assay.vocabularies.fitting import Images
from assay.vocabularies.inputs import Dimension, InputShapes, concrete, match
from assay.vocabularies.mxnet.symbol import Node, Source, Symbol
from assay.weights.layout import Stored
from assay.weights.shapes import shape_of

# Operators → at which places they read weights; all other variables are inputs where not stored.
_PLACES = {
    "Convolution": (1, 2), "Deconvolution": (1, 2), "FullyConnected": (1, 2), "Embedding": (1,),
    "BatchNorm": (1, 2, 3, 4), "LeakyReLU": (1,), "LayerNorm": (1, 2), "InstanceNorm": (1, 2),
    "GroupNorm": (1, 2), "RNN": (1,), "UpSampling": (1,), "DeformableConvolution": (2, 3),
}  # fmt: skip
# What files from before 0.9 leave out: the names that arrays get behind the operator's own.
_OLD_INPUTS = {"BatchNorm": ("gamma", "beta", "moving_mean", "moving_var")}
_LOSSES = {
    "SoftmaxOutput", "Softmax", "LinearRegressionOutput", "LogisticRegressionOutput",
    "MAERegressionOutput", "SVMOutput", "softmax_cross_entropy", "MakeLoss",
}  # fmt: skip
_GATES = {"lstm": 4, "gru": 3}
_RENAMED = {"_contrib_SyncBatchNorm": "BatchNorm", "CuDNNBatchNorm": "BatchNorm"}
_OLD = ("_v1", "_v0_8_0")  # behind the names of older kinds of the same operator


class Writer:
    """What is read of a symbol so far; ``held`` are the arrays, by the names of variables."""

    def __init__(self, symbol: Symbol, held: Mapping[str, NdArray], side: int = 0) -> None:
        self.symbol, self.held = symbol, held
        self.images = Images(side)
        self.build = GraphBuilder()
        self.stored: dict[str, Stored] = {}
        self.parted: set[str] = set()  # arrays of which only parts are weights
        self.tensors: dict[Source, str] = {}
        self.variables: dict[str, int] = {}

    def read(self, given: InputShapes) -> OperatorGraph:
        """The symbol's graph."""
        from assay.vocabularies.mxnet.operators import translate

        nodes = self._completed()
        self._inputs(nodes, given)
        counts: dict[int, int] = {}  # outputs that are read
        for source, output in (*self.symbol.heads, *(s for node in nodes for s in node.inputs)):
            counts[source] = max(counts.get(source, 1), output + 1)
        for place, node in enumerate(nodes):
            if node.op != "null":
                outputs = translate(Step(self, node, counts.get(place, 1)))
                self.tensors |= {(place, i): name for i, name in enumerate(outputs)}
        for name in self.held:
            if name not in self.parted:
                self.keep(name)
        heads = [self.tensors[h] for h in self.symbol.heads if self.tensors.get(h)]
        if not heads:
            raise UnreadableModel("a symbol that computes nothing")
        return self.build.graph(list(dict.fromkeys(heads)))

    def _completed(self) -> list[Node]:
        """Operators by their names of today, with the inputs that old files leave out."""
        nodes = []
        for node in self.symbol.nodes:
            op = _RENAMED.get(node.op, node.op)
            for ending in _OLD:
                op = op.removesuffix(ending)
            nodes.append(replace(node, op=op))
        return nodes

    def _inputs(self, nodes: list[Node], given: InputShapes) -> None:
        """Variables: weights get types when they are read, inputs now."""
        readers: dict[int, list[tuple[Node, int]]] = {}
        for node in nodes:
            for place, (source, _) in enumerate(node.inputs):
                readers.setdefault(source, []).append((node, place))
        inputs: dict[str, int] = {}
        for index, node in enumerate(nodes):
            if node.op != "null":
                continue
            if node.name in self.variables:
                raise UnreadableModel(f"two variables are called {node.name[:80]!r}")
            self.variables[node.name] = index
            reading = readers.get(index, [])
            self.tensors[index, 0] = node.name
            is_weight = any(place in _PLACES.get(reader.op, ()) for reader, place in reading)
            is_label = all(reader.op in _LOSSES and place for reader, place in reading)
            if node.name not in self.held and not is_weight and reading and not is_label:
                inputs[node.name] = index
        wanted = match(given, inputs)
        for name, index in inputs.items():
            reader, place = readers[index][0]
            code = INT64 if (reader.op, place) in (("Embedding", 0), ("take", 1)) else FLOAT
            dims, shape = self._declared(nodes[index]), wanted.get(name)
            if dims is None and shape is None:
                dims = self._guess(reader, nodes)
            self.build.input(name, concrete(name, code, dims, shape))

    def _declared(self, node: Node) -> list[Dimension] | None:
        shape = node.integers("__shape__")
        return [size if size > 0 else None for size in shape] or None

    def _guess(self, reader: Node, nodes: list[Node]) -> list[Dimension] | None:
        """The channels that the first weight wants."""
        names = [nodes[source].name for source, _ in reader.inputs[1:2]]
        shape = self.held[names[0]].shape if names and names[0] in self.held else ()
        if reader.op == "Convolution" and len(shape) > 2:
            channels = shape[1] * max(reader.integer("num_group", 1), 1)
            return [None, channels, *self.images.axes(len(shape) - 2)]
        if reader.op == "FullyConnected" and len(shape) == 2:
            return [None, shape[1]]
        if reader.op == "BatchNorm" and len(shape) == 1:
            return [None, shape[0], *self.images.axes(2)]
        if reader.op == "Embedding":
            return [None, None]
        if reader.op == "RNN":
            return [None, None, _width(reader, prod(shape))]
        return [None, None, *self.images.axes(2)]

    def keep(self, name: str, ones: bool = False) -> None:
        """An array among the weights; ``ones`` where its reader takes it for ones."""
        array = self.held[name]
        if name not in self.stored:
            read = array.read if not ones else lambda: np.ones(array.shape, np.float32)
            self.stored[name] = Stored(array.shape, array.dtype, read)


def _width(node: Node, size: int) -> int | None:
    """Of what a recurrent network reads, by how many numbers its weights and biases are."""
    gates, hidden = _GATES.get(node.text("mode"), 1), node.integer("state_size")
    directions = 2 if node.flag("bidirectional") else 1
    layers, rows = node.integer("num_layers", 1), directions * gates * hidden
    if rows < 1 or size % rows:
        return None
    later = (layers - 1) * (hidden * directions + hidden)
    width = size // rows - 2 * layers - later - hidden
    return width if width > 0 else None


class Step:
    """One operator, and what its translation needs."""

    def __init__(self, writer: Writer, node: Node, outputs: int) -> None:
        self.outputs = outputs  # that anything reads
        self.writer, self.node, self.build = writer, node, writer.build
        self.op, self.name = node.op, node.name
        self.inputs: list[str] = []
        for source in node.inputs:
            if source not in writer.tensors:
                raise UnreadableModel(f"{self.name[:80]!r} reads an output that is not there")
            self.inputs.append(writer.tensors[source])
        missing = _OLD_INPUTS.get(node.op, ())[len(self.inputs) - 1 :]
        self.inputs += [f"{self.name}_{what}" for what in missing if self.inputs]

    @property
    def x(self) -> str:
        """The first input."""
        return self.tensor(0)

    def tensor(self, place: int) -> str:
        """An input as it is.  Raises UnreadableModel where there is none."""
        if place >= len(self.inputs):
            raise UnreadableModel(f"{self.op[:40]} {self.name[:80]!r} reads too little")
        name = self.inputs[place]
        known = name in self.build.tensors or name in self.build.written
        return name if known else self.weight(place)

    def tensors(self) -> list[str]:
        """All inputs; those of which nothing is known are left out."""
        return [name for place in range(len(self.inputs)) if (name := self.tensor(place))]

    def shape(self, place: int = 0) -> Shape:
        """Of an input; empty where unknown."""
        return self.build.known(self.tensor(place)).shape or ()

    def add(
        self, op: str, inputs: Iterable[str], attributes: Mapping[str, Any] | None = None
    ) -> str:
        """One operator; its first output."""
        return self.build.add(op, list(inputs), self.build.fresh(self.name or op), attributes)

    def weight(self, place: int, wanted: Sequence[int] = (), last: int = 0) -> str:
        """A variable at the place of a weight, of the stored shape, or of that which is wanted.

        ``last`` are axes of one that its reader wants behind.  "" where no shape is known.
        """
        if place >= len(self.inputs):
            return ""
        name = self.inputs[place]
        if name in self.build.written or name in self.build.inputs:
            return name
        held = self.writer.held.get(name)
        shape = held.shape if held is not None else tuple(wanted)
        if held is None and (not shape or min(shape) < 1):
            return ""
        if held is not None:
            if wanted and min(wanted) > 0:
                self.writer.images.check(f"array {name[:80]!r}", shape, wanted)
            self.writer.keep(name, self.op == "BatchNorm" and self._is_one(place))
        dims = shape_of(f"array {name[:80]!r}", (*shape, *(1 for _ in range(last))))
        if not last and held is not None and prod(shape) <= MOST_VALUES and self._counts(held):
            self.build.named(name, held.read().astype(np.int64))
        elif name not in self.build.tensors:
            self.build.untyped(name, dims)
        elif self.build.tensors[name].shape != dims:
            return self.add("Reshape", [name, self.build.constant(list(dims))])
        return name

    def _is_one(self, place: int) -> bool:
        """Whether it is a factor that is told to be one."""
        return place == 1 and self.node.flag("fix_gamma", True)

    @staticmethod
    def _counts(array: NdArray) -> bool:
        return array.dtype in ("int32", "int64")
