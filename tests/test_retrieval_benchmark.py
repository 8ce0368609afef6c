"""benchmarks/retrieval: what is asked, of whom, and that it runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scripts_of import run_small, scripts_of

pytestmark = pytest.mark.torch
pytest.importorskip("scipy")
FOLDER = Path(__file__).parents[1] / "benchmarks" / "retrieval"


def test_no_family_is_on_two_sides_and_what_is_asked_is_not_trained_on() -> None:
    with scripts_of(FOLDER) as module:
        suites = module("suites")
        models = suites.database()
        models = models[:: len(models) // 60]
        for seed in (0, 2):
            sides = {model.family: suites.side(model.family, seed) for model in models}
            assert set(sides.values()) == {"trained", "chosen by", "asked"}
            asked = {name for name, side in sides.items() if side == "asked"}
            for suite in suites.suites(models, seed):
                right = {models[i].family for i in np.flatnonzero(suite.relevant.any(0))}
                assert right <= asked
                assert suite.relevant.any(1).all()
                assert not (suite.relevant & suite.left_out).any()
                assert len(suite.queries) == len(suite.relevant)


def test_rankers_find_what_is_the_same() -> None:
    with scripts_of(FOLDER) as module:
        rankers, models = module("rankers"), module("suites").database()[::40]
        graphs = [model.graph for model in models]
        for name, ranker in rankers.untrained().items():
            kept = ranker.features(graphs)
            distances = ranker.distances(kept, kept)
            assert distances.shape == (len(graphs), len(graphs)), name
            assert np.allclose(distances.diagonal(), 0)
            assert np.allclose(distances, distances.T)
            assert (distances >= 0).all()


def test_a_small_run_ranks_a_kernel_above_its_codes() -> None:
    names = ("weisfeiler-lehman, 64 bits", "weisfeiler-lehman kernel")
    lines = run_small(FOLDER, *names)
    found = {line.split(", seed")[0]: float(line.split()[-1]) for line in lines}
    assert 0.5 < found[names[0]] < found[names[1]] <= 1
