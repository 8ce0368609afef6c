"""TorchScript archives, for their weights [torch.jit.save].

A zip archive of the program (``code/``), of the modules' attributes (``data.pkl``) and of constants
(``constants.pkl``).  Tensors have the dotted names of their attributes.  The program is not read.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from assay.containers.archives import member, members
from assay.containers.pickle_opcodes import Known, Pickled
from assay.containers.pickled_tensors import CONSTRUCTORS
from assay.containers.pickled_weights import Found, Walk, by_name, inert
from assay.containers.sources import Source
from assay.containers.torch_storages import Storages
from assay.errors import UnreadableModel
from assay.formats import Format, InputShapes, Model


class Torchscript(Format):
    """The tensors of a TorchScript archive; its graph is not read."""

    suffixes = (".jit", ".torchscript", ".ptl")

    def sniff(self, head: bytes) -> bool:
        return head.startswith(b"PK\x03\x04") and b"/data.pkl" in head and b"/code/" in head

    def read(self, path: Path, input_shapes: InputShapes) -> Model:
        listed = members(path)
        roots = [name.removesuffix("data.pkl") for name in listed if name.endswith("/data.pkl")]
        roots = [root for root in roots if root.count("/") == 1]
        if len(roots) != 1 or not any(name.startswith(f"{roots[0]}code/") for name in listed):
            raise UnreadableModel("not a TorchScript archive: it has no data.pkl, or no code")
        walk, classes = Walk(path.stat().st_size), set[str]()
        found = walk.find(_value(path, listed, roots[0], "data", classes))
        if f"{roots[0]}constants.pkl" in listed:
            constants = _value(path, listed, roots[0], "constants", classes)
            found = _apart(found, walk.find(constants, "constants"))
        if not found:
            raise UnreadableModel("it holds no tensors")
        others = {name for name in classes if not name.startswith("__torch__.")}
        metadata = {"producer": "TorchScript", "graph": "not read", **inert(others)}
        return Model("torchscript", None, (path,), metadata, by_name(found))


def _value(
    path: Path, listed: Mapping[str, zipfile.ZipInfo], root: str, kind: str, classes: set[str]
) -> Any:
    """What ``data.pkl`` or ``constants.pkl`` gives; adds to ``classes`` those that stayed inert."""

    def open_storage(key: str) -> Source:
        info = listed.get(f"{root}{kind}/{key}")
        if info is None:
            raise UnreadableModel(f"storage {key!r:.100} is missing")
        return member(path, info)

    order = listed.get(f"{root}byteorder")
    is_big = order is not None and member(path, order).read(0, min(order.file_size, 8)) == b"big"
    known = Known(CONSTRUCTORS, Storages(open_storage, is_big), classes)
    return Pickled(member(path, listed[f"{root}{kind}.pkl"]), known).load()


def _apart(tensors: Found, constants: Found) -> Found:
    """Both; an attribute's name wins over a constant's."""
    names = {name for name, _ in tensors}
    return tensors + [(name if name not in names else f"{name}'", t) for name, t in constants]
