"""TensorFlow's tensors, shapes and attributes, read from their messages [tensor.proto].

An attribute is decoded when it is asked for: most never are, and some are long.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.containers.messages import Message, Source
from assay.containers.tensor_bundle import TYPES, as_float32
from assay.errors import UnreadableModel
from assay.graphs.operators import BOOL, FLOAT, INT64
from assay.vocabularies.inputs import Dimension
from assay.weights import Array
from assay.weights.layout import Stored
from assay.weights.shapes import shape_of

LONGEST_ATTRIBUTE = 10_000  # bytes of a text
MOST_REPEATED = 2**16  # elements of a weight that repeats one number
_CONTENT = 4  # the field of a tensor's bytes; others list its numbers
_REALS = {5: "<f4", 6: "<f8"}
_INTEGERS = (7, 10, 11, 13, 16, 17)


class Attributes(Mapping[str, Any]):
    """A node's attributes: numbers, texts, names of types, and lists of them; None for the rest."""

    def __init__(self, messages: Mapping[str, Message]) -> None:
        self._messages = messages

    def __getitem__(self, name: str) -> Any:
        return _plain(self._messages[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._messages)

    def __len__(self) -> int:
        return len(self._messages)

    def function(self, name: str) -> str:
        """The function that an attribute names; empty where it names none."""
        return self._message(name).message(10).text(1)

    def functions(self, name: str) -> list[str]:
        """The functions of a list."""
        return [each.text(1) for each in self._message(name).message(1).messages(9)]

    def tensor(self, name: str) -> Message:
        """The tensor that an attribute holds."""
        return self._message(name).message(8)

    def dimensions(self, name: str) -> list[Dimension] | None:
        """The shape that an attribute holds; None where its rank is unknown."""
        message = self._message(name)
        return dimensions(message.message(7)) if message.has(7) else None

    def _message(self, name: str) -> Message:
        return self._messages.get(name) or Message.of(b"")


def _plain(value: Message) -> Any:
    if value.has(1):
        return _listed(value.message(1))
    if value.has(2):
        return value.payload(2, LONGEST_ATTRIBUTE).decode("utf-8", "replace")
    if value.has(4):
        return value.real(4)
    if value.has(6):
        return value.integer(6)
    return next((value.integer(number) for number in (3, 5) if value.has(number)), None)


def _listed(values: Message) -> list[Any]:
    for number in (3, 5, 6):
        if values.has(number):
            return list(values.integers(number))
    if values.has(4):
        return [float(value) for value in values.floats(4)[:LONGEST_ATTRIBUTE]]
    return list(values.texts(2))


def dimensions(shape: Message) -> list[Dimension] | None:
    """A shape as far as it is known."""
    return None if shape.integer(3) else [dim.integer(1) for dim in shape.messages(2)]


def code_of(dtype: int) -> int:
    """A type as graphs know it."""
    if dtype == 10:
        return BOOL
    return INT64 if dtype in TYPES and "int" in TYPES[dtype][0] else FLOAT


def constant_of(name: str, tensor: Message) -> Stored | None:
    """A constant of the graph, its values still in the file; None of a text or the like."""
    shape = shape_of(f"constant {name!r}", _sizes(tensor))
    dtype = tensor.integer(1)
    if dtype not in TYPES:
        return None
    kind, stored = TYPES[dtype]
    size, listed = _bytes(tensor, _CONTENT), _bytes(tensor, *_REALS, *_INTEGERS)
    if size not in (0, prod(shape) * np.dtype(stored).itemsize) or listed > 10 * prod(shape) + 10:
        raise UnreadableModel(f"constant {name[:80]!r} does not fit its shape")
    return Stored(shape, kind, partial(_real, tensor))


def is_repeated(tensor: Message, constant: Stored) -> bool:
    """Whether a constant is one number, over and over, and thus no weight."""
    count = prod(constant.shape)
    listed = _bytes(tensor, _CONTENT, *_REALS, *_INTEGERS)
    return count > MOST_REPEATED and listed < count


def _bytes(tensor: Message, *fields: int) -> int:
    return sum(end - start for field in fields for _, start, end in tensor.listed(field))


def values_of(tensor: Message) -> NDArray[Any]:
    """The values of a constant, of its own type; of the numbers listed, the last is repeated."""
    shape, (kind, dtype) = tuple(_sizes(tensor)), TYPES[tensor.integer(1)]
    spans = tensor.spans(_CONTENT)
    if spans and spans[-1][1] > spans[-1][0]:
        start, end = spans[-1]
        raw = np.frombuffer(tensor.source.data[start:end], dtype)
    else:
        raw = _repeated(_spelled(tensor, dtype), prod(shape))
    values = as_float32(raw, kind) if kind in ("bfloat16", "float16") else raw
    if values.size != prod(shape):
        raise UnreadableModel("a constant of the graph does not fit its shape")
    return values.reshape(shape)


def _spelled(tensor: Message, dtype: str) -> NDArray[Any]:
    """The numbers that a constant lists; floats of 16 bits are listed as their bits."""
    for field, kind in _REALS.items():
        if tensor.has(field):
            return tensor.floats(field, kind).astype(dtype)
    field = next((number for number in _INTEGERS if tensor.has(number)), 0)
    listed = np.array(tensor.integers(field) if field else [0], np.int64)
    if dtype == "<f2":
        return listed.astype(np.uint16).view(dtype)
    return listed.astype(dtype)


def _repeated(values: NDArray[Any], count: int) -> NDArray[Any]:
    if not count:
        return values[:0]
    if not values.size or values.size > count:
        raise UnreadableModel("a constant of the graph does not fit its shape")
    return np.concatenate([values, np.full(count - values.size, values[-1], values.dtype)])


def _real(tensor: Message) -> Array:
    """The values, as often as they are asked for: each reading has a budget of its own."""
    again = Message(Source(tensor.source.data), tensor.start, tensor.end)
    return values_of(again).astype(np.float32)


def _sizes(tensor: Message) -> list[int]:
    return [dim.integer(1) for dim in tensor.message(2).messages(2)]
