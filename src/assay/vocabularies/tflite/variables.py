"""TensorFlow Lite's variables as plain tensors: what is read enters a graph, what is assigned ends.

A variable is known by its name, or by the tensor that leads to it.  One that the graph never
assigns is the constant that its first run gives it [resource variables, CALL_ONCE].
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from assay.errors import UnreadableModel
from assay.vocabularies.tflite.schema import Program, StoredOperator, Subgraph
from assay.vocabularies.tflite.tensors import StoredTensor

Variable = tuple[str, str] | int  # its container and name, or the place of a tensor
_READ, _ASSIGN, _HANDLE = "READ_VARIABLE", "ASSIGN_VARIABLE", "VAR_HANDLE"


def initial_values(program: Program) -> dict[Variable, StoredTensor]:
    """The constants that the first run gives those variables that nothing else assigns."""
    first = {
        program.called(node, 0) for node in program.subgraphs[0].operators if node.op == "CALL_ONCE"
    }
    found: dict[Variable, StoredTensor] = {}
    for index in sorted(first):
        tensors = program.subgraphs[index].tensors
        for variable, place in _assigned(program.subgraphs[index]):
            if tensors[place].constant:
                found[variable] = tensors[place]
    for index, graph in enumerate(program.subgraphs):
        for variable, _ in _assigned(graph) if index not in first else ():
            found.pop(variable, None)
    return {variable: value for variable, value in found.items() if isinstance(variable, tuple)}


def with_variables(graph: Subgraph, initial: Mapping[Variable, StoredTensor]) -> Subgraph:
    """The graph without operators on variables; states are what enters, and last among outputs."""
    if not any(node.op in (_READ, _ASSIGN) for node in graph.operators):
        return graph
    handles = _handles(graph)
    changed = dict(_assigned(graph))
    held: dict[Variable, int] = {}  # variable → the tensor that has its value
    same: dict[int, int] = {}  # a tensor that is read again → the one that has its value
    tensors, states, kept = list(graph.tensors), [], []
    for node in graph.operators:
        node = replace(node, inputs=tuple(same.get(place, place) for place in node.inputs))
        if node.op == _ASSIGN:
            handle, value = node.inputs
            held[handles.get(handle, handle)] = value
        elif node.op == _READ:
            variable, place = _read(node, handles)
            if held.setdefault(variable, place) != place:
                same[place] = held[variable]
                continue
            first = initial.get(variable)
            if first is not None and first.shape == tensors[place].shape:
                tensors[place] = replace(first, name=tensors[place].name)
            else:
                states.append(place)
        else:
            kept.append(node)
    outputs = tuple(same.get(place, place) for place in graph.outputs)
    wanted = {place for node in kept for place in node.inputs} | set(outputs)
    return replace(
        graph,
        tensors=tuple(tensors),
        operators=tuple(n for n in kept if n.op != _HANDLE or wanted.intersection(n.outputs)),
        outputs=(*outputs, *(held[v] for v in changed if held[v] not in outputs)),
        states=tuple(states),
    )


def _handles(graph: Subgraph) -> dict[int, Variable]:
    """A tensor that leads to a variable → that one."""
    found: dict[int, Variable] = {}
    for node in graph.operators:
        if node.op == _HANDLE and node.options is not None:
            name = (node.options.text(0), node.options.text(1))
            found.update((place, name) for place in node.outputs)
    return found


def _assigned(graph: Subgraph) -> Iterator[tuple[Variable, int]]:
    """Each variable that is assigned, with the tensor.  Raises UnreadableModel without one."""
    handles = _handles(graph)
    for node in graph.operators:
        if node.op == _ASSIGN:
            if len(node.inputs) != 2 or -1 in node.inputs:
                raise UnreadableModel(f"{node.op} has {len(node.inputs)} inputs, too few")
            handle, value = node.inputs
            yield handles.get(handle, handle), value


def _read(node: StoredOperator, handles: Mapping[int, Variable]) -> tuple[Variable, int]:
    """The variable that a node reads, and the tensor that gets its value."""
    if len(node.inputs) != 1 or len(node.outputs) != 1 or -1 in (*node.inputs, *node.outputs):
        raise UnreadableModel(f"{node.op} reads {len(node.inputs)} variables, not 1")
    handle, place = node.inputs[0], node.outputs[0]
    return handles.get(handle, handle), place
