"""A sound GGUF file, and a writer of others."""

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

OPS = None
WEIGHTS = {"weight": [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]}
Tensors = Sequence[tuple[str, tuple[int, ...], int, bytes]]


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value.encode())) + value.encode()


def entry(key: str, value: str | int) -> bytes:
    """One of the metadata."""
    if isinstance(value, str):
        return text(key) + struct.pack("<I", 8) + text(value)
    return text(key) + struct.pack("<II", 4, value)


def written(
    path: Path, tensors: Tensors, entries: bytes = b"", count: int = 0, version: int = 3
) -> Path:
    """A file of tensors (name, shape with the fastest axis first, type, data)."""
    head, body = b"", b""
    for name, shape, kind, data in tensors:
        body += bytes(-len(body) % 32)
        dims = struct.pack(f"<{len(shape)}Q", *shape)
        place = struct.pack("<IQ", kind, len(body))
        head += text(name) + struct.pack("<I", len(shape)) + dims + place
        body += data
    start = b"GGUF" + struct.pack("<IQQ", version, len(tensors), count) + entries + head
    path.write_bytes(start + bytes(-len(start) % 32) + body)
    return path


def of_arrays(
    path: Path, arrays: Mapping[str, NDArray[np.float32]], metadata: Mapping[str, str | int]
) -> Path:
    """A file of float32 tensors."""
    tensors = [(n, a.shape[::-1], 0, a.astype("<f4").tobytes()) for n, a in arrays.items()]
    entries = b"".join(entry(key, value) for key, value in metadata.items())
    return written(path, tensors, entries, len(metadata))


def small(folder: Path) -> Path:
    """One tensor."""
    return of_arrays(folder / "model.gguf", {"weight": np.array(WEIGHTS["weight"], "f4")}, {})
