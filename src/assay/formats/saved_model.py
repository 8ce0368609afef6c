"""TensorFlow SavedModels: a graph, its functions, and a checkpoint [TensorFlow, SavedModel].

The signature that serves is followed through the functions that it calls, each expanded in place.
Variables are tensors of the checkpoint, found by their names in its object graph.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from assay.containers.messages import Message, mapped
from assay.containers.protobuf import WireError
from assay.containers.tensor_bundle import OBJECT_GRAPH, TYPES, Bundle
from assay.errors import UnreadableModel
from assay.formats import Format, InputShapes, Model
from assay.weights.layout import Stored, Weights

_VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"
_TRAINING = ("/.OPTIMIZER_SLOT/", "optimizer/", "save_counter")


class SavedModel(Format):
    """The graph and weights of a SavedModel folder."""

    suffixes = (".pb",)
    folders = ("saved_model.pb",)

    def sniff(self, head: bytes) -> bool:
        return head[:3] == b"\x08\x01\x12"

    def read(self, path: Path, input_shapes: InputShapes) -> Model:
        file = path / "saved_model.pb" if path.is_dir() else path
        try:
            return _read(file, Message.of(mapped(file)), input_shapes)
        except WireError as error:
            raise UnreadableModel(f"not a SavedModel: {error}") from error


def _read(file: Path, saved: Message, input_shapes: InputShapes) -> Model:
    graphs = saved.messages(2)
    if saved.integer(1) != 1 or not graphs:
        raise UnreadableModel("not a SavedModel: it has no graph")
    graph = graphs[0]
    metadata: dict[str, Any] = {}
    version = graph.message(1).text(5)
    if version:
        metadata["tensorflow_version"] = version[:40]
    prefix = file.parent / "variables" / "variables"
    files, stored, names = [file], dict[str, Stored](), dict[str, str]()
    if prefix.with_name("variables.index").is_file():
        bundle = Bundle(prefix)
        stored = _variables(bundle)
        names = _full_names(bundle)
        files += bundle.files
    from assay.vocabularies.tensorflow_graph import SavedGraph

    reader = SavedGraph(stored, names, input_shapes)
    layers = reader.read(graph)
    weights = Weights(layers, {**stored, **reader.constants})
    return Model("saved-model", layers, tuple(files), metadata, weights)


def _variables(bundle: Bundle) -> dict[str, Stored]:
    """The checkpoint's tensors by key, without what only training needs."""
    found = {}
    for key, entry in bundle.entries.items():
        if entry.dtype not in TYPES or any(part in key for part in _TRAINING):
            continue
        bundle.check(key)
        name = key.removesuffix(_VALUE)
        found[name] = Stored(entry.shape, TYPES[entry.dtype][0], bundle.reader(key))
    return found


def _full_names(bundle: Bundle) -> dict[str, str]:
    """A variable's name in the graph → its name in the checkpoint."""
    if OBJECT_GRAPH not in bundle.entries:
        return {}
    data = bundle.bytes(OBJECT_GRAPH)
    # A tensor of one text: its length, a checksum of that, and the text.
    from assay.containers.protobuf import read_varint

    length, at = read_varint(data, 0, len(data))
    if at + 4 + length > len(data):
        raise UnreadableModel("the checkpoint's object graph is cut")
    names, counts = dict[str, str](), dict[str, int]()
    for node in Message.of(data[at + 4 : at + 4 + length]).messages(1):
        for attribute in node.messages(2):
            full, key = attribute.text(2), attribute.text(3)
            if full and key.endswith(_VALUE):
                count = counts[full] = counts.get(full, -1) + 1
                # The graph tells variables of one name apart by a number at the end.
                names.setdefault(f"{full}_{count}" if count else full, key.removesuffix(_VALUE))
    return names
