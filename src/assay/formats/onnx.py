"""ONNX files, read by structure alone [onnx.proto, ONNX IR specification].

The protobuf is walked and tensor data are skipped by their length (``_protobuf``), then the
reference library parses what is left.  Functions are expanded; bodies of If, Loop and Scan become
nested graphs.  External data are looked up, never opened.
"""

from __future__ import annotations

import mmap
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING

from assay.errors import UnreadableModel
from assay.formats import Format, InputShapes, Model
from assay.formats._protobuf import Message, Slimmer, WireError

if TYPE_CHECKING:
    from onnx import ModelProto

MOST_OPERATORS = 50_000
MOST_FIELDS = 5_000_000
MOST_STRUCTURE = 64 * 2**20  # bytes that are handed to the parser

# Field numbers of onnx.proto.  A tensor's payloads: float, int32, string, int64, raw, double, uint64.
_PAYLOADS = frozenset({4, 5, 6, 7, 9, 10, 11})
_TENSOR = Message(drop=_PAYLOADS | {12}, longest=8192)
_SPARSE = Message(enter={1: _TENSOR, 2: _TENSOR})


def _node(depth: int) -> Message:
    """NodeProto; its attributes may hold tensors, and graphs down to ``depth``."""
    inner = {6: _graph(depth - 1), 11: _graph(depth - 1)} if depth else {}
    attribute = Message(
        enter={5: _TENSOR, 10: _TENSOR, **inner}, drop=frozenset({4, 7, 8, 9, 13}), longest=65536
    )
    return Message(enter={5: attribute}, drop=frozenset({6, 9}), longest=4096)


def _graph(depth: int) -> Message:
    """GraphProto without its documentation, recorded types and metadata."""
    return Message(
        enter={1: _node(depth), 5: _TENSOR, 15: _SPARSE},
        drop=frozenset({10, 13, 14, 16}),
        count=1,
    )


_FUNCTION = Message(enter={7: _node(2)}, drop=frozenset({8}), count=7)
_MODEL = Message(enter={7: _graph(4), 25: _FUNCTION}, drop=frozenset({6, 14, 20}))


class Onnx(Format):
    """The graph of an ``.onnx`` file.  Opsets 7 to current; other domains' operators are opaque."""

    suffixes = (".onnx",)

    def sniff(self, head: bytes) -> bool:
        return len(head) > 2 and head[0] == 8 and 0 < head[1] < 32  # ir_version comes first

    def read(self, path: Path, input_shapes: InputShapes) -> Model:
        from assay.formats._onnx_graph import convert

        proto = parse(path)
        files, missing = external_files(proto, path)
        layers, notes = convert(proto, input_shapes)
        opset = max((o.version for o in proto.opset_import if o.domain in ("", "ai.onnx")), default=0)
        metadata = {"opset": opset, "ir_version": proto.ir_version, **notes}
        if proto.producer_name:
            metadata["producer"] = f"{proto.producer_name} {proto.producer_version}".strip()[:200]
        if missing:
            metadata["missing_external_data"] = missing
        return Model("onnx", layers, (path, *files), metadata)


def parse(path: Path) -> ModelProto:
    """The model without its bulk.  Raises UnreadableModel where the bytes are not one."""
    from google.protobuf.message import DecodeError
    from onnx import ModelProto

    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            slim = Slimmer(data, MOST_FIELDS, MOST_OPERATORS).slim(_MODEL)
        except WireError as error:
            raise UnreadableModel(f"not an ONNX file: {error}") from error
    if len(slim) > MOST_STRUCTURE:
        raise UnreadableModel(f"{len(slim):,} bytes of structure, more than {MOST_STRUCTURE:,}")
    try:
        proto = ModelProto.FromString(slim)
    except DecodeError as error:
        raise UnreadableModel(f"not an ONNX file: {error}") from error
    if not proto.graph.node and not proto.graph.output:
        raise UnreadableModel("not an ONNX file: it has no graph")
    return proto


def external_files(proto: ModelProto, path: Path) -> tuple[list[Path], list[str]]:
    """The files that hold its external tensors, and the names of those that are not there.

    Raises:
        UnreadableModel: a location is absolute or leads out of the model's folder.
    """
    locations = {
        entry.value
        for tensor in proto.graph.initializer
        for entry in tensor.external_data
        if entry.key == "location"
    }
    folder = path.parent.resolve()
    found, missing = [], []
    for location in sorted(locations):
        odd = PurePosixPath(location).is_absolute() or PureWindowsPath(location).anchor
        if odd or "\0" in location or not (folder / location).resolve().is_relative_to(folder):
            raise UnreadableModel(f"external data {location!r} lie outside the model's folder")
        if (folder / location).is_file():
            found.append(path.parent / location)
        else:
            missing.append(location)
    return found, missing

