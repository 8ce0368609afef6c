"""TensorFlow Lite files, ``.tflite``: graph and weights [TensorFlow Lite schema, version 3].

A file is one FlatBuffer (``_flatbuffer``), read in place: its tables lead to operators, whose
translation to ONNX's is in ``_tflite_operators``, and to tensors, whose bytes stay on disk.
"""

from __future__ import annotations

import mmap
from functools import partial
from pathlib import Path

import numpy as np

from assay.containers.flatbuffer import FlatBufferError
from assay.errors import UnreadableModel
from assay.formats import Format, InputShapes, Model
from assay.graphs.operators import OperatorGraph, Shape
from assay.vocabularies.tflite_graph import OPAQUE, Writer, convert, operator_graph
from assay.vocabularies.tflite_schema import IDENTIFIER, Program, parse
from assay.vocabularies.tflite_tensors import TYPES, StoredTensor
from assay.weights import Array, Weight

_LONGEST = 200  # characters of a note


class Tflite(Format):
    """The first graph of a file and all its weights; quantized and sparse ones as real values."""

    suffixes = (".tflite",)

    def sniff(self, head: bytes) -> bool:
        return head[4:8] == IDENTIFIER

    def read(self, path: Path, input_shapes: InputShapes) -> Model:
        with path.open("rb") as file:
            try:
                mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            except ValueError as error:
                raise UnreadableModel(f"not a TensorFlow Lite file: {error}") from error
            with mapped, memoryview(mapped) as content:
                try:
                    program = parse(content)
                except FlatBufferError as error:
                    raise UnreadableModel(f"not a TensorFlow Lite file: {error}") from error
                layers, orders = _translate(program, content, input_shapes)
        weights = _weights(path, program, orders)
        return Model("tflite", layers, (path,), _notes(program, layers), weights)


def _translate(
    program: Program, content: memoryview, given: InputShapes
) -> tuple[OperatorGraph, list[dict[int, Shape]]]:
    """The model's graph, and of each subgraph the canonical order of its weights' axes."""
    try:
        writer: Writer = convert(program.subgraphs[0], content, given)
        bodies = [convert(graph, content, {}).orders for graph in program.subgraphs[1:]]
    except FlatBufferError as error:  # an operator's options are looked at last
        raise UnreadableModel(f"not a TensorFlow Lite file: {error}") from error
    return operator_graph(writer), [writer.orders, *bodies]


def _weights(path: Path, program: Program, orders: list[dict[int, Shape]]) -> dict[str, Weight]:
    """Everything that stands for real numbers, by name; the same bytes once."""
    found: dict[str, Weight] = {}
    seen: set[tuple[int, Shape, bytes]] = set()
    for index, graph in enumerate(program.subgraphs):
        for place, tensor in enumerate(graph.tensors):
            scale = b"" if tensor.quantization is None else tensor.quantization.scale.tobytes()
            stored = (tensor.start, tensor.shape, scale)
            if not (tensor.constant and tensor.real and tensor.type in TYPES) or stored in seen:
                continue
            seen.add(stored)
            name = tensor.name or f"tensor {place}"
            while name in found:
                name = f"{name}#{index}.{place}"
            found[name] = _weight(path, name, tensor, orders[index].get(place))
    return found


def _weight(path: Path, name: str, tensor: StoredTensor, order: Shape | None) -> Weight:
    axes = order if order is not None else tuple(range(len(tensor.shape)))
    shape = tuple(tensor.shape[axis] for axis in axes)
    read = partial(_read, path, tensor, axes)
    known = order is not None or len(shape) < 2
    return Weight(name, shape, tensor.dtype, read, canonical=known)


def _read(path: Path, tensor: StoredTensor, axes: Shape) -> Array:
    return np.ascontiguousarray(tensor.read(path).transpose(axes)).reshape(
        tuple(tensor.shape[axis] for axis in axes)
    )


def _notes(program: Program, layers: OperatorGraph) -> dict[str, object]:
    notes: dict[str, object] = {"producer": program.description[:_LONGEST]}
    if len(program.subgraphs) > 1:
        notes["subgraphs"] = len(program.subgraphs)
    unknown = sorted({node.op for node in layers.operators if node.op.startswith(OPAQUE)})
    if unknown:
        notes["opaque_operators"] = [op[:_LONGEST] for op in unknown[:50]]
    return {key: value for key, value in notes.items() if value}
