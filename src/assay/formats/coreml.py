"""Core ML models: ``.mlmodel`` files and ``.mlpackage`` folders [Core ML format specification].

A protobuf holds either a program (MIL), whose large tensors lie in blob files beside it, or the
layers of a neural network with their weights inside.  Both are walked field by field; weights stay
on disk.  The parts of a pipeline are read as one graph, in their order.  Of a program with several
functions the graph is that of the default one, the weights are those of all.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from assay.containers.json_object import json_object
from assay.containers.messages import Message, Source, mapped
from assay.containers.protobuf import WireError, next_field
from assay.errors import UnreadableModel
from assay.formats import Format, InputShapes, Model

MOST_FIELDS = 1_000_000  # of the protobuf, tensors' numbers aside; 17 are a small constant
MOST_MANIFEST = 2**20  # bytes
_ONNX_FIELDS = 8  # the kinds of Core ML models have higher numbers
_NEWEST = 1000  # specification versions are small


class CoreMl(Format):
    """The graph and weights of a Core ML model."""

    suffixes = (".mlmodel", ".mlpackage")
    guesses = True

    def sniff(self, head: bytes) -> bool:
        if not (len(head) > 4 and head[0] == 8 and 0 < head[1] < 32 and head[2] == 0x12):
            return False
        try:  # a description, which is a message; ONNX has the producer's name there, a text
            _, _, start, end = next_field(head, 2, sys.maxsize)
            if start == end:
                return next_field(head, end, sys.maxsize)[0] > _ONNX_FIELDS
            _, wire, _, inner = next_field(head, start, sys.maxsize)
        except WireError:
            return False
        return wire == 2 and inner <= end

    def sniff_folder(self, names: frozenset[str]) -> bool:
        return {"Manifest.json", "Data"} <= names or "coremldata.bin" in names

    def read(self, path: Path, input_shapes: InputShapes) -> Model:
        file = _root(path) if path.is_dir() else path
        content = mapped(file)
        model = Message(Source(content, MOST_FIELDS), 0, len(content))
        try:
            return _read(path, file, model, input_shapes)
        except WireError as error:
            raise UnreadableModel(f"not a Core ML model: {error}") from error


def _read(path: Path, file: Path, model: Message, input_shapes: InputShapes) -> Model:
    from assay.vocabularies.coreml.blobs import Blobs
    from assay.vocabularies.coreml.model import read_model

    version = model.integer(1)
    if not 0 < version < _NEWEST or not model.has(2):
        raise UnreadableModel("not a Core ML model: it has no specification version")
    blobs = Blobs(file.parent if path.is_dir() else None)
    part = read_model(model, blobs, input_shapes)
    metadata: dict[str, Any] = {"specification_version": version, **part.metadata}
    opaque = sorted({node.op for node in part.operators() if node.op.startswith("coreml::")})
    if opaque:
        metadata["opaque_operators"] = opaque
    files = (file, *sorted(set(blobs.files.values())))
    return Model("coreml", part.graph, files, metadata, part.weights)


def _root(folder: Path) -> Path:
    """The model's file in a package, by its manifest.

    Raises:
        UnreadableModel: no manifest, or one that names a file outside the package; a compiled one.
    """
    from assay.vocabularies.coreml.blobs import inside

    if (folder / "coremldata.bin").exists():
        raise UnreadableModel(
            "a compiled Core ML model is not read: give the .mlmodel or .mlpackage it was made of"
        )
    manifest = inside(folder, "Manifest.json")
    if not manifest.is_file():
        raise UnreadableModel("not a Core ML package: it has no Manifest.json")
    if manifest.stat().st_size > MOST_MANIFEST:
        raise UnreadableModel("its Manifest.json is too long")
    place = _place(json_object(manifest.read_bytes(), "its Manifest.json"))
    file = inside(folder, f"Data/{place}")
    if not file.is_file():
        raise UnreadableModel(f"the model {place[:80]!r} is missing from the package")
    return file


def _place(content: Mapping[str, Any]) -> str:
    """Where the manifest says that the model is."""
    entries, key = content.get("itemInfoEntries"), content.get("rootModelIdentifier")
    entry = entries.get(key) if isinstance(entries, Mapping) and isinstance(key, str) else None
    place = entry.get("path") if isinstance(entry, Mapping) else None
    if not isinstance(place, str):
        raise UnreadableModel("its Manifest.json names no model")
    return place
