"""TensorFlow Lite files, ``.tflite``: graph and weights [TensorFlow Lite schema, version 3].

A file is one FlatBuffer, read in place: its tables lead to operators, which are told in ONNX's
words, and to tensors, whose bytes stay on disk.
"""

from __future__ import annotations

from pathlib import Path

from assay.containers.flatbuffer import FlatBuffer, FlatBufferError
from assay.containers.messages import mapped
from assay.errors import UnreadableModel
from assay.formats import Format, InputShapes, Model

IDENTIFIER = b"TFL3"
INPUT_RANGE = "input_range"  # in the metadata: what black and white are, where the file tells


class Tflite(Format):
    """The first graph of a file and all its weights; quantized and sparse ones as real values."""

    suffixes = (".tflite",)
    beside = False

    def sniff(self, head: bytes) -> bool:
        return head[4:8] == IDENTIFIER

    def read(self, path: Path, input_shapes: InputShapes) -> Model:
        from assay.vocabularies.tflite.metadata import input_range
        from assay.vocabularies.tflite.model import read_model

        with mapped(path) as found, memoryview(found) as content:
            try:
                buffer = FlatBuffer(content, IDENTIFIER)
                layers, weights, notes = read_model(buffer, path, input_shapes)
                if (told := input_range(FlatBuffer(content, IDENTIFIER))) is not None:
                    notes[INPUT_RANGE] = [*told]
            except FlatBufferError as error:
                raise UnreadableModel(f"not a TensorFlow Lite file: {error}") from error
        return Model("tflite", layers, (path,), notes, weights)
