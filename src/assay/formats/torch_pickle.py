"""PyTorch ``.pt`` and ``.pth`` files: state dicts, checkpoints, whole modules [torch.save].

Since PyTorch 1.6 a zip archive of one pickle and of storages; before, pickles in a row and the
storages behind them.  The pickle is read, never run: of a whole module the tensors are found where
its objects would have kept them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from assay.containers.archives import member, members
from assay.containers.pickle_opcodes import Entries, Known, Pickled
from assay.containers.pickled_tensors import CONSTRUCTORS
from assay.containers.pickled_weights import inert, weights
from assay.containers.sources import FilePart, Source
from assay.containers.torch_storages import Storages
from assay.errors import UnreadableModel
from assay.formats import Format, InputShapes, Model
from assay.weights.numbers import BITS

_MAGIC = 0x1950A86A20F9469CFC6C
_MAGIC_BYTES = _MAGIC.to_bytes(10, "little")
_PROTOCOL = 1001
_OTHERS = (b"/code/", b"/constants.pkl", b"/archive_format", b"/model.json")


class TorchPickle(Format):
    """The tensors of a file that ``torch.save`` has written.  It has no graph."""

    suffixes = (".pt", ".pth", ".ckpt", ".bin")

    def sniff(self, head: bytes) -> bool:
        if head.startswith(b"PK\x03\x04"):
            return b"/data.pkl" in head and not any(name in head for name in _OTHERS)
        return head[:1] == b"\x80" and _MAGIC_BYTES in head[:32]

    def read(self, path: Path, input_shapes: InputShapes) -> Model:
        with path.open("rb") as file:
            head = file.read(32)
        if head.startswith(b"PK\x03\x04"):
            value, notes = _of_archive(path)
        elif self.sniff(head):
            value, notes = _of_legacy(FilePart(path, 0, path.stat().st_size))
        else:
            raise UnreadableModel("not a PyTorch file: torch.save did not write it")
        found, more = weights(value, path.stat().st_size, "tensor")
        return Model("torch-pickle", None, (path,), {**notes, **more}, found)


def _of_archive(path: Path) -> tuple[Any, dict[str, Any]]:
    listed = members(path)
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
        return member(path, info)

    order = listed.get(f"{root}byteorder")
    is_big = order is not None and member(path, order).read(0, min(order.file_size, 8)) == b"big"
    known = Known(CONSTRUCTORS, Storages(open_storage, is_big))
    value = Pickled(member(path, listed[f"{root}data.pkl"]), known).load()
    return value, {"container": "zip", **inert(known.unknown)}


def _of_legacy(file: FilePart) -> tuple[Any, dict[str, Any]]:
    """Magic number, protocol, system, value and storages' keys as pickles; then the storages."""
    storages = Storages(None, False)
    known = Known(CONSTRUCTORS, storages)
    stream = Pickled(file, known)
    if stream.load() != _MAGIC or stream.load() != _PROTOCOL:
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
        if count * BITS[storage.dtype] // 8 != storage.size:
            raise UnreadableModel(f"storage {key!r:.100} has another size than its pickle says")
        storage.settle(file, stream.skip(storage.size))
    storages.settle_views()
    return value, {"container": "legacy", **inert(known.unknown)}
