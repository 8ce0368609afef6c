"""MXNet's symbols: a network's nodes as JSON, ``-symbol.json`` [MXNet 1.9, saveload_json.cc].

Nodes read outputs of earlier nodes by number; those without an operator are variables.  Settings
are texts, under a key that has changed twice.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.errors import UnreadableModel

MOST_JSON = 16 * 2**20  # bytes
MOST_NODES = 50_000
_MOST_INPUTS = 200_000  # of all nodes together
_MOST_OUTPUTS = 1000  # of one node
_LONGEST_NUMBERS = 1000  # characters of a tuple
_SETTINGS = ("attrs", "attr", "param")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|None")
_TRUE, _FALSE = ("True", "true", "1"), ("False", "false", "0")

Source = tuple[int, int]  # a node, and which of its outputs


@dataclass(frozen=True)
class Node:
    """One node; variables have no operator."""

    op: str
    name: str
    inputs: tuple[Source, ...]
    settings: Mapping[str, str]

    def text(self, key: str, default: str = "") -> str:
        return self.settings.get(key, default)

    def numbers(self, key: str) -> tuple[float | None, ...] | None:
        """A tuple, or one number; None where it is not set."""
        text = self.settings.get(key)
        if text is None or text == "None":
            return None
        found = _NUMBER.findall(text[:_LONGEST_NUMBERS])
        return tuple(None if number == "None" else _finite(number) for number in found)

    def integers(self, key: str, default: tuple[int, ...] = ()) -> tuple[int, ...]:
        """A tuple of integers.  Raises UnreadableModel where a number is missing in it."""
        found = self.numbers(key)
        if found is None:
            return default
        if any(number is None for number in found):
            raise UnreadableModel(f"{key!r} of {self.name[:80]!r} has no number")
        return tuple(int(number) for number in found if number is not None)

    def integer(self, key: str, default: int = 0) -> int:
        return (self.integers(key) or (default,))[0]

    def real(self, key: str, default: float = 0.0) -> float:
        found = self.numbers(key)
        return default if not found or found[0] is None else found[0]

    def flag(self, key: str, default: bool = False) -> bool:
        """A truth value.  Raises UnreadableModel where it is none."""
        text = self.settings.get(key, "True" if default else "False")
        if text not in _TRUE + _FALSE:
            raise UnreadableModel(f"{key!r} of {self.name[:80]!r} is no truth value")
        return text in _TRUE


@dataclass(frozen=True)
class Symbol:
    """A network."""

    nodes: tuple[Node, ...]
    heads: tuple[Source, ...]
    version: str  # of MXNet, where it says so


def symbol(path: Path) -> Symbol:
    """The network of a file.  Raises UnreadableModel where it is none."""
    if path.stat().st_size > MOST_JSON:
        raise UnreadableModel(f"a symbol of more than {MOST_JSON // 2**20} MiB")
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise UnreadableModel(f"not an MXNet symbol: {type(error).__name__}") from error
    nodes = content.get("nodes") if isinstance(content, Mapping) else None
    if not isinstance(nodes, list) or not nodes:
        raise UnreadableModel("not an MXNet symbol: it has no nodes")
    if len(nodes) > MOST_NODES:
        raise UnreadableModel(f"a symbol of {len(nodes):,} nodes")
    found: list[Node] = []
    for node in nodes:
        found.append(_node(node, len(found)))
    if sum(len(node.inputs) for node in found) > _MOST_INPUTS:
        raise UnreadableModel("a symbol with too many inputs")
    heads = _sources(content.get("heads", [[len(found) - 1, 0]]), len(found))
    if not heads:
        raise UnreadableModel("a symbol without outputs")
    return Symbol(tuple(found), heads, _version(content.get("attrs")))


def _node(node: Any, place: int) -> Node:
    if not isinstance(node, Mapping) or not isinstance(node.get("op"), str):
        raise UnreadableModel(f"node {place:,} is not described")
    if not isinstance(node.get("name"), str):
        raise UnreadableModel(f"node {place:,} has no name")
    settings: dict[str, str] = {}
    for key in _SETTINGS:
        part = node.get(key)
        if isinstance(part, Mapping):
            settings |= {str(k): v for k, v in part.items() if isinstance(v, str)}
    inputs = _sources(node.get("inputs", []), place)
    return Node(node["op"], node["name"], inputs, settings)


def _sources(entries: Any, before: int) -> tuple[Source, ...]:
    """What is read: outputs of nodes that come earlier, so there is no circle."""
    if not isinstance(entries, list):
        raise UnreadableModel("the inputs of a node are no list")
    found = []
    for entry in entries:
        if not isinstance(entry, list) or len(entry) < 2:
            raise UnreadableModel("an input of a node is not described")
        node, output = entry[:2]
        if type(node) is not int or not 0 <= node < before:
            raise UnreadableModel(f"node {before:,} reads {str(node)[:40]}, no earlier node")
        if type(output) is not int or not 0 <= output < _MOST_OUTPUTS:
            raise UnreadableModel(f"an input is output {str(output)[:40]} of a node")
        found.append((node, output))
    return tuple(found)


def _finite(number: str) -> float:
    """Integers stay exact; what is larger than any size is cut."""
    value = float(number)
    return max(min(value, 1e18), -1e18)


def _version(attributes: Any) -> str:
    """``["int", 10901]`` is 1.9.1."""
    version = attributes.get("mxnet_version") if isinstance(attributes, Mapping) else None
    number = version[1] if isinstance(version, list) and len(version) == 2 else None
    if type(number) is not int or not 0 < number < 10**6:
        return ""
    return f"{number // 10000}.{number // 100 % 100}.{number % 100}"
