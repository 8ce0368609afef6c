"""Keras models: ``.h5`` files and ``.keras`` archives [Keras, saving].

An HDF5 file holds the weights and, where the whole model was saved, the configuration of its layers
as JSON; an archive holds both apart.  No class is looked up, no function that a file names is run.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.containers.archives import ZIP, member, members
from assay.containers.hdf5 import SIGNATURE
from assay.containers.json_object import json_object
from assay.containers.messages import mapped
from assay.containers.sources import Part, Source
from assay.errors import UnreadableModel
from assay.formats import Format, InputShapes, Model

if TYPE_CHECKING:
    from mmap import mmap

    from assay.vocabularies.keras.weights import Variables

MOST_CONFIGURATION = 32 * 2**20  # bytes
MOST_WEIGHTS = 2**28  # bytes of compressed weights, which are unpacked in memory
_WEIGHTS, _CONFIGURATION, _METADATA = "model.weights.h5", "config.json", "metadata.json"
_WHAT = "the configuration of the layers"


class Keras(Format):
    """The weights of a Keras model, and the graph where the file tells its layers."""

    suffixes = (".keras", ".h5", ".hdf5")
    beside = False
    guesses = True

    def sniff(self, head: bytes) -> bool:
        if head.startswith(ZIP):
            return {_WEIGHTS.encode(), _CONFIGURATION.encode()} <= set(head.split(b"\n"))
        return head.startswith(SIGNATURE)

    def read(self, path: Path, input_shapes: InputShapes) -> Model:
        if path.is_dir():
            raise UnreadableModel("a folder, not a Keras file")
        with path.open("rb") as file:
            start = file.read(len(SIGNATURE))
        if start == SIGNATURE:
            variables = _variables(mapped(path))
            configuration = variables.configuration.encode()
        elif start.startswith(ZIP):
            variables, configuration = _archive(path)
        else:
            raise UnreadableModel("neither an HDF5 file nor a Keras archive")
        layers = None
        if configuration:
            from assay.vocabularies.keras.model import KerasModel

            described = json_object(configuration, _WHAT)
            layers = KerasModel(variables, input_shapes).read(described)
        variables.settle_rest()
        if not variables.by_path and layers is None:
            raise UnreadableModel("the HDF5 file holds no weights")
        return Model("keras", layers, (path,), variables.metadata, variables.by_path)


def _archive(path: Path) -> tuple[Variables, bytes]:
    """The weights and the configuration of an archive."""
    found = members(path)
    for name in (_WEIGHTS, _CONFIGURATION):
        if name not in found:
            raise UnreadableModel(f"not a Keras archive: it has no {name}")
    metadata: dict[str, Any] = {}
    if _METADATA in found:
        metadata = json_object(_text(member(path, found[_METADATA])), "metadata.json")
    configuration = _text(member(path, found[_CONFIGURATION]))
    variables = _packed(path, member(path, found[_WEIGHTS]))
    version = metadata.get("keras_version")
    variables.metadata |= {"keras_version": version[:80]} if isinstance(version, str) else {}
    return variables, configuration


def _text(source: Source) -> bytes:
    if source.size > MOST_CONFIGURATION:
        raise UnreadableModel(f"{_WHAT} is too long")
    return source.read(0, source.size)


def _packed(path: Path, source: Source) -> Variables:
    """Those of an archive lie in it as they are; compressed ones are unpacked."""
    if isinstance(source, Part):
        return _variables(mapped(path), source.base, source.size)
    if source.size > MOST_WEIGHTS:
        raise UnreadableModel(f"its compressed weights have {source.size:,} bytes")
    return _variables(source.read(0, source.size), packed=path.stat().st_size)


def _variables(data: mmap | bytes, start: int = 0, size: int = -1, packed: int = 0) -> Variables:
    """Those of an HDF5 file that lies somewhere in the bytes."""
    from assay.containers.hdf5.file import File
    from assay.vocabularies.keras.weights import Variables

    return Variables.of_file(File(data, start, size, packed=packed))
