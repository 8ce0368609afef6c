"""Caffe networks: ``.prototxt`` graphs and ``.caffemodel`` weights [Caffe, caffe.proto].

A graph is protobuf written as text; a file of weights is binary, and holds the graph too, as it was
trained.  Either is read alone, with the other of its stem where that lies beside, and a folder with
one of each.  Layers of all three versions are read, in the testing phase.  Not read: HDF5 weights,
mean files, solvers, Caffe2; forks number their own layers' settings alike, so these are read from
text only; layers without a counterpart in ONNX stay opaque.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.containers.beside import beside
from assay.containers.messages import Message, mapped
from assay.containers.protobuf import BYTES, VARINT, WireError, next_field
from assay.errors import UnreadableModel
from assay.formats import MISSING, Format, InputShapes, Model

if TYPE_CHECKING:
    from assay.graphs.operators import OperatorGraph
    from assay.vocabularies.caffe.blobs import Blob
    from assay.vocabularies.caffe.graph import Writer
    from assay.vocabularies.caffe.layers import Network

_GRAPH, _WEIGHTS = ".prototxt", ".caffemodel"
_TEXT = re.compile(rb"^\s*layers?\s*:?\s*\{", re.MULTILINE)
_NET = {1: BYTES, 2: BYTES, 3: BYTES, 4: VARINT, 5: VARINT, 6: BYTES, 7: VARINT, 8: BYTES}
_LAYERS = (2, 100)
_LONGEST = 200  # characters of a note
_UNBOUNDED = 2**62


class Caffe(Format):
    """The graph and weights of a Caffe network."""

    suffixes = (_WEIGHTS, _GRAPH)
    guesses = True

    def sniff(self, head: bytes) -> bool:
        return _is_binary(head) or (b"\0" not in head and _TEXT.search(head) is not None)

    def sniff_folder(self, names: frozenset[str]) -> bool:
        return all(sum(name.endswith(s) for name in names) == 1 for s in self.suffixes)

    def holds(self, name: str) -> bool:
        return name.endswith(self.suffixes)

    def read(self, path: Path, input_shapes: InputShapes) -> Model:
        from assay.weights.layout import Weights

        graph, weights = _pair(path)
        held: Mapping[str, Sequence[Blob]] = {}
        if weights is not None:
            network = _binary(weights)
            held = _held(network)
        if graph is not None:
            network = _text(graph)
        writer, layers = _translated(network, held, input_shapes)
        files = tuple(file for file in (graph, weights) if file is not None)
        notes = _notes(network, layers)
        if weights is None:
            notes |= {MISSING: [path.stem + _WEIGHTS]}
        return Model("caffe", layers, files, notes, Weights(layers, writer.stored))


def _translated(
    network: Network, held: Mapping[str, Sequence[Blob]], given: InputShapes
) -> tuple[Writer, OperatorGraph]:
    from assay.vocabularies.caffe.graph import Writer
    from assay.vocabularies.fitting import fitting

    def read(side: int) -> tuple[Writer, OperatorGraph]:
        writer = Writer(held, side)
        return writer, writer.read(network, given)

    return fitting(read, len(network.layers))


def _pair(path: Path) -> tuple[Path | None, Path | None]:
    """The file of the graph and that of the weights, as far as there are any."""
    if path.is_dir():
        files = [file.name for file in path.iterdir() if file.is_file()]
        graphs, weights = ([n for n in files if n.endswith(s)] for s in (_GRAPH, _WEIGHTS))
        if len(graphs) != 1 or len(weights) != 1:
            raise UnreadableModel("a folder without one graph and one file of weights")
        return beside(path / "model", graphs[0]), beside(path / "model", weights[0])
    with path.open("rb") as file:
        head = file.read(4096)
    is_text = path.name.endswith(_GRAPH) or (not _is_binary(head) and _TEXT.search(head))
    if is_text:
        return path, beside(path, path.stem + _WEIGHTS)
    return beside(path, path.stem + _GRAPH), path


def _binary(path: Path) -> Network:
    from assay.vocabularies.caffe.layers import of_binary

    try:
        return of_binary(path, Message.of(mapped(path)))
    except WireError as error:
        raise UnreadableModel(f"not a Caffe model: {error}") from error


def _text(path: Path) -> Network:
    from assay.containers.prototxt import MOST_TEXT, parse
    from assay.vocabularies.caffe.layers import of_text

    with path.open("rb") as file:
        return of_text(parse(file.read(MOST_TEXT + 1)))


def _is_binary(head: bytes) -> bool:
    """Whether the fields are those of a network, up to its first layer."""
    at, seen = 0, set[int]()
    try:
        while at < len(head):
            number, wire, start, at = next_field(head, at, _UNBOUNDED)
            if number in _LAYERS and wire == BYTES:
                return _is_layer(head, number, start)
            packed = number == 4 and wire == BYTES
            if not (packed or _NET.get(number) == wire) or (number == 1 and number in seen):
                return False
            seen.add(number)
    except WireError:
        return False
    return False


def _is_layer(head: bytes, kind: int, start: int) -> bool:
    """Whether a layer begins there: with a name, a type, or what it reads and writes."""
    number, wire, _, _ = next_field(head, start, _UNBOUNDED)
    if kind == 100:
        return number in (1, 2) and wire == BYTES
    return (number in (1, 2, 3, 4) and wire == BYTES) or (number == 5 and wire == VARINT)


def _held(network: Network) -> dict[str, Sequence[Blob]]:
    """The blobs of each layer; layers of one name are told apart by a number."""
    found: dict[str, Sequence[Blob]] = {}
    for place, layer in enumerate(network.layers):
        if layer.blobs:
            name = f"{layer.name}#{place}" if layer.name in found else layer.name
            found[name] = layer.blobs
    return found


def _notes(network: Network, layers: OperatorGraph) -> dict[str, Any]:
    opaque = sorted({node.op for node in layers.operators if node.op.startswith("caffe::")})
    notes = {
        "name": network.name[:_LONGEST],
        "opaque_operators": [op[:_LONGEST] for op in opaque[:50]],
    }
    return {key: value for key, value in notes.items() if value}
