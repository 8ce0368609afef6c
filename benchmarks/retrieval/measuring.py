"""One ranker, asked all of one seed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from time import monotonic
from typing import Any

import numpy as np
from edit_ranking import Pairs, agreement, edit_pairs
from noise import COUNT, made_up
from numpy.typing import NDArray
from questions import Suite, side
from rankers import Ranker
from ranking_tables import DATABASES
from suites import suites

from assay.values import Json, LayerGraph
from assay.zoo import Architecture
from assay.zoo.changes import CHANGES
from assay.zoo.retrieval import average_precision

NEAR = (0, 2)  # bits at which the same network is to be found


@dataclass(frozen=True, eq=False)
class Ground:
    """The zoo's d architectures, and how many made-up ones are in their way."""

    models: tuple[Architecture, ...]
    noise: int = COUNT

    def asked(self, seed: int) -> Asked:
        """The same for each ranker of one seed, so it is made once."""
        return _asked(self, seed)


@dataclass(frozen=True)
class Asked:
    """All questions of a seed, and the databases they are put to."""

    suites: tuple[Suite, ...]
    noise: tuple[LayerGraph, ...]  # made-up networks, of families that are not asked
    asked: NDArray[np.bool_]  # (d) which architectures are of asked families
    pairs: Pairs


@lru_cache(maxsize=1)
def _asked(ground: Ground, seed: int) -> Asked:
    models = ground.models
    asked = np.array([side(model.family, seed) == "asked" for model in models])
    others = [model for model, is_asked in zip(models, asked, strict=True) if not is_asked]
    return Asked(
        tuple(suites(models, seed)),
        tuple(made_up(others, seed, ground.noise)),
        asked,
        edit_pairs(models, np.flatnonzero(asked).tolist(), CHANGES, seed),
    )


def measured(ranker: Ranker, ground: Ground, seed: int) -> Json:
    """Mean average precision of each suite, how near the same is, and what a code costs."""
    asked = ground.asked(seed)
    started = monotonic()
    kept = ranker.features([model.graph for model in ground.models])
    seconds = monotonic() - started
    noise = ranker.features(asked.noise)
    found: Json = {"bits": ranker.bits, "ms_per_graph": round(1e3 * seconds / len(asked.asked), 2)}
    found |= {key: {} for key in (*DATABASES, "queries", "near")}
    for suite in asked.suites:
        queries = ranker.features(suite.queries)
        zoo, strange = ranker.distances(queries, kept), ranker.distances(queries, noise)
        zoo = zoo.astype(float)
        zoo[suite.left_out] = np.inf
        for key, value in zip(DATABASES, _precisions(suite, zoo, strange, asked), strict=True):
            found[key][suite.name] = round(value, 4)
        found["queries"][suite.name] = len(suite.queries)
        if suite.same and ranker.bits:
            own = np.where(suite.relevant, zoo, np.inf).min(1)
            found["near"][suite.name] = [round(float((own <= bits).mean()), 4) for bits in NEAR]
    first, second = (ranker.features(graphs) for graphs in (asked.pairs.first, asked.pairs.second))
    apart = ranker.distances(first, second).diagonal().astype(float)
    found["edits"] = agreement(apart, asked.pairs.bounds)
    found["databases"] = [int(asked.asked.sum()), len(kept), len(kept) + len(noise)]
    return found


def _precisions(suite: Suite, zoo: Any, strange: Any, asked: Asked) -> list[float]:
    """Mean average precision against each of DATABASES."""
    both = np.hstack([zoo, strange.astype(float)])
    none = np.zeros(strange.shape, bool)
    cases = (
        (zoo[:, asked.asked], suite.relevant[:, asked.asked]),
        (zoo, suite.relevant),
        (both, np.hstack([suite.relevant, none])),
    )
    return [float(average_precision(far, right).mean()) for far, right in cases]
