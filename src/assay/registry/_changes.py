"""What changes the registered models; every function runs inside its caller's transaction."""

from __future__ import annotations

import json
import re
import sqlite3
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime

from assay.errors import AssayError, SchemeMismatch
from assay.registry import _fragments
from assay.registry._parts import keep as keep_parts
from assay.registry._rows import as_bytes, pack, pack_sketch
from assay.registry._shapes import keep
from assay.values import HashCode, Json, Record, WeightSketch

INSERT = """INSERT INTO models(sha256, name, path, format, parameters, body, scheme, digest, rules,
        graph)
    VALUES (:sha256, CAST(:name AS TEXT), CAST(:path AS TEXT), CAST(:format AS TEXT), :parameters,
        :body, :scheme, :digest, :rules, :graph)"""
REFRESH = """UPDATE models SET format = CAST(:format AS TEXT), parameters = :parameters,
    body = :body, scheme = :scheme, digest = :digest, rules = :rules, graph = :graph
    WHERE id = :id"""
CLAIM = """INSERT OR IGNORE INTO claims(model, owner, path, name, claimed)
    VALUES (?, CAST(? AS TEXT), CAST(? AS TEXT), CAST(? AS TEXT), ?)"""


@dataclass(frozen=True)
class Added:
    """The answer to ``add``: it is durable."""

    path: str  # as it was given now
    sha256: str
    name: str  # of the registered model
    status: str  # "added", or "exists" where these bytes were known

    def to_json(self) -> Json:
        return asdict(self)


def known_by(record: Record) -> str:
    """The sha256 that ``record`` is registered by.  Raises AssayError where it has none."""
    if record.sha256 is not None and re.fullmatch("[0-9a-f]{64}", record.sha256):
        return record.sha256
    from assay.formats import MISSING  # not above: it brings every format along

    missing = record.metadata.get(MISSING)
    why = f"without {', '.join(missing[:3])}" if missing else "its files were not read"
    raise AssayError(f"{record.path}: cannot be registered without its sha256: {why}")


def register(
    connection: sqlite3.Connection, record: Record, file: str | None = None
) -> tuple[str, str]:
    """Insert or refresh ``record`` and its owner's claim; its registered name, and the status.

    ``file`` is where its bytes lie, to be read again.
    """
    now = datetime.now(UTC).isoformat(timespec="seconds")
    row = pack(replace(record, added=record.added or now))
    check_length(connection, record.code)
    known = connection.execute(
        "SELECT id, name, body, scheme, rules FROM models WHERE sha256 = ?", [record.sha256]
    ).fetchone()
    if known is None:
        (key,) = connection.execute(f"{INSERT} RETURNING id", row).fetchone()
        name, status = record.name, "added"
        keep(connection, key, record)
        keep_parts(connection, key, record.graph, record.code, record.parts)
    else:
        key, name, body, scheme, rules = known
        status = "exists"
        recoded = record.code is not None and (scheme, rules) != (row["scheme"], row["rules"])
        if recoded or (record.shapes and not json.loads(body).get("shapes")):
            _refresh(connection, key, row, body)
            keep(connection, key, record)
        keep_parts(connection, key, record.graph, record.code, record.parts)
    resketch(connection, key, record.sketch)
    if record.base:
        connection.execute("INSERT OR IGNORE INTO bases VALUES (?)", [key])
    if file is not None:
        query = "INSERT OR REPLACE INTO files VALUES (?, CAST(? AS TEXT))"
        connection.execute(query, [key, as_bytes(file)])
    owner = as_bytes(record.owner) if record.owner else None
    path, called = as_bytes(record.path), as_bytes(record.name)
    connection.execute(CLAIM, [key, owner, path, called, now])
    return name, status


def recode(connection: sqlite3.Connection, key: int, old: Record, new: Record) -> bool:
    """Put the codes of ``new`` in the place of ``old``'s.

    False where another process changed them meanwhile.
    """
    check_length(connection, new.code)
    changed = connection.execute(
        "UPDATE models SET scheme = ?, digest = ? WHERE id = ? AND scheme IS ?",
        [new.code and new.code.scheme, new.code and new.code.digest, key,
         old.code and old.code.scheme],
    )  # fmt: skip
    if changed.rowcount == 1:
        keep_parts(connection, key, new.graph, new.code, new.parts)
    return changed.rowcount == 1


def resketch(connection: sqlite3.Connection, key: int, sketch: WeightSketch | None) -> None:
    """Keep a model's sketch; one of another scheme goes."""
    if sketch is None:
        return
    known = connection.execute("SELECT scheme FROM sketches WHERE model = ?", [key]).fetchone()
    if known == (sketch.scheme,):
        return
    connection.execute(
        "INSERT INTO sketches VALUES (?, ?, ?)"
        " ON CONFLICT (model) DO UPDATE SET scheme = excluded.scheme, body = excluded.body",
        [key, sketch.scheme, pack_sketch(sketch)],
    )
    _fragments.keep(connection, key, sketch)


def check_length(connection: sqlite3.Connection, code: HashCode | None) -> None:
    """Raises SchemeMismatch where ``code`` is not as long as the others of its scheme."""
    if code is None:
        return
    query = "SELECT length(digest) FROM models WHERE scheme = ? LIMIT 1"
    other = connection.execute(query, [code.scheme]).fetchone()
    if other is not None and 8 * other[0] != len(code):
        raise SchemeMismatch(
            f"a code of {code.scheme} has {8 * other[0]} bits in this registry, not {len(code)}"
        )


def _refresh(connection: sqlite3.Connection, key: int, row: Json, old: str) -> None:
    """The same bytes, read by other graph rules or hashed by another hasher: keep the new reading.

    What people said of the model stays: its name, its path, when it was added.
    """
    body = json.dumps({**json.loads(row["body"]), "added": json.loads(old)["added"]})
    connection.execute(REFRESH, {**row, "body": body, "id": key})
