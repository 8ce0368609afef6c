"""Files read and written window by window, and hashed meanwhile."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

from assay.licenses import _parts as parts
from assay.licenses._manifest import Content

EXTRA = "crypto"
AHEAD = 4  # blocks that are made and written before the first of them must be hashed


def fill(window: parts.Words, stream: BinaryIO) -> int:
    """Reads the next window of a file; zeros follow where it ends."""
    content = window.data.cast("B")
    filled = 0
    while filled < len(content) and (more := stream.readinto(content[filled:])):  # type: ignore[attr-defined]
        filled += more
    parts.apply(window, filled, b"")
    return filled


def deltas(before: Path, after: Path, read: list[Content]) -> Iterator[bytes]:
    """What leads from one file to the other, window by window; at last the other is in ``read``."""
    digest, size = hashlib.sha256(), 0
    with before.open("rb") as old, after.open("rb") as new:
        for _ in range(parts.windows(after.stat().st_size)):
            window = new.read(parts.WINDOW)
            digest.update(window)
            size += len(window)
            yield parts.delta(old.read(parts.WINDOW), window)
    read.append(Content(digest.hexdigest(), size))


def windows(file: Path) -> Iterator[bytes]:
    """A file, window by window.  Raises OSError."""
    with file.open("rb") as stream:
        while window := stream.read(parts.WINDOW):
            yield window


def content_of(file: Path) -> Content:
    """What a file holds.  Raises OSError."""
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return Content(digest, file.stat().st_size)


def written(blocks: Iterable[bytes | memoryview], stream: BinaryIO) -> Content:
    """Writes the blocks; what they are together.

    A thread hashes them meanwhile.  A block's memory may be used again ``AHEAD`` blocks later.
    """
    digest, size = hashlib.sha256(), 0
    with ThreadPoolExecutor(1) as hashing:
        waiting = deque[Future[None]]()
        for block in blocks:
            waiting.append(hashing.submit(digest.update, block))
            size += stream.write(block)
            if len(waiting) == AHEAD:
                waiting.popleft().result()
    return Content(digest.hexdigest(), size)
