"""Other weights in the same PyTorch program [torch.export.save].

The archive that a model was read from is the template: every member stays, but for the storages of
weights that have changed, which are stored in their tensor's own type and layout; quantized ones
with the scale that the archive has.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from assay.containers.archives import pieces
from assay.containers.strided import Strided
from assay.containers.torch_payloads import Payload
from assay.durable import writing
from assay.errors import UnreadableModel, UnwritableModel
from assay.formats import Model
from assay.formats._torch_weights import payloads
from assay.weights import Array, Weight
from assay.weights.layout import Weights
from assay.weights.numbers import BITS, encode


def rewrite(source: Model, changed: Model, path: Path) -> None:
    """The file of ``source`` with the weights of ``changed``, as ``path``; written whole or not.

    Raises:
        UnwritableModel: a changed weight is not in the file, has another shape there, is of a type
            that cannot be written, or shares its numbers with one that is to have others.
    """
    weights = source.weights
    assert isinstance(weights, Weights)
    for name in changed.weights:
        if name not in weights:
            raise UnwritableModel(f"the program has no weight {name!r} to be replaced")
    template = source.files[0]
    sharing: dict[str, dict[str, Payload]] = {}  # by member, then by the tensor's name
    for name, payload in payloads(template).items():
        sharing.setdefault(payload.member, {})[name] = payload
    if _changes(sharing.pop("", {}), weights, changed.weights):
        raise UnwritableModel("it was saved by PyTorch 2.8 or before: load it there and save again")
    with (
        writing(path) as file,
        zipfile.ZipFile(template) as old,
        zipfile.ZipFile(file, "w") as new,
    ):
        for info in old.infolist():
            tensors = sharing.get(info.filename, {})
            wanted = _changes(tensors, weights, changed.weights)
            content = [_patched(tensors, wanted)] if wanted else pieces(template, info)
            written = zipfile.ZipInfo(info.filename, info.date_time)
            written.compress_type = info.compress_type
            with new.open(written, "w", force_zip64=info.file_size >= 2**31) as out:
                for piece in content:
                    out.write(piece)


Numbers = NDArray[np.generic]  # as they are stored; their bits, whatever their type


def _changes(
    tensors: Mapping[str, Payload], old: Weights, new: Mapping[str, Weight]
) -> dict[str, Numbers]:
    """What is to be stored of those tensors of one storage that are to have other numbers."""
    found = {}
    for name in tensors.keys() & old.keys() & new.keys():
        values = np.asarray(new[name].read(), np.float32)
        if values.shape != old[name].shape:
            raise UnwritableModel(f"weight {name!r} has the shape {list(old[name].shape)}")
        if not np.array_equal(values, old[name].read(), equal_nan=True):
            found[name] = _encoded(tensors[name], name, old.as_stored(name, values))
    return found


def _encoded(payload: Payload, name: str, values: Array) -> Numbers:
    dtype = payload.tensor.dtype
    try:
        content = encode(values, dtype)
    except UnreadableModel as error:
        raise UnwritableModel(f"weight {name!r}: {error}") from error
    return np.frombuffer(content, f"u{BITS[dtype] // 8}").reshape(values.shape)


def _patched(tensors: Mapping[str, Payload], wanted: Mapping[str, Numbers]) -> bytes:
    """A storage with other numbers in it; what its other tensors show must stay."""
    views = {n: p.tensor for n, p in tensors.items() if isinstance(p.tensor, Strided)}
    storage = next(iter(views.values())).storage
    content = bytearray(storage.read(0, storage.size))
    kept = {name: _view(content, views[name]).copy() for name in views.keys() - wanted.keys()}
    for name, numbers in wanted.items():
        _view(content, views[name])[...] = numbers
    for name, numbers in (kept | dict(wanted)).items():
        if not np.array_equal(_view(content, views[name]), numbers):
            raise UnwritableModel(f"{name!r} shares its numbers with {min(wanted)!r}: change both")
    return bytes(content)


def _view(content: bytearray, tensor: Strided) -> Numbers:
    item = BITS[tensor.dtype] // 8
    numbers = np.frombuffer(content, f"u{item}")[tensor.offset :]
    if tensor.is_big_endian:
        raise UnwritableModel("it was saved on a machine of the other byte order")
    return as_strided(numbers, tensor.shape, [item * step for step in tensor.strides])
