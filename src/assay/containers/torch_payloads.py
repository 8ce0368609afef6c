"""The parts of a ``.pt2`` archive: its program, and its tensors where they lie [torch.export.save].

Since PyTorch 2.9 a member holds the numbers of one storage, and a list says which of them a tensor
shows; in 2.8 one member holds all weights as ``torch.save`` writes them, and before, the program
and the tensors lie in an archive of four members.
"""

from __future__ import annotations

import json
import math
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.containers.archives import member, members
from assay.containers.pickle_opcodes import Entries
from assay.containers.sources import Source
from assay.containers.strided import Strided, Unread, strided
from assay.containers.torch_files import saved
from assay.errors import UnreadableModel

MOST_JSON = 64 * 2**20  # bytes
MOST_ITEMS = 4_000_000  # of it
PROGRAM = "models/model.json"
OLD_PROGRAM = "serialized_exported_program.json"
_BEFORE = {  # members before 2.8, by the name that they have since
    PROGRAM: OLD_PROGRAM,
    "data/weights/model.pt": "serialized_state_dict.pt",
    "data/constants/model.pt": "serialized_constants.pt",
}
DTYPES = {
    1: "uint8", 2: "int8", 3: "int16", 4: "int32", 5: "int64", 6: "float16", 7: "float32",
    8: "float64", 9: "complex32", 10: "complex64", 11: "complex128", 12: "bool", 13: "bfloat16",
    28: "uint16", 29: "float8_e4m3fn", 30: "float8_e5m2", 31: "float8_e4m3fnuz",
    32: "float8_e5m2fnuz", 33: "float8_e8m0fnu", 34: "uint32", 35: "uint64",
}  # fmt: skip
Json = Any


@dataclass(frozen=True)
class Payload:
    """A tensor of the archive."""

    tensor: Strided | Unread
    meta: Json  # its type, as the archive describes it; None where it was saved otherwise
    member: str = ""  # that holds its storage and nothing else; "" where there is none


class Archive:
    """A ``.pt2`` file.  Raises UnreadableModel where it is none."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._listed = members(path)
        root = next(iter(self._listed), "").partition("/")[0] + "/"  # the first one, as the loader
        names = {n.removeprefix(root): n for n in self._listed if n.startswith(root)}
        is_old = OLD_PROGRAM in self._listed
        self._names = dict(_BEFORE) if is_old else names
        if PROGRAM not in self._names:
            raise UnreadableModel("not a .pt2 archive: it has no models/model.json")

    def program(self) -> Json:
        return self._json(PROGRAM)

    def payloads(self, kind: str) -> dict[str, Payload]:
        """The tensors by name; ``kind`` is "weights" or "constants"."""
        old = f"data/{kind}/model.pt"
        if self._listed.keys() & {self._names.get(old)}:  # as the loader, which looks there first
            return _saved(self._open(old))
        config = f"data/{kind}/model_{kind}_config.json"
        if config not in self._names:
            raise UnreadableModel(f"not a .pt2 archive: it has no {config}")
        entries = self._json(config)["config"]
        return {
            str(name): self._payload(f"data/{kind}/{entry['path_name']}", entry)
            for name, entry in entries.items()
        }

    def _payload(self, place: str, entry: Json) -> Payload:
        meta = entry["tensor_meta"]
        if entry["use_pickle"] or meta is None:
            raise UnreadableModel("it holds pickled objects, which are never loaded")
        if place not in self._names:
            raise UnreadableModel(f"member {place!r:.100} is missing")
        content = self._open(place)
        shape, steps = (tuple(n["as_int"] for n in meta[k]) for k in ("sizes", "strides"))
        dtype = DTYPES.get(meta["dtype"], "unknown")
        tensor: Strided | Unread
        if dtype == "unknown" or (not content.size and math.prod(shape)):
            tensor = Unread(shape, dtype, "has no values that can be read")
        else:
            offset = meta["storage_offset"]["as_int"]
            tensor = strided(content, dtype, shape, steps, offset, self._is_big())
        return Payload(tensor, meta, self._names[place])

    def _is_big(self) -> bool:
        return "byteorder" in self._names and self._open("byteorder").read(0, 3) == b"big"

    def _open(self, name: str) -> Source:
        return member(self.path, self._info(name))

    def _info(self, name: str) -> zipfile.ZipInfo:
        return self._listed[self._names[name]]

    def _json(self, name: str) -> Json:
        source = self._open(name)
        if source.size > MOST_JSON:
            raise UnreadableModel(f"{name} is longer than {MOST_JSON:,} bytes")
        content = source.read(0, source.size)
        if sum(content.count(sign) for sign in (b",", b"[", b"{")) > MOST_ITEMS:
            raise UnreadableModel(f"{name} has more than {MOST_ITEMS:,} items")
        try:
            return json.loads(content)
        except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
            raise UnreadableModel(f"{name} is not JSON: {error}") from error


def _saved(source: Source) -> dict[str, Payload]:
    """A dictionary of tensors that ``torch.save`` has written."""
    value, _ = saved(source)
    if not isinstance(value, Entries):
        raise UnreadableModel("its tensors have no names")
    found = {}
    for name, tensor in value:
        if type(name) is not str or not isinstance(tensor, Strided | Unread):
            raise UnreadableModel("it holds pickled objects, which are never loaded")
        found[name] = Payload(tensor, None)
    return found
