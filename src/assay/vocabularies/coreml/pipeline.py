"""Models in a row, read as one graph: what one writes by a name, later ones read by it.

[Pipeline in Model.proto] Tensors and weights carry the part's number before their names, so that
parts do not mix what they name alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from assay.errors import UnreadableModel
from assay.graphs.operators import Operator, OperatorGraph, Tensor, in_order
from assay.vocabularies.builder import MOST_OPERATORS
from assay.weights import Weight


@dataclass(frozen=True)
class Part:
    """What is read of a model, alone or in a pipeline."""

    graph: OperatorGraph | None
    features: Sequence[str]  # what the graph's outputs are called outside the model
    weights: Mapping[str, Weight] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def operators(self) -> Iterator[Operator]:
        """Those of the graph, bodies of control flow included."""
        waiting = [] if self.graph is None else [self.graph]
        while waiting:
            for node in waiting.pop().operators:
                yield node
                waiting += [v for v in node.attributes.values() if isinstance(v, OperatorGraph)]


@dataclass
class Chain:
    """The parts so far."""

    features: dict[str, str] = field(default_factory=dict)  # name → tensor that it is now
    operators: list[Operator] = field(default_factory=list)
    tensors: dict[str, Tensor] = field(default_factory=dict)
    inputs: list[str] = field(default_factory=list)
    weights: dict[str, Weight] = field(default_factory=dict)
    _parts: int = 0

    def add(self, part: Part) -> None:
        """The next part, which has a graph.  Raises UnreadableModel past MOST_OPERATORS."""
        assert part.graph is not None
        prefix, graph = f"{self._parts}/", part.graph
        self._parts += 1
        names = {name: self.features[name] for name in graph.inputs if name in self.features}
        for name in graph.inputs:
            if name not in names:
                self.features[name] = f"{prefix}{name}"
                self.inputs.append(f"{prefix}{name}")
        renamed = _renamed(graph, names, prefix)
        self.operators += renamed.operators
        if len(self.operators) > MOST_OPERATORS:
            raise UnreadableModel(f"more than {MOST_OPERATORS:,} operators")
        taken = set(names.values())
        self.tensors |= {n: t for n, t in renamed.tensors.items() if n not in taken}
        self.features |= dict(zip(part.features, renamed.outputs, strict=False))
        self.weights |= {
            prefix + name: replace(weight, name=prefix + name)
            for name, weight in part.weights.items()
        }

    def whole(self, outputs: Sequence[str], metadata: Mapping[str, Any]) -> Part:
        """All parts as one; ``outputs`` are those of the pipeline."""
        known = [name for name in outputs if name in self.features] or list(self.features)
        ends = tuple(self.features[name] for name in known)
        graph = OperatorGraph(tuple(self.operators), tuple(self.inputs), ends, self.tensors)
        return Part(in_order(graph), known, self.weights, metadata)


def _renamed(graph: OperatorGraph, names: Mapping[str, str], prefix: str) -> OperatorGraph:
    """The graph with ``prefix`` before every name that is not in ``names``."""

    def new(name: str) -> str:
        return names.get(name, prefix + name) if name else ""

    def body(graph: OperatorGraph) -> OperatorGraph:
        return OperatorGraph(
            tuple(operator(node) for node in graph.operators),
            tuple(map(new, graph.inputs)),
            tuple(map(new, graph.outputs)),
            {new(name): tensor for name, tensor in graph.tensors.items()},
        )

    def operator(node: Operator) -> Operator:
        attributes = {
            key: body(value) if isinstance(value, OperatorGraph) else value
            for key, value in node.attributes.items()
        }
        return Operator(
            node.op, tuple(map(new, node.inputs)), tuple(map(new, node.outputs)), attributes
        )

    return body(graph)
