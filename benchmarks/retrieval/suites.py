"""What is asked of codes of architectures that were not trained on, and how it is judged.

The zoo's families are parted for each seed into those that are trained on, those that settings may
be chosen by, and those that are asked for.  No family is on two sides; the database is always the
whole zoo, so that what is found has to stand out among hundreds of others.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from assay.graphs import rewrites, variants
from assay.graphs.neighborhoods import fingerprint
from assay.graphs.variants import Change
from assay.values import LayerGraph
from assay.zoo import Architecture, architectures

Side = Literal["trained", "chosen by", "asked"]
CHANGES: dict[str, tuple[Change, float]] = {
    "a tenth contracted": (variants.contracted, 0.1),
    "a tenth torn out": (variants.torn, 0.1),
    "first 60 %": (variants.truncated, 0.4),
    "widths x 0.7": (variants.rescaled, 0.7),
    "channels pruned, up to half": (variants.pruned, 0.5),
    "other kernels": (variants.other_kernels, 1.0),
    "other activations": (variants.other_activations, 1.0),
    "a fifth of the blocks less": (variants.shortened, 0.2),
    "a fifth of the blocks more": (variants.deepened, 0.2),
    "a stage removed": (variants.stage_removed, 0.3),
    "another head": (variants.other_head, 0.5),
    "adapters inserted": (variants.inserted, 0.3),
    "spelled out": (rewrites.spelled_out, 0.7),
    "a tenth rewritten": (rewrites.rewritten, 0.1),
}


@dataclass(frozen=True, slots=True)
class Suite:
    """Questions to a database, and what is right."""

    name: str
    queries: tuple[LayerGraph, ...]  # (q)
    relevant: NDArray[np.bool_]  # (q, d) entries of the database that are to come first
    left_out: NDArray[np.bool_]  # (q, d) entries that are not asked


def database() -> list[Architecture]:
    """The zoo's d architectures, each layer graph once."""
    found: dict[str, Architecture] = {}
    for each in architectures():
        found.setdefault(fingerprint(each.graph), each)
    return list(found.values())


def side(family: str, seed: int) -> Side:
    """Of ten families six are trained on, one is chosen by, three are asked for."""
    place = int(sha256(f"{seed} {family}".encode()).hexdigest(), 16) % 10
    return "trained" if place < 6 else "chosen by" if place < 7 else "asked"


def suites(models: Sequence[Architecture], seed: int, asked: Side = "asked") -> Iterator[Suite]:
    """All of one seed: each change of each network that is asked for, and sizes of one family."""
    own = np.eye(len(models), dtype=bool)
    places = [i for i, model in enumerate(models) if side(model.family, seed) == asked]
    nothing = np.zeros_like(own)
    for number, (name, (change, strength)) in enumerate(CHANGES.items()):
        made = {
            i: variant.graph
            for i in places
            if (variant := change(models[i].graph, strength, _rng(seed, number, i))) is not None
        }
        if made:
            rows = [*made]
            yield Suite(name, tuple(made.values()), own[rows], nothing[rows])
    families = np.array([model.family for model in models])
    kin = (families[:, None] == families[None]) & ~own
    rows = [i for i in places if kin[i].any()]
    if rows:
        graphs = tuple(models[i].graph for i in rows)
        yield Suite("sizes of one family", graphs, kin[rows], own[rows])


def _rng(*words: int) -> np.random.Generator:
    return np.random.default_rng(words)
