"""Hash networks with drawn weights: they were never trained, and are real in all else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from small_records import OPERATORS

from assay.hashers import HASHERS, Hasher
from assay.hashers._network_file import HashNetwork
from assay.hashers._published import shapes

CATEGORIES = ("dense", "plain")


def network(seed: int = 0, bits: int = 64, *, one_code: bool = False) -> HashNetwork:
    """A network of HNN-Net; with ``one_code`` all codes are the same, the embeddings are not."""
    rng = np.random.default_rng(seed)
    blank = HashNetwork("hnn-net", bits, OPERATORS, CATEGORIES, {})
    weights = {
        name: rng.normal(0, shape[-1] ** -0.5, shape).astype(np.float32)
        for name, shape in shapes(blank, costs=True).items()
    }
    if one_code:
        weights["fc5.weight"] *= 0
    return HashNetwork("hnn-net", bits, OPERATORS, CATEGORIES, weights)


def saved(folder: Path, seed: int = 0, bits: int = 64, *, one_code: bool = False) -> str:
    """The file of such a network, called network.safetensors."""
    network(seed, bits, one_code=one_code).save(folder / "network.safetensors")
    return str(folder / "network.safetensors")


def learned(weights: str) -> Hasher:
    """The hasher that runs it."""
    method: Callable[..., Hasher] = HASHERS["hnn-net"]
    return method(weights=weights)
