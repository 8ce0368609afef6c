"""The benchmark of families, run small."""

import re
from pathlib import Path

import numpy as np
import pytest
from scripts_of import run_small

from assay.hashers.boosted_minhash import NEARNESS, STRANGE, nearest

FOLDER = Path(__file__).parents[1] / "benchmarks" / "categories"


def test_families_are_named_by_the_nearest() -> None:
    lines = run_small(FOLDER)
    found = dict(re.findall(r"^\| (\w.*) \| (\S+) \|$", "\n".join(lines), re.M))
    assert int(found["networks"]) > 100
    assert float(found["right where confident"]) > 0.7
    assert float(found["confident of the families that are left"]) < float(found["confident"])


def test_a_code_at_no_distance_outweighs_and_far_ones_are_of_none() -> None:
    best, share = nearest(np.array([0.0, 9.0, 9.0]), np.array([2, 1, 1]))
    others = 2 * np.exp(-9 / NEARNESS) + np.exp(-STRANGE / NEARNESS)
    assert (best, share) == (2, pytest.approx(1 / (1 + others)))
    assert nearest(np.array([32.0]), np.array([0]))[1] < 1e-3
