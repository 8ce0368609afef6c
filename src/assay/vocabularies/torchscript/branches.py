"""Conditions and loops of a TorchScript program that depend on data [torch.jit, control flow].

1. An ``if`` that no number of the archive decides: both branches are followed, and what they leave
   differently is joined by ONNX's If.  A branch that raises an error is not taken.
2. A loop whose turns are not known, or too many: its body is followed once; what it changes enters
   and leaves it by ONNX's Loop, as ``graphs.inline_bodies`` has it.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence

from assay.graphs.operators import INT64, Tensor
from assay.vocabularies.torchscript.machine import Machine
from assay.vocabularies.torchscript.source import Unfollowable
from assay.vocabularies.torchscript.values import (
    UNSET,
    Frame,
    Raised,
    Traced,
    Value,
    set_state,
    state_of,
)

MOST_TURNS = 1024  # that are followed one by one
Changes = dict[int, tuple[Value, Value]]  # what was changed, and its state


def both(machine: Machine, condition: Traced, node: ast.If, frame: Frame) -> None:
    """Follows both branches and joins what they leave (rule 1)."""
    outcomes = [_tried(machine, body, frame) for body in (node.body, node.orelse)]
    taken = [outcome for outcome in outcomes if outcome is not None]
    if not taken:  # both raise, of the inputs that were assumed: the first is as good
        machine.run(node.body, frame)
        return
    (first, changes), (second, others) = taken[0], taken[-1]
    if first.done != second.done:
        raise Unfollowable("it returns from one of two branches")
    join = _Join(machine, condition.name)
    names = [*first.variables, *(n for n in second.variables if n not in first.variables)]
    frame.variables = {
        name: join.of(first.variables.get(name, UNSET), second.variables.get(name, UNSET))
        for name in names
    }
    frame.done, frame.result = first.done, join.of(first.result, second.result)
    for key in changes.keys() | others.keys():
        target, state = changes.get(key) or others[key]
        other = others[key][1] if key in others else state_of(target)
        state = state if key in changes else state_of(target)
        machine.journal.touch(target)
        set_state(target, join.state(state, other))


def _tried(
    machine: Machine, body: Sequence[ast.stmt], frame: Frame
) -> tuple[Frame, Changes] | None:
    """A branch's variables and changes, which are undone; None where it raises an error."""
    inner = Frame(dict(frame.variables))
    depth = machine.depth
    with machine.journal.recording() as before:
        machine.branches += 1
        try:
            machine.run(body, inner)
            raised = False
        except Raised:
            raised, machine.depth = True, depth
        machine.branches -= 1
    after = {key: (target, state_of(target)) for key, (target, _) in before.items()}
    for target, state in before.values():
        set_state(target, state)
    return None if raised else (inner, after)


class _Join:
    """Values that two branches leave, made one."""

    def __init__(self, machine: Machine, condition: str) -> None:
        self.machine, self.condition = machine, condition
        self.made: dict[tuple[str, str], Traced] = {}

    def of(self, a: Value, b: Value) -> Value:
        """Whichever it will be; of values that are no tensors, the first branch's."""
        self.machine.budget.spend()
        if a is b or b is UNSET or b is None:
            return a
        if a is UNSET or a is None:
            return b
        if isinstance(a, list | tuple) and type(a) is type(b):
            if len(a) != len(b):
                return a
            joined = [self.of(x, y) for x, y in zip(a, b, strict=True)]
            return joined if isinstance(a, list) else tuple(joined)
        if not _is_operand(a) or not _is_operand(b) or _equal(a, b):
            return a
        is_number = all(not isinstance(v, Traced) or v.number for v in (a, b))
        return Traced(self.name(a, b), is_number)

    def name(self, a: Value, b: Value) -> str:
        graph = self.machine.graph
        first, second = (v.name if isinstance(v, Traced) else repr(v) for v in (a, b))
        key = first, second
        if key not in self.made:
            self.made[key] = graph.add("If", [self.condition, a, b])
        return self.made[key].name

    def state(self, a: Value, b: Value) -> Value:
        """Of a tensor's handle, a list, or a dictionary."""
        if isinstance(a, str):
            return a if a == b else self.name(Traced(a), Traced(b))
        if isinstance(a, dict):
            names = [*a, *(name for name in b if name not in a)]
            return {name: self.of(a.get(name, UNSET), b.get(name, UNSET)) for name in names}
        return self.of(a, b)


def _is_operand(value: Value) -> bool:
    return isinstance(value, Traced | int | float)


def _equal(a: Value, b: Value) -> bool:
    if isinstance(a, Traced) and isinstance(b, Traced):
        return a.name == b.name
    return type(a) is type(b) and bool(a == b)


def each_turn(machine: Machine, node: ast.For, turns: Value, frame: Frame) -> None:
    """``for``: turn by turn where their number is known, else once (rule 2)."""
    if isinstance(turns, range | list | tuple) and len(turns) <= MOST_TURNS:
        for turn in tuple(turns):
            machine.budget.spend()
            machine.bind(node.target, turn, frame)
            machine.run(node.body, frame)
            if frame.done:
                return
        return
    turn = Traced(machine.graph.build.fresh("turn"), number=True)
    machine.graph.build.tensors[turn.name] = Tensor(INT64, ())
    machine.bind(node.target, turn, frame)
    _once(machine, node.body, frame)


def while_true(machine: Machine, node: ast.While, frame: Frame) -> None:
    """``while``: turn by turn as long as its condition is known, then once."""
    for _ in range(MOST_TURNS):
        decided = machine.decide(machine.value(node.test, frame))
        if decided is None:
            _once(machine, node.body, frame)
            return
        if not decided or frame.done:
            return
        machine.run(node.body, frame)
    raise Unfollowable(f"a loop takes more than {MOST_TURNS:,} turns")


def _once(machine: Machine, body: Sequence[ast.stmt], frame: Frame) -> None:
    """The body once, between what enters it and what leaves it."""
    graph, before = machine.graph, {}
    for name in sorted(_assigned(body) & frame.variables.keys()):
        value = frame.variables[name]
        if _is_operand(value):
            is_number = not isinstance(value, Traced) or value.number
            before[name] = value
            frame.variables[name] = Traced(graph.add("Loop", [value]).name, is_number)
    machine.run(body, frame)
    for name, value in before.items():
        result = frame.variables[name]
        if _is_operand(result):
            is_number = not isinstance(result, Traced) or result.number
            frame.variables[name] = Traced(graph.add("Loop", [result, value]).name, is_number)


def _assigned(body: Sequence[ast.stmt]) -> set[str]:
    """The variables that statements set."""
    return {
        node.id
        for statement in body
        for node in ast.walk(statement)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
