"""A TorchScript program as an operator graph: what ``forward`` makes of inputs of assumed shapes.

TorchScript stores no shapes.  An input has as many axes as the first layer that reads it says: a
convolution over n axes of space n + 2, with its channels; a pooling as many; a product two, with
its rows; an embedding two, of whole numbers; a recurrent layer three; a batch normalization four.
What keeps, moves or adds axes between is followed back, and the program is followed once more with
each shape so found.  Other sizes are those of ``vocabularies.inputs``; where a constant contradicts
them, as a table of positions does, images are tried in other usual sizes.  A shape given by name
overrides all.  A number among the inputs is assumed to be the first one that it is compared with.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from assay.containers.pickle_opcodes import Node
from assay.graphs.operators import FLOAT, INT64, OperatorGraph, Tensor
from assay.vocabularies.builder import GraphBuilder
from assay.vocabularies.inputs import IMAGE, Dimension, InputShapes, concrete, match
from assay.vocabularies.torchscript.archived import Archived
from assay.vocabularies.torchscript.graph import TorchGraph
from assay.vocabularies.torchscript.machine import Machine
from assay.vocabularies.torchscript.shapes import NeedsNumber, NeedsShape, NeedsSize
from assay.vocabularies.torchscript.source import Class, Source, Unfollowable
from assay.vocabularies.torchscript.values import Budget, Object, Traced, Value

MOST_STEPS = 1_000_000  # expressions, statements, and parts of what an operator costs
MOST_INPUTS = 64
_SIZES = (224, 384, 512)  # of images, tried where the usual one contradicts a constant
_MOST_TIMES = 8  # that it is followed, one more with each input's shape
_MOST_OUTPUTS = 1000


@dataclass
class Program:
    """What is read of an archive."""

    source: Source
    module: Value  # what its data.pkl holds
    constants: Sequence[Value]
    names: Mapping[int, str]  # of the archive's tensors, by identity
    given: InputShapes
    budget: Budget = field(default_factory=lambda: Budget(MOST_STEPS))
    numbers: dict[str, int] = field(default_factory=dict)  # assumed of inputs that are numbers
    image: int = IMAGE  # height and width of images; 0 where no usual size fits
    learned: dict[str, tuple[list[Dimension], int]] = field(default_factory=dict)

    def graph(self) -> OperatorGraph:
        """The graph of ``forward``.

        Raises:
            Unfollowable: it cannot be followed without running it.
            UnreadableModel: a given shape does not fit.
        """
        sizes = iter(_SIZES)
        for _ in range(_MOST_TIMES):
            try:
                return self._followed()
            except NeedsShape as needed:
                self.learned[needed.name] = (list(needed.dims), needed.dtype)
            except NeedsSize:
                self.image = next(sizes, 0)
            except NeedsNumber as needed:
                self.numbers[needed.name] = needed.number
            except (RecursionError, MemoryError) as error:
                raise Unfollowable("its values are nested too deep") from error
        raise Unfollowable("the shapes of its inputs contradict each other")

    def _followed(self) -> OperatorGraph:
        if not isinstance(self.module, Node):
            raise Unfollowable("its data.pkl holds no module")
        graph = TorchGraph(GraphBuilder(), self.names, self.budget)
        graph.is_strict = self.image > 0
        archived = Archived(self.source, graph)
        constants = [archived.wrap(value) for value in self.constants]
        machine = Machine(self.source, graph, constants)
        module = archived.wrap(self.module)
        found = self.source.find(self.module.name)
        forward = found.methods.get("forward") if isinstance(found, Class) else None
        if forward is None:
            raise Unfollowable(f"{self.module.name[:80]} has no forward")
        given = self._arguments(forward, machine)
        result = machine.call(forward, [module], given)
        outputs = list(dict.fromkeys(_outputs(result, graph)))
        for name in (*graph.waiting.keys() & set(outputs),):
            graph.known(name)
        if not outputs:
            raise Unfollowable("its forward gives no tensor")
        return graph.build.graph(outputs)

    def _arguments(self, forward: ast.FunctionDef, machine: Machine) -> dict[str, Value]:
        """An input of the graph for each argument that has no default, or whose shape is given."""
        arguments = forward.args.args[1:]
        required = len(arguments) - len(forward.args.defaults)
        wanted = {
            argument.arg: _plan(argument.annotation, argument.arg)
            for place, argument in enumerate(arguments)
            if place < required or argument.arg in self.given
        }
        names = [name for plan in wanted.values() for name in _leaves(plan)]
        if len(names) > MOST_INPUTS:
            raise Unfollowable(f"it has more than {MOST_INPUTS} inputs")
        shapes = match(self.given, names)
        return {
            argument: self._made(plan, shapes, machine.graph.build)
            for argument, plan in wanted.items()
        }

    def _made(self, plan: Value, shapes: InputShapes, build: GraphBuilder) -> Value:
        if isinstance(plan, list):
            return [self._made(part, shapes, build) for part in plan]
        if isinstance(plan, tuple):
            return tuple(self._made(part, shapes, build) for part in plan)
        if not isinstance(plan, _Input):
            return plan
        if plan.name in self.numbers:
            return self.numbers[plan.name]
        dims, dtype = self.learned.get(plan.name, (None, FLOAT))
        wanted = shapes.get(plan.name)
        if wanted is None and dims is not None and len(dims) == 4 and self.image:
            dims = [*dims[:2], *(self.image if dim is None else dim for dim in dims[2:])]
        known = Tensor(INT64, ()) if plan.is_number else concrete(plan.name, dtype, dims, wanted)
        build.input(plan.name, known)
        return Traced(plan.name, plan.is_number)


@dataclass(frozen=True)
class _Input:
    """An input of the graph."""

    name: str
    is_number: bool


def _plan(annotation: ast.expr | None, name: str, depth: int = 0) -> Value:
    """What an argument of that type is made of: inputs in lists and tuples; None of nothing."""
    if isinstance(annotation, ast.Name):
        if annotation.id == "Tensor":
            return _Input(name, False)
        return _Input(name, True) if annotation.id in ("int", "float", "bool") else None
    if not isinstance(annotation, ast.Subscript) or depth > 4:
        return None
    kind = annotation.value.id if isinstance(annotation.value, ast.Name) else ""
    inner = annotation.slice
    if kind == "Optional":
        return _plan(inner, name, depth + 1)
    if kind == "List":
        plan = _plan(inner, f"{name}.0", depth + 1)
        return [plan] if plan is not None else []
    if kind == "Tuple" and isinstance(inner, ast.Tuple):
        parts = enumerate(inner.elts[:MOST_INPUTS])
        return tuple(_plan(part, f"{name}.{place}", depth + 1) for place, part in parts)
    return None


def _leaves(plan: Value) -> Iterator[str]:
    """The names of the inputs in a plan."""
    if isinstance(plan, _Input):
        yield plan.name
    elif isinstance(plan, list | tuple):
        for part in plan:
            yield from _leaves(part)


def _outputs(result: Value, graph: TorchGraph) -> Iterator[str]:
    """The tensors in what ``forward`` gives."""
    waiting, seen = [result], 0
    while waiting:
        value = waiting.pop()
        seen += 1
        if seen > _MOST_OUTPUTS:
            raise Unfollowable(f"it gives more than {_MOST_OUTPUTS:,} values")
        if isinstance(value, Traced):
            yield value.name
        elif isinstance(value, Object):
            waiting += reversed(list(value.attributes.values()))
        elif isinstance(value, dict):
            waiting += reversed(list(value.values()))
        elif isinstance(value, list | tuple):
            waiting += reversed(value)
