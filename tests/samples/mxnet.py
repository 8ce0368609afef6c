"""Small MXNet files, symbol and arrays, built without MXNet."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

CODES = {"f4": 0, "f8": 1, "f2": 2, "u1": 3, "i4": 4, "i1": 5, "i8": 6, "b1": 7}
DENSE, BY_ROWS, COMPRESSED = 0, 1, 2
V1, V2, V3 = 0xF993FAC8, 0xF993FAC9, 0xF993FACA


def shape(dims: Sequence[int]) -> bytes:
    return struct.pack(f"<i{len(dims)}q", len(dims), *dims)


def array(values: NDArray[Any], magic: int = V2) -> bytes:
    """A dense array; the oldest kind has no magic number."""
    code, device = struct.pack("<i", CODES[values.dtype.str[1:]]), struct.pack("<ii", 1, 0)
    if magic in (V2, V3):
        head = struct.pack("<Ii", magic, DENSE) + shape(values.shape)
    elif magic == V1:
        head = struct.pack("<I", magic) + shape(values.shape)
    else:
        head = struct.pack(f"<{1 + values.ndim}I", values.ndim, *values.shape)
    return head + device + code + values.tobytes()


def sparse(
    values: NDArray[Any], places: Sequence[NDArray[Any]], dims: Sequence[int], kind: int
) -> bytes:
    """A sparse array: its numbers, and where they belong."""
    head = struct.pack("<Ii", V2, kind) + shape(values.shape) + shape(dims)
    head += struct.pack("<iii", 1, 0, CODES[values.dtype.str[1:]])
    for place in places:
        head += struct.pack("<i", CODES[place.dtype.str[1:]]) + shape(place.shape)
    return head + values.tobytes() + b"".join(place.tobytes() for place in places)


def params(named: Mapping[str, NDArray[Any] | bytes], magic: int = V2) -> bytes:
    """A whole ``.params`` file."""
    written = {k: v if isinstance(v, bytes) else array(v, magic) for k, v in named.items()}
    return params_of(list(written.items()))


def params_of(pairs: Sequence[tuple[str, bytes]]) -> bytes:
    """A file of arrays that are written already."""
    names = b"".join(struct.pack("<Q", len(name.encode())) + name.encode() for name, _ in pairs)
    body = b"".join(content for _, content in pairs)
    count = struct.pack("<Q", len(pairs))
    return struct.pack("<QQ", 0x112, 0) + count + body + count + names


class Design:
    """A symbol in the making; nodes are known by the number that adding one gives."""

    def __init__(self, key: str = "attrs") -> None:
        self.nodes: list[dict[str, Any]] = []
        self.key = key  # under which settings are: it has changed twice

    def variable(self, name: str, **settings: str) -> int:
        return self._node("null", name, [], settings)

    def add(self, op: str, name: str, inputs: Sequence[int | list[int]], **settings: Any) -> int:
        return self._node(op, name, inputs, {k: str(v) for k, v in settings.items()})

    def _node(
        self, op: str, name: str, inputs: Sequence[int | list[int]], settings: Mapping[str, str]
    ) -> int:
        node: dict[str, Any] = {"op": op, "name": name}
        node["inputs"] = [i if isinstance(i, list) else [i, 0, 0] for i in inputs]
        if settings:
            node[self.key] = dict(settings)
        self.nodes.append(node)
        return len(self.nodes) - 1

    def layer(self, op: str, name: str, x: int, weights: str, **settings: Any) -> int:
        """An operator and the variables that it reads."""
        held = [self.variable(f"{name}_{what}") for what in weights.split()]
        return self.add(op, name, [x, *held], **settings)

    def json(self) -> str:
        leaves = [i for i, node in enumerate(self.nodes) if node["op"] == "null"]
        content = {"nodes": self.nodes, "arg_nodes": leaves, "heads": [[len(self.nodes) - 1, 0, 0]]}
        return json.dumps(content | {"attrs": {"mxnet_version": ["int", 10901]}}, indent=2)

    def save(self, folder: Path, named: Mapping[str, NDArray[Any]], stem: str = "model") -> Path:
        """Both files; the path of the symbol."""
        path = folder / f"{stem}-symbol.json"
        path.write_text(self.json())
        (folder / f"{stem}-0000.params").write_bytes(params(named))
        return path


def small(folder: Path) -> Path:
    """A sound file: a list of one array, without a graph."""
    path = folder / "model.params"
    path.write_bytes(params({"arg:weight": np.arange(6, dtype=np.float32).reshape(2, 3)}))
    return path


OPS = None
WEIGHTS = {"weight": [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]}
