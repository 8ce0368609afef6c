"""Core ML models: ``.mlmodel`` files and ``.mlpackage`` folders [Core ML format specification].

A protobuf holds either a program (MIL), whose large tensors lie in blob files beside it, or the
layers of a neural network with their weights inside.  Both are walked field by field; weights stay
on disk.  A pipeline is read where it holds one network.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from assay.containers.messages import Message, mapped
from assay.containers.protobuf import WireError
from assay.errors import UnreadableModel
from assay.formats import Format, InputShapes, Model
from assay.vocabularies.coreml_blobs import Blobs

MOST_MANIFEST = 2**20  # bytes
_NETWORKS = (500, 403, 303)  # a neural network, one that classifies, one that regresses
_PROGRAM, _PIPELINES = 502, (202, 200, 201)
_NEWEST = 1000  # specification versions are small


class CoreMl(Format):
    """The graph and weights of a Core ML model."""

    suffixes = (".mlmodel", ".mlpackage")
    folders = ("Manifest.json",)

    def sniff(self, head: bytes) -> bool:
        return len(head) > 3 and head[0] == 8 and 0 < head[1] < 32 and head[2] == 0x12

    def read(self, path: Path, input_shapes: InputShapes) -> Model:
        file = _root(path) if path.is_dir() else path
        try:
            return _read(path, file, Message.of(mapped(file)), input_shapes)
        except WireError as error:
            raise UnreadableModel(f"not a Core ML model: {error}") from error


def _read(path: Path, file: Path, model: Message, input_shapes: InputShapes) -> Model:
    version = model.integer(1)
    if not 0 < version < _NEWEST or not model.has(2):
        raise UnreadableModel("not a Core ML model: it has no specification version")
    model = _only_network(model)
    inputs = {value.text(1): value.message(3) for value in model.messages(2)[0].messages(1)}
    metadata: dict[str, Any] = {"specification_version": version}
    blobs = Blobs(file.parent if path.is_dir() else None)
    if model.has(_PROGRAM):
        from assay.vocabularies.coreml_program import Program

        program = Program(blobs)
        defaults = {name: kind.message(5).integers(1) for name, kind in inputs.items()}
        layers = program.read(model.message(_PROGRAM), input_shapes, defaults)
        files = (file, *sorted(blobs.files))
        return Model("coreml", layers, files, metadata, program.weights)
    for number in _NETWORKS:
        if model.has(number):
            from assay.vocabularies.coreml_network import Network

            network = Network(inputs, input_shapes)
            outputs = [value.text(1) for value in model.message(2).messages(10)]
            layers = network.read(model.message(number), outputs)
            return Model("coreml", layers, (file,), metadata, network.weights)
    raise UnreadableModel("the Core ML model holds no neural network")


def _only_network(model: Message) -> Message:
    """The model, or the only network of a pipeline."""
    for number in _PIPELINES:
        if model.has(number):
            pipeline = model.message(number)
            inner = pipeline if number == _PIPELINES[0] else pipeline.message(1)
            networks = [
                part
                for part in inner.messages(1)
                if any(part.has(kind) for kind in (*_NETWORKS, _PROGRAM))
            ]
            if len(networks) != 1 or not networks[0].has(2):
                raise UnreadableModel(f"a pipeline of {len(networks)} networks: split it first")
            return networks[0]
    return model


def _root(folder: Path) -> Path:
    """The model's file in a package, by its manifest.

    Raises:
        UnreadableModel: no manifest, or one that names a file outside the package.
    """
    manifest = folder / "Manifest.json"
    if not manifest.is_file():
        raise UnreadableModel("not a Core ML package: it has no Manifest.json")
    if manifest.stat().st_size > MOST_MANIFEST:
        raise UnreadableModel("its Manifest.json is too long")
    try:
        content = json.loads(manifest.read_bytes())
    except (ValueError, RecursionError) as error:
        raise UnreadableModel("its Manifest.json is no JSON") from error
    place = _place(content)
    root = folder.resolve()
    file = (root / "Data" / place).resolve()
    if place.is_absolute() or ".." in place.parts or not file.is_relative_to(root):
        raise UnreadableModel(f"the model {str(place)[:80]!r} lies outside the package")
    if not file.is_file():
        raise UnreadableModel(f"the model {str(place)[:80]!r} is missing from the package")
    return file


def _place(content: Any) -> PurePosixPath:
    """Where the manifest says that the model is."""
    entries = content.get("itemInfoEntries") if isinstance(content, Mapping) else None
    entry = entries.get(content.get("rootModelIdentifier")) if isinstance(entries, Mapping) else {}
    place = entry.get("path") if isinstance(entry, Mapping) else None
    if not isinstance(place, str) or "\0" in place:
        raise UnreadableModel("its Manifest.json names no model")
    return PurePosixPath(place)
