"""PyTorch ``.pt2`` archives, read without executing what is in them [extra ``torch``].

PyTorch's loader unpickles sample inputs and some weights, looks operators up by any name, and
evaluates size expressions.  So an archive is first rebuilt: its program (JSON) must name ATen
operators and plain expressions only, weights become one element seen through strides of zero (the
shape stays, the memory does not), and pickles are left out.  Only the rebuilt one is loaded.
"""

from __future__ import annotations

import io
import json
import math
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from assay.errors import UnreadableModel
from assay.formats import Format, InputShapes, Model

MOST_PROGRAM = 256 * 2**20  # bytes of JSON
MOST_MEMBERS = 100_000
_SMALL = 8192  # bytes of a tensor that keeps its values: they may be shapes
_OPERATORS = re.compile(
    r"torch\.ops\.(aten|prims|higher_order)\.[\w.]+|torch\.sym_\w+|"
    r"_operator\.(getitem|add|sub|mul|floordiv|truediv|mod|neg|pow|eq|ne|lt|le|gt|ge)"
)
_NAMED = ("target", "as_operator")
_EXPRESSION = re.compile(
    r"(?:\b[suzf]+\d+\b|\b(?:Max|Min|Mod|FloorDiv|CeilDiv|PythonMod)\b|[\d\s+*/(),<>=-])*"
)
_ITEM_SIZE = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 2, 7: 4, 8: 8, 12: 1, 13: 2}  # of torch's ScalarType


class TorchExport(Format):
    """The program of a ``.pt2`` file, as ``torch.export.save`` writes it."""

    suffixes = (".pt2",)

    def sniff(self, head: bytes) -> bool:
        return head.startswith(b"PK\x03\x04") and b"archive_format" in head

    def read(self, path: Path, input_shapes: InputShapes) -> Model:
        from assay.formats._torch import _torch, program_model

        torch = _torch()
        archive = rebuilt(path)
        try:
            program = torch.export.load(archive)
        except (RuntimeError, ValueError, KeyError, TypeError, AttributeError, AssertionError) as e:
            raise UnreadableModel(f"PyTorch cannot load it: {type(e).__name__}: {e}") from e
        model = program_model(program)
        return Model(model.format, model.layers, (path,), model.metadata)


def rebuilt(path: Path) -> io.BytesIO:
    """The archive with its program checked, its weights shrunk and its pickles left out.

    Raises UnreadableModel where it is no such archive, or names what is not allowed.
    """
    result = io.BytesIO()
    try:
        with zipfile.ZipFile(path) as archive, zipfile.ZipFile(result, "w") as light:
            if len(archive.infolist()) > MOST_MEMBERS:
                raise UnreadableModel(f"more than {MOST_MEMBERS:,} members")
            members = {_inner(name): name for name in archive.namelist()}
            if "models/model.json" not in members:
                raise UnreadableModel("not a .pt2 archive: it has no models/model.json")
            root = members["models/model.json"].removesuffix("models/model.json")
            for inner, name in members.items():
                if inner.endswith(".json"):
                    data = _json(archive, name)
                    _check(data)
                    if inner.endswith("_config.json"):
                        _shrink(data, inner.rpartition("/")[0], root, archive, light)
                    light.writestr(name, json.dumps(data))
                elif inner in ("archive_format", "archive_version", "byteorder", ".data/version"):
                    light.writestr(name, _read(archive, name, 64))
            light.writestr(f"{root}data/sample_inputs/model.pt", b"")
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise UnreadableModel(f"not a .pt2 archive: {error}") from error
    result.seek(0)
    return result


def _inner(name: str) -> str:
    """A member's path below the archive's own folder."""
    return name.partition("/")[2]


def _read(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    with archive.open(name) as member:
        content = member.read(most + 1)
    if len(content) > most:
        raise UnreadableModel(f"{name} is longer than {most:,} bytes")
    return content


def _json(archive: zipfile.ZipFile, name: str) -> Any:
    try:
        return json.loads(_read(archive, name, MOST_PROGRAM))
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadableModel(f"{name} is not JSON: {error}") from error


def _check(data: Any) -> None:
    """Only ATen operators are called, only plain sizes are evaluated, nothing is unpickled.

    Changes ``data``: the nodes' metadata are left out.
    """
    for key, value in _pairs(data):
        if key in _NAMED and isinstance(value, str) and not _OPERATORS.fullmatch(value):
            raise UnreadableModel(f"it calls {value[:80]!r}, which is no ATen operator")
        if key == "expr_str" and not (isinstance(value, str) and _EXPRESSION.fullmatch(value)):
            raise UnreadableModel(f"a size is {str(value)[:80]!r}, which is no plain expression")
        if key == "use_pickle" and value:
            raise UnreadableModel("it holds pickled tensors, which are never loaded")


def _pairs(data: Any) -> Iterator[tuple[str, Any]]:
    waiting = [data]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            if "target" in item and "metadata" in item:
                item["metadata"] = {}  # names of classes and functions that would be looked up
            yield from item.items()
            waiting += item.values()
        elif isinstance(item, list):
            waiting += item


def _shrink(
    config: Any, folder: str, root: str, archive: zipfile.ZipFile, light: zipfile.ZipFile
) -> None:
    """Large tensors become one element, repeated by strides of zero; changes ``config``."""
    written: set[str] = set()
    for entry in config.get("config", {}).values():
        meta, name = entry.get("tensor_meta"), f"{root}{folder}/{entry.get('path_name')}"
        if meta is None:
            raise UnreadableModel("it holds objects that are no tensors")
        item = _ITEM_SIZE.get(meta["dtype"], 16)
        size = math.prod(int(d["as_int"]) for d in meta["sizes"]) * item
        if size > _SMALL or name in written:
            meta["strides"] = [{"as_int": 0} for _ in meta["sizes"]]
            meta["storage_offset"] = {"as_int": 0}
            content = bytes(item)
        else:
            content = _read(archive, name, 2**20)
        if name not in written:
            light.writestr(name, content)
            written.add(name)
