"""A model as its file lists it: operators in ONNX's vocabulary that read and write named tensors.

Formats make an ``OperatorGraph``, the passes of this folder rewrite it, and the last one turns it
into the compact ``LayerGraph``.  Tensors are known by type; only small ones carry their values,
which is enough to follow shape arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from heapq import heapify, heappop, heappush
from typing import Any

from numpy.typing import NDArray

from assay.errors import UnreadableModel

MOST_VALUES = 1024  # elements of a tensor whose values are kept and followed
MOST_AXES = 64
FLOAT, UINT8, INT64, BOOL = 1, 2, 7, 9  # codes of onnx.TensorProto.DataType

Values = NDArray[Any]
Shape = tuple[int, ...]  # -1: an unknown dimension


@dataclass(frozen=True, slots=True, eq=False)
class Tensor:
    """What is known of a tensor before anything is run."""

    dtype: int = 0  # onnx.TensorProto.DataType; 0 unknown
    shape: Shape | None = None
    value: Values | None = None  # of small ones, where known
    constant: bool = False  # does not depend on the model's inputs

    @property
    def size(self) -> int:
        """Elements, 0 where unknown."""
        if self.shape is None or any(d < 0 for d in self.shape):
            return 0
        size = 1
        for d in self.shape:
            size *= d
        return size


UNKNOWN = Tensor()


@dataclass(frozen=True, slots=True, eq=False)
class Operator:
    """One node: what it does, what it reads, what it writes."""

    op: str  # ONNX's name; "domain::name" outside ONNX's own domain
    inputs: tuple[str, ...]  # "": an optional input that is not given
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)  # numbers, text, tuples, bodies

    def ints(self, name: str, default: Shape = ()) -> Shape:
        """An attribute as a tuple of integers; ``default`` where it is absent or something else."""
        value = self.attributes.get(name)
        if isinstance(value, int):
            return (value,)
        whole = isinstance(value, tuple) and all(isinstance(v, int) for v in value)
        return tuple(value) if whole and value is not None else default

    def integer(self, name: str, default: int) -> int:
        """An attribute as an integer; ``default`` where it is absent or something else."""
        value = self.attributes.get(name)
        return value if isinstance(value, int) else default

    def real(self, name: str, default: float) -> float:
        """An attribute as a number; ``default`` where it is absent or something else."""
        value = self.attributes.get(name)
        return float(value) if isinstance(value, int | float) else default


@dataclass(frozen=True, slots=True, eq=False)
class OperatorGraph:
    """Operators with the tensors they start from; ``tensors`` grows as the passes learn more."""

    operators: tuple[Operator, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    tensors: Mapping[str, Tensor]  # inputs, constants, and whatever a pass has found out

    def replaced(
        self, operators: Iterable[Operator], tensors: Mapping[str, Tensor] | None = None
    ) -> OperatorGraph:
        """The same graph with other operators, and with ``tensors`` for what is known of them."""
        known = self.tensors if tensors is None else tensors
        return replace(self, operators=tuple(operators), tensors=known)

    def tensor(self, name: str) -> Tensor:
        """What is known of ``name``."""
        return self.tensors.get(name, UNKNOWN)

    def producers(self) -> dict[str, Operator]:
        """Tensor → the operator that writes it."""
        return {name: node for node in self.operators for name in node.outputs if name}

    def consumers(self) -> dict[str, list[Operator]]:
        """Tensor → the operators that read it, once for each reading."""
        found: dict[str, list[Operator]] = {}
        for node in self.operators:
            for name in node.inputs:
                if name:
                    found.setdefault(name, []).append(node)
        return found


def in_order(graph: OperatorGraph) -> OperatorGraph:
    """The operators listed so that each comes after those it reads; already sorted ones stay.

    Raises:
        UnreadableModel: a tensor has two writers, or none, or the graph has a cycle.
    """
    writer: dict[str, int] = {}
    for place, node in enumerate(graph.operators):
        for name in node.outputs:
            if name and (name in writer or name in graph.tensors):
                raise UnreadableModel(f"tensor {name!r} is written twice")
            writer[name] = place
    waiting: list[int] = []
    readers: dict[int, list[int]] = {}
    for place, node in enumerate(graph.operators):
        before = set()
        for name in node.inputs:
            if not name or name in graph.tensors:
                continue
            if name not in writer:
                raise UnreadableModel(f"{node.op} reads {name!r}, which nothing writes")
            before.add(writer[name])
        waiting.append(len(before))
        for other in before:
            readers.setdefault(other, []).append(place)
    for name in graph.outputs:
        if name not in writer and name not in graph.tensors:
            raise UnreadableModel(f"output {name!r} is written by nothing")
    ready = [place for place, count in enumerate(waiting) if count == 0]
    heapify(ready)
    order = []
    while ready:
        place = heappop(ready)
        order.append(graph.operators[place])
        for reader in readers.get(place, ()):
            waiting[reader] -= 1
            if waiting[reader] == 0:
                heappush(ready, reader)
    if len(order) < len(graph.operators):
        stuck = next(n for n, count in zip(graph.operators, waiting, strict=True) if count > 0)
        raise UnreadableModel(f"the graph has a cycle near {stuck.op} {stuck.outputs[:1]}")
    return graph.replaced(order)


def bypass(graph: OperatorGraph, through: Callable[[Operator], str | None]) -> OperatorGraph:
    """Without the operators whose readers get instead the input that ``through`` names."""
    alias: dict[str, str] = {}
    kept = []
    for node in graph.operators:
        if any(name in alias for name in node.inputs):
            inputs = tuple(alias.get(name, name) for name in node.inputs)
            node = Operator(node.op, inputs, node.outputs, node.attributes)
        source = through(node)
        if source is None:
            kept.append(node)
        else:
            alias[node.outputs[0]] = source
    if not alias:
        return graph
    outputs = tuple(alias.get(name, name) for name in graph.outputs)
    return replace(graph, operators=tuple(kept), outputs=outputs)


def without_dead(graph: OperatorGraph) -> OperatorGraph:
    """Only what the outputs depend on."""
    wanted = set(graph.outputs)
    kept = []
    for node in reversed(graph.operators):
        if any(name in wanted for name in node.outputs):
            kept.append(node)
            wanted.update(node.inputs)
    return graph.replaced(reversed(kept))
