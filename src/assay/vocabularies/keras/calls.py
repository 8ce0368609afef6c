"""What the calls of a layer read, as a configuration writes it [Keras, serialization].

Keras 3 nests tensors and plain values in ``args`` and ``kwargs``; before it, a call was a list of
``[layer, call, result, keywords]``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from assay.errors import UnreadableModel

Json = Any
Key = tuple[str, int, int]  # a layer, which call of it, which of its results

MOST_DEPTH = 16
_HISTORY = "keras_history"


@dataclass
class Arguments:
    """One call's: tensors in order, numbers by their place among both, options by name."""

    tensors: list[Key] = field(default_factory=list)
    numbers: dict[int, float] = field(default_factory=dict)
    options: dict[str, Json] = field(default_factory=dict)

    def take(self, value: Json, depth: int = 0) -> None:
        """One more argument, or several that are nested."""
        if depth > MOST_DEPTH:
            raise UnreadableModel("a layer's inputs are nested too deep")
        if isinstance(value, bool) or value is None:
            return
        if isinstance(value, int | float):
            self.numbers[len(self.tensors) + len(self.numbers)] = float(value)
        elif (key := _key(value)) is not None:
            self.tensors.append(key)
            if isinstance(value, list) and len(value) > 3 and isinstance(value[3], Mapping):
                self.named(value[3], depth + 1)
        elif isinstance(value, list):
            for item in value:
                self.take(item, depth + 1)

    def named(self, options: Mapping[str, Json], depth: int = 0) -> None:
        """What is given by keyword: tensors but masks are arguments, numbers named ``y`` too."""
        for name, value in options.items():
            if name != "mask" and (name == "y" or any(True for _ in keys_of(value, depth))):
                self.take(value, depth)
            else:
                self.options[name] = value


def calls_of(entry: Mapping[str, Json]) -> list[Arguments]:
    """Each call of a layer."""
    nodes = entry.get("inbound_nodes")
    found = []
    for node in nodes if isinstance(nodes, list) else ():
        arguments = Arguments()
        if isinstance(node, Mapping) and "args" in node:
            arguments.take(node["args"])
            options = node.get("kwargs")
            arguments.named(options if isinstance(options, Mapping) else {})
        elif isinstance(node, Mapping):
            arguments.named(node)
        else:
            arguments.take(node)
        found.append(arguments)
    return found


def keys_of(value: Json, depth: int = 0) -> Iterator[Key]:
    """References to layers' results, however they are nested."""
    if depth > MOST_DEPTH:
        raise UnreadableModel("a layer's inputs are nested too deep")
    key = _key(value)
    if key is not None:
        yield key
    elif isinstance(value, list):
        for item in value:
            yield from keys_of(item, depth + 1)
    elif isinstance(value, Mapping) and "class_name" not in value:
        for item in value.values():
            yield from keys_of(item, depth + 1)


def _key(value: Json) -> Key | None:
    """The reference that a value is, if it is one."""
    if isinstance(value, Mapping):
        config = value.get("config")
        value = config.get(_HISTORY) if isinstance(config, Mapping) else None
    if not isinstance(value, list) or not 3 <= len(value) <= 4 or not isinstance(value[0], str):
        return None
    name, call, result = value[:3]
    is_key = type(call) is int and type(result) is int
    return (name, call, result) if is_key else None
