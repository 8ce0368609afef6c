"""safetensors files, single or in shards [safetensors, format description].

Eight bytes of length, a JSON header that says where each tensor lies, then the tensors without
gaps.  The header is checked whole before anything is believed: what it claims must fill the file
exactly.  A set of shards is opened through its ``….safetensors.index.json``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from assay.containers.json_object import LONGEST, json_object
from assay.containers.sources import opened
from assay.durable import writing
from assay.errors import UnreadableModel
from assay.formats import MISSING, Format, InputShapes, Model
from assay.formats._shards import MOST_TENSORS, indexed
from assay.weights import Array, Weight
from assay.weights.indices import without_indices
from assay.weights.numbers import (
    BITS,
    MOST_AT_ONCE,
    buffer,
    bytes_of,
    decode,
    elements,
    encode,
    region,
)
from assay.weights.shapes import has_one_axis, is_shape

LONGEST_NOTES = 65_536  # characters of a file's own metadata that are kept
INDEX = ".safetensors.index.json"
DTYPES = {
    "F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "BOOL": "bool",
    "I64": "int64", "I32": "int32", "I16": "int16", "I8": "int8",
    "U64": "uint64", "U32": "uint32", "U16": "uint16", "U8": "uint8",
    "F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2", "F8_E8M0": "float8_e8m0fnu",
    "F8_E4M3FNUZ": "float8_e4m3fnuz", "F8_E5M2FNUZ": "float8_e5m2fnuz",
    "F4": "float4_e2m1", "F6_E2M3": "float6_e2m3", "F6_E3M2": "float6_e3m2", "C64": "complex64",
}  # fmt: skip


class Safetensors(Format):
    """The tensors of a ``.safetensors`` file or set; such a file has no graph."""

    suffixes = (".safetensors", INDEX)

    def sniff(self, head: bytes) -> bool:
        if head[:1] == b"{":
            return b'"weight_map"' in head and b".safetensors" in head
        length = int.from_bytes(head[:8], "little")
        return 2 <= length <= LONGEST and head[8:9] == b"{"

    def sniff_folder(self, names: frozenset[str]) -> bool:
        return "config.json" not in names and sum(name.endswith(INDEX) for name in names) == 1

    def holds(self, name: str) -> bool:
        return name.endswith(self.suffixes)

    def read(self, path: Path, input_shapes: InputShapes) -> Model:
        if path.is_dir():
            return _set(_index_in(path))
        with opened(path) as file:
            is_index = file.read(1) == b"{" and path.name.lower().endswith(".json")
        if is_index:
            return _set(path)
        weights, notes = tensors(path)
        metadata = {"metadata": notes} if notes else {}
        return Model("safetensors", None, (path,), metadata, weights)

    def write(self, model: Model, path: Path) -> None:
        """All weights as float32, one at a time; the file's own metadata go along.

        Raises UnreadableModel where a weight cannot be read.
        """
        header: dict[str, Any] = {}
        notes = model.metadata.get("metadata")
        if notes:
            header["__metadata__"] = {str(key): str(value) for key, value in notes.items()}
        at = 0
        for name, weight in model.weights.items():
            end = at + 4 * weight.size
            header[name] = {"dtype": "F32", "shape": list(weight.shape), "data_offsets": [at, end]}
            at = end
        text = json.dumps(header, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 8)
        with writing(path) as file:
            file.write(len(text).to_bytes(8, "little") + text)
            for weight in model.weights.values():
                file.write(encode(weight.read(), "float32"))


def tensors(path: Path) -> tuple[dict[str, Weight], dict[str, str]]:
    """The weights of one file, and what its maker noted.

    Raises UnreadableModel where the header is none, or does not describe the file.
    """
    size = path.stat().st_size
    length = int.from_bytes(region(path, 0, 8), "little") if size >= 8 else -1
    if not 2 <= length <= min(size - 8, LONGEST):
        raise UnreadableModel("not a safetensors file: it has no header of the length it says")
    header = json_object(region(path, 8, length), "its header")
    notes = header.pop("__metadata__", {})
    if len(header) > MOST_TENSORS:
        raise UnreadableModel(f"more than {MOST_TENSORS:,} tensors")
    begin = 8 + length
    weights: dict[str, Weight] = {}
    spans = []
    for name, entry in header.items():
        dtype, shape, start, end = _entry(name, entry)
        spans.append((start, end, name))
        read = partial(_values, path, begin + start, end - start, dtype, shape)
        weights[name] = Weight(name, shape, dtype, read, canonical=has_one_axis(shape))
    _check_spans(spans, size - begin)
    return without_indices(weights), _notes(notes)


def _entry(name: str, entry: Any) -> tuple[str, tuple[int, ...], int, int]:
    """Type, shape, and where the data begin and end, of what the header says of one tensor."""
    if not isinstance(entry, dict):
        raise UnreadableModel(f"tensor {name!r} is not described")
    dtype = DTYPES.get(str(entry.get("dtype")))
    shape, offsets = entry.get("shape"), entry.get("data_offsets")
    if dtype is None:
        raise UnreadableModel(f"tensor {name!r} has the unknown type {str(entry.get('dtype'))!r}")
    if not is_shape(shape) or not isinstance(shape, list):
        raise UnreadableModel(f"tensor {name!r} has an absurd shape")
    if not isinstance(offsets, list) or [type(offset) for offset in offsets] != [int, int]:
        raise UnreadableModel(f"tensor {name!r} lies at no place of the file")
    start, end = offsets
    wanted = bytes_of(dtype, elements(shape))
    if end - start != wanted or elements(shape) * BITS[dtype] % 8:
        raise UnreadableModel(
            f"tensor {name!r} does not hold its shape {shape[:8]}: it has"
            f" {end - start:,} bytes, not {wanted:,}"
        )
    return dtype, tuple(shape), start, end


def _check_spans(spans: list[tuple[int, int, str]], size: int) -> None:
    """Tensors lie one behind the other and fill the file."""
    at = 0
    for start, end, name in sorted(spans):
        if start < at:
            raise UnreadableModel(f"tensor {name!r} overlaps another")
        if start > at:
            raise UnreadableModel(f"{start - at:,} bytes before tensor {name!r} are no tensor's")
        if end > size:
            raise UnreadableModel(f"tensor {name!r} lies past the end of the file")
        at = end
    if at != size:
        raise UnreadableModel(f"the last {size - at:,} bytes are no tensor's")


def _values(path: Path, offset: int, length: int, dtype: str, shape: tuple[int, ...]) -> Array:
    if elements(shape) > MOST_AT_ONCE:
        raise UnreadableModel(f"a tensor of {elements(shape):,} numbers is too large to be read")
    return decode(buffer(path, offset, length), dtype, elements(shape)).reshape(shape)


def _index_in(folder: Path) -> Path:
    found = [entry for entry in folder.iterdir() if entry.name.endswith(INDEX)]
    if len(found) != 1:
        raise UnreadableModel("a folder without one index of shards")
    return found[0]


def _set(index: Path) -> Model:
    """The shards that an index names, as one model."""
    found = indexed(index, lambda path: tensors(path)[0])
    notes = _notes(found.notes)
    metadata: dict[str, Any] = {"metadata": notes} if notes else {}
    if found.missing:
        metadata[MISSING] = found.missing
    return Model("safetensors", None, tuple(found.files), metadata, found.weights)


def _notes(notes: Any) -> dict[str, str]:
    """The maker's own notes as text, up to a limit."""
    kept: dict[str, str] = {}
    left = LONGEST_NOTES
    for key, value in (notes if isinstance(notes, Mapping) else {}).items():
        text = value if isinstance(value, str) else json.dumps(value)
        left -= len(key) + len(text)
        if left < 0:
            break
        kept[key] = text
    return kept
