"""The file of a trained hash network: its weights, and what must be known to run them.

A safetensors file; the description is JSON in its metadata.  Equal networks have equal bytes, so
the first digits of the file's sha256 name the network in the scheme of its codes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.durable import write_whole
from assay.errors import BadOption

VERSION = 1
LARGEST = 256 * 2**20  # bytes; the published network has 2 MB
LARGEST_WEIGHT = 1e6  # trained ones are below 100; nothing overflows below this
LENGTHS = (16, 32, 64, 128, 256)  # bits


@dataclass(frozen=True)
class HashNetwork:
    """A trained network, ready to be saved or run."""

    method: str  # the hasher that runs it
    bits: int
    vocabulary: tuple[str, ...]  # operators, by index; one index more means any other
    categories: tuple[str, ...]  # of the classifier's outputs; empty where there is none
    weights: Mapping[str, NDArray[np.float32]] = field(compare=False, repr=False)
    trained: Mapping[str, Any] = field(default_factory=dict, compare=False)  # how, for the record

    def to_bytes(self) -> bytes:
        """The file: the same bytes for the same network."""
        from safetensors.numpy import save

        about = asdict(replace(self, weights={}))
        del about["weights"]
        text = json.dumps({"version": VERSION, **about}, sort_keys=True)
        weights = {name: np.ascontiguousarray(self.weights[name]) for name in sorted(self.weights)}
        return save(weights, {"assay": text})

    @property
    def name(self) -> str:
        """8 hex digits: the start of the file's sha256."""
        return _name(self.to_bytes())

    def save(self, path: str | Path) -> None:
        """Write the file, whole or not at all.  Raises OSError."""
        write_whole(Path(path), self.to_bytes())

    @classmethod
    def load(cls, path: str | Path) -> HashNetwork:
        """Read a file that ``save`` wrote.  Raises BadOption where it is none."""
        return _opened(Path(path))[0]

    @classmethod
    def from_bytes(cls, content: bytes) -> HashNetwork:
        """Raises ValueError, KeyError, TypeError … where the content is no network's."""
        from safetensors import SafetensorError
        from safetensors.numpy import load

        size = int.from_bytes(content[:8], "little")
        header = json.loads(content[8 : 8 + size]) if size <= len(content) else {}
        about = json.loads(header["__metadata__"]["assay"])
        if about.pop("version") != VERSION:
            raise ValueError("it was made by another version of assay")
        try:
            weights = load(content)
        except SafetensorError as error:
            raise ValueError(str(error)) from error
        for name, weight in weights.items():
            if weight.dtype != np.float32 or not (np.abs(weight) < LARGEST_WEIGHT).all():
                raise ValueError(f"{name} is not float32, or has weights past {LARGEST_WEIGHT:g}")
        if about["bits"] not in LENGTHS:
            raise ValueError(f"its codes have {about['bits']} bits, not one of {LENGTHS}")
        return cls(
            method=str(about["method"]),
            bits=int(about["bits"]),
            vocabulary=tuple(map(str, about["vocabulary"])),
            categories=tuple(map(str, about["categories"])),
            weights=weights,
            trained=dict(about["trained"]),
        )


@lru_cache(maxsize=8)
def loaded(path: Path, changed: int) -> tuple[HashNetwork, Mapping[str, NDArray[np.float64]], str]:
    """The network in a file, its weights for computing, and its name; read once.

    ``changed``, the file's time stamp, makes a file that was written anew be read anew.
    """
    network, name = _opened(path)
    weights = {name: weight.astype(np.float64) for name, weight in network.weights.items()}
    return network, weights, name


def _opened(path: Path) -> tuple[HashNetwork, str]:
    """The network in a file, and its name.  Raises BadOption where it is none."""
    try:
        if path.stat().st_size > LARGEST:
            raise ValueError(f"it is larger than {LARGEST} bytes")
        content = path.read_bytes()
        return HashNetwork.from_bytes(content), _name(content)
    except OSError as error:
        raise BadOption(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, RecursionError, OverflowError) as error:
        raise BadOption(f"{path}: is no trained hash network: {error}") from error


def _name(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:8]
