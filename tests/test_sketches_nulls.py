"""What a distance is worth: never more than between strangers that were drawn at random."""

from __future__ import annotations

from math import comb, log10

import numpy as np
import pytest

from assay.sketches.keys import PUBLIC
from assay.sketches.nulls import free_values, log10_tail, log10_tail_invariant
from assay.sketches.projections import projected


def binomial(distance: int) -> float:
    return log10(sum(comb(256, d) for d in range(distance + 1))) - 256 * log10(2)


@pytest.mark.parametrize("side", [4, 16, 64, 256, 1024])
def test_the_tail_grows_with_the_distance_up_to_one(side: int) -> None:
    tails = [log10_tail(distance, side, side) for distance in range(257)]
    assert tails == sorted(tails)
    assert tails[-1] == pytest.approx(0, abs=1e-6)
    assert tails[127] == pytest.approx(log10(0.475), abs=0.02)


@pytest.mark.parametrize("distance", [0, 20, 60, 90, 110])
def test_a_small_tensor_proves_less_and_the_largest_what_a_binomial_does(distance: int) -> None:
    tails = [log10_tail(distance, side, side) for side in (8, 16, 32, 128, 1024, 100_000)]
    assert tails == sorted(tails, reverse=True)
    assert all(tail >= binomial(distance) - 1e-6 for tail in tails)
    assert tails[-1] == pytest.approx(binomial(distance), abs=0.01)


def test_two_rows_of_two_prove_nothing() -> None:
    assert log10_tail(0, 2, 2) == pytest.approx(-log10(257), abs=0.05)


@pytest.mark.parametrize("shape", [(16, 9), (16, 27), (48, 64)])
def test_random_strangers_are_not_nearer_than_stated(shape: tuple[int, int]) -> None:
    """A plain binomial is 289 times too sure of 16 × 9 at one in a million."""
    random = np.random.default_rng(0)
    count = 200
    codes = np.stack(
        [
            np.frombuffer(
                projected(random.standard_normal(shape, np.float32), PUBLIC) or b"", np.uint8
            )
            for _ in range(count)
        ]
    )
    first, second = np.triu_indices(count, 1)
    distances = np.bitwise_count(codes[first] ^ codes[second]).sum(1)
    stated = np.array([log10_tail(distance, *shape) for distance in range(257)])[distances]
    for level in (-1, -2, -3):
        assert np.mean(stated <= level) <= 1.3 * 10**level
    assert np.mean(stated <= -1) > 0.02  # and it is not worth nothing


def test_an_invariant_code_proves_something_only_where_it_hardly_changed() -> None:
    """Strangers of one task were 58 to 130 bits apart: of real networks, under sixty keys."""
    tails = [log10_tail_invariant(distance) for distance in range(257)]
    assert tails == sorted(tails)
    assert tails[3] < -12
    assert tails[16] < -5
    assert tails[58] > -1
    assert tails[256] == pytest.approx(0, abs=1e-6)


def test_free_values_are_fewer_than_places() -> None:
    assert free_values(17, 17) == pytest.approx(64)
    assert free_values(1, 100) == 1


def test_a_distance_that_is_none_is_refused() -> None:
    for distance in (-1, 257):
        with pytest.raises(ValueError, match="a distance of"):
            log10_tail(distance, 64, 64)
