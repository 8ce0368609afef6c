"""One of TensorFlow's operators, as the rules that translate it see it [raw operators]."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from assay.vocabularies.builder import GraphBuilder


@dataclass(frozen=True)
class Node:
    """One operator of TensorFlow: names of tensors, plain attributes."""

    op: str
    inputs: Sequence[str]
    outputs: Sequence[str]
    attributes: Mapping[str, Any] = field(default_factory=dict)

    def ints(self, name: str, usual: tuple[int, ...] = ()) -> tuple[int, ...]:
        value = self.attributes.get(name)
        if not isinstance(value, list | tuple) or not all(isinstance(v, int) for v in value):
            return usual
        return tuple(int(v) for v in value)

    def integer(self, name: str, usual: int = 0) -> int:
        value = self.attributes.get(name)
        return int(value) if isinstance(value, int) else usual

    def real(self, name: str, usual: float) -> float:
        value = self.attributes.get(name)
        return float(value) if isinstance(value, int | float) else usual

    def text(self, name: str, usual: str = "") -> str:
        value = self.attributes.get(name)
        return value if isinstance(value, str) else usual

    def texts(self, name: str) -> list[str]:
        value = self.attributes.get(name)
        return [str(each) for each in value] if isinstance(value, list | tuple) else []

    @property
    def is_first(self) -> bool:
        """Whether channels come first."""
        return self.text("data_format").startswith("NC")


Rule = Callable[[GraphBuilder, Node], object]


def numbers(build: GraphBuilder, name: str) -> list[int]:
    """The values of an integer tensor; empty where they are unknown."""
    value = build.known(name).value
    return [] if value is None else [int(v) for v in np.asarray(value).reshape(-1)]


def moved(
    build: GraphBuilder, node: Node, op: str, others: Sequence[str], attributes: Mapping[str, Any]
) -> str:
    """The result, channels first, of an operator that wants them so."""
    x = node.inputs[0]
    rank = max(build.rank(x) - 2, 1) if build.rank(x) else 3 if "3D" in node.op else 2
    return build.add(op, [x if node.is_first else build.first(x, rank), *others], "", attributes)


def back(build: GraphBuilder, node: Node, result: str) -> None:
    """What was computed channels first, as the graph has it."""
    if node.is_first:
        build.add("Identity", [result], node.outputs[0])
    else:
        build.last(result, node.outputs[0], 5 if "3D" in node.op else 4)
