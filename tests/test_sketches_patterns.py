"""Strangers whose matrices have one pattern: nothing may be left that only the pattern decides."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest

from assay.comparisons.weights import Weights
from assay.sketches import sketch
from assay.values import Record, Relation
from assay.weights import Weight

KEY = bytes(range(32))
Random = np.random.Generator

PATTERNS: dict[str, Any] = {
    "rows and their negatives": lambda r: np.concatenate([w := r.normal(size=(32, 64)), -w]),
    "a row beside its negative": lambda r: np.stack([w := r.normal(size=(32, 64)), -w], 1),
    "rows repeated": lambda r: np.repeat(r.normal(size=(32, 64)), 2, axis=0),
    "columns repeated": lambda r: np.tile(r.normal(size=(64, 32)), 2),
    "columns four times": lambda r: np.tile(r.normal(size=(64, 16)), 4),
    "diagonal": lambda r: np.diag(r.normal(size=64)),
    "rank one": lambda r: np.outer(r.normal(size=64), r.normal(size=64)),
    "signs": lambda r: np.sign(r.normal(size=(64, 64))),
    "lower triangle": lambda r: np.tril(r.normal(size=(64, 64))),
    "blocks": lambda r: np.kron(np.eye(8), r.normal(size=(8, 8))),
    "few columns": lambda r: np.pad(r.normal(size=(64, 4)), ((0, 0), (0, 60))),
    "few columns, none negative": lambda r: np.pad(r.exponential(size=(64, 4)), ((0, 0), (0, 60))),
    "few rows": lambda r: np.pad(r.normal(size=(20, 64)), ((0, 44), (0, 0))),
    "few, none negative": lambda r: np.pad(r.exponential(size=(20, 20)), ((0, 44), (0, 44))),
    "sparse": lambda r: r.normal(size=(64, 64)) * (r.random((64, 64)) < 0.05),
    "half of the columns": lambda r: np.pad(r.normal(size=(64, 32)), ((0, 0), (0, 32))),
    "sparse columns": lambda r: r.normal(size=(64, 64)) * (r.random(64) < 0.2),
    "sizes of rows and columns": lambda r: (
        r.normal(size=(64, 64)) * np.exp(r.normal(size=64)) * np.exp(r.normal(size=(64, 1)))
    ),
    "heavy tails": lambda r: r.standard_cauchy(size=(64, 64)),
    "one heavy value a row": lambda r: r.normal(size=(64, 64)) + 50 * np.eye(64)[r.permutation(64)],
    "few ranks": lambda r: r.normal(size=(64, 2)) @ r.normal(size=(2, 64)),
    "ternary": lambda r: r.integers(-1, 2, (64, 64)),
    "not negative": lambda r: r.exponential(size=(64, 64)),
    "symmetric": lambda r: (w := r.normal(size=(64, 64))) + w.T,
}


def record(pattern: str, seed: int) -> Record:
    random = np.random.default_rng(seed)
    weights = []
    for layer in range(3):
        values = PATTERNS[pattern](random).reshape(64, 64).astype(np.float32)
        weights.append(Weight(f"layer{layer}", (64, 64), "float32", partial(np.asarray, values)))
    return Record("", "", sketch=sketch(weights, KEY))


@pytest.mark.parametrize("pattern", PATTERNS)
def test_strangers_of_one_pattern_are_not_accused(pattern: str) -> None:
    judge = Weights()
    for seed in range(4):
        evidence = judge.compare(record(pattern, 100 + seed), record(pattern, seed))
        assert evidence is None or judge.relation(evidence) is Relation.UNRELATED
