"""The weights of a TF.js model, which lie one after another in binary shards [TensorFlow.js, io].

A manifest names the shards of each group and what is in them.  Quantized numbers have a scale and
a least value; a tensor may begin in one shard and end in another.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import accumulate
from math import prod
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.containers.sources import FilePart
from assay.errors import UnreadableModel
from assay.weights.shapes import shape_of

MOST_SHARDS = 10_000
MOST_TEXTS = 100_000  # in all tensors
_TYPES = {
    "float32": "<f4",
    "float16": "<f2",
    "int32": "<i4",
    "uint8": "u1",
    "uint16": "<u2",
    "bool": "?",
}
_GZIP = b"\x1f\x8b"
_PREFIX = 4  # bytes before each text that tell its length
_BLOCK = 2**20  # numbers that are made real at once

Json = Any


@dataclass(frozen=True)
class Constant:
    """A tensor as the manifest lists it."""

    shape: tuple[int, ...]
    dtype: str  # of what it stands for: quantized numbers are real ones
    read: Callable[[], NDArray[Any]]  # in the type that the graph sees


@dataclass
class Shards:
    """All groups of a manifest, in the folder of the model's file."""

    file: Path
    files: list[Path] = field(default_factory=list)
    constants: dict[str, Constant] = field(default_factory=dict)
    _texts: int = 0
    _taken: set[Path] = field(default_factory=set)

    def take(self, manifest: Json) -> None:
        """All of a manifest.  Raises UnreadableModel where it cannot be."""
        for group in manifest if isinstance(manifest, list) else [None]:
            names = group.get("paths") if isinstance(group, Mapping) else None
            weights = group.get("weights") if isinstance(group, Mapping) else None
            if not isinstance(names, list) or not isinstance(weights, list):
                raise UnreadableModel("the list of its weights is damaged")
            if len(self.files) + len(names) > MOST_SHARDS:
                raise UnreadableModel(f"more than {MOST_SHARDS:,} shards")
            paths = [self._file(name) for name in names]
            self.files += paths
            run = _Run.of(paths)
            at = 0
            for entry in weights:
                at = self._constant(run, at, entry)

    def _constant(self, run: _Run, at: int, entry: Json) -> int:
        """One tensor that begins at a byte of its group; where the next one begins."""
        if not isinstance(entry, Mapping) or not isinstance(entry.get("shape"), list):
            raise UnreadableModel("the list of its weights is damaged")
        name, dtype = str(entry.get("name", "")), str(entry.get("dtype"))
        quantization = entry.get("quantization") or {}
        if not isinstance(quantization, Mapping) or name in self.constants:
            raise UnreadableModel(f"tensor {name[:80]!r} is listed twice, or its scale is damaged")
        if not all(type(d) is int for d in entry["shape"]):
            raise UnreadableModel(f"tensor {name[:80]!r} has no shape")
        shape = shape_of(f"tensor {name[:80]!r}", entry["shape"])
        if dtype == "string":
            self._texts += prod(shape)
            if self._texts > MOST_TEXTS:
                raise UnreadableModel(f"more than {MOST_TEXTS:,} texts")
            return run.after_texts(at, prod(shape))
        kind = str(quantization.get("dtype", dtype))
        if kind not in _TYPES or dtype not in _TYPES:
            raise UnreadableModel(f"tensor {name[:80]!r} is of the type {kind[:40]!r}")
        size = prod(shape) * np.dtype(_TYPES[kind]).itemsize
        run.check(name, at, size)
        scale = _scale(name, quantization)
        read = partial(_values, run, at, kind, shape, scale, dtype)
        self.constants[name] = Constant(shape, kind if kind == "float16" else dtype, read)
        return at + size

    def _file(self, name: Json) -> Path:
        """A shard, which may lie in the model's folder or below it, and nowhere else."""
        shown = str(name)[:80]
        place = PurePosixPath(name) if isinstance(name, str) else None
        if place is None or place.is_absolute() or ".." in place.parts or "\0" in str(name):
            raise UnreadableModel(f"the shard {shown!r} lies outside the model's folder")
        path = self.file.parent / place
        roots, real = (self.file.parent.resolve(), self.file.resolve().parent), path.resolve()
        if not any(real.is_relative_to(root) for root in roots):
            raise UnreadableModel(f"the shard {shown!r} lies outside the model's folder")
        if not real.is_file():
            raise UnreadableModel(f"the shard {shown!r} is missing")
        if real in self._taken:
            raise UnreadableModel(f"the shard {shown!r} is listed twice")
        self._taken.add(real)
        return path


@dataclass
class _Run:
    """The shards of a group as one run of bytes."""

    shards: list[FilePart]
    ends: list[int]  # of each, in the run

    @classmethod
    def of(cls, paths: list[Path]) -> _Run:
        shards = [FilePart(path, 0, path.stat().st_size) for path in paths]
        return cls(shards, [*accumulate(shard.size for shard in shards)])

    def check(self, name: str, at: int, size: int) -> None:
        """Raises UnreadableModel where a tensor does not end within the shards."""
        total = self.ends[-1] if self.ends else 0
        if at + size <= total:
            return
        for shard in self.shards:
            if shard.size > len(_GZIP) and shard.read(0, len(_GZIP)) == _GZIP:
                raise UnreadableModel(f"the shard {shard.path.name!r} is compressed: unpack it")
        where = f"ends at byte {at + size:,} of {total:,}"
        raise UnreadableModel(f"tensor {name[:80]!r} {where}: shards are missing or cut")

    def read(self, at: int, size: int) -> bytes:
        """Bytes that may lie in several shards."""
        parts, which = [], bisect_right(self.ends, at)
        while size > 0:
            shard = self.shards[which]
            start = at - (self.ends[which] - shard.size)
            parts.append(shard.read(start, min(size, shard.size - start)))
            at, size, which = at + len(parts[-1]), size - len(parts[-1]), which + 1
        return b"".join(parts)

    def after_texts(self, at: int, count: int) -> int:
        """Where texts end, each of which is preceded by its length."""
        self.check("a list of texts", at, count * _PREFIX)
        for _ in range(count):
            self.check("a list of texts", at, _PREFIX)
            at += _PREFIX + int.from_bytes(self.read(at, _PREFIX), "little")
        self.check("a list of texts", at, 0)
        return at


def _scale(name: str, quantization: Mapping[str, Json]) -> tuple[float, float] | None:
    """Scale and least value; None where the numbers are what they are."""
    if "scale" not in quantization:
        return None
    scale, least = quantization["scale"], quantization.get("min", 0)
    if not isinstance(scale, int | float) or not isinstance(least, int | float):
        raise UnreadableModel(f"tensor {name[:80]!r} has no scale")
    return float(scale), float(least)


def _values(
    run: _Run,
    at: int,
    kind: str,
    shape: tuple[int, ...],
    scale: tuple[float, float] | None,
    dtype: str,
) -> NDArray[Any]:
    size = prod(shape) * np.dtype(_TYPES[kind]).itemsize
    values = np.frombuffer(run.read(at, size), _TYPES[kind]).reshape(shape)
    if scale is None:
        return values
    real = np.empty(shape, _TYPES[dtype])
    flat, stored = real.reshape(-1), values.reshape(-1)
    with np.errstate(all="ignore"):
        for start in range(0, flat.size, _BLOCK):
            part = stored[start : start + _BLOCK] * np.float64(scale[0]) + np.float64(scale[1])
            flat[start : start + _BLOCK] = np.rint(part) if dtype == "int32" else part
    return real
