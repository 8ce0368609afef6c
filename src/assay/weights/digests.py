"""The sha256 of files, made while their tensors are read: each byte is fetched once [FIPS 180-4].

A hash takes the bytes in their order, in which tensors mostly are read.  What lies between them is
fetched for the hash alone, and what is read again is not hashed again: so it is the file's hash in
whichever order its parts are asked for.  All parts and the hash are of the one file that was
opened, also where another one takes its place meanwhile.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from io import FileIO
from pathlib import Path
from typing import Any

BLOCK = 2**20  # bytes that are read at once: a core's cache still has them when they are hashed
_MOST_OPEN = 64  # files of one model; the others are hashed by themselves


class HashedFile(FileIO):
    """A file that hashes what is read of it."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._hash = hashlib.sha256()
        self._hashed = 0  # bytes

    def readinto(self, buffer: Any) -> int:
        start = self.tell()
        if start > self._hashed:
            self._hash_up_to(start)
            self.seek(start)
        count = super().readinto(buffer) or 0
        fresh = start + count - self._hashed  # fewer where some were hashed already
        if 0 < fresh <= count:  # more where the file has become shorter than it was
            self._feed(memoryview(buffer)[count - fresh : count])
        return count

    def sha256(self) -> str:
        """Of the whole file, in hexadecimal digits."""
        self._hash_up_to(sys.maxsize)
        return self._hash.hexdigest()

    def _hash_up_to(self, end: int) -> None:
        """What was not read yet, up to a place of the file."""
        self.seek(self._hashed)
        block = memoryview(bytearray(min(BLOCK, end - self._hashed)))
        while count := super().readinto(block[: end - self._hashed]):
            self._feed(block[:count])

    def _feed(self, content: memoryview) -> None:
        self._hash.update(content)
        self._hashed += len(content)


_hashed: ContextVar[Mapping[Path, HashedFile]] = ContextVar("files that are hashed")


@contextmanager
def hashing(paths: Iterable[Path]) -> Iterator[None]:
    """Within, what is read of these files is hashed: ``file_sha256`` reads what is left.

    Raises OSError where one cannot be opened.
    """
    with ExitStack() as stack:
        first = [*paths][:_MOST_OPEN]
        files = {path: stack.enter_context(HashedFile(path)) for path in first}
        token = _hashed.set(files)
        stack.callback(_hashed.reset, token)
        yield


@contextmanager
def opened(path: Path) -> Iterator[FileIO]:
    """A file to be read from any place, without a buffer.  Raises OSError."""
    known = _hashed.get({}).get(path)
    if known is not None:
        yield known
    else:
        with FileIO(path) as file:
            yield file


def file_sha256(path: Path) -> str:
    """Of a file, in hexadecimal digits.  Raises OSError where it cannot be read."""
    known = _hashed.get({}).get(path)
    if known is not None:
        return known.sha256()
    with HashedFile(path) as file:
        return file.sha256()
