"""TensorFlow Lite files, ``.tflite``: graph and weights [TensorFlow Lite schema, version 3].

A file is one FlatBuffer (``_flatbuffer``), read in place: its tables lead to operators, whose
translation to ONNX's is in ``_tflite_operators``, and to tensors, whose bytes stay on disk.
"""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from assay.containers.flatbuffer import FlatBufferError
from assay.containers.sources import opened
from assay.errors import UnreadableModel
from assay.formats import Format, InputShapes, Model
from assay.graphs.operators import OperatorGraph
from assay.vocabularies.tflite.graph import OPAQUE, Writer, convert, operator_graph
from assay.vocabularies.tflite.schema import IDENTIFIER, Program, parse
from assay.vocabularies.tflite.tensors import TYPES
from assay.weights.layout import Stored, Weights

_LONGEST = 200  # characters of a note


class Tflite(Format):
    """The first graph of a file and all its weights; quantized and sparse ones as real values."""

    suffixes = (".tflite",)

    def sniff(self, head: bytes) -> bool:
        return head[4:8] == IDENTIFIER

    def read(self, path: Path, input_shapes: InputShapes) -> Model:
        with opened(path) as file:
            try:
                mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            except ValueError as error:
                raise UnreadableModel(f"not a TensorFlow Lite file: {error}") from error
            with mapped, memoryview(mapped) as content:
                try:
                    program = parse(content)
                except FlatBufferError as error:
                    raise UnreadableModel(f"not a TensorFlow Lite file: {error}") from error
                layers, weights = _translate(program, content, path, input_shapes)
        return Model("tflite", layers, (path,), _notes(program, layers), weights)


def _translate(
    program: Program, content: memoryview, path: Path, given: InputShapes
) -> tuple[OperatorGraph, Weights]:
    """The model's graph, and the weights of all its subgraphs."""
    try:
        main: Writer = convert(program.subgraphs[0], content, given)
        bodies = [
            convert(graph, content, {}, f"{index}/")
            for index, graph in enumerate(program.subgraphs[1:], 1)
        ]
    except FlatBufferError as error:  # an operator's options are looked at last
        raise UnreadableModel(f"not a TensorFlow Lite file: {error}") from error
    graph = operator_graph(main)
    everything = graph.replaced(
        (node for writer in (main, *bodies) for node in writer.operators),
        {name: tensor for writer in (*bodies, main) for name, tensor in writer.tensors.items()},
    )
    return graph, Weights(everything, _stored(path, (main, *bodies)))


def _stored(path: Path, writers: Sequence[Writer]) -> dict[str, Stored]:
    """Everything that stands for real numbers, by the name it has in the graph; same bytes once."""
    found: dict[str, Stored] = {}
    seen: set[object] = set()
    for writer in writers:
        for name, tensor in zip(writer.names, writer.graph.tensors, strict=True):
            held = tensor.constant and tensor.real and tensor.type in TYPES
            if held and tensor.identity not in seen:
                seen.add(tensor.identity)
                found[name] = Stored(tensor.shape, tensor.dtype, partial(tensor.read, path), True)
    return found


def _notes(program: Program, layers: OperatorGraph) -> dict[str, object]:
    notes: dict[str, object] = {"producer": program.description[:_LONGEST]}
    if len(program.subgraphs) > 1:
        notes["subgraphs"] = len(program.subgraphs)
    unknown = sorted({node.op for node in layers.operators if node.op.startswith(OPAQUE)})
    if unknown:
        notes["opaque_operators"] = [op[:_LONGEST] for op in unknown[:50]]
    return {key: value for key, value in notes.items() if value}
