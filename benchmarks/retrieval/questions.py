"""What a suite is, and which families each seed asks for."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from assay.values import LayerGraph

Side = Literal["trained", "chosen by", "asked"]


@dataclass(frozen=True, slots=True)
class Suite:
    """Questions to a database, and what is right."""

    name: str
    queries: tuple[LayerGraph, ...]  # (q)
    relevant: NDArray[np.bool_]  # (q, d) entries of the database that are to come first
    left_out: NDArray[np.bool_]  # (q, d) entries that are not asked
    same: bool = False  # the queries are the networks themselves: their codes should not differ


def side(family: str, seed: int) -> Side:
    """Of ten families six are trained on, one is chosen by, three are asked for."""
    place = int(sha256(f"{seed} {family}".encode()).hexdigest(), 16) % 10
    return "trained" if place < 6 else "chosen by" if place < 7 else "asked"
