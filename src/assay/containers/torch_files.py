"""What ``torch.save`` has written, as its pickle describes it [torch.serialization].

Since PyTorch 1.6 a zip archive of one pickle and of storages; before, pickles in a row and the
storages behind them; in 0.1, a tar archive (``torch_tar``).  The pickle is read, never run.
"""

from __future__ import annotations

from typing import Any, Literal

from assay.containers import tar
from assay.containers.archives import ZIP, member, members
from assay.containers.pickle_opcodes import Entries, Known, Pickled
from assay.containers.pickled_tensors import CONSTRUCTORS
from assay.containers.pickled_weights import inert
from assay.containers.sources import Source
from assay.containers.torch_storages import Storages, item_of
from assay.containers.torch_tar import is_torch_tar, value_of_tar
from assay.errors import UnreadableModel

MAGIC = 0x1950A86A20F9469CFC6C
MAGIC_BYTES = MAGIC.to_bytes(10, "little")
_PROTOCOL = 1001
_BEGINNING = 512

Saved = tuple[Any, dict[str, Any]]  # the value, and notes


def is_pickled(head: bytes) -> bool:
    """Whether a file that begins so is of PyTorch before 1.6."""
    return (head[:1] == b"\x80" and MAGIC_BYTES in head[:32]) or is_torch_tar(head)


def saved(source: Source) -> Saved:
    """The value that was saved, and what to note of it.

    Raises UnreadableModel where PyTorch did not write it.
    """
    head = source.read(0, min(_BEGINNING, source.size))
    if head.startswith(ZIP):
        return _of_archive(source)
    if not is_pickled(head):
        raise UnreadableModel("not a PyTorch file: torch.save did not write it")
    if not tar.is_tar(head):
        return _of_pickles(source)
    unknown: set[str] = set()
    return value_of_tar(source, unknown), {"container": "tar", **inert(unknown)}


def _of_archive(source: Source) -> Saved:
    listed = members(source)
    roots = [name.removesuffix("data.pkl") for name in listed if name.endswith("/data.pkl")]
    roots = [root for root in roots if root.count("/") == 1]
    if len(roots) != 1:
        raise UnreadableModel("not a PyTorch file: its archive has no data.pkl")
    root = roots[0]
    if any(name.startswith(root + "code/") for name in listed):
        raise UnreadableModel("a TorchScript archive, not one of torch.save")

    def open_storage(key: str) -> Source:
        info = listed.get(f"{root}data/{key}")
        if info is None:
            raise UnreadableModel(f"storage {key!r:.100} is missing")
        return member(source, info)

    order = listed.get(f"{root}byteorder")
    is_big = order is not None and member(source, order).read(0, min(order.file_size, 8)) == b"big"
    known = Known(CONSTRUCTORS, Storages(open_storage, is_big))
    value = Pickled(member(source, listed[f"{root}data.pkl"]), known).load()
    return value, {"container": "zip", **inert(known.unknown)}


def _of_pickles(source: Source) -> Saved:
    """Magic number, protocol, system, value and storages' keys as pickles; then the storages."""
    storages = Storages(None, False)
    known = Known(CONSTRUCTORS, storages)
    stream = Pickled(source, known)
    if stream.load() != MAGIC or stream.load() != _PROTOCOL:
        raise UnreadableModel("not a PyTorch file of a known protocol")
    system = stream.load()
    if not isinstance(system, Entries):
        raise UnreadableModel("not a PyTorch file: it does not say where it was written")
    storages.is_big_endian = system.named().get("little_endian") is False
    value, keys = stream.load(), stream.load()
    if not isinstance(keys, list) or not all(type(key) is str for key in keys):
        raise UnreadableModel("its storages have no names")
    if len(set(keys)) < len(keys) or set(keys) != storages.roots.keys():
        raise UnreadableModel("its storages are not those that its pickle names")
    order: Literal["big", "little"] = "big" if storages.is_big_endian else "little"
    for key in keys:
        storage = storages.roots[key]
        count = int.from_bytes(stream.take(8), order, signed=True)
        if count * item_of(storage.dtype) != storage.size:
            raise UnreadableModel(f"storage {key!r:.100} has another size than its pickle says")
        storage.settle(source, stream.skip(storage.size))
    storages.settle_views()
    return value, {"container": "legacy", **inert(known.unknown)}
