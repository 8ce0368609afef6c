"""Storages of PyTorch, to which its pickles refer by number [torch.serialization]."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from assay.containers.pickle_opcodes import Name
from assay.containers.sources import Source
from assay.errors import UnreadableModel
from assay.weights.numbers import BITS, Bytes

_TYPES = {
    "Double": "float64", "Float": "float32", "Half": "float16", "BFloat16": "bfloat16",
    "Long": "int64", "Int": "int32", "Short": "int16", "Char": "int8", "Byte": "uint8",
    "Bool": "bool", "ComplexFloat": "complex64", "ComplexDouble": "complex128", "QInt8": "int8",
    "QUInt8": "uint8", "QInt32": "int32", "QUInt4x2": "uint4", "QUInt2x4": "uint2",
    "Untyped": "uint8",
}  # fmt: skip
_MOST_NUMBERS = 2**62


@dataclass(eq=False, slots=True)
class Storage:
    """A run of numbers.  Where it lies may be known only after its pickle was read."""

    dtype: str
    size: int  # bytes
    is_big_endian: bool = False
    place: Source | None = None
    start: int = 0  # bytes from where ``place`` begins

    def read(self, start: int, length: int) -> bytes:
        return self._within(start, length).read(self.start + start, length)

    def numbers(self, start: int, length: int) -> Bytes:
        return self._within(start, length).numbers(self.start + start, length)

    def _within(self, start: int, length: int) -> Source:
        """Where it lies.  Raises UnreadableModel where these bytes are not there."""
        if self.place is None:
            raise UnreadableModel("a storage is missing")
        if start < 0 or length < 0 or start + length > self.size:
            raise UnreadableModel("a tensor reaches beyond its storage")
        return self.place

    def settle(self, place: Source, start: int = 0) -> None:
        """Says where it lies.  Raises UnreadableModel where that is too short."""
        if start + self.size > place.size:
            raise UnreadableModel(
                f"a storage claims {self.size:,} bytes, of which {max(place.size - start, 0):,}"
                " are there"
            )
        self.place, self.start = place, start


@dataclass(frozen=True, slots=True)
class Reference:
    """What a persistent identifier says."""

    key: str
    dtype: str
    count: int  # numbers
    view: tuple[str, int, int] | None  # a storage in another one: name, first number, numbers

    @property
    def size(self) -> int:
        """Bytes."""
        return self.count * item_of(self.dtype)


def item_of(dtype: str) -> int:
    """Bytes of what PyTorch counts; of packed numbers it counts the bytes."""
    return max(8, BITS[dtype]) // 8


def kind_of(name: Any) -> str:
    """The type of a storage's class.  Raises UnreadableModel where it is unknown."""
    text = name.text.rpartition(".")[2] if isinstance(name, Name) else ""
    dtype = _TYPES.get(text.removesuffix("Storage"))
    if dtype is None:
        raise UnreadableModel(f"storages of type {text[:60]!r} are not read")
    return dtype


def reference(value: Any) -> Reference:
    """Reads ``("storage", type, key, device, numbers[, view])``.

    Raises UnreadableModel where it is something else.
    """
    if not isinstance(value, tuple) or len(value) < 5 or value[0] != "storage":
        raise UnreadableModel("its pickle refers to something that is no storage")
    kind, key, count = value[1], value[2], value[4]
    dtype = kind_of(kind)
    if type(key) is not str or type(count) is not int or not 0 <= count < _MOST_NUMBERS:
        raise UnreadableModel("a storage has no name or no size")
    view = value[5] if len(value) > 5 else None
    if view is not None:
        name, offset, length = view
        if type(name) is not str or type(offset) is not int or type(length) is not int:
            raise UnreadableModel("a storage's view is none")
        if offset < 0 or length < 0 or offset + length > count:
            raise UnreadableModel("a storage's view reaches beyond it")
        view = (name, offset, length)
    return Reference(key, dtype, count, view)


class Storages:
    """The storages of one pickle, each made when it is first referred to."""

    def __init__(self, open_storage: Callable[[str], Source] | None, is_big_endian: bool) -> None:
        self.open_storage, self.is_big_endian = open_storage, is_big_endian
        self.roots: dict[str, Storage] = {}
        self.views: dict[tuple[str, str], tuple[Storage, str]] = {}

    def __call__(self, value: Any) -> Any:
        if isinstance(value, tuple) and len(value) > 1 and value[0] == "module":
            return value[1]  # before 1.6, a class and its source text
        wanted = reference(value)
        root = self.roots.get(wanted.key)
        if root is None:
            root = Storage(wanted.dtype, wanted.size, self.is_big_endian)
            if self.open_storage is not None:
                root.settle(self.open_storage(wanted.key))
            self.roots[wanted.key] = root
        elif (root.dtype, root.size) != (wanted.dtype, wanted.size):
            raise UnreadableModel(f"storage {wanted.key!r:.100} has two types or sizes")
        if wanted.view is None:
            return root
        name, offset, length = wanted.view
        item = item_of(wanted.dtype)
        view, _ = self.views.setdefault(
            (wanted.key, name),
            (
                Storage(wanted.dtype, length * item, root.is_big_endian, None, offset * item),
                wanted.key,
            ),
        )
        return view

    def settle_views(self) -> None:
        """Places the views, once the storages that they look at are placed."""
        for view, key in self.views.values():
            root = self.roots[key]
            if root.place is not None:
                view.settle(root.place, root.start + view.start)
