"""A TensorFlow Lite model: the first of its graphs, and the weights of all.

Further graphs are the bodies of branches and loops, or other signatures of the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from assay.containers.flatbuffer import FlatBuffer
from assay.graphs.operators import OperatorGraph
from assay.vocabularies.inputs import InputShapes
from assay.vocabularies.tflite.graph import OPAQUE, Writer
from assay.vocabularies.tflite.schema import Program, parse
from assay.vocabularies.tflite.subgraphs import Unfolding, convert, operator_graph
from assay.vocabularies.tflite.tensors import TYPES
from assay.weights.layout import Stored, Weights

_LONGEST = 200  # characters of a note


def read_model(
    buffer: FlatBuffer, path: Path, given: InputShapes
) -> tuple[OperatorGraph, Weights, dict[str, object]]:
    """Graph, weights and notes of the file at ``path``, whose bytes ``buffer`` has.

    Raises:
        FlatBufferError: the bytes are no FlatBuffer.
        UnreadableModel: they are one, but no sound model.
    """
    file = Unfolding(parse(buffer), buffer.content)
    main = convert(file, 0, given)
    others = [
        convert(file, index, {})
        for index in range(len(file.program.subgraphs))
        if not file.times[index]
    ]
    graph = operator_graph(main)
    everything = graph.replaced(
        (node for writer in (main, *others) for node in writer.operators),
        {name: tensor for writer in (*others, main) for name, tensor in writer.tensors.items()},
    )
    return graph, Weights(everything, _stored(path, file.writers)), _notes(file.program, graph)


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
