"""Weights of a ``.pt2`` archive in the layout that its program gives them [torch.export.save].

The exporter names constants as the archive names its tensors.  Two tensors that are one, such as
an embedding that is the head as well, have two names, of which the program reads one.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from onnx import SparseTensorProto

from assay.containers.torch_payloads import Archive, Payload
from assay.formats._torch_archive import of_export
from assay.vocabularies.onnx.graph import Converted, StoredTensor
from assay.vocabularies.onnx.weights import DTYPES, tensor
from assay.weights.layout import Stored, Weights, all_operators


def payloads(path: Path) -> dict[str, Payload]:
    """The tensors of the archive by name.  Raises UnreadableModel where they are none."""
    with of_export():
        archive = Archive(path)
        return archive.payloads("weights") | archive.payloads("constants")


def weights(converted: Converted, path: Path) -> Weights:
    """The archive's weights, read when they are asked for."""
    stored = {name: _stored(name, payload) for name, payload in payloads(path).items()}
    scales = {
        name
        for node in all_operators(converted.layers)
        if node.op == "DequantizeLinear" and node.inputs[0] in stored
        for name in node.inputs[1:]
    }
    written = {name: converted.stored[name] for name in scales & converted.stored.keys()}
    numbers = {name: _in_program(proto, path) for name, proto in written.items()}
    return Weights(converted.layers, {**numbers, **stored})


def _stored(name: str, payload: Payload) -> Stored:
    held = payload.tensor.weight(name)
    return Stored(held.shape, held.dtype, held.read)


def _in_program(proto: StoredTensor, path: Path) -> Stored:
    """A scale that is a number of the program."""
    assert not isinstance(proto, SparseTensorProto)
    return Stored(tuple(proto.dims), DTYPES[proto.data_type], partial(tensor, proto, path))
