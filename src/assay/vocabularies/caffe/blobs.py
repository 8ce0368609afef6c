"""Caffe's blobs: the tensors that a layer holds [caffe.proto, BlobProto].

A blob is a shape and numbers, packed or one by one, as floats, doubles, or raw in a type of its own
(NVIDIA's branch).  Old files give four sizes, of which a vector fills only the last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path

from assay.containers.messages import Message, Span
from assay.errors import UnreadableModel
from assay.weights import Array
from assay.weights.numbers import Bytes, buffer, bytes_of, decode
from assay.weights.shapes import shape_of

_DATA, _DOUBLES, _SHAPE, _RAW_TYPE, _RAW = 5, 8, 7, 10, 12
_RAW_TYPES = ("float64", "float32", "float16", "int32", "uint32")
_MOST_PIECES = 1_000_000  # numbers that are not packed


@dataclass(frozen=True)
class Blob:
    """One tensor, its numbers still in the file."""

    path: Path
    shape: tuple[int, ...]
    dtype: str
    spans: tuple[Span, ...]

    @property
    def size(self) -> int:
        """Numbers."""
        return prod(self.shape)

    def read(self) -> Array:
        """The numbers, in the blob's own shape."""
        first, last = (self.spans[0][0], self.spans[-1][1]) if self.spans else (0, 0)
        content: Bytes = buffer(self.path, first, last - first)
        if len(self.spans) > 1:
            content = b"".join(content[start - first : end - first] for start, end in self.spans)
        return decode(content, self.dtype, self.size).reshape(self.shape)


def blobs(path: Path, messages: Sequence[Message], layer: str) -> list[Blob]:
    """A layer's tensors.  Raises UnreadableModel where one does not hold what its shape needs."""
    return [_blob(path, part, f"{layer}/{place}") for place, part in enumerate(messages)]


def _blob(path: Path, message: Message, name: str) -> Blob:
    if sum(message.has(number) for number in (_DATA, _DOUBLES, _RAW)) > 1:
        raise UnreadableModel(f"blob {name[:80]!r} has its numbers twice")
    dtype, number = "float32", _DATA
    if message.has(_DOUBLES) and not message.has(_DATA):
        dtype, number = "float64", _DOUBLES
    elif message.has(_RAW):
        code = message.integer(_RAW_TYPE, 1)
        if not 0 <= code < len(_RAW_TYPES):
            raise UnreadableModel(f"blob {name[:80]!r} is of the unknown type {code}")
        dtype, number = _RAW_TYPES[code], _RAW
    if message.has(_SHAPE):
        dims = message.message(_SHAPE).integers(1)
    elif any(message.has(number) for number in (1, 2, 3, 4)):
        dims = [message.integer(number) for number in (1, 2, 3, 4)]
    else:
        dims = []
    shape = shape_of(f"blob {name[:80]!r}", dims)
    spans = [(start, end) for _, start, end in message.listed(number)]
    if len(spans) > _MOST_PIECES:
        raise UnreadableModel(f"blob {name[:80]!r} is in too many pieces")
    held = sum(end - start for start, end in spans)
    if not (dims or held):
        shape = (0,)
    wanted = bytes_of(dtype, prod(shape))
    if held != wanted:
        raise UnreadableModel(
            f"blob {name[:80]!r} has {held:,} bytes, not the {wanted:,} of {list(shape[:8])}"
        )
    return Blob(path, shape, dtype, _joined(spans))


def _joined(spans: list[Span]) -> tuple[Span, ...]:
    """Neighbors as one."""
    found: list[Span] = []
    for start, end in spans:
        if found and found[-1][1] == start:
            found[-1] = (found[-1][0], end)
        else:
            found.append((start, end))
    return tuple(found)
