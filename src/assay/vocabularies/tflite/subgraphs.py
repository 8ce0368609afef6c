"""The graphs of a TensorFlow Lite file in ONNX's operators; a branch's bodies stand within it.

IF(condition, x…){then}{else} → ONNX's If, whose bodies read what is outside: an input is an
Identity of that, but a constant is the same one inside.  A body is written anew for each IF that
calls it, so what a small file unfolds to is bounded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from assay.errors import UnreadableModel
from assay.graphs.operators import OperatorGraph, Shape, Tensor, in_order
from assay.vocabularies.inputs import Dimension, InputShapes, concrete, match
from assay.vocabularies.tflite.dilation import with_dilations
from assay.vocabularies.tflite.graph import Writer
from assay.vocabularies.tflite.layout import channels_first, feature_maps, spellings
from assay.vocabularies.tflite.names import unique
from assay.vocabularies.tflite.schema import Program, StoredOperator, Subgraph
from assay.vocabularies.tflite.tensors import StoredTensor
from assay.vocabularies.tflite.variables import Variable, initial_values, with_variables

MOST_WRITTEN = 200_000  # operators, once each is spelled in ONNX's
MOST_READ = 250_000  # tensors and operators of the file, each time anew
MOST_BEGUN = 2_000  # graphs, each time anew
MOST_NESTING = 32
_BRANCHES = ("then_branch", "else_branch")  # in the order of IF's options
Call = tuple[Writer, StoredOperator]  # the graph that calls a body, by which operator


@dataclass
class Unfolding:
    """What the graphs of one file share on their way to ONNX's vocabulary."""

    program: Program
    content: memoryview
    initial: dict[Variable, StoredTensor] = field(init=False)
    constants: dict[object, str] = field(default_factory=dict)  # their bytes → their name
    used: set[str] = field(default_factory=set)  # names
    writers: list[Writer] = field(default_factory=list)  # of all that was begun
    times: Counter[int] = field(default_factory=Counter)  # that a graph was begun, by its place
    open: list[int] = field(default_factory=list)  # graphs that are being written
    maps: dict[int, frozenset[int]] = field(default_factory=dict)  # of graphs, seen alone
    written: int = 0  # operators
    read: int = 0  # tensors and operators of the file
    count: int = 0  # of names that were made

    def __post_init__(self) -> None:
        self.initial = initial_values(self.program)

    def fresh(self, name: str) -> str:
        """A name that no tensor has."""
        while True:
            self.count += 1
            found = f"{name}/{self.count}"
            if found not in self.used:
                self.used.add(found)
                return found

    def maps_alone(self, index: int, depth: int) -> frozenset[int]:
        """The feature maps of a graph, seen without what calls it."""
        if index not in self.maps:
            self.maps[index] = frozenset()  # of one that calls itself, which is refused later
            graph = self.program.subgraphs[index]
            constants = frozenset(i for i, tensor in enumerate(graph.tensors) if tensor.constant)
            known = _maps_of_bodies(self, graph, depth + 1)
            self.maps[index] = feature_maps(graph, constants, known)
        return self.maps[index]

    def spend(self) -> None:
        """Counts an operator that is written.  Raises UnreadableModel where there are too many."""
        self.written += 1
        if self.written > MOST_WRITTEN:
            raise UnreadableModel(f"more than {MOST_WRITTEN:,} operators")

    def begin(self, index: int) -> str:
        """Counts a graph that is begun; the prefix of its names."""
        graph = self.program.subgraphs[index]
        self.read += len(graph.tensors) + len(graph.operators) + 1
        if self.read > MOST_READ:
            raise UnreadableModel(f"its graphs unfold to more than {MOST_READ:,} tensors")
        if self.times.total() >= MOST_BEGUN:
            raise UnreadableModel(f"its graphs unfold to more than {MOST_BEGUN:,}")
        if index in self.open:
            raise UnreadableModel(f"graph {index} calls itself")
        if len(self.open) > MOST_NESTING:
            raise UnreadableModel(f"graphs nested more than {MOST_NESTING} deep")
        self.open.append(index)
        self.times[index] += 1
        again = f".{self.times[index]}" if self.times[index] > 1 else ""
        return f"{index}{again}/" if index else ""


def convert(file: Unfolding, index: int, given: InputShapes, call: Call | None = None) -> Writer:
    """A graph in ONNX's operators; ``call``: what calls it, if anything does.

    Raises UnreadableModel where it is not sound.
    """
    from assay.vocabularies.tflite.operators import write

    prefix = file.begin(index)
    graph = with_variables(file.program.subgraphs[index], file.initial)
    if call is not None:
        graph = _with_constants(graph, *call)
    graph = with_dilations(graph, file.content)
    behind = spellings(graph)
    names = [prefix + name for name in unique([tensor.name for tensor in graph.tensors])]
    constants = set()
    for place in range(len(graph.tensors)):
        stored = behind.get(place, place)
        if graph.tensors[stored].constant:
            constants.add(place)
            names[place] = file.constants.setdefault(graph.tensors[stored].identity, names[stored])
    known = _maps_of_bodies(file, graph)
    if call is not None:
        caller, operator = call
        known += [inner for outer, inner in _pairs(operator, graph) if outer in caller.maps]
    maps = feature_maps(graph, frozenset(constants), known)
    writer = Writer(graph, file, tuple(names), behind, maps, prefix)
    file.used.update(names)
    file.writers.append(writer)
    if call is None:
        _inputs(writer, given)
    else:
        _arguments(writer, *call)
    _states(writer)
    for node in graph.operators:
        if not any(place >= 0 and place not in behind for place in node.outputs):
            continue  # a constant, or nothing
        write(writer, node)
    file.open.pop()
    return writer


def branches(writer: Writer, node: StoredOperator) -> None:
    """IF, with both bodies."""
    bodies = {}
    for number, name in enumerate(_BRANCHES):
        index = writer.file.program.called(node, number)
        graph = writer.file.program.subgraphs[index]
        fits = (len(graph.inputs), len(graph.outputs)) == (len(node.inputs) - 1, len(node.outputs))
        if not fits or -1 in (*node.inputs, *graph.inputs, *graph.outputs):
            raise UnreadableModel(f"{node.op} hands on what graph {index} does not take")
        body = convert(writer.file, index, {}, (writer, node))
        results = []
        for outer, inner in zip(node.outputs, body.graph.outputs, strict=False):
            first = _is_map(outer in writer.maps, writer.shape(outer), body.shape(inner))
            results.append(body.read_map(inner) if first else body.read(inner))
        bodies[name] = OperatorGraph(tuple(body.operators), (), tuple(results), body.tensors)
    outputs = [writer.names[place] for place in node.outputs]
    writer.append("If", (writer.read(node.inputs[0]),), outputs, bodies)


def _with_constants(graph: Subgraph, caller: Writer, node: StoredOperator) -> Subgraph:
    """A body, whose inputs that are constants outside are constants of its own."""
    tensors = list(graph.tensors)
    for inner, outer in zip(graph.inputs, node.inputs[1:], strict=True):
        if caller.is_constant(outer):
            tensors[inner] = replace(caller.stored(outer), name=tensors[inner].name)
    return replace(graph, tensors=tuple(tensors))


def _arguments(writer: Writer, caller: Writer, node: StoredOperator) -> None:
    """What a body reads of the tensors outside."""
    for inner, outer in zip(writer.graph.inputs, node.inputs[1:], strict=True):
        if caller.is_constant(outer):
            continue
        first = _is_map(inner in writer.maps, writer.shape(inner), caller.shape(outer))
        source = caller.read_map(outer) if first else caller.read(outer)
        writer.append("Identity", (source,), (writer.names[inner],))


def _is_map(first: bool, shape: Shape, other: Shape) -> bool:
    """Whether channels come first.  Raises UnreadableModel where that is not so on both sides."""
    if first and len(shape) != len(other):
        raise UnreadableModel("a branch and what calls it have feature maps of different ranks")
    return first


def _maps_of_bodies(file: Unfolding, graph: Subgraph, depth: int = 0) -> list[int]:
    """What a graph hands to its branches, and gets from them, that is a feature map in these."""
    found: list[int] = []
    for node in graph.operators if depth <= MOST_NESTING else ():
        for number in range(len(_BRANCHES)) if node.op == "IF" else ():
            index = file.program.called(node, number)
            maps = file.maps_alone(index, depth)
            pairs = _pairs(node, file.program.subgraphs[index])
            found += [outer for outer, inner in pairs if inner in maps]
    return found


def _pairs(node: StoredOperator, body: Subgraph) -> Iterator[tuple[int, int]]:
    """What is the same tensor outside a body and inside."""
    yield from zip(node.inputs[1:], body.inputs, strict=False)
    yield from zip(node.outputs, body.outputs, strict=False)


def operator_graph(writer: Writer) -> OperatorGraph:
    """What was written, in order."""
    for place in writer.graph.outputs:
        if place >= 0 and writer.is_constant(place):
            writer.read(place)
    outputs = tuple(writer.names[place] for place in writer.graph.outputs if place >= 0)
    places = (*writer.graph.inputs, *writer.graph.states)
    inputs = tuple(writer.names[place] for place in places if place >= 0)
    return in_order(OperatorGraph(tuple(writer.operators), inputs, outputs, writer.tensors))


def _inputs(writer: Writer, given: InputShapes) -> None:
    """The model's inputs, of the shapes that are given for them."""
    places = [place for place in writer.graph.inputs if place >= 0]
    wanted = match(given, {writer.names[place] for place in places})
    for place in places:
        tensor, name = writer.graph.tensors[place], writer.names[place]
        dims: list[Dimension] = [None if dim < 0 else dim for dim in tensor.signature]
        start = concrete(name, tensor.onnx_type(), dims, wanted.get(name))
        if place in writer.maps and start.shape is not None:
            order = channels_first(len(start.shape))
            start = Tensor(start.dtype, tuple(start.shape[axis] for axis in order))
        writer.tensors[name] = start


def _states(writer: Writer) -> None:
    """What lives between two runs; and constants without elements, which have no bytes."""
    written = {place for node in writer.graph.operators for place in node.outputs}
    written.update(writer.graph.inputs)
    states = frozenset(writer.graph.states)
    for place, tensor in enumerate(writer.graph.tensors):
        state = tensor.variable or place in states
        empty = not tensor.constant and 0 in tensor.shape
        if (state or empty) and (place not in written or place in states):
            shape = tensor.shape
            if place in writer.maps:
                shape = tuple(shape[axis] for axis in channels_first(len(shape)))
            start = Tensor(tensor.onnx_type(), shape)
            if not state and place not in writer.maps:
                start = tensor.known(writer.file.content)
            writer.tensors.setdefault(writer.names[place], start)
