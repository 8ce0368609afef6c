"""PyTorch ``.pt2`` archives, rebuilt so that loading one executes nothing [torch.export.save].

An archive is a zip of a program (JSON), of weights, and of pickles.  The rebuilt one has a program
of known parts (``_torch_program``) and weights of one element seen through strides of zero: the
shape stays, the memory does not.  No member is copied under its own name, and no pickle at all.
"""

from __future__ import annotations

import io
import json
import math
import zipfile
import zlib
from pathlib import Path
from typing import Any

from assay.errors import UnreadableModel
from assay.formats._torch_program import safe_path, safe_program, safe_tensor

MOST_PROGRAM = 64 * 2**20  # bytes of JSON
MOST_ITEMS = 4_000_000  # of it
_PROGRAM = "models/model.json"
_SMALL = 8192  # bytes of a tensor that keeps its values: they may be shapes
# Weights and constants: the archive's folder, and the prefix by which the loader knows tensors.
_PAYLOADS = {"weights": "weight_", "constants": "tensor_"}
_ITEM_SIZE = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 2, 7: 4, 8: 8, 12: 1, 13: 2}  # of torch's ScalarType
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError)


def rebuilt(path: Path) -> tuple[io.BytesIO, int]:
    """The archive that is safe to load, and how many operators its program has.

    Raises UnreadableModel where it is no such archive, or needs what is not allowed.
    """
    result = io.BytesIO()
    try:
        with zipfile.ZipFile(path) as archive, zipfile.ZipFile(result, "w") as safe:
            members = {name.partition("/")[2]: name for name in archive.namelist()}
            if _PROGRAM not in members:
                raise UnreadableModel("not a .pt2 archive: it has no models/model.json")
            program = safe_program(_json(archive, members[_PROGRAM]))
            _add(safe, _PROGRAM, json.dumps(program))
            for kind, prefix in _PAYLOADS.items():
                folder = f"data/{kind}/"
                config = folder + f"model_{kind}_config.json"
                if config not in members:
                    raise UnreadableModel(f"not a .pt2 archive: it has no {config}")
                entries = _json(archive, members[config])["config"]
                root = members[config].removesuffix(config)
                safe_entries = {}
                for place, (name, entry) in enumerate(entries.items()):
                    file = f"{prefix}{place}"
                    meta, content = _shrunk(entry, root + folder, archive)
                    _add(safe, folder + file, content)
                    safe_entries[safe_path(name)] = {
                        "path_name": file,
                        "is_param": bool(entry["is_param"]),
                        "use_pickle": False,
                        "tensor_meta": meta,
                    }
                _add(safe, config, json.dumps({"config": safe_entries}))
            for name, text in _FIXED.items():
                _add(safe, name, text)
    except _DAMAGED as error:
        raise UnreadableModel(f"not a .pt2 archive: {error}") from error
    except (AttributeError, KeyError, OverflowError, TypeError) as error:
        raise UnreadableModel(f"its program is not what torch.export writes: {error!r}") from error
    result.seek(0)
    return result, len(program["graph_module"]["graph"]["nodes"])


_FIXED = {
    "archive_format": "pt2",
    "archive_version": "0",
    "byteorder": "little",
    ".data/version": "6\n",
    "data/sample_inputs/model.pt": "",  # a pickle, which the loader does without
}


def _add(archive: zipfile.ZipFile, name: str, content: str | bytes) -> None:
    archive.writestr(f"model/{name}", content)


def _read(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    with archive.open(name) as member:
        content = member.read(most + 1)
    if len(content) > most:
        raise UnreadableModel(f"{name} is longer than {most:,} bytes")
    return content


def _json(archive: zipfile.ZipFile, name: str) -> Any:
    content = _read(archive, name, MOST_PROGRAM)
    if sum(content.count(sign) for sign in (b",", b"[", b"{")) > MOST_ITEMS:
        raise UnreadableModel(f"{name} has more than {MOST_ITEMS:,} items")
    try:
        return json.loads(content)
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadableModel(f"{name} is not JSON: {error}") from error


def _shrunk(entry: Any, folder: str, archive: zipfile.ZipFile) -> tuple[Any, bytes]:
    """A tensor's type and content: its own where that is short, else one element repeated."""
    if entry["use_pickle"] or entry["tensor_meta"] is None:
        raise UnreadableModel("it holds pickled objects, which are never loaded")
    meta = safe_tensor(entry["tensor_meta"])
    item = _ITEM_SIZE.get(meta["dtype"], 16)
    size = math.prod(int(d["as_int"]) for d in meta["sizes"]) * item
    name = folder + str(entry["path_name"])
    if 0 < size <= _SMALL and archive.getinfo(name).file_size <= 2**20:
        return meta, _read(archive, name, 2**20)
    meta["strides"] = [{"as_int": 0} for _ in meta["sizes"]]
    meta["storage_offset"] = {"as_int": 0}
    return meta, bytes(item)
