"""A distributable of drawn weights whose copies are told apart, and copies of it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from small_licenses import owner

from assay.licenses._distributable import distribute
from assay.licenses._ledger import Held, Ledger, sites_key
from assay.licenses._manifest import Manifest
from assay.watermarks._code import Code
from assay.watermarks.constant_weight import ConstantWeight
from assay.weights import Weight
from assay.weights.sites import Words

SHAPE = (40, 30, 3, 3)
HEAD = b"a file's header, and then weights: "  # 35 bytes, so they lie at no multiple of four
METHOD = ConstantWeight(code=Code(ones=12, redundancy=2, quiet=0.4), survive=0.6, margin=1)
Values = NDArray[np.float32]


def weights() -> Values:
    """The marked tensor as its owner has it."""
    drawn = np.random.default_rng(5).standard_normal(SHAPE)
    return drawn.astype(np.float32)


def ledger(identity: str = "7" * 64, method: ConstantWeight = METHOD) -> Ledger:
    """Of two levels: of the second, a few channels are gone."""
    whole, less = weights(), weights()
    less[:4] = 0
    free = {"layer": (less != 0).reshape(-1)}
    known = {"layer": Weight("layer", SHAPE, "float32", partial(np.asarray, whole))}
    sites = tuple(method.sites(known, free, sites_key(owner(), identity)))
    rows = [(Held(len(HEAD), "float32", each.tobytes()),) for each in (whole, less)]
    return Ledger(identity, sites, tuple(rows))


def distributed(folder: Path) -> tuple[Path, Manifest, Ledger]:
    """A file whose other bytes differ at each level, without the marked tensor."""
    kept, files = ledger(), []
    for level in range(3):
        files.append(folder / f"made-{level}")
        files[-1].write_bytes(HEAD + bytes(4 * weights().size) + bytes([level]) * 100)
    about: list[Mapping[str, str]] = [{"accuracy": "1"}] * 3
    model = folder / "model.bin"
    made = distribute(files, about, model, owner(), "test()", identity=kept.identity,
        ledger=kept.seal(owner()))  # fmt: skip
    return model, made, kept


def person(number: int) -> str:
    """A public key that nobody holds."""
    return hashlib.sha256(b"person %d" % number).hexdigest()


def words(kept: Ledger, count: int) -> dict[tuple[str, str], Sequence[Words]]:
    """Of so many licensees, called by their numbers."""
    return {(str(n), person(n)): kept.words(owner(), person(n)) for n in range(count)}


def copy(kept: Ledger, number: int, level: int = 0) -> Values:
    """A licensee's marked tensor."""
    ((_, content),) = kept.patches(level, kept.words(owner(), person(number)))
    return np.frombuffer(content, np.float32).reshape(SHAPE)


def suspect(values: Any, name: str = "layer") -> dict[str, Weight]:
    """A file with this tensor, and another one of its shape."""
    other = np.random.default_rng(6).standard_normal(SHAPE).astype(np.float32)
    found = {"first": other, name: np.asarray(values, np.float32)}
    return {n: Weight(n, v.shape, "float32", partial(np.asarray, v)) for n, v in found.items()}
