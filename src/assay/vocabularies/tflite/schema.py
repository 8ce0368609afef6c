"""TensorFlow Lite's tables as plain values [tensorflow/lite/schema/schema.fbs, version 3].

Fields are known by their number in the schema.  Bytes of tensors are looked up, never read.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from assay.containers.flatbuffer import FlatBuffer, Table
from assay.errors import UnreadableModel
from assay.graphs.operators import MOST_AXES, Shape
from assay.vocabularies.tflite.names import BUILTINS
from assay.vocabularies.tflite.tensors import Level, Quantization, Sparsity, StoredTensor

MOST_SUBGRAPHS = 1_000
MOST_OPERATORS = 50_000
MOST_TENSORS = 100_000
MOST_READ = 300_000  # tensors that operators read and write, in all
LONGEST_NAME = 200  # of an operator
_CUSTOM, _OLD_CODES = 32, 127
_BLOCKWISE = 2  # the union's number of a quantization in blocks
_ARRAYS = {1: "<i4", 2: "<u2", 3: "u1"}  # the union of vectors in a sparse level


@dataclass(frozen=True, slots=True)
class StoredOperator:
    """One operator; tensors are known by their place in the subgraph, -1 is an absent one."""

    op: str  # the schema's name of it; "custom::NAME" for others' operators
    inputs: Shape
    outputs: Shape
    options: Table | None  # its fields depend on the operator
    custom: tuple[int, int] = (0, 0)  # where others' options begin, and their bytes
    dilations: Shape = ()  # of a convolution that the file spells with others' help
    padded: bool = False  # whether that one keeps the size of its feature map


@dataclass(frozen=True, slots=True)
class Subgraph:
    """One graph; the first of a file is the model, others are bodies of control flow."""

    name: str
    tensors: tuple[StoredTensor, ...]
    operators: tuple[StoredOperator, ...]
    inputs: Shape
    outputs: Shape
    states: Shape = ()  # what its variables hold before it runs


@dataclass(frozen=True, slots=True)
class Program:
    """What a file holds."""

    description: str
    subgraphs: tuple[Subgraph, ...]
    metadata: tuple[str, ...]  # names of what else is in the file

    def called(self, node: StoredOperator, field: int) -> int:
        """The graph that an option of an operator names.  Raises UnreadableModel without one."""
        index = 0 if node.options is None else node.options.integer(field)
        if not 0 <= index < len(self.subgraphs):
            raise UnreadableModel(f"{node.op} calls graph {index}, which the file does not have")
        return index


def parse(buffer: FlatBuffer) -> Program:
    """The file's tables.

    Raises:
        FlatBufferError: the bytes are no FlatBuffer.
        UnreadableModel: they are one, but no sound model.
    """
    root = buffer.root()
    version = root.integer(0, "u32")
    if version != 3:
        raise UnreadableModel(f"TensorFlow Lite's schema has version {version}, not 3")
    spans, after = _buffers(root, buffer.size)
    if not after and buffer.size % 4 and b"PK\x05\x06" not in buffer.content[-(2**16) :].tobytes():
        raise UnreadableModel("the file is cut: its length is no multiple of 4")
    codes = [_code(table) for table in root.tables(1, MOST_OPERATORS, "operator codes")]
    subgraphs = root.tables(2, MOST_SUBGRAPHS, "subgraphs")
    if not subgraphs:
        raise UnreadableModel("it has no graph")
    reader = _Reader(codes, spans)
    metadata = tuple(table.text(0) for table in root.tables(6, MOST_TENSORS, "metadata"))
    return Program(root.text(3), tuple(map(reader.subgraph, subgraphs)), metadata)


def _buffers(root: Table, size: int) -> tuple[list[tuple[int, int]], bool]:
    """(start, bytes) of each buffer, and whether some lie behind the tables, past 2 GB."""
    spans, after = [], False
    for table in root.tables(4, 2 * MOST_TENSORS, "buffers"):
        start, length = table.span(0)
        offset, behind = table.integer(1, "u64"), table.integer(2, "u64")
        if offset > 1 and length:
            raise UnreadableModel("a buffer lies at two places")
        if offset > 1:  # 1 stands for a place that is not known yet
            if offset + behind > size:
                raise UnreadableModel(
                    f"a buffer of {behind:,} bytes at byte {offset:,} is outside the file"
                )
            start, length, after = offset, behind, True
        spans.append((start, length))
    return spans, after


def _code(table: Table) -> str:
    code = max(table.integer(0, "i8"), table.integer(3))  # the first is of old files, up to 127
    if code == _CUSTOM:
        name = table.text(1)
        if len(name) > LONGEST_NAME:
            raise UnreadableModel(f"an operator's name has {len(name):,} characters")
        return f"custom::{name}"
    return BUILTINS[code] if 0 <= code < len(BUILTINS) else f"builtin {code}"


@dataclass
class _Reader:
    codes: list[str]
    spans: list[tuple[int, int]]
    tensors_left: int = MOST_TENSORS
    operators_left: int = MOST_OPERATORS
    read_left: int = MOST_READ

    def subgraph(self, table: Table) -> Subgraph:
        tensors = table.tables(0, self.tensors_left, "tensors")
        self.tensors_left -= len(tensors)
        operators = table.tables(3, self.operators_left, "operators")
        self.operators_left -= len(operators)
        return Subgraph(
            table.text(4),
            tuple(self._tensor(tensor) for tensor in tensors),
            tuple(self._operator(operator, len(tensors)) for operator in operators),
            self._places(table, 1, len(tensors)),
            self._places(table, 2, len(tensors)),
        )

    def _places(self, table: Table, field: int, count: int) -> Shape:
        places = table.integers(field)
        self.read_left -= len(places)
        if self.read_left < 0:
            raise UnreadableModel(f"its operators read more than {MOST_READ:,} tensors")
        if any(not -1 <= place < count for place in places):
            raise UnreadableModel("an operator reads a tensor that the graph does not have")
        return places

    def _operator(self, table: Table, tensors: int) -> StoredOperator:
        code = table.integer(0, "u32")
        if code >= len(self.codes):
            raise UnreadableModel("an operator has a code that the file does not list")
        inputs, outputs = self._places(table, 1, tensors), self._places(table, 2, tensors)
        return StoredOperator(self.codes[code], inputs, outputs, table.table(4), table.span(5))

    def _tensor(self, table: Table) -> StoredTensor:
        place = table.integer(2, "u32")
        if place >= len(self.spans):
            raise UnreadableModel("a tensor has a buffer that the file does not list")
        start, length = self.spans[place]
        name, shape = table.text(3), _shape(table, 0)
        if table.integer(10, "u32"):
            raise UnreadableModel(f"tensor {name!r} lies in another file, which is not read")
        tensor = StoredTensor(
            name=name,
            shape=shape,
            signature=_shape(table, 7) or shape,
            type=table.integer(1, "i8"),
            start=start,
            length=length,
            quantization=_quantization(table.table(4)),
            sparsity=_sparsity(table.table(6)),
            variable=table.flag(5),
        )
        if len(tensor.signature) != len(shape):
            raise UnreadableModel(f"tensor {name!r} has two shapes of different ranks")
        tensor.check()
        return tensor


def _shape(table: Table, field: int) -> Shape:
    start = table.place(field)
    if start and table.buffer.vector(table.buffer.offset(start), 4)[1] > MOST_AXES:
        raise UnreadableModel(f"a tensor has more than {MOST_AXES} dimensions")
    return table.integers(field)


def _quantization(table: Table | None) -> Quantization | None:
    scale = None if table is None else table.numbers(2, "<f4")
    if table is None or scale is None or scale.size == 0:
        return None
    if table.integer(4, "u8") == _BLOCKWISE:
        raise UnreadableModel("its tensors are quantized in blocks, which is not read")
    zero = table.numbers(3, "<i8")
    if zero is None or zero.size == 0:
        zero = np.zeros(1, np.int64)
    if zero.size not in (1, scale.size):
        raise UnreadableModel(f"a tensor has {scale.size:,} scales, {zero.size:,} zero points")
    return Quantization(scale.astype(np.float32), zero.astype(np.int64), table.integer(6))


def _sparsity(table: Table | None) -> Sparsity | None:
    if table is None:
        return None
    levels = []
    for level in table.tables(2, 2 * MOST_AXES, "levels of a sparse tensor"):
        if level.integer(0, "i8") == 0:
            levels.append(Level(level.integer(1)))
            continue
        vectors = []
        for kind, place in ((2, 3), (4, 5)):
            held, dtype = level.table(place), _ARRAYS.get(level.integer(kind, "u8"))
            found = None if held is None or dtype is None else held.numbers(0, dtype)
            vectors.append(np.zeros(0, np.int64) if found is None else found.astype(np.int64))
        levels.append(Level(level.integer(1), *vectors))
    return Sparsity(table.integers(0), table.integers(1), tuple(levels)) if levels else None
