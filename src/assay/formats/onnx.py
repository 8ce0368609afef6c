"""ONNX files, read by structure alone [onnx.proto, ONNX IR specification].

The protobuf is walked and tensor data are skipped by their length, then the reference library
parses what is left.  Functions are expanded; bodies of If, Loop and Scan become nested graphs.
External data are looked up, and opened when a weight is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING, Any

from assay.containers.protobuf import Limits, Message, Slimmer, WireError
from assay.containers.sources import opened
from assay.errors import UnreadableModel
from assay.formats import MISSING, Format, InputShapes, Model

if TYPE_CHECKING:
    from onnx import ModelProto

MOST_OPERATORS = 50_000
MOST_TENSORS = 100_000
MOST_FIELDS = 2_400_000
MOST_STRUCTURE = 64 * 2**20  # bytes that are handed to the parser
_UNSEEN = 2**20  # bytes of it that are not walked


def _schema() -> Message:
    """The parts of onnx.proto that the reader needs: no documentation, types or metadata."""
    from assay.vocabularies.onnx.tensors import PAYLOADS, check_slim

    tensor = Message(
        keep=frozenset({1, 2, 3, 8, 13, 14}),
        payloads=PAYLOADS,
        longest=8192,
        check=check_slim,
        place=12,  # the documentation's field, which is not kept
    )
    sparse = Message(keep=frozenset({3}), enter={1: tensor, 2: tensor})
    value = Message(keep=frozenset({1, 2}), longest=1024)
    body: dict[int, Message] = {}  # of a graph; filled below, as graphs hold nodes that hold graphs
    graph = Message(enter=body, counted={1: "operators", 5: "tensors", 15: "tensors"})
    attribute = Message(
        keep=frozenset({1, 2, 3, 20, 21}),
        payloads=frozenset({4, 7, 8, 9}),
        longest=32768,
        enter={5: tensor, 6: graph, 10: tensor, 22: sparse},
    )
    node = Message(keep=frozenset({1, 2, 4, 7, 8}), enter={5: attribute}, longest=1024)
    body |= {1: node, 5: tensor, 11: value, 12: value, 15: sparse}
    function = Message(
        keep=frozenset({1, 4, 5, 6, 10, 13}),
        enter={7: node, 11: attribute},
        counted={7: "operators"},
    )
    return Message(keep=frozenset({1, 2, 3, 8}), enter={7: graph, 25: function})


class Onnx(Format):
    """The graph of an ``.onnx`` file.  Opsets 7 to current; other domains' operators are opaque."""

    suffixes = (".onnx",)
    guesses = True

    def sniff(self, head: bytes) -> bool:
        # ir_version comes first, then another field; safetensors may begin with the same length
        return len(head) > 2 and head[0] == 8 and 0 < head[1] < 32 and head[2] > 8

    def read(self, path: Path, input_shapes: InputShapes) -> Model:
        from assay.vocabularies.onnx.graph import convert, opset_of, text
        from assay.vocabularies.onnx.weights import weights

        proto = parse(path)
        metadata: dict[str, Any] = {"opset": opset_of(proto), "ir_version": proto.ir_version}
        if proto.producer_name:
            producer = f"{text(proto.producer_name)} {text(proto.producer_version)}"
            metadata["producer"] = producer.strip()[:200]
        converted = convert(proto, input_shapes)
        files, missing = external_files(converted.external, path)
        metadata |= converted.notes
        if missing:
            metadata[MISSING] = missing
        found = weights(converted.layers, converted.stored, path)
        return Model("onnx", converted.layers, (path, *files), metadata, found)

    def write(self, model: Model, path: Path) -> None:
        """``model``'s graph with the weights that ``model`` has.

        Of a model that was read from ONNX, the file it was read from gives everything else.

        Raises:
            UnwritableModel: it has no graph, or its weights do not fit that.
            UnreadableModel: what it was read from is damaged.
        """
        from assay.formats._onnx_write import compose, rewrite

        if model.format == "onnx":
            rewrite(self.read(model.files[0], {}), model, path)
        else:
            compose(model, path)


def parse(path: Path) -> ModelProto:
    """The model without its bulk.  Raises UnreadableModel where the bytes are not one."""
    from google.protobuf.message import DecodeError
    from onnx import ModelProto

    counted = {"operators": MOST_OPERATORS, "tensors": MOST_TENSORS}
    limits = Limits(MOST_FIELDS, MOST_STRUCTURE, _UNSEEN, counted)
    try:
        with opened(path) as file:
            slim = Slimmer(file, limits).slim(_schema(), path.stat().st_size)
        proto: ModelProto = ModelProto.FromString(slim)
    except (WireError, DecodeError) as error:
        raise UnreadableModel(f"not an ONNX file: {error}") from error
    if not proto.graph.node and not proto.graph.output:
        raise UnreadableModel("not an ONNX file: it has no graph")
    return proto


def external_files(needed: Mapping[str, int], path: Path) -> tuple[list[Path], list[str]]:
    """The files that hold its external tensors, and the names of those that are not there.

    ``needed`` tells how long each must at least be.

    Raises:
        UnreadableModel: one lies outside the model's folder, or is too short.
    """
    folder = path.parent.resolve()
    found, missing = [], []
    for location, length in sorted(needed.items()):
        windows = PureWindowsPath(location)  # the file may come from there, or go there
        odd = location.startswith("/") or windows.anchor or ".." in windows.parts
        if odd or "\0" in location or not (folder / location).resolve().is_relative_to(folder):
            raise UnreadableModel(f"external data {location!r} lie outside the model's folder")
        file = path.parent / location
        if not file.is_file():
            missing.append(location)
        elif file.stat().st_size < length:
            raise UnreadableModel(f"external data {location!r} are not {length:,} bytes long")
        else:
            found.append(file)
    return found, missing
