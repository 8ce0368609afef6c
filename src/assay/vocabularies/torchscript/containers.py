"""TorchScript's operators on lists, dictionaries, and on what is known of a tensor [aten, prim].

A rule gets the machine and the operands, and gives NotImplemented where it has nothing to say.
"""

from __future__ import annotations

from collections.abc import Callable

from assay.graphs.operators import FLOAT, INT64, Tensor
from assay.vocabularies.torchscript.graph import SCALAR_TYPES
from assay.vocabularies.torchscript.machine import Machine
from assay.vocabularies.torchscript.values import Traced, Value, key_of

MOST_ITEMS = 10_000
_USUAL = 6  # torch.float32


def _len(machine: Machine, value: Value) -> Value:
    if isinstance(value, Traced):
        return machine.graph.size(value, 0)
    return len(value)


def _append(machine: Machine, items: list[Value], value: Value) -> Value:
    _insert(machine, items, len(items), value)
    return items


def _insert(machine: Machine, items: list[Value], place: int, value: Value) -> None:
    _check(items, 1)
    machine.journal.touch(items)
    items.insert(place, value)


def _extend(machine: Machine, items: list[Value], others: list[Value]) -> None:
    _check(items, len(others))
    machine.journal.touch(items)
    items.extend(list(others))


def _check(items: list[Value], more: int) -> None:
    if not isinstance(items, list) or len(items) + more > MOST_ITEMS:
        raise ValueError("no list, or one that is too long")


def _pop(machine: Machine, items: Value, place: Value = -1) -> Value:
    machine.journal.touch(items)
    return items.pop(place)


def _clear(machine: Machine, items: Value) -> None:
    machine.journal.touch(items)
    items.clear()


def _reverse(machine: Machine, items: list[Value]) -> None:
    machine.journal.touch(items)
    items.reverse()


def _set_item(machine: Machine, holder: Value, place: Value, value: Value) -> Value:
    machine.journal.touch(holder)
    if isinstance(holder, dict) and len(holder) > MOST_ITEMS:
        raise ValueError("a dictionary that is too long")
    holder[key_of(machine.graph.number(place))] = value
    return holder


def _get_item(machine: Machine, holder: Value, place: Value) -> Value:
    return holder[key_of(machine.graph.number(place))]


def _slice(machine: Machine, items: Value, *bounds: Value) -> Value:
    if not isinstance(items, list | tuple | str):
        return NotImplemented
    start, end, step = (*bounds, None, None, None)[:3]
    return items[start:end:step]


def _dict(machine: Machine, pairs: Value = ()) -> Value:
    found = {key_of(key): value for key, value in pairs}
    if len(found) > MOST_ITEMS:
        raise ValueError("a dictionary that is too long")
    return found


def _joined(machine: Machine, a: Value, b: Value, *rest: Value) -> Value:
    if not isinstance(a, list) or not isinstance(b, list):
        return NotImplemented
    _check(a, len(b))
    return a + b


def _repeated(machine: Machine, a: Value, b: Value) -> Value:
    a, b = (b, a) if isinstance(b, list) else (a, b)
    if not isinstance(a, list) or type(b) is not int:
        return NotImplemented
    if len(a) * b > MOST_ITEMS:
        raise ValueError("a list that is too long")
    return a * b


def _contains(machine: Machine, holder: Value, value: Value) -> Value:
    if isinstance(value, Traced):
        return NotImplemented
    if not isinstance(value, str | int | float | None):
        raise TypeError("no plain value")
    return value in list(holder)


def _copy(machine: Machine, value: Value) -> Value:
    if isinstance(value, Traced):
        return NotImplemented
    return dict(value) if isinstance(value, dict) else list(value)


def _is(machine: Machine, a: Value, b: Value) -> bool:
    return a is b


def _not(machine: Machine, value: Value) -> Value:
    decided = machine.decide(value)
    if decided is None:
        return Traced(machine.graph.add("Not", [value]).name, number=True)
    return not decided


def _size(machine: Machine, value: Traced, axis: Value = None) -> Value:
    graph = machine.graph
    if axis is not None:
        return graph.size(value, axis)
    if graph.shape(value) is None:
        return graph.add("Shape", [value])
    return [graph.size(value, place) for place in range(graph.rank(value))]


def _dim(machine: Machine, value: Traced) -> Value:
    shape = machine.graph.shape(value)
    if shape is None:
        return _unknown(machine, "aten::dim", value)
    return len(shape)


def _numel(machine: Machine, value: Traced) -> Value:
    shape = machine.graph.shape(value)
    if shape is None or -1 in shape:
        return Traced(machine.graph.add("Size", [value]).name, number=True)
    return machine.graph.known(value.name).size


def _unknown(machine: Machine, op: str, value: Traced) -> Traced:
    made = Traced(machine.graph.add(op, [value]).name, number=True)
    machine.graph.build.written[made.name] = Tensor(INT64, ())
    return made


def _dtype(machine: Machine, value: Value) -> Value:
    return SCALAR_TYPES.get(machine.graph.dtype(value) or FLOAT, _USUAL)


def _is_floating_point(machine: Machine, value: Traced) -> bool:
    return machine.graph.is_float(value) or not machine.graph.dtype(value)


def _to_tensor(machine: Machine, value: Value) -> Value:
    return value if isinstance(value, Traced) else machine.graph.constant(value)


def _item(machine: Machine, value: Value) -> Value:
    value = machine.graph.number(value)
    return Traced(value.name, number=True) if isinstance(value, Traced) else value


def _same(machine: Machine, value: Value, *rest: Value) -> Value:
    return value


def _always(answer: Value) -> Callable[..., Value]:
    return lambda machine, *operands: answer


def _truth(machine: Machine, value: Value) -> Value:
    decided = machine.decide(value)
    return Traced(value.name, number=True) if decided is None else decided


CONTAINERS: dict[str, Callable[..., Value]] = {
    "len": _len,
    "append": _append,
    "insert": _insert,
    "extend": _extend,
    "pop": _pop,
    "clear": _clear,
    "reverse": _reverse,
    "copy": _copy,
    "list": _copy,
    "dict": _dict,
    "add": _joined,
    "mul": _repeated,
    "keys": lambda machine, value: list(value),
    "values": lambda machine, value: list(value.values()),
    "items": lambda machine, value: list(value.items()),
    "__getitem__": _get_item,
    "_set_item": _set_item,
    "slice": _slice,
    "__contains__": _contains,
    "__is__": _is,
    "__isnot__": lambda machine, a, b: a is not b,
    "__not__": _not,
    "size": _size,
    "dim": _dim,
    "numel": _numel,
    "is_floating_point": _is_floating_point,
    "prim.dtype": _dtype,
    "device": _always("cpu"),
    "prim.device": _always("cpu"),
    "prim.layout": _always(0),
    "prim.type": _always("cpu"),
    "prim.index": _always(-1),
    "prim.data": _same,
    "prim.NumToTensor": _to_tensor,
    "prim.unchecked_unwrap_optional": _same,
    "_unwrap_optional": _same,
    "IntImplicit": _item,
    "FloatImplicit": _item,
    "ScalarImplicit": _item,
    "item": _item,
    "is_nonzero": _truth,
    **dict.fromkeys(
        (
            "prim.is_cuda", "prim.is_sparse", "prim.is_quantized", "prim.is_nested",
            "prim.requires_grad", "prim.is_meta", "prim.is_mps", "is_autocast_enabled",
            "is_scripting", "has_torch_function", "is_autocast_cpu_enabled", "is_complex",
            "prim.is_xla", "prim.is_mkldnn", "prim.is_vulkan", "is_inference",
        ),
        _always(False),
    ),
    "is_grad_enabled": _always(True),
    "prim.is_cpu": _always(True),
    "is_contiguous": _always(True),
    "set_grad_enabled": _always(None),
    "_assert": _always(None),
    "warn": _always(None),
    "manual_seed": _always(None),
}  # fmt: skip
