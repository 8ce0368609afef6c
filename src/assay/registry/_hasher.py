"""A registry remembers its hasher, so that what is added or checked tomorrow compares with today's.

Kept as the method's name, its options and its scheme: ``{"method": "weisfeiler-lehman", "bits": 64,
…}``.  A trained network that did not come with assay is copied into the registry's folder, named by
its scheme: the registry may be moved, and the file that it came from deleted.  One that did comes
with every later assay, too, so that codes stay what they are until they are made anew.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import asdict, is_dataclass, replace
from pathlib import Path

from assay.durable import write_whole
from assay.errors import AssayError, DamagedRegistry, SchemeMismatch, UnknownMethod
from assay.hashers import HASHERS, Hasher, parted
from assay.methods import name_of
from assay.values import Record

SUFFIX = ".safetensors"
QUERY = "SELECT value FROM settings WHERE key = 'hasher'"


def remember(connection: sqlite3.Connection, folder: Path, hasher: Hasher) -> bool:
    """Make ``hasher`` the registry's; False where it is no method of HASHERS.

    Its network is in ``folder`` for good before this returns; AssayError where it cannot be.
    """
    text = _text(hasher)
    if text is not None:
        _keep_network(folder, hasher)
        connection.execute("INSERT OR REPLACE INTO settings VALUES ('hasher', ?)", [text])
    return text is not None


def settle(connection: sqlite3.Connection, folder: Path, hasher: Hasher) -> Hasher:
    """The registry's hasher: ``hasher`` where it had none, for a newer default shall not mix codes.

    Raises as ``recall`` does.
    """
    if connection.execute(QUERY).fetchone() is None and not remember(connection, folder, hasher):
        return hasher
    return recall(connection, folder)


def recall(connection: sqlite3.Connection, folder: Path) -> Hasher:
    """The registry's hasher, or the default.

    Raises:
        DamagedRegistry: it is unknown here, or its network is missing or damaged.
        SchemeMismatch: it makes other codes than it did, for assay comes with another network now.
    """
    row = connection.execute(QUERY).fetchone()
    if row is None:
        from assay.examine import DEFAULT_HASHER  # not above: it brings every format along

        return HASHERS[DEFAULT_HASHER]()
    file = None
    try:
        options = json.loads(row[0])
        name, scheme = options.pop("method"), options.pop("scheme", None)
        if options.get("weights") is not None:
            file = folder / Path(options["weights"]).name  # nowhere else
            options["weights"] = str(file)
        elif came_earlier(scheme):
            options["weights"] = scheme
        hasher = HASHERS[name](**options)
    except (UnknownMethod, TypeError, ValueError, KeyError) as error:
        if file is not None and name in HASHERS:
            raise _lost(str(error)) from error
        raise DamagedRegistry(
            f"the registry's hasher is unknown here ({row[0]}):"
            " upgrade assay, or choose another with 'assay rehash'"
        ) from error
    if scheme not in (None, hasher.scheme):
        if file is not None:
            raise _lost(f"{file}: holds another network, {hasher.scheme}")
        raise SchemeMismatch(
            f"{folder}: its codes are of {scheme}, this assay makes {hasher.scheme}:"
            f" 'assay rehash --hasher {name}' makes them anew"
        )
    return hasher


def came_earlier(scheme: str | None) -> bool:
    """Whether codes of ``scheme`` are of a network that assay came with before its newest."""
    if scheme is None or "@" not in scheme:
        return False
    from assay.hashers._learned import is_older  # not above: it brings NumPy along

    return is_older(scheme)


def coded(record: Record, hasher: Hasher) -> Record:
    """``record`` with a code of ``hasher``: another process may have chosen it a moment ago."""
    code, graph = record.code, record.graph
    if code is None or graph is None or code.scheme == f"{hasher.scheme}+{graph.rules}":
        return record
    return parted(replace(record, code=hasher(graph)), hasher)


def _lost(what: str) -> DamagedRegistry:
    return DamagedRegistry(
        f"{what}: the registry's codes come from it: put it back from a backup,"
        " or choose another hasher with 'assay rehash'"
    )


def _text(hasher: Hasher) -> str | None:
    name = name_of(type(hasher))
    if not is_dataclass(hasher) or name not in HASHERS or HASHERS[name] is not type(hasher):
        return None
    options = asdict(hasher)
    if options.get("weights") is not None:
        options["weights"] = hasher.scheme + SUFFIX
    return json.dumps({"method": name, **options, "scheme": hasher.scheme})


def _keep_network(folder: Path, hasher: Hasher) -> None:
    """Put a copy of the network into ``folder``, unless it came with assay or is there already."""
    from assay.hashers._learned import LearnedHasher  # not above: it brings NumPy along

    if not isinstance(hasher, LearnedHasher) or hasher.weights is None:
        return
    file = folder / (hasher.scheme + SUFFIX)
    content = hasher.network.to_bytes()  # not the file again: it may have changed meanwhile
    try:
        if not file.exists() or file.read_bytes() != content:
            write_whole(file, content)
    except OSError as error:
        raise AssayError(f"{file}: the network cannot be kept: {error.strerror}") from error
