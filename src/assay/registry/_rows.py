"""A record as a row of the registry, and a filter as SQL.

What is searched by has a column; the body is the rest of the record's JSON, so that a field that
records gain later needs no new column.  The graph is compressed apart: a filter never unpacks one.
"""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any, TypeVar

from assay.errors import AssayError, DamagedRegistry
from assay.values import HashCode, Json, LayerGraph, Record, WeightSketch

T = TypeVar("T")

OWNER = """(SELECT owner FROM claims WHERE model = models.id AND owner IS NOT NULL
            ORDER BY id LIMIT 1)"""
BASE = "EXISTS (SELECT 1 FROM bases WHERE model = models.id)"
COLUMNS = f"""id, sha256, name, path, format, body, models.scheme, digest, graph, {OWNER},
    {BASE}"""
# Not in the body: they have columns or tables of their own.
OWN_COLUMN = (
    "sha256",
    "name",
    "path",
    "format",
    "owner",
    "code",
    "graph",
    "sketch",
    "base",
    "parts",
)
OPINION = ("category", "confidence")  # a hasher's; it is asked again when it is wanted


@dataclass(frozen=True)
class Where:
    """Which registered models are meant: those that pass every condition; None passes all."""

    owner: str | None = None  # among those who claim the model
    format: str | None = None
    name: str | None = None  # as in a shell: *, ?, [abc]; case matters
    parameters_min: int | None = None
    parameters_max: int | None = None
    exclude_owner: str | None = None  # who must not be the only one that claims the model

    def sql(self) -> tuple[str, list[Any]]:
        """A condition on ``models``, and its arguments."""
        conditions: list[tuple[str, Any]] = []
        if self.owner is not None:
            claimed = "id IN (SELECT model FROM claims WHERE owner = CAST(? AS TEXT))"
            conditions.append((claimed, as_bytes(self.owner)))
        if self.format is not None:
            conditions.append(("format = CAST(? AS TEXT)", as_bytes(self.format)))
        if self.name is not None:
            pattern = self.name.replace("[!", "[^")  # SQLite's way to say "none of these"
            conditions.append(("name GLOB CAST(? AS TEXT)", as_bytes(pattern)))
        if self.parameters_min is not None:
            conditions.append(("parameters >= ?", as_number(self.parameters_min)))
        if self.parameters_max is not None:
            conditions.append(("parameters <= ?", as_number(self.parameters_max)))
        if self.exclude_owner is not None:
            claimed = "id IN (SELECT model FROM claims WHERE owner IS NOT CAST(? AS TEXT))"
            conditions.append((claimed, as_bytes(self.exclude_owner)))
        return " AND ".join(sql for sql, _ in conditions) or "TRUE", [x for _, x in conditions]


def as_bytes(text: str) -> bytes:
    """``text`` for ``CAST(? AS TEXT)``: a file's name need not be UTF-8, and a str must be."""
    return text.encode("utf-8", "surrogatepass")


def as_number(count: int) -> int | float:
    """``count`` as SQLite keeps one: 64 bits, beyond them a float."""
    return count if abs(count) < 2**63 else float(count)


def default_name(path: str) -> str:
    """The last part of ``path`` without its suffix; for ``resnet/model.onnx`` the folder too."""
    given = PurePosixPath(path)
    stem = given.stem if given.suffix[1:2].isalpha() else given.name  # "v1.5" ends in no suffix
    if stem.lower() in ("model", "network", "graph", "saved_model") and given.parent.name:
        return f"{given.parent.name}/{stem}"
    return stem or path


def pack(record: Record) -> Json:
    """The columns of ``record``, less the claims.  Raises AssayError where it is not JSON."""
    body = {k: v for k, v in record.to_json().items() if k not in OWN_COLUMN + OPINION}
    try:
        text = json.dumps(body, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        raise AssayError(f"{record.path}: its metadata cannot be kept as JSON: {error}") from error
    code, graph = record.code, record.graph
    return {
        "sha256": record.sha256,
        "name": as_bytes(record.name),
        "path": as_bytes(record.path),
        "format": as_bytes(record.format),
        "parameters": as_number(record.parameters),
        "body": text,
        "scheme": None if code is None else code.scheme,
        "digest": None if code is None else code.digest,
        "rules": None if graph is None else graph.rules,
        "graph": None if graph is None else pack_graph(graph),
    }


def pack_graph(graph: LayerGraph) -> bytes:
    """``graph`` as compressed JSON."""
    return zlib.compress(json.dumps(graph.to_json(), separators=(",", ":")).encode(), level=6)


def unpack(row: tuple[Any, ...]) -> Record:
    """The record in ``row``, the values of COLUMNS.  Raises DamagedRegistry where it is broken."""
    _, sha256, name, path, kind, body, scheme, digest, graph, owner, base = row
    known = {"sha256": sha256, "name": name, "path": path, "format": kind, "owner": owner}
    known["base"] = bool(base)

    def read() -> Record:
        record = Record.from_json({**json.loads(body), **known, "code": None, "graph": None})
        code = None if scheme is None else HashCode(scheme, digest)
        return replace(record, code=code, graph=None if graph is None else unpack_graph(graph))

    return _whole(read, sha256)


def pack_sketch(sketch: WeightSketch) -> bytes:
    """``sketch`` as compressed JSON."""
    return zlib.compress(json.dumps(sketch.to_json(), separators=(",", ":")).encode(), level=1)


@lru_cache(maxsize=512)  # a batch is compared with the same models again and again
def unpack_sketch(packed: bytes) -> WeightSketch:
    """Inverse of ``pack_sketch``.  Raises DamagedRegistry."""
    return _whole(lambda: WeightSketch.from_json(json.loads(zlib.decompress(packed))), "a sketch")


def get(connection: sqlite3.Connection, key: int) -> Record:
    """The record of the model ``key``."""
    return unpack(
        connection.execute(f"SELECT {COLUMNS} FROM models WHERE id = ?", [key]).fetchone()
    )


@lru_cache(maxsize=64)  # many registered models are the same network: neighbors share a graph
def unpack_graph(packed: bytes) -> LayerGraph:
    """Inverse of ``pack_graph``."""
    return LayerGraph.from_json(json.loads(zlib.decompress(packed)))


def _whole(read: Callable[[], T], sha256: str) -> T:
    try:
        return read()
    except (zlib.error, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DamagedRegistry(
            f"the record of {sha256} is damaged ({type(error).__name__}: {error}):"
            " restore the registry from a backup"
        ) from error
