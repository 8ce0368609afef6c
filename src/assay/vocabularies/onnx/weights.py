"""Weights of an ONNX file, read from where they lie [onnx.proto; external data].

The walk over the file left long tensors behind and noted where each lies.  Reading one walks that
one message, takes its payload, and decodes it: raw bytes, one of the typed lists, or a part of
another file.  Names are those of the operators' inputs; a nested body's begin with its number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import SparseTensorProto, TensorProto

from assay.containers.protobuf import BYTES, WireError, next_field
from assay.errors import UnreadableModel
from assay.graphs.operators import OperatorGraph
from assay.vocabularies.onnx.tensors import LISTS, RAW
from assay.weights import Array
from assay.weights.layout import Stored, Weights
from assay.weights.numbers import Bytes, buffer, bytes_of, decode, elements, region

StoredTensor = TensorProto | SparseTensorProto
Reader = Callable[[Any, Path], Array]  # of the one or the other

DTYPES = {
    1: "float32", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64",
    9: "bool", 10: "float16", 11: "float64", 12: "uint32", 13: "uint64", 16: "bfloat16",
    17: "float8_e4m3fn", 18: "float8_e4m3fnuz", 19: "float8_e5m2", 20: "float8_e5m2fnuz",
    21: "uint4", 22: "int4", 23: "float4_e2m1", 24: "float8_e8m0fnu", 25: "uint2", 26: "int2",
}  # fmt: skip
MOST_DENSE = 2**26  # elements of a sparse tensor, zeros included
_BLOCK = 2**16  # bytes of a tensor's fields that are read at once
_CHUNK = 2**20  # bytes of a list of numbers that are decoded at once


def weights(graph: OperatorGraph, stored: Mapping[str, StoredTensor], path: Path) -> Weights:
    """The tensors that the file stores, by the name that the operators read them under."""
    found: dict[str, Stored] = {}
    for name, proto in stored.items():
        values = proto.values if isinstance(proto, SparseTensorProto) else proto
        dtype = DTYPES.get(values.data_type)
        if dtype is None:
            continue  # texts and complex numbers are no weights
        read = _sparse if isinstance(proto, SparseTensorProto) else tensor
        found[name] = Stored(tuple(proto.dims), dtype, partial(_read, read, proto, path, name))
    return Weights(graph, found)


def _read(read: Reader, proto: StoredTensor, path: Path, name: str) -> Array:
    try:
        return read(proto, path)
    except (UnreadableModel, WireError) as error:
        raise UnreadableModel(f"tensor {name!r}: {error}") from error


def tensor(proto: TensorProto, path: Path) -> Array:
    """Its numbers, in its shape."""
    shape, dtype = tuple(proto.dims), DTYPES[proto.data_type]
    count = elements(shape)
    if count == 0:
        return np.zeros(shape, np.float32)
    if proto.data_location == TensorProto.EXTERNAL:
        content = external(proto, path, bytes_of(dtype, count))
    else:
        content = _content(proto, path, dtype, count)
    return decode(content, dtype, count).reshape(shape)


def place(proto: TensorProto) -> tuple[int, int] | None:
    """Where the tensor's message lies in the file, if its payload was left there."""
    start, comma, end = proto.doc_string.partition(",")
    if not (comma and start.isdecimal() and end.isdecimal() and len(start) + len(end) < 40):
        return None
    return int(start), int(end)


def external(proto: TensorProto, path: Path, length: int) -> Bytes:
    """What ``onnx.external_files`` has found to be there, and within the model's folder."""
    entries = {entry.key: entry.value for entry in proto.external_data}
    if "location" not in entries:
        raise UnreadableModel("it is said to lie in another file, but not in which")
    return buffer(path.parent / entries["location"], int(entries.get("offset", "0")), length)


def _content(proto: TensorProto, path: Path, dtype: str, count: int) -> Bytes:
    """Its payload as raw bytes."""
    if proto.raw_data:
        return proto.raw_data
    held = {field: getattr(proto, name) for field, (name, _, _) in LISTS.items()}
    field = next((field for field, items in held.items() if len(items)), 0)
    left = place(proto)
    if left is None:
        if not field:
            raise UnreadableModel("the file holds no data of it")
        return _packed(_numbers_held(held[field], field), field, dtype)
    pieces = payloads(path, *left)
    if RAW in pieces:
        return pieces[RAW][-1]
    field = max(pieces, key=lambda number: sum(map(len, pieces[number])), default=0)
    if not field:
        raise UnreadableModel("the file holds no data of it")
    return b"".join(_decoded(pieces[field], field, dtype))


def _numbers_held(items: Iterable[float], field: int) -> NDArray[np.generic]:
    kinds = {4: np.float32, 10: np.float64, 11: np.uint64}
    return np.array(items, kinds.get(field, np.int64))


def _decoded(pieces: list[Bytes], field: int, dtype: str) -> Iterator[bytes]:
    """A typed list, in pieces, as the raw bytes of its type."""
    if field in (4, 10):
        kind = "<f4" if field == 4 else "<f8"
        for piece in pieces:
            yield _packed(np.frombuffer(piece, kind), field, dtype)
        return
    content = b"".join(pieces)
    at = 0
    while at < len(content):
        end = min(at + _CHUNK, len(content))
        while end < len(content) and content[end - 1] >= 0x80:
            end += 1  # a number goes on
        yield _packed(varints(content[at:end]), field, dtype)
        at = end


def varints(content: bytes) -> NDArray[np.int64]:
    """All numbers of a packed list.  Raises WireError where one does not end, or is too long."""
    data = np.frombuffer(content, np.uint8)
    ends = np.flatnonzero(data < 0x80)
    if not len(ends) or ends[-1] != len(data) - 1:
        raise WireError("a number does not end")
    starts = np.concatenate([[0], ends[:-1] + 1])
    lengths = ends - starts + 1
    if lengths.max() > 10:
        raise WireError("a number is longer than ten bytes")
    shifts = np.arange(len(data)) - np.repeat(starts, lengths)
    parts = (data & 0x7F).astype(np.uint64) << (shifts * 7).astype(np.uint64)
    return np.add.reduceat(parts, starts).view(np.int64)


def _packed(numbers: NDArray[np.generic], field: int, dtype: str) -> bytes:
    """Numbers of a typed list as raw bytes; what is smaller than its list's type is its bits."""
    if field == 4:
        wanted = "<f4" if dtype == "float32" else ""
    elif field == 10:
        wanted = "<f8" if dtype == "float64" else ""
    else:
        wanted = f"<u{max(1, bytes_of(dtype, 1))}" if not dtype.startswith("float32") else ""
    if not wanted or (dtype == "float64" and field != 10):
        raise UnreadableModel(f"numbers of type {dtype} are in a list of another type")
    return numbers.astype(wanted).tobytes()


def payloads(path: Path, start: int, end: int) -> dict[int, list[Bytes]]:
    """The payload fields of the tensor message at a place of the file, in pieces."""
    found: dict[int, list[Bytes]] = {}
    block, base, at = b"", start, start
    while at < end:
        if not base <= at <= base + len(block) - 20:
            base, block = at, region(path, at, min(_BLOCK, end - at))
        number, wire, begin, stop = next_field(block, at - base, end - base)
        if number == RAW or number in LISTS:
            if stop <= len(block):
                piece: Bytes = block[begin:stop]
            else:
                piece = buffer(path, base + begin, stop - begin)
            if number == RAW and wire != BYTES:
                raise WireError("raw data are no bytes")
            found.setdefault(number, []).append(piece)
        at = base + stop
    return found


def _sparse(proto: SparseTensorProto, path: Path) -> Array:
    """All numbers, the zeros between them too."""
    shape = tuple(proto.dims)
    if elements(shape) > MOST_DENSE:
        raise UnreadableModel(f"a sparse tensor of shape {list(shape)} is too large to be read")
    values = tensor(proto.values, path).reshape(-1)
    indices = _indices(proto.indices, path)
    dense = np.zeros(elements(shape), np.float32)
    if indices.ndim == 2 and indices.shape[1] == len(shape):
        inside = (indices >= 0).all() and (indices < np.array(shape)).all()
        if not inside:
            raise UnreadableModel("indices of a sparse tensor lie outside it")
        indices = indices @ np.array([elements(shape[i + 1 :]) for i in range(len(shape))])
    if indices.shape != values.shape or (indices.size and not _within(indices, len(dense))):
        raise UnreadableModel("indices of a sparse tensor do not fit its values")
    dense[indices] = values
    return dense.reshape(shape)


def _within(indices: NDArray[np.int64], size: int) -> bool:
    return bool(indices.min() >= 0 and indices.max() < size)


def _indices(proto: TensorProto, path: Path) -> NDArray[np.int64]:
    """Exact, which float32 is not."""
    count = elements(proto.dims)
    if proto.data_type != TensorProto.INT64:
        raise UnreadableModel("indices of a sparse tensor are no int64")
    if proto.data_location == TensorProto.EXTERNAL:
        content = external(proto, path, 8 * count)
    else:
        content = _content(proto, path, "int64", count) if count else b""
    if len(content) < 8 * count:
        raise UnreadableModel("indices of a sparse tensor are cut")
    return np.frombuffer(content, "<i8", count).reshape(tuple(proto.dims)).astype(np.int64)
