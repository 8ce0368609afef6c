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
from typing import Any

from assay.containers.beside import beside
from assay.containers.messages import Message, mapped
from assay.containers.protobuf import BYTES, VARINT, WireError, next_field
from assay.containers.prototxt import MOST_TEXT, parse
from assay.errors import UnreadableModel
from assay.formats import Format, InputShapes, Model
from assay.graphs.operators import OperatorGraph
from assay.vocabularies.caffe.blobs import Blob
from assay.vocabularies.caffe.graph import Writer
from assay.vocabularies.caffe.layers import Network, of_binary, of_text
from assay.vocabularies.fitting import fitting
from assay.weights.layout import Weights

_GRAPH, _WEIGHTS = ".prototxt", ".caffemodel"
_TEXT = re.compile(rb"^\s*layers?\s*:?\s*\{", re.MULTILINE)
_NET = {1: BYTES, 2: BYTES, 3: BYTES, 4: VARINT, 5: VARINT, 6: BYTES, 7: VARINT, 8: BYTES}
_LAYERS = (2, 100)
_LONGEST = 200  # characters of a note
_UNBOUNDED = 2**62


class Caffe(Format):
    """The graph and weights of a Caffe network."""

    suffixes = (_WEIGHTS, _GRAPH)

    def sniff(self, head: bytes) -> bool:
        return _is_binary(head) or (b"\0" not in head and _TEXT.search(head) is not None)

    def sniff_folder(self, names: frozenset[str]) -> bool:
        return all(sum(name.endswith(s) for name in names) == 1 for s in self.suffixes)

    def read(self, path: Path, input_shapes: InputShapes) -> Model:
        graph, weights = _pair(path)
        network, held = None, dict[str, Sequence[Blob]]()
        try:
            if weights is not None:
                network = of_binary(weights, Message.of(mapped(weights)))
                held = _held(network)
        except WireError as error:
            raise UnreadableModel(f"not a Caffe model: {error}") from error
        if graph is not None:
            network = _text(graph)
        assert network is not None
        writer, layers = _translated(network, held, input_shapes)
        files = tuple(file for file in (graph, weights) if file is not None)
        found = Weights(layers, writer.stored)
        return Model("caffe", layers, files, _notes(network, layers), found)


def _translated(
    network: Network, held: Mapping[str, Sequence[Blob]], given: InputShapes
) -> tuple[Writer, OperatorGraph]:
    def read(side: int) -> tuple[Writer, OperatorGraph]:
        writer = Writer(held, side)
        return writer, writer.read(network, given)

    return fitting(read, len(network.layers))


def _pair(path: Path) -> tuple[Path | None, Path | None]:
    """The file of the graph and that of the weights, as far as there are any."""
    if path.is_dir():
        found = {s: [f for f in path.iterdir() if f.name.endswith(s)] for s in Caffe.suffixes}
        if any(len(files) != 1 for files in found.values()):
            raise UnreadableModel("a folder without one graph and one file of weights")
        graph = beside(path / "model", found[_GRAPH][0].name)
        return graph, beside(path / "model", found[_WEIGHTS][0].name)
    with path.open("rb") as file:
        head = file.read(4096)
    is_text = path.name.endswith(_GRAPH) or (not _is_binary(head) and _TEXT.search(head))
    if is_text:
        return path, beside(path, path.stem + _WEIGHTS)
    return beside(path, path.stem + _GRAPH), path


def _text(path: Path) -> Network:
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
