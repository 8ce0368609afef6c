"""Small TensorFlow Lite files, built without TensorFlow: a writer of FlatBuffers and the schema.

A table is a dict from field number to a value: ``i8(3)``, ``u32(1)`` … for numbers in place, text,
bytes, an array, a table, a list of tables.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.vocabularies.tflite.names import BUILTINS

Inline = tuple[str, float]
Fields = Mapping[int, Any]
FLOAT32, FLOAT16, INT32, UINT8, INT64, INT16, INT8, INT4 = 0, 1, 2, 3, 4, 7, 9, 17
NONE, RELU, RELU_N1_TO_1, RELU6, TANH = range(5)
SAME, VALID = 0, 1
_CODES = {
    "f4": FLOAT32, "f2": FLOAT16, "i4": INT32, "u1": UINT8, "i8": INT64, "i2": INT16, "i1": INT8,
    "b1": 6,
}  # fmt: skip


def i8(value: int) -> Inline:
    return "<b", value


def u8(value: int) -> Inline:
    return "<B", value


def i32(value: int) -> Inline:
    return "<i", value


def u32(value: int) -> Inline:
    return "<I", value


def u64(value: int) -> Inline:
    return "<Q", value


def f32(value: float) -> Inline:
    return "<f", value


class _Builder:
    """Front to back: what a field points to is written behind its table."""

    def __init__(self) -> None:
        self.out = bytearray()

    def align(self, width: int, ahead: int = 0) -> None:
        self.out += bytes(-(len(self.out) + ahead) % width)

    def point(self, at: int) -> None:
        """The offset at ``at`` leads to the end of what is written."""
        struct.pack_into("<I", self.out, at, len(self.out) - at)

    def table(self, fields: Fields, at: int | None) -> None:
        """A table, to which the offset at ``at`` leads."""
        present = {k: v for k, v in sorted(fields.items()) if v is not None}
        widths = {
            k: struct.calcsize(v[0]) if isinstance(v, tuple) else 4 for k, v in present.items()
        }
        entries, inside = [0] * (max(present, default=-1) + 1), 8
        for number in sorted(present, key=lambda n: -widths[n]):
            inside += -inside % widths[number]
            entries[number] = inside
            inside += widths[number]
        inside += -inside % 4
        length = 4 + 2 * len(entries)
        self.align(8, ahead=length)
        vtable = len(self.out)
        self.out += struct.pack(f"<{2 + len(entries)}H", length, inside, *entries)
        start = len(self.out)
        if at is not None:
            self.point(at)
        self.out += struct.pack("<i", start - vtable) + bytes(inside - 4)
        for number, value in present.items():
            place = start + entries[number]
            if isinstance(value, tuple):
                struct.pack_into(value[0], self.out, place, value[1])
            else:
                self.value(value, place)

    def value(self, value: Any, at: int) -> None:
        if isinstance(value, Mapping):
            self.table(value, at)
            return
        if isinstance(value, list):
            self.align(4)
            self.point(at)
            self.out += struct.pack("<I", len(value)) + bytes(4 * len(value))
            first = len(self.out) - 4 * len(value)
            for place, item in enumerate(value):
                self.value(item, first + 4 * place)
            return
        if isinstance(value, str):
            count, content = len(value.encode()), value.encode() + b"\0"
        elif isinstance(value, bytes):
            count, content = len(value), value
        else:
            count, content = value.size, value.tobytes()
        self.align(16, ahead=4)
        self.point(at)
        self.out += struct.pack("<I", count) + content


def flatbuffer(root: Fields, identifier: bytes = b"TFL3") -> bytes:
    """A whole file; ``root`` is its outermost table."""
    builder = _Builder()
    builder.out += bytes(4) + identifier
    builder.table(root, 0)
    builder.align(16)
    return bytes(builder.out)


def ints(values: Sequence[int]) -> NDArray[np.int32]:
    return np.array(values, np.int32)


@dataclass
class Design:
    """One graph in the making; tensors are known by the number that adding one gives."""

    tensors: list[dict[int, Any]] = field(default_factory=list)
    buffers: list[dict[int, Any]] = field(default_factory=lambda: [{}])
    codes: list[dict[int, Any]] = field(default_factory=list)
    operators: list[dict[int, Any]] = field(default_factory=list)

    def tensor(self, shape: Sequence[int], kind: int = FLOAT32, **more: Any) -> int:
        """An activation; ``more`` names it or quantizes it."""
        return self._tensor(shape, kind, 0, more)

    def constant(self, value: NDArray[Any], kind: int | None = None, **more: Any) -> int:
        """A tensor whose values are in the file."""
        self.buffers.append({0: value.tobytes()})
        shape = more.pop("shape", value.shape)
        code = _CODES[value.dtype.str[1:]] if kind is None else kind
        return self._tensor(shape, code, len(self.buffers) - 1, more)

    def _tensor(self, shape: Sequence[int], kind: int, buffer: int, more: dict[str, Any]) -> int:
        name = more.get("name", f"t{len(self.tensors)}")
        fields = {0: ints(shape), 1: i8(kind), 2: u32(buffer), 3: name}
        fields |= {4: more.get("quantization"), 6: more.get("sparsity")}
        fields |= {7: ints(more["signature"])} if "signature" in more else {}
        self.tensors.append(fields)
        return len(self.tensors) - 1

    def operator(
        self,
        op: str,
        inputs: Sequence[int],
        outputs: Sequence[int],
        options: Fields | None = None,
        custom: bytes | None = None,
    ) -> None:
        """One operator; a name that the schema does not have is a custom one."""
        code = BUILTINS.index(op if op in BUILTINS else "CUSTOM")
        self.codes.append({0: i8(min(code, 127)), 3: i32(code), 1: op if code == 32 else None})
        fields = {0: u32(len(self.codes) - 1), 1: ints(inputs), 2: ints(outputs)}
        if options is not None:
            fields |= {3: u8(1), 4: options}
        fields |= {5: custom}
        self.operators.append(fields)

    def another(self) -> Design:
        """A further graph of the same file."""
        return Design(buffers=self.buffers, codes=self.codes)

    def graph(self, inputs: Sequence[int], outputs: Sequence[int]) -> dict[int, Any]:
        """The graph, as a table."""
        return {0: self.tensors, 1: ints(inputs), 2: ints(outputs), 3: self.operators, 4: "main"}

    def root(
        self, inputs: Sequence[int], outputs: Sequence[int], others: Sequence[Fields] = ()
    ) -> dict[int, Any]:
        """The model, as a table that a test may still damage; ``others``: further graphs."""
        graphs = [self.graph(inputs, outputs), *others]
        return {0: u32(3), 1: self.codes, 2: graphs, 3: "a test", 4: self.buffers}

    def save(
        self,
        folder: Path,
        inputs: Sequence[int],
        outputs: Sequence[int],
        others: Sequence[Fields] = (),
    ) -> Path:
        """The file, in a folder."""
        path = folder / "model.tflite"
        path.write_bytes(flatbuffer(self.root(inputs, outputs, others)))
        return path


def quantization(
    scale: Sequence[float], zero_point: Sequence[int] = (0,), axis: int = 0
) -> dict[int, Any]:
    """Scales and zero points, of the whole tensor or along an axis."""
    zero = np.array(zero_point, np.int64)
    return {2: np.array(scale, np.float32), 3: zero, 6: i32(axis)}


def small(folder: Path) -> Path:
    """A sound file: one Relu."""
    design = Design()
    x, y = design.tensor((1, 8), name="x"), design.tensor((1, 8), name="y")
    design.operator("RELU", [x], [y])
    return design.save(folder, [x], [y])


OPS = ["Relu"]
WEIGHTS: dict[str, list[float]] = {}
