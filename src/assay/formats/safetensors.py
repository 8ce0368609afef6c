"""safetensors files, single or in shards [safetensors, format description].

Eight bytes of length, a JSON header that says where each tensor lies, then the tensors without
gaps.  The header is checked whole before anything is believed: what it claims must fill the file
exactly.  A set of shards is opened through its ``….safetensors.index.json``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from assay.errors import UnreadableModel
from assay.formats import Format, InputShapes, Model
from assay.weights import Array, Weight
from assay.weights.numbers import BITS, bytes_of, decode, elements, encode, is_shape, region

LONGEST_HEADER = 32 * 2**20  # bytes
MOST_PARTS = 1_000_000  # objects and lists of a header, which cost its parser most
MOST_TENSORS = 300_000  # of a model
MOST_SHARDS = 2000
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
_CODES = {dtype: code for code, dtype in DTYPES.items()}


class Safetensors(Format):
    """The tensors of a ``.safetensors`` file or set; such a file has no graph."""

    suffixes = (".safetensors", INDEX)

    def sniff(self, head: bytes) -> bool:
        if head[:1] == b"{":
            return b'"weight_map"' in head and b".safetensors" in head
        length = int.from_bytes(head[:8], "little")
        return 2 <= length <= LONGEST_HEADER and head[8:9] == b"{"

    def read(self, path: Path, input_shapes: InputShapes) -> Model:
        with path.open("rb") as file:
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
        with path.open("wb") as file:
            file.write(len(text).to_bytes(8, "little") + text)
            for weight in model.weights.values():
                file.write(encode(weight.read(), "float32"))


def tensors(path: Path) -> tuple[dict[str, Weight], dict[str, str]]:
    """The weights of one file, and what its maker noted.

    Raises UnreadableModel where the header is none, or does not describe the file.
    """
    size = path.stat().st_size
    length = int.from_bytes(region(path, 0, 8), "little") if size >= 8 else -1
    if not 2 <= length <= min(size - 8, LONGEST_HEADER):
        raise UnreadableModel("not a safetensors file: it has no header of the length it says")
    header = _json(region(path, 8, length), "its header")
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
        is_plain = sum(dim != 1 for dim in shape) <= 1
        weights[name] = Weight(name, shape, dtype, read, canonical=is_plain)
    _check_spans(spans, size - begin)
    return weights, _notes(notes)


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
    if not is_shape(offsets) or not isinstance(offsets, list) or len(offsets) != 2:
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
    return decode(region(path, offset, length), dtype, elements(shape)).reshape(shape)


def _set(index: Path) -> Model:
    """The shards that an index names, as one model."""
    if index.stat().st_size > LONGEST_HEADER:
        raise UnreadableModel(f"its index is longer than {LONGEST_HEADER // 2**20} MiB")
    content = _json(index.read_bytes(), "its index")
    places = content.get("weight_map")
    if not isinstance(places, dict) or not all(isinstance(p, str) for p in places.values()):
        raise UnreadableModel("not an index of safetensors: it has no weight_map")
    if len(places) > MOST_TENSORS:
        raise UnreadableModel(f"more than {MOST_TENSORS:,} tensors")
    names = sorted(set(places.values()))
    if not names or len(names) > MOST_SHARDS:
        raise UnreadableModel(f"its index names {len(names):,} files")
    found, missing = shards(index, names)
    weights: dict[str, Weight] = {}
    for name, path in found.items():
        held, _ = tensors(path)
        both = weights.keys() & held.keys()
        if both:
            raise UnreadableModel(f"tensor {min(both)!r} is in two of its files")
        weights |= held
        if len(weights) > MOST_TENSORS:
            raise UnreadableModel(f"more than {MOST_TENSORS:,} tensors")
        absent = sorted(t for t, place in places.items() if place == name and t not in held)
        if absent:
            raise UnreadableModel(f"tensor {absent[0]!r} is not in {name!r}, as its index says")
    notes = _notes(content.get("metadata", {}))
    metadata: dict[str, Any] = {"metadata": notes} if notes else {}
    if missing:
        metadata["missing_external_data"] = missing
    return Model("safetensors", None, (index, *found.values()), metadata, weights)


def shards(index: Path, names: Iterable[str]) -> tuple[dict[str, Path], list[str]]:
    """The files of a set by name, and the names of those that are not there.

    They lie beside the index; where it is itself a link, what they link to may lie beside what it
    links to, as in a download cache.  Raises UnreadableModel where one lies elsewhere.
    """
    folders = {index.parent.resolve(), index.resolve().parent}
    found, missing = {}, []
    for name in names:
        plain = name not in ("", ".", "..") and not set("/\\:\0") & set(name)
        if not plain or (index.parent / name).resolve().parent not in folders:
            raise UnreadableModel(f"its file {name!r} lies outside the folder of the index")
        path = index.parent / name
        if path.is_file():
            found[name] = path
        else:
            missing.append(name)
    return found, missing


def _json(content: bytes, what: str) -> dict[str, Any]:
    """A JSON object whose names are all different.  Raises UnreadableModel where it is none."""
    if content[:1] != b"{":
        raise UnreadableModel(f"{what} is not a JSON object")
    if content.count(b"{") + content.count(b"[") > MOST_PARTS:
        raise UnreadableModel(f"{what} has more than {MOST_PARTS:,} parts")
    try:
        parsed = json.loads(content, object_pairs_hook=_unique)
    except RecursionError as error:
        raise UnreadableModel(f"{what} is nested too deep") from error
    except ValueError as error:  # no JSON, no UTF-8, or a number of thousands of digits
        raise UnreadableModel(f"{what} is not JSON: {error}") from error
    if not isinstance(parsed, dict):
        raise UnreadableModel(f"{what} is not a JSON object")
    return parsed


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in found if names.count(name) > 1)
        raise UnreadableModel(f"its header names {twice!r} twice")
    return found


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
