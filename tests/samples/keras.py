"""Keras files, written here: HDF5 with the oldest headers, which need no checksums."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

UNDEFINED = 2**64 - 1
SPACE, LINKS, TYPE, EXTERNAL, LINK, LAYOUT, GROUP, FILTERS, ATTRIBUTE, CONTINUED = (
    *(1, 2, 3, 7, 6, 8, 10, 11, 12, 16),
)
_EDGE = 96  # bytes of the first block
_FLOAT = struct.pack("<BBBBIHHBBBBI", 0x11, 0x20, 31, 0, 4, 0, 32, 23, 8, 0, 23, 127)
Message = tuple[int, bytes]


def space(shape: Sequence[int]) -> bytes:
    return struct.pack(f"<BBB5x{len(shape)}Q", 1, len(shape), 0, *shape)


def text_type(size: int) -> bytes:
    return struct.pack("<BBBBI", 0x13, 0, 0, 0, size)


def link(name: str, address: int) -> Message:
    return LINK, struct.pack("<BBB", 1, 0, len(name)) + name.encode() + struct.pack("<Q", address)


def attribute(name: str, text: str) -> Message:
    content = text.encode() + b"\0"
    parts = [name.encode() + b"\0", text_type(len(content)), space(())]
    padded = b"".join(part + bytes(-len(part) % 8) for part in parts)
    return ATTRIBUTE, struct.pack("<BxHHH", 1, *map(len, parts)) + padded + content


def one_piece(address: int, length: int) -> Message:
    return LAYOUT, struct.pack("<BBQQ", 3, 1, address, length)


def chunked(tree: int, chunk: Sequence[int], element: int = 4) -> Message:
    sizes = struct.pack(f"<{len(chunk) + 1}I", *chunk, element)
    return LAYOUT, struct.pack("<BBBQ", 3, 2, len(chunk) + 1, tree) + sizes


class Writer:
    """A file that grows object by object; the last one is the root."""

    def __init__(self) -> None:
        self.out = bytearray(_EDGE)

    def put(self, content: bytes) -> int:
        """Bytes as they are; where they lie."""
        self.out += bytes(-len(self.out) % 8)
        at = len(self.out)
        self.out += content
        return at

    def object(self, *messages: Message) -> int:
        """An object header."""
        body = b"".join(
            struct.pack("<HHB3x", kind, len(content) + -len(content) % 8, 0)
            + content
            + bytes(-len(content) % 8)
            for kind, content in messages
        )
        return self.put(struct.pack("<BxHII4x", 1, len(messages), 1, len(body)) + body)

    def data(self, values: Any) -> int:
        """A data set of floats in one piece."""
        array = np.asarray(values, "<f4")
        at = self.put(array.tobytes())
        shape = (SPACE, space(array.shape))
        return self.object(shape, (TYPE, _FLOAT), one_piece(at, array.nbytes))

    def odd_data(self, shape: Sequence[int], *messages: Message) -> int:
        """A data set of floats that is stored as the messages have it."""
        return self.object((SPACE, space(shape)), (TYPE, _FLOAT), *messages)

    def group(self, members: Mapping[str, int], *messages: Message) -> int:
        """A group, its members by name."""
        about = (LINKS, struct.pack("<BBQQ", 0, 0, UNDEFINED, UNDEFINED)), (GROUP, bytes(2))
        return self.object(*about, *(link(*member) for member in members.items()), *messages)

    def folders(self, paths: Mapping[str, Any], *messages: Message) -> int:
        """Groups for all paths, with data sets of the values, or objects that are there."""
        inner: dict[str, dict[str, Any]] = {}
        members: dict[str, int] = {}
        for path, values in paths.items():
            first, _, rest = path.partition("/")
            if rest:
                inner.setdefault(first, {})[rest] = values
            else:
                members[first] = values if isinstance(values, int) else self.data(values)
        members |= {name: self.folders(below) for name, below in inner.items()}
        return self.group(members, *messages)

    def bytes(self, root: int) -> bytes:
        """The whole file."""
        self.put(b"")
        head = b"\x89HDF\r\n\x1a\n" + struct.pack("<8B2HI", 0, 0, 0, 0, 0, 8, 8, 0, 4, 16, 0)
        head += struct.pack("<4Q", 0, UNDEFINED, len(self.out), UNDEFINED)
        self.out[:_EDGE] = head + struct.pack("<QQII16x", 0, root, 0, 0)
        return bytes(self.out)


def layer(kind: str, name: str, reads: Sequence[str] = (), **options: Any) -> dict[str, Any]:
    """A layer of a functional model, as Keras 2 writes it."""
    nodes = [[[source, 0, 0, {}] for source in reads]] if reads else []
    config = {"name": name, **options}
    return {"class_name": kind, "name": name, "config": config, "inbound_nodes": nodes}


def source(shape: Sequence[int | None], name: str = "x") -> dict[str, Any]:
    """An input."""
    return layer("InputLayer", name, batch_input_shape=list(shape), dtype="float32")


def functional(layers: Sequence[Mapping[str, Any]], outputs: Sequence[str]) -> dict[str, Any]:
    """A model."""
    inputs = [entry["name"] for entry in layers if entry["class_name"] == "InputLayer"]
    config = {
        "name": "model",
        "layers": list(layers),
        "input_layers": [[name, 0, 0] for name in inputs],
        "output_layers": [[name, 0, 0] for name in outputs],
    }
    return {"class_name": "Functional", "config": config}


def h5(weights: Mapping[str, Any], configuration: Any = None) -> bytes:
    """An ``.h5`` file as Keras 2 writes it."""
    writer = Writer()
    messages = [attribute("keras_version", "2.15.0")]
    if configuration is not None:
        messages.append(attribute("model_config", json.dumps(configuration)))
    return writer.bytes(writer.folders(weights, *messages))


KERNEL = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]  # input, output
BIAS = [0.5, -0.5, 0.25]


def small(folder: Path) -> Path:
    """One dense layer."""
    layers = [source([None, 2]), layer("Dense", "fc", ["x"], units=3, activation="relu")]
    weights = {"model_weights/fc/fc/kernel:0": KERNEL, "model_weights/fc/fc/bias:0": BIAS}
    path = folder / "model.h5"
    path.write_bytes(h5(weights, functional(layers, ["fc"])))
    return path


OPS = ["Gemm", "Relu"]
WEIGHTS = {
    "model_weights/fc/fc/kernel:0": [[1.0, 4.0], [2.0, 5.0], [3.0, 6.0]],
    "model_weights/fc/fc/bias:0": BIAS,
}
