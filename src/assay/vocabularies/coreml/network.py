"""The layers of a Core ML neural network as an operator graph and weights [NeuralNetwork.proto].

Layers read and write named blobs; a name may be written again.  Older networks have blobs of
sequence, batch, channels, height and width, of which sequence and batch are one axis here, and a
vector is batch and channels.  Newer ones have the axes that they say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from assay.containers.messages import Message
from assay.errors import UnreadableModel
from assay.graphs.operators import FLOAT, INT64, OperatorGraph
from assay.vocabularies.builder import GraphBuilder
from assay.vocabularies.coreml.hard_swish import without_cuts
from assay.vocabularies.coreml.parameters import stored
from assay.vocabularies.inputs import Dimension, InputShapes, concrete, match
from assay.weights import Weight
from assay.weights.conventions import known
from assay.weights.layout import Stored

MOST_LAYERS = 50_000
MOST_DEPTH = 50  # networks inside layers
_CHANNELS = {10: 1, 20: 3, 30: 3, 40: 1}  # of an image, by color space
_INT32 = 131104
_FIRST_KIND = 100  # the smallest field of a layer that says its kind


@dataclass
class Network:
    """What is read of a network; ``inputs`` are the types that the description gives."""

    inputs: Mapping[str, Message]
    given: InputShapes
    build: GraphBuilder = field(default_factory=GraphBuilder)
    weights: dict[str, Weight] = field(default_factory=dict)
    blobs: dict[str, str] = field(default_factory=dict)  # name → the tensor that it is now
    is_exact: bool = True  # whether blobs have the axes that the file says
    depth: int = 0

    def read(self, message: Message, outputs: Sequence[str]) -> tuple[OperatorGraph, list[str]]:
        """The graph, and what its outputs are called."""
        self.is_exact = message.integer(5) == 1 or message.integer(6) == 1
        wanted = match(self.given, self.inputs)
        for name, kind in self.inputs.items():
            code = INT64 if kind.message(5).integer(2) == _INT32 else FLOAT
            self.build.input(name, concrete(name, code, self._dims(kind), wanted.get(name)))
            self.blobs[name] = name
        self.layers(message)
        found = [name for name in outputs if name in self.blobs]  # others are class labels
        if not self.blobs:
            raise UnreadableModel("a network that neither reads nor writes")
        if not found:
            found = [next(reversed(self.blobs))]
        return without_cuts(self.build.graph([self.blobs[name] for name in found])), found

    def _dims(self, kind: Message) -> list[Dimension] | None:
        """The shape of an input; None where the file does not say."""
        if kind.has(4):
            image = kind.message(4)
            color = _CHANNELS.get(image.integer(3), 3)
            return [1, color, image.integer(2) or None, image.integer(1) or None]
        shape: list[Dimension] = [d or None for d in kind.message(5).integers(1)]
        if not self.is_exact and len(shape) in (1, 3):
            return [1, *shape]
        return shape or None

    def layers(self, message: Message) -> None:
        """Adds the layers of a network, or of one that is part of a layer."""
        from assay.vocabularies.coreml.layers import translate

        parts = message.messages(1)
        if not 0 < len(parts) <= MOST_LAYERS:
            raise UnreadableModel(f"a network of {len(parts):,} layers")
        self.depth += 1
        if self.depth > MOST_DEPTH:
            raise UnreadableModel(f"networks that are nested more than {MOST_DEPTH} deep")
        for part in parts:
            name = part.text(1)
            kinds = [number for number in part.numbers() if number >= _FIRST_KIND]
            if len(kinds) != 1:
                raise UnreadableModel(f"layer {name[:80]!r} is of {len(kinds)} kinds")
            inputs = [self.blobs.get(blob, blob) for blob in part.texts(2)]
            own = part.texts(3)
            outputs = [self.build.fresh(n) if n in self.blobs else n for n in own]
            layer = Layer(self, name, kinds[0], part.message(kinds[0]), inputs, outputs)
            translate(layer)
            self.blobs |= dict(zip(own, outputs, strict=True))
        self.depth -= 1

    def body(self, message: Message) -> tuple[OperatorGraph, dict[str, str]]:
        """A network that is part of a layer, as a graph, and the blobs after it."""
        before, outer = dict(self.blobs), self.build.operators
        self.build.operators = []
        self.layers(message)
        body = OperatorGraph(tuple(self.build.operators), (), (), {})
        after, self.blobs, self.build.operators = self.blobs, before, outer
        return body, after


@dataclass(frozen=True)
class Layer:
    """One layer, to be told in ONNX's words."""

    network: Network
    name: str
    kind: int  # number of the field that holds its options
    options: Message
    inputs: list[str]
    outputs: list[str]

    @property
    def build(self) -> GraphBuilder:
        return self.network.build

    @property
    def x(self) -> str:
        """The first input."""
        if not self.inputs:
            raise UnreadableModel(f"layer {self.name[:80]!r} has no input")
        return self.inputs[0]

    @property
    def last(self) -> str:
        """The last input, which may be the first."""
        return self.inputs[-1] if self.inputs else self.x

    @property
    def rank(self) -> int:
        """The number of the first input's axes; 0 where unknown."""
        return self.build.rank(self.x)

    @property
    def channels(self) -> int:
        """The axis of the channels: the third from the last, or the second of a vector."""
        return self.rank - 3 if self.rank > 2 else 0 if self.rank == 1 else 1

    @property
    def image(self) -> str:
        """The first input with axes for height and width."""
        if self.rank != 2:
            return self.x
        return self.build.add("Unsqueeze", [self.x, self.build.constant([2, 3])])

    def number(self, value: float) -> str:
        """A constant of one number."""
        return self.build.constant(np.float32(value))

    def emit(
        self, op: str, inputs: Sequence[str], attributes: Mapping[str, Any] | None = None
    ) -> None:
        """An operator that writes what the layer writes."""
        if self.outputs:
            self.build.add(op, inputs, self.outputs, attributes)

    def steps(self, *steps: tuple[str, Sequence[str], Mapping[str, Any]]) -> None:
        """Operators one after the other; each reads what the one before it writes."""
        name = self.x
        for op, more, attributes in steps[:-1]:
            name = self.build.add(op, [name, *more], "", attributes)
        op, more, attributes = steps[-1]
        self.emit(op, [name, *more], attributes)

    def stored(self, number: int, what: str, shape: Sequence[int], axis: int = 0) -> Stored | None:
        """One of the layer's tensors as the file has it; None where the layer has none.

        ``axis`` is that of the outputs.
        """
        params = self.options.message(number)
        if not params.numbers():
            return None
        return stored(f"{self.name}/{what}", params, tuple(shape), axis)

    def weight(
        self, number: int, what: str, shape: Sequence[int], onnx: Sequence[int] | None = None
    ) -> str:
        """The name of one of the layer's tensors; "" where the layer has none.

        ``onnx`` are the axes that the operator wants, where they are others.
        """
        found = self.stored(number, what, shape)
        return "" if found is None else self.keep(what, found, onnx)

    def keep(self, what: str, found: Stored, onnx: Sequence[int] | None = None) -> str:
        """A tensor among the network's weights; its name."""
        name = f"{self.name}/{what}"
        while name in self.network.weights:
            name = self.build.fresh(name)
        weight = Weight(name, found.shape, found.dtype, found.read)
        self.network.weights[name] = known(weight)
        return self.build.weight(weight, onnx)
