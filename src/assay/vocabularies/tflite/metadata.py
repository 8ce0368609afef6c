"""What a TensorFlow Lite file says of its input's values [TensorFlow Lite metadata schema, 1].

Apps read there how pictures are to be normalized: a value v from 0 to 255 as (v - mean) / std.
"""

from __future__ import annotations

import numpy as np

from assay.containers.flatbuffer import FlatBuffer, FlatBufferError, Table

_NAME, _IDENTIFIER = "TFLITE_METADATA", b"M001"
_NORMALIZATION = 1  # of the kinds of options
_MOST, _BUFFERS = 1000, 2**20  # entries of a vector
_WHITE = 255.0


def input_range(buffer: FlatBuffer) -> tuple[float, float] | None:
    """What the first input has for black and for white, on average over its channels, if told."""
    try:
        told = _told(buffer)
        return None if told is None else _range(told.root())
    except FlatBufferError:  # a remark of the model's maker: no part of the model is damaged
        return None


def _told(buffer: FlatBuffer) -> FlatBuffer | None:
    root = buffer.root()
    places = [t.integer(1, "u32") for t in root.tables(6, _MOST, "metadata") if t.text(0) == _NAME]
    held = root.tables(4, _BUFFERS, "buffers")
    if len(places) != 1 or places[0] >= len(held):
        return None
    start, length = held[places[0]].span(0)
    return FlatBuffer(buffer.content[start : start + length], _IDENTIFIER)


def _range(root: Table) -> tuple[float, float] | None:
    for field, what in ((3, "graphs"), (2, "inputs")):
        tables = root.tables(field, _MOST, what)
        if not tables:
            return None
        root = tables[0]
    for unit in root.tables(4, _MOST, "units"):
        options = unit.table(1) if unit.integer(0, "u8") == _NORMALIZATION else None
        if options is None:
            continue
        mean, std = options.numbers(0, "<f4"), options.numbers(1, "<f4")
        if mean is None or std is None or not mean.size or mean.size != std.size:
            return None
        with np.errstate(all="ignore"):
            steps = np.subtract.outer(np.array([0.0, _WHITE]), mean) / std  # (2, channels)
        ends = float(steps[0].mean()), float(steps[1].mean())
        return ends if np.isfinite(ends).all() and ends[0] < ends[1] else None
    return None
