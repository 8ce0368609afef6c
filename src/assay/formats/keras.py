"""Keras models: ``.h5`` files and ``.keras`` archives [Keras, saving].

An HDF5 file holds the weights and, where the whole model was saved, the configuration of its layers
as JSON; an archive holds both apart.  No class is looked up, no function that a file names is run.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from assay.containers.hdf5 import SIGNATURE, File
from assay.containers.messages import mapped
from assay.errors import UnreadableModel
from assay.formats import Format, InputShapes, Model
from assay.vocabularies.keras_weights import Variables

MOST_CONFIGURATION = 64 * 2**20  # bytes
MOST_ENTRIES = 1000  # of an archive
_WEIGHTS, _CONFIGURATION = "model.weights.h5", "config.json"


class Keras(Format):
    """The weights of a Keras model, and the graph where the file tells its layers."""

    suffixes = (".keras", ".h5", ".hdf5")

    def sniff(self, head: bytes) -> bool:
        return head.startswith(SIGNATURE) or (
            head.startswith(b"PK\x03\x04") and b"model.weights.h5" in head
        )

    def read(self, path: Path, input_shapes: InputShapes) -> Model:
        with path.open("rb") as file:
            start = file.read(8)
        if start == SIGNATURE:
            variables = Variables(File(mapped(path)))
            configuration = variables.configuration.encode()
        elif zipfile.is_zipfile(path):
            variables, configuration = _archive(path)
        else:
            raise UnreadableModel("neither an HDF5 file nor a Keras archive")
        layers = None
        metadata: dict[str, Any] = dict(variables.metadata)
        if configuration:
            from assay.vocabularies.keras_model import KerasModel

            layers = KerasModel(variables, input_shapes).read(_json(configuration))
        variables.settle_rest()
        if not variables.by_path and layers is None:
            raise UnreadableModel("the HDF5 file holds no weights")
        return Model("keras", layers, (path,), metadata, variables.by_path)


def _json(text: str | bytes) -> Mapping[str, Any]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UnreadableModel("the configuration of the layers is no JSON") from error
    if not isinstance(content, Mapping):
        raise UnreadableModel("the configuration of the layers is no object")
    return content


def _archive(path: Path) -> tuple[Variables, bytes]:
    """The weights and the configuration of an archive.

    Raises:
        UnreadableModel: it is damaged, has too much in it, or its weights are compressed.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            if len(entries) > MOST_ENTRIES:
                raise UnreadableModel(f"an archive of {len(entries):,} files")
            names = {entry.filename: entry for entry in entries}
            if not {_WEIGHTS, _CONFIGURATION} <= names.keys():
                raise UnreadableModel("not a Keras archive: it has no weights or no configuration")
            if names[_CONFIGURATION].file_size > MOST_CONFIGURATION:
                raise UnreadableModel("the configuration of the layers is too long")
            configuration = archive.read(_CONFIGURATION)
            weights = names[_WEIGHTS]
            if weights.compress_type != zipfile.ZIP_STORED:
                raise UnreadableModel("the archive's weights are compressed")
            start = weights.header_offset
    except (zipfile.BadZipFile, NotImplementedError, EOFError) as error:
        raise UnreadableModel(f"the archive is damaged: {error}") from error
    data = mapped(path)
    head = data[start : start + 30]
    if head[:4] != b"PK\x03\x04":
        raise UnreadableModel("the archive is damaged")
    start += 30 + int.from_bytes(head[26:28], "little") + int.from_bytes(head[28:30], "little")
    if start + weights.file_size > len(data):
        raise UnreadableModel("the archive's weights are cut")
    return Variables(File(data, start, weights.file_size)), configuration
