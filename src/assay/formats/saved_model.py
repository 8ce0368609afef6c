"""TensorFlow SavedModels and frozen graphs [TensorFlow, SavedModel; graph.proto].

A SavedModel is a folder: graph, functions, and a checkpoint.  The graph that serves is followed
from its signature, and only the variables that it reads are the model's weights: the checkpoint
also has copies and what training needs.  A frozen graph is one file, with constants for variables.
Not read: graphs written as text or in pieces, checkpoints alone, what a TensorRT engine hides.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.containers.messages import Message, mapped
from assay.containers.protobuf import BYTES, WireError, next_field
from assay.errors import UnreadableModel
from assay.formats import HEAD, MISSING, Format, InputShapes, Model
from assay.weights import Weight

if TYPE_CHECKING:
    from assay.graphs.operators import OperatorGraph
    from assay.vocabularies.tensorflow.graph import Expansion
    from assay.weights.layout import Stored

SERVING = "serve"  # the tag of the graph that is read, where there are several
MOST_NAMED = 20  # variables that are missing
_FILE = "saved_model.pb"
_TRAINING = ("/.OPTIMIZER_SLOT/", "optimizer/", "save_counter")
_OPERATOR = re.compile(rb"[A-Za-z_][\w>]*")


class SavedModel(Format):
    """The graph and weights of a SavedModel folder, or of a frozen graph."""

    suffixes = (".pb",)
    guesses = True

    def sniff(self, head: bytes) -> bool:
        return _is_saved(head) or _is_graph(head)

    def sniff_folder(self, names: frozenset[str]) -> bool:
        return _FILE in names

    def read(self, path: Path, input_shapes: InputShapes) -> Model:
        file = path / _FILE if path.is_dir() else path
        if not file.is_file():
            raise UnreadableModel(f"a folder without a file {_FILE}")
        data = mapped(file)
        try:
            if _is_saved(data[:HEAD]):
                return _saved(file, Message.of(data), input_shapes)
            if _is_graph(data[:HEAD]):
                return _frozen(file, Message.of(data), input_shapes)
        except WireError as error:
            raise UnreadableModel(f"a damaged TensorFlow graph: {error}") from error
        raise UnreadableModel("neither a SavedModel nor a frozen graph")


def _is_saved(head: bytes) -> bool:
    """Version 1, then a graph, which begins with what is said about it.

    Files of Core ML and ONNX also begin with a version and a message, or a text.
    """
    graph, start, _ = _first(head, 2)
    about, inner, _ = _first(head, start)
    return head[:2] == b"\x08\x01" and (graph, about) == (2, 1) and _first(head, inner)[0] > 1


def _is_graph(head: bytes) -> bool:
    """A node, which begins with its name and its operator."""
    node, start, _ = _first(head, 0)
    name, _, end = _first(head, start)
    op, start, end = _first(head, end)
    return (node, name, op) == (1, 1, 2) and _OPERATOR.fullmatch(head[start:end]) is not None


def _first(head: bytes, at: int) -> tuple[int, int, int]:
    """Number, start and end of the field at a place; 0 where it is no text or message."""
    try:
        number, wire, start, end = next_field(head, at, sys.maxsize)
    except WireError:
        return 0, 0, 0
    return (number, start, end) if wire == BYTES else (0, 0, 0)


def _saved(file: Path, saved: Message, given: InputShapes) -> Model:
    """The graph that serves, and the variables that it reads."""
    from assay.containers.tensor_bundle import Bundle
    from assay.vocabularies.tensorflow.bodies import Library
    from assay.vocabularies.tensorflow.graph import Expansion
    from assay.vocabularies.tensorflow.signatures import served, signature_of
    from assay.vocabularies.tensorflow.variables import restored

    graphs = saved.messages(2)
    tags = [graph.message(1).texts(4) for graph in graphs]
    place = min(range(len(graphs)), key=lambda i: (SERVING not in tags[i], len(tags[i])))
    graph = graphs[place]
    metadata: dict[str, Any] = {"tags": sorted(tags[place])} if tags[place] else {}
    version = graph.message(1).text(5)
    if version:
        metadata["tensorflow_version"] = version[:40]
    files: list[Path] = [file]
    stored: dict[str, Stored] = {}
    names: dict[str, str] = {}
    index = _index(file)
    if index is not None:
        bundle = Bundle(index)
        stored, names = bundle.stored(), bundle.names()
        files += bundle.files
    library = Library(graph.message(2), graph.message(1, 2))
    signature = signature_of(graph)
    if signature is None:
        return _without_graph(stored, files, metadata)
    metadata["signature"] = signature[0]
    expansion = Expansion(library, stored, names | restored(library, graph.message(3).text(3)))
    layers = served(expansion, signature[1], given)
    return _model(expansion, layers, files, metadata)


def _index(file: Path) -> Path | None:
    """That of the checkpoint, where there is one.  Raises UnreadableModel where it lies elsewhere.

    In a download cache all files of a folder are links to files in one other folder.
    """
    index = file.parent / "variables" / "variables.index"
    if not index.is_file():
        return None
    place = index.resolve()
    is_inside = place.is_relative_to(file.parent.resolve())
    if not is_inside and place.parent != file.resolve().parent:
        raise UnreadableModel("its variables lie outside the model's folder")
    return index


def _frozen(file: Path, graph: Message, given: InputShapes) -> Model:
    """All of the graph."""
    from assay.vocabularies.tensorflow.bodies import Library
    from assay.vocabularies.tensorflow.graph import Expansion
    from assay.vocabularies.tensorflow.signatures import whole

    expansion = Expansion(Library(graph), {}, {})
    return _model(expansion, whole(expansion, given), [file], {})


def _model(
    expansion: Expansion, layers: OperatorGraph, files: list[Path], metadata: dict[str, Any]
) -> Model:
    from assay.weights.layout import Weights

    if expansion.missing:
        metadata[MISSING] = sorted(expansion.missing)[:MOST_NAMED]
    weights = Weights(layers, expansion.weights)
    return Model("saved-model", layers, tuple(files), metadata, weights)


def _without_graph(
    stored: Mapping[str, Stored], files: list[Path], metadata: dict[str, Any]
) -> Model:
    """A SavedModel that serves nothing has a checkpoint all the same."""
    if not stored:
        raise UnreadableModel("a SavedModel without a signature, and without variables")
    weights = {
        name: Weight(name, tensor.shape, tensor.dtype, tensor.read)
        for name, tensor in stored.items()
        if not any(part in name for part in _TRAINING)
    }
    return Model("saved-model", None, tuple(files), metadata, weights)
