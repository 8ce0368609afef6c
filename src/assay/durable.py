"""Files that are written whole or not at all, and that a power cut does not take back.

A ledger is one of JSON lines, of which each is there for good once it is written; what was finished
before a kill is known by it.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO


def write_whole(path: Path, content: bytes, mode: int = 0o666) -> None:
    """Write ``path``, as ``writing`` does.  Raises OSError."""
    with writing(path, mode) as stream:
        stream.write(content)


@contextmanager
def writing(path: Path, mode: int = 0o666) -> Iterator[BinaryIO]:
    """A stream whose content ``path`` has afterwards; once this is left it is there for good.

    ``mode`` is that of the file, less what the process's mask forbids: 0o600 for a secret.

    Readers see the old file, also within the block, or the new one; where the block raises, the old
    one.  Several processes may write at once: one of them is the last.  Raises OSError.
    """
    unfinished = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    try:
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the name, too
    finally:
        os.close(folder)


def write_through(path: Path, content: bytes | str) -> None:
    """Write what is there, a device or a pipe too.  Raises OSError that names the path.

    One that comes of writing, as of a full disk, names none by itself.
    """
    try:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def read_ledger(path: Path, by: str = "key") -> dict[str, dict[str, Any]]:
    """The last entry of each value of its field ``by``; a line that a kill cut short is none.

    Empty where there is no such file.
    """
    found: dict[str, dict[str, Any]] = {}
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            entry = json.loads(line)
        except json.JSONDecodeError:
            continue
        found[entry[by]] = entry
    return found


def append_entry(path: Path, entry: Mapping[str, Any]) -> None:
    """One more line, on the disk when this returns; a line that was cut short is ended first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - 1))
        begin = b"\n" if file.read(1) not in (b"", b"\n") else b""
        file.write(begin + json.dumps(entry).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
