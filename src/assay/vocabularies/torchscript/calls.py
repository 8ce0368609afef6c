"""What a TorchScript program calls: forms of its own, operators, and classes [torch.jit].

An operator that has no rule stays opaque, as ``aten::name``; so does a call that its rule cannot
follow, with operands of other kinds or of unknown shapes.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence

from assay.vocabularies.torchscript.containers import CONTAINERS
from assay.vocabularies.torchscript.machine import Machine
from assay.vocabularies.torchscript.operators import RULES
from assay.vocabularies.torchscript.scalars import SCALARS
from assay.vocabularies.torchscript.source import Class, Definition, Unfollowable
from assay.vocabularies.torchscript.values import (
    UNSET,
    Frame,
    Object,
    Raised,
    Traced,
    Value,
    key_of,
)

_ODD = (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError)
_MOST_OUTPUTS = 64
_NEEDED = {"getattr": 2, "hasattr": 2, "annotate": 2, "unchecked_cast": 2, "isinstance": 2}
# Options that decide where a tensor lies, not what it is.
_IDLE = {"device", "layout", "pin_memory", "requires_grad", "memory_format", "non_blocking", "copy"}
_IDLE |= {"generator", "is_coalesced", "implicit"}
_CONVERSIONS: dict[str, Callable[[Value], Value]] = {
    "int": int, "float": float, "bool": bool, "str": lambda value: ""
}  # fmt: skip
_IN_PLACE = {"copy_", "zero_", "fill_", "index_put_"}  # that have rules of their own


def call_operator(
    machine: Machine, name: str, given: Sequence[Value], named: Mapping[str, Value], outputs: int
) -> Value:
    """The result of ``torch.…`` or ``ops.…``."""
    key = name.removeprefix("torch.").removeprefix("ops.").removeprefix("aten.")
    if key == "prim.RaiseException":
        if machine.branches:
            raise Raised
        return None  # the inputs are assumed: another may pass
    for table in (CONTAINERS, SCALARS):
        rule = table.get(key)
        if rule is not None and (table is CONTAINERS or _are_numbers(machine, given)):
            try:
                result = rule(machine, *given) if table is CONTAINERS else rule(*given)
            except _ODD as error:
                raise Unfollowable(f"{key[:80]} of odd operands: {error!s:.80}") from error
            if result is not NotImplemented:
                return result
    return _computed(machine, key, given, named, outputs)


def _computed(
    machine: Machine, key: str, given: Sequence[Value], named: Mapping[str, Value], outputs: int
) -> Value:
    graph = machine.graph
    in_place = key.endswith("_") and not key.endswith("__")
    plain = key.removesuffix("_") if in_place and key not in _IN_PLACE else key
    rule = RULES.get(plain)
    result: Value = NotImplemented
    if rule is not None:
        try:
            result = rule(graph, *given, **{k: v for k, v in named.items() if k not in _IDLE})
        except _ODD:
            result = NotImplemented
    if result is NotImplemented:
        tensors = list(_tensors(machine, [*given, *named.values()]))
        domain, _, rest = plain.rpartition(".")
        op = f"{domain or 'aten'}::{rest}"[:200]
        made = graph.several(op, tensors, min(outputs, _MOST_OUTPUTS))
        result = made if outputs > 1 else made[0]
    if isinstance(result, Traced) and result not in given:
        reads = list(_tensors(machine, [*given, *named.values()]))
        result.number = bool(reads) and all(value.number for value in reads)
    if in_place and given and isinstance(given[0], Traced) and isinstance(result, Traced):
        assign(machine, given[0], result)
        return given[0]
    return result


def assign(machine: Machine, target: Traced, value: Traced) -> None:
    """What an operator in place does: the tensor, and the one that it is a part of, is another."""
    for _ in range(16):
        machine.journal.touch(target)
        target.name, target.number = value.name, value.number
        if target.part is None:
            return
        whole, axis, start, end, step = target.part
        indices = machine.graph.constant([axis, start, end, step])
        value = machine.graph.add("ScatterND", [whole, indices, target])
        target = whole


def _are_numbers(machine: Machine, values: Value) -> bool:
    return next(_tensors(machine, values), None) is None


def _tensors(machine: Machine, values: Value) -> Iterator[Traced]:
    """All tensors in operands."""
    waiting = list(reversed(values))
    while waiting:
        machine.budget.spend()
        value = waiting.pop()
        if isinstance(value, Traced):
            yield value
        elif isinstance(value, list | tuple):
            waiting += reversed(value)


def call_form(machine: Machine, name: str, node: ast.Call, frame: Frame) -> Value:
    """What looks like a call of Python's."""
    arguments = node.args
    if len(arguments) < _NEEDED.get(name, 1):
        raise Unfollowable(f"it calls {name[:80]!r} without what it needs")
    if name == "uninitialized":
        return UNSET
    if name in ("annotate", "unchecked_cast"):
        return machine.value(arguments[1], frame)
    if name == "isinstance":
        return _is_instance(machine.value(arguments[0], frame), arguments[1])
    values = [machine.value(argument, frame) for argument in arguments[:8]]
    if name == "getattr" and len(values) == 2 and isinstance(values[1], str):
        return machine.attribute(values[0], values[1])
    if name == "hasattr":
        return isinstance(values[0], Object) and str(values[1]) in values[0].attributes
    if name == "range":
        return _range(machine, [machine.graph.number(value) for value in values])
    if name in _CONVERSIONS:
        return _converted(machine, name, values[0])
    if name == "print":
        return None
    raise Unfollowable(f"it calls {name[:80]!r} in an unknown way")


def _is_instance(value: Value, kind: ast.expr) -> bool:
    names = {node.id for node in ast.walk(kind) if isinstance(node, ast.Name)}
    own = {Traced: "Tensor", list: "List", tuple: "Tuple", dict: "Dict"}.get(type(value))
    return (own or type(value).__name__) in names


def _range(machine: Machine, bounds: list[Value]) -> Value:
    if len(bounds) == 1 and type(bounds[0]) is int:
        return range(bounds[0])
    return None  # of unknown turns


def _converted(machine: Machine, name: str, value: Value) -> Value:
    value = machine.graph.number(value)
    if isinstance(value, Traced):
        return Traced(value.name, number=True)
    try:
        return _CONVERSIONS[name](value)
    except _ODD as error:
        raise Unfollowable(f"{name} of what is no number") from error


def construct(
    machine: Machine,
    name: str,
    found: Definition | None,
    given: Sequence[Value],
    named: Mapping[str, Value],
) -> Value:
    """An object of a class of the program: a named tuple, or one that sets itself up."""
    if found is None and name.endswith(".__new__"):
        return Object(name.removesuffix(".__new__"))
    if not isinstance(found, Class):
        raise Unfollowable(f"it calls {name[:80]!r}, which the archive does not have")
    made = Object(found.name, dict(zip(found.fields, given, strict=False)) | dict(named))
    if "NamedTuple" not in found.bases and "__init__" in found.methods:
        made.attributes.clear()
        machine.method(made, "__init__", given, named)
    return made


def item(machine: Machine, holder: Value, place: Value) -> Value:
    """``holder[place]``."""
    place = machine.graph.number(place)
    if isinstance(holder, Object):
        holder = list(holder.attributes.values())
    if isinstance(holder, Traced):  # the sizes of a tensor of unknown rank
        found = machine.graph.add("Gather", [holder, place])
        return Traced(found.name, number=True)
    if isinstance(place, Traced):
        parts = list(_tensors(machine, holder)) if isinstance(holder, list) else []
        return machine.graph.add("aten::__getitem__", [*parts, place])
    try:
        return holder[key_of(place)]
    except _ODD as error:
        raise Unfollowable("a place is not in its list") from error
