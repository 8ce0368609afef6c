"""The canonical layout of a weight, decided by the operator that reads it [ONNX operators].

Formats that have a graph share this.  Each constant is followed through what only rearranges,
casts or dequantizes it to its readers; a reader knows which axis is the output and which the
input.  The way there is a list of steps: run on the stored values, they give output, input,
space.  Readers that disagree leave a weight as it is stored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from assay.errors import UnfitModel
from assay.graphs.operators import Operator, OperatorGraph, Shape, Tensor
from assay.weights import Array, Weight
from assay.weights.follow import Follower
from assay.weights.numbers import INTEGERS, elements
from assay.weights.shapes import has_one_axis
from assay.weights.steps import Dequantize, Lookup, Step, simple

_STRIPE = 16  # numbers of a line of the cache
_TABLE = 256  # whole numbers that no operator dequantizes are weights from this size on

_SCALES = {  # where operators read scales and zero points
    "QuantizeLinear": (1, 2),
    "DequantizeLinear": (1, 2),
    "QLinearConv": (1, 2, 4, 5, 6, 7),
    "QLinearMatMul": (1, 2, 4, 5, 6, 7),
}


@dataclass(frozen=True)
class Layout:
    """How a constant becomes canonical."""

    steps: tuple[Step, ...] = ()
    known: bool = False  # whether its readers agree; otherwise the steps only dequantize

    @property
    def dequantizes(self) -> bool:
        """Whether one of the steps turns stored numbers into real ones."""
        return any(isinstance(step, Dequantize) for step in self.steps)

    def shape(self, shape: Shape) -> Shape:
        """Of what ``run`` gives."""
        for step in self.steps:
            shape = step.shape(shape)
        return shape

    def run(self, array: Array, lookup: Lookup) -> Array:
        """The stored values in canonical layout; a matrix that was turned lies by columns."""
        for step in self.steps:
            array = step.run(array, lookup)
        return array if array.ndim == 2 and array.T.flags.c_contiguous else row_major(array)

    def undo(self, array: Array, shape: Shape, lookup: Lookup) -> Array:
        """The inverse of ``run``; ``shape`` is the stored one."""
        shapes = [shape]
        for step in self.steps:
            shapes.append(step.shape(shapes[-1]))
        for step, before in zip(reversed(self.steps), reversed(shapes[:-1]), strict=True):
            array = step.undo(array, before, lookup)
        return array


@dataclass(frozen=True, slots=True)
class Stored:
    """A constant as the file holds it."""

    shape: Shape
    dtype: str
    read: Callable[[], Array]  # the numbers as they are, float32, in the stored shape
    real: bool = False  # whole numbers of this type are read as the real ones they stand for


class Weights(Mapping[str, Weight]):
    """The weights of a graph's constants; the graph is followed when they are first asked for."""

    def __init__(self, graph: OperatorGraph, stored: Mapping[str, Stored]) -> None:
        self._graph, self._stored = graph, stored
        self._found: dict[str, Weight] | None = None

    def __getitem__(self, name: str) -> Weight:
        return self._all()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def as_stored(self, name: str, values: Array) -> Array:
        """Canonical values as the file would hold them: the inverse of reading."""
        shapes = {name: constant.shape for name, constant in self._stored.items()}
        layout = layouts(self._graph, shapes)[name]
        return layout.undo(values, shapes[name], lambda other: self._stored[other].read())

    def _all(self) -> dict[str, Weight]:
        if self._found is None:
            self._found = _weights(self._graph, self._stored)
        return self._found


def row_major(array: Array) -> Array:
    """The values as they are; a copy where they lie in another order.

    A matrix is turned a few columns at a time.  The numbers of a whole row lie so far apart that
    each takes a line of the cache, which is lost before the next row needs its other numbers.
    """
    if array.flags.c_contiguous:
        return array
    found = array.squeeze()
    if found.strides[-1] == found.itemsize:
        return np.ascontiguousarray(array)
    values = np.empty(found.shape, array.dtype)
    for at in range(0, found.shape[-1], _STRIPE):
        values[..., at : at + _STRIPE] = found[..., at : at + _STRIPE]
    return values.reshape(array.shape)


def reading(weight: Weight, layout: Layout, shape: Shape) -> Callable[[Lookup], Array]:
    """A weight in the stored axes, in which the operators read it; its values are read later.

    Raises UnfitModel where it has other sizes.
    """
    turned = (weight.canonical and layout.known) or layout.dequantizes
    wanted = fitting(weight, layout.shape(shape) if turned else shape)

    def read(lookup: Lookup) -> Array:
        values = weight.read().reshape(wanted)
        return layout.undo(values, shape, lookup) if turned else values

    return read


def fitting(weight: Weight, wanted: Shape) -> Shape:
    """``wanted``.  Raises UnfitModel where the weight has other sizes, axes of one place apart."""
    is_vector = len(wanted) == 1 and wanted[0] == weight.size
    if not is_vector and [d for d in weight.shape if d != 1] != [d for d in wanted if d != 1]:
        raise UnfitModel(
            f"weight {weight.name!r} is {list(weight.shape)}, its operator reads {list(wanted)}"
        )
    return wanted


def _weights(graph: OperatorGraph, stored: Mapping[str, Stored]) -> dict[str, Weight]:
    """Floats, and whole numbers that stand for them; neither indices nor scales are weights."""
    shapes = {name: constant.shape for name, constant in stored.items()}
    found = layouts(graph, shapes)
    scales = {
        name
        for layout in found.values()
        for step in layout.steps
        if isinstance(step, Dequantize)
        for name in (step.scale, step.zero_point)
    }
    for node in all_operators(graph):  # those of activations, too
        scales |= {node.inputs[i] for i in _SCALES.get(node.op, ()) if i < len(node.inputs)}

    def read(name: str, layout: Layout) -> Array:
        return layout.run(stored[name].read(), lambda other: stored[other].read())

    weights = {}
    for name, constant in stored.items():
        layout = found[name]
        if name in scales or not _is_weight(constant, layout):
            continue
        weights[name] = Weight(
            name,
            layout.shape(constant.shape),
            constant.dtype,
            lambda name=name, layout=layout: read(name, layout),  # type: ignore[misc]
            layout.known,
        )
    return weights


def _is_weight(constant: Stored, layout: Layout) -> bool:
    if constant.real or constant.dtype not in INTEGERS:
        return True
    small = constant.dtype.removeprefix("u") in ("int2", "int4", "int8")
    return any(isinstance(step, Dequantize) for step in layout.steps) or (
        small and elements(constant.shape) >= _TABLE
    )


def layouts(graph: OperatorGraph, shapes: Mapping[str, Shape]) -> dict[str, Layout]:
    """How each of the constants that ``shapes`` names becomes canonical."""
    operators = all_operators(graph)
    follower = Follower(operators, _constants(graph, operators), frozenset(shapes))
    return {name: _agreed(follower.ends(name, shape), shape) for name, shape in shapes.items()}


def _agreed(ends: Iterable[tuple[tuple[Step, ...], bool]], shape: Shape) -> Layout:
    """What all readers that know the layout say; else only what dequantizes, where all do."""
    known, ways = set(), set()
    for steps, is_known in ends:
        ways.add(_until_real(steps))
        if is_known:
            known.add(simple(steps, shape))
    if len(known) == 1:
        return Layout(known.pop(), True)
    steps = ways.pop() if len(ways) == 1 else ()
    return Layout(simple(steps, shape), not known and has_one_axis(shape))


def _until_real(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    places = [place for place, step in enumerate(steps) if isinstance(step, Dequantize)]
    return steps[: places[-1] + 1] if places else ()


def all_operators(graph: OperatorGraph) -> list[Operator]:
    """Those of nested bodies too.

    PyTorch's exporter casts scales and zero points; here they are read as they are stored.
    """
    found, waiting = list[Operator](), [graph]
    while waiting:
        for node in waiting.pop().operators:
            found.append(node)
            waiting += [v for v in node.attributes.values() if isinstance(v, OperatorGraph)]
    casts = {n.outputs[0]: n.inputs[0] for n in found if n.op == "Cast" and n.inputs and n.outputs}
    return [
        replace(node, inputs=(*node.inputs[:1], *(casts.get(n, n) for n in node.inputs[1:])))
        if node.op == "DequantizeLinear"
        else node
        for node in found
    ]


def _constants(graph: OperatorGraph, operators: Iterable[Operator]) -> dict[str, Tensor]:
    """Constants by name, those of nested bodies and of Constant operators too."""
    found = {name: tensor for name, tensor in graph.tensors.items() if tensor.constant}
    for node in operators:
        for value in node.attributes.values():
            if isinstance(value, OperatorGraph):
                found |= {name: t for name, t in value.tensors.items() if t.constant}
            elif isinstance(value, Tensor) and node.op == "Constant":
                found[node.outputs[0]] = value
    return found
