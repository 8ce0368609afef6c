"""Packed files: pruned and clustered weights in as many bits as they take [Han et al., ICLR 2016].

A sign, the length of a JSON header that describes each tensor, the header; then, of all tensors one
behind the other, indices into codebooks, places, codebooks and other numbers.  What the indices
take is what papers call storage of weight data.  Any model's weights can be written; they are
smaller where many are zero and the others have few values.
"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

from assay.containers.json_object import LONGEST, json_object
from assay.containers.packed_tensors import Layout, layout_of, pack, unpack
from assay.durable import writing
from assay.errors import UnreadableModel, UnwritableModel
from assay.formats import Format, InputShapes, Model
from assay.formats._shards import MOST_TENSORS
from assay.weights import Array, Weight
from assay.weights.numbers import region
from assay.weights.shapes import has_one_axis, is_shape

MAGIC = b"\x89packed\n"
SECTIONS = ("indices", "places", "numbers")
_BEGIN = len(MAGIC) + 4
MOST_TIMES, SLACK = 64, 2**24  # numbers of all tensors, zeros included: a byte, and of any file


class Packed(Format):
    """The weights of a ``.packed`` file; such a file has no graph."""

    suffixes = (".packed",)
    beside = False

    def sniff(self, head: bytes) -> bool:
        return head.startswith(MAGIC)

    def read(self, path: Path, input_shapes: InputShapes) -> Model:
        size = path.stat().st_size
        head = region(path, 0, _BEGIN) if size >= _BEGIN else b""
        length = int.from_bytes(head[len(MAGIC) :], "little")
        if not head.startswith(MAGIC) or length > min(size - _BEGIN, LONGEST):
            raise UnreadableModel("not a packed file: it has no header of the length it says")
        layouts = _layouts(region(path, _BEGIN, length), _most(size))
        totals = [sum(each.lengths[part] for each in layouts.values()) for part in range(3)]
        if _BEGIN + length + sum(totals) != size:
            raise UnreadableModel("its tensors do not fill the file, or lie past its end")
        starts = [_BEGIN + length + sum(totals[:part]) for part in range(3)]
        weights: dict[str, Weight] = {}
        for name, layout in layouts.items():
            read = partial(_values, path, name, layout, tuple(starts))
            dtype = f"shared{layout.bits}" if layout.dtype == "shared" else layout.dtype
            canonical = has_one_axis(layout.shape)
            weights[name] = Weight(name, layout.shape, dtype, read, canonical)
            starts = [start + n for start, n in zip(starts, layout.lengths, strict=True)]
        sections = {"header": _BEGIN + length, **dict(zip(SECTIONS, totals, strict=True))}
        return Model("packed", None, (path,), {"bytes": sections}, weights)

    def write(self, model: Model, path: Path) -> None:
        """All weights as float32.

        Raises UnreadableModel where one cannot be read, UnwritableModel where nearly all are zero
        and too many for what is read again of a file of that size.
        """
        entries, sections, numbers = {}, [bytearray() for _ in SECTIONS], 0
        for name, weight in model.weights.items():
            layout, parts = pack(weight.read())
            entries[name] = layout.to_json()
            numbers += layout.size
            for section, part in zip(sections, parts, strict=True):
                section += part
        header = json.dumps(entries, separators=(",", ":")).encode()
        if numbers > _most(_BEGIN + len(header) + sum(map(len, sections))):
            raise UnwritableModel(f"{numbers:,} numbers are nearly all zero: write another format")
        with writing(path) as file:
            file.write(MAGIC + len(header).to_bytes(4, "little") + header)
            for section in sections:
                file.write(section)


def _most(size: int) -> int:
    """Numbers that a file of so many bytes may hold."""
    return MOST_TIMES * size + SLACK


def _layouts(header: bytes, most: int) -> dict[str, Layout]:
    """Of each tensor.  Raises UnreadableModel where they are none, or hold too many numbers."""
    entries = json_object(header, "its header")
    if len(entries) > MOST_TENSORS:
        raise UnreadableModel(f"more than {MOST_TENSORS:,} tensors")
    found: dict[str, Layout] = {}
    for name, entry in entries.items():
        if not isinstance(entry, list) or not entry or not is_shape(entry[0]):
            raise UnreadableModel(f"tensor {name!r:.200} has no shape, or an absurd shape")
        try:
            found[name] = layout_of(entry)
        except UnreadableModel as error:
            raise UnreadableModel(f"tensor {name!r:.200}: {error}") from error
    if sum(layout.size for layout in found.values()) > most:
        raise UnreadableModel(f"more than {most:,} numbers in a file of its size")
    return found


def _values(path: Path, name: str, layout: Layout, starts: tuple[int, ...]) -> Array:
    places = zip(starts, layout.lengths, strict=True)
    try:
        return unpack(layout, [region(path, start, length) for start, length in places])
    except UnreadableModel as error:
        raise UnreadableModel(f"tensor {name!r:.200}: {error}") from error
