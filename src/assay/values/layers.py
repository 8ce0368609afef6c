"""A model's layers, and what each costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]
Attribute = int | float | str | tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Layer:
    """One operator, or several merged into one, and what it costs for one input."""

    op: str  # ONNX's name; merged ones are joined, "Conv+Relu"
    shape: tuple[int, ...] | None  # of the first output, batch first; None where unknown
    macs: int = 0  # multiply-accumulates
    parameters: int = 0  # elements of its constant operands
    attributes: tuple[tuple[str, Attribute], ...] = ()  # by name: kernel_shape, strides, group …

    def to_json(self) -> list[Any]:
        shape = None if self.shape is None else list(self.shape)
        return [self.op, shape, self.macs, self.parameters, dict(self.attributes)]

    @classmethod
    def from_json(cls, data: list[Any]) -> Layer:
        op, shape, macs, parameters, attributes = data
        pairs = ((k, tuple(v) if isinstance(v, list) else v) for k, v in attributes.items())
        return cls(
            op, None if shape is None else tuple(shape), macs, parameters, tuple(sorted(pairs))
        )


@dataclass(frozen=True, slots=True)
class LayerGraph:
    """A model's n layers and e directed edges, after the graph rules that ``rules`` names."""

    layers: tuple[Layer, ...]  # (n)
    edges: tuple[tuple[int, int], ...]  # (e) pairs (source, target), indices into layers, sorted
    rules: str  # "g1": version 1 of the graph rules, merged; "g1-raw": not merged

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one inference."""
        return sum(layer.macs for layer in self.layers)

    @property
    def parameters(self) -> int:
        """Elements of all constant operands."""
        return sum(layer.parameters for layer in self.layers)

    def to_json(self) -> Json:
        return {
            "rules": self.rules,
            "layers": [layer.to_json() for layer in self.layers],
            "edges": [list(edge) for edge in self.edges],
        }

    @classmethod
    def from_json(cls, data: Json) -> LayerGraph:
        return cls(
            tuple(Layer.from_json(layer) for layer in data["layers"]),
            tuple((source, target) for source, target in data["edges"]),
            data["rules"],
        )


@dataclass(frozen=True, slots=True)
class WeightedGraph:
    """A layer graph, and which weights each of its layers holds."""

    graph: LayerGraph
    weights: tuple[tuple[str, ...], ...]  # (n) names, as the file has them; shared ones repeat
    whole: bool = True  # False: the file has no graph, these are its tensors in their order
