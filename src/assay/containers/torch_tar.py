"""Files of PyTorch 0.1: a tar archive of storages, of tensors, and of a pickle that numbers them.

``storages`` and ``tensors`` each begin with a pickled count; then, for each, a pickle says what it
is, and its numbers or its sizes follow [torch.serialization, legacy_load].
"""

from __future__ import annotations

import struct
from typing import Any

from assay.containers import tar
from assay.containers.pickle_opcodes import Known, Name, Pickled
from assay.containers.pickled_tensors import CONSTRUCTORS
from assay.containers.sources import Part, Source
from assay.containers.strided import Strided, strided
from assay.containers.torch_storages import Storage, item_of, kind_of
from assay.errors import UnreadableModel

_MEMBERS = ("sys_info", "pickle", "tensors", "storages")
_MOST_AXES = 64


def is_torch_tar(head: bytes) -> bool:
    """Whether a file that begins so is one."""
    return tar.is_tar(head) and head[:100].split(b"\0")[0] in {n.encode() for n in _MEMBERS}


def value_of_tar(source: Source, unknown: set[str]) -> Any:
    """The value that was saved; adds to ``unknown`` the classes that stayed inert.

    Raises UnreadableModel where it is none, or does not hold what it refers to.
    """
    found = {m.name: Part(source, m.start, m.size) for m in tar.members(source)}
    if not {"pickle", "tensors", "storages"} <= found.keys():
        raise UnreadableModel("not a PyTorch file: a tar archive of something else")
    try:
        tensors = _tensors(found["tensors"], _storages(found["storages"]))
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise UnreadableModel(f"its tensors are not described: {error!r:.100}") from error

    def refer(key: Any) -> Any:
        if isinstance(key, tuple) and key and isinstance(key[0], Name):
            return key[0]  # a class and its source text
        number = int(key) if isinstance(key, str | int) and str(key).isdecimal() else None
        if number not in tensors:
            raise UnreadableModel(f"tensor {str(key)[:40]!r} is missing")
        return tensors[number]

    return Pickled(found["pickle"], Known(CONSTRUCTORS, refer, unknown)).load()


def _storages(source: Source) -> dict[int, Storage]:
    """By number.  Some show a part of another one; those come last."""
    stream = Pickled(source, Known(CONSTRUCTORS))
    found: dict[int, Storage] = {}
    for _ in range(_count(stream.load())):
        key, _, kind = stream.load()
        dtype = kind_of(kind)
        size = struct.unpack("<q", stream.take(8))[0] * item_of(dtype)
        storage = Storage(dtype, size)
        storage.settle(source, stream.skip(size))
        found[_count(key)] = storage
    for key, whole, offset, count in stream.load():
        root = found[_count(whole)]
        item = item_of(root.dtype)
        if (_count(offset) + _count(count)) * item > root.size:
            raise UnreadableModel("a storage's view reaches beyond it")
        found[_count(key)] = Storage(
            root.dtype, count * item, False, root.place, root.start + offset * item
        )
    return found


def _tensors(source: Source, storages: dict[int, Storage]) -> dict[int, Strided]:
    """By number."""
    stream = Pickled(source, Known(CONSTRUCTORS))
    found: dict[int, Strided] = {}
    for _ in range(_count(stream.load())):
        key, storage, _ = stream.load()
        (axes,) = struct.unpack("<i4x", stream.take(8))
        if not 0 <= axes <= _MOST_AXES:
            raise UnreadableModel("a tensor has too many axes")
        sizes = struct.unpack(f"<{2 * axes + 1}q", stream.take(16 * axes + 8))
        held = storages[_count(storage)]
        found[_count(key)] = strided(held, held.dtype, sizes[:axes], sizes[axes:-1], sizes[-1])
    return found


def _count(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise UnreadableModel("a number is none")
    return value
