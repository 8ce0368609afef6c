"""What a distance is worth: never more than between strangers that were drawn at random."""

from __future__ import annotations

import hashlib
from math import acos, atanh, comb, erfc, log10, pi

import numpy as np
import pytest

from assay.sketches.nulls import (
    free_values,
    log10_tail,
    log10_tail_invariant,
    log10_tail_of_cosine,
)
from assay.sketches.projections import cosines, projected_finely


def binomial(distance: int) -> float:
    """Of a cosine of .1: the null allows a stranger so much."""
    differ = acos(0.1) / pi
    terms = (comb(256, d) * differ**d * (1 - differ) ** (256 - d) for d in range(distance + 1))
    return log10(sum(terms))


@pytest.mark.parametrize("side", [4, 16, 64, 256, 1024])
def test_the_tail_grows_with_the_distance_up_to_one(side: int) -> None:
    tails = [log10_tail(distance, side, side) for distance in range(257)]
    assert tails == sorted(tails)
    assert tails[-1] == pytest.approx(0, abs=1e-6)
    assert tails[119] == pytest.approx(log10(0.475), abs=0.03)


@pytest.mark.parametrize("distance", [0, 20, 60, 90, 110])
def test_a_small_tensor_proves_less_and_the_largest_what_a_binomial_does(distance: int) -> None:
    tails = [log10_tail(distance, side, side) for side in (8, 16, 32, 128, 1024, 100_000)]
    assert tails == sorted(tails, reverse=True)
    assert all(tail >= binomial(distance) - 1e-6 for tail in tails)
    assert tails[-1] == pytest.approx(binomial(distance), abs=0.02)


def fisher(cosine: float) -> float:
    """log₁₀ of the tail of the cosine of 256 pairs of numbers that correlate by .1, about."""
    apart = (atanh(cosine) - atanh(0.1)) * 256**0.5
    return log10(erfc(apart / 2**0.5) / 2)


@pytest.mark.parametrize("side", [4, 16, 64, 256, 1024])
def test_the_tail_falls_with_the_cosine(side: int) -> None:
    tails = [log10_tail_of_cosine(cosine, 256, side, side) for cosine in np.linspace(-1, 1, 401)]
    assert tails == sorted(tails, reverse=True)
    assert tails[0] == 0
    assert log10_tail_of_cosine(0.1, 256, side, side) == pytest.approx(log10(0.5), abs=0.03)
    fewer = [log10_tail_of_cosine(0.5, sums, side, side) for sums in (16, 64, 100, 180, 255, 256)]
    assert fewer == sorted(fewer, reverse=True)


@pytest.mark.parametrize("cosine", [0.2, 0.3, 0.4, 0.5])
def test_a_large_tensor_proves_what_its_sums_do(cosine: float) -> None:
    tails = [log10_tail_of_cosine(cosine, 256, side, side) for side in (8, 32, 1024, 100_000)]
    assert tails == sorted(tails, reverse=True)
    assert tails[-1] == pytest.approx(fisher(cosine), rel=0.06)
    assert tails[-1] < log10_tail(round(256 * acos(cosine) / pi), 100_000, 100_000)


def test_two_rows_of_two_prove_nothing() -> None:
    assert log10_tail(0, 2, 2) == pytest.approx(-log10(257), abs=0.1)
    assert log10_tail_of_cosine(0.99, 256, 2, 2) > -2


@pytest.mark.parametrize("shape", [(16, 9), (16, 27), (48, 64)])
@pytest.mark.parametrize("share", [0.0, 0.1])
def test_random_strangers_are_not_nearer_than_stated(shape: tuple[int, int], share: float) -> None:
    """Nor those that have a tenth of one victim in them, whom nobody's key keeps away."""
    random = np.random.default_rng(0)
    count = 400
    victim = random.standard_normal(shape)
    drawn = [
        projected_finely(part.astype(np.float32), hashlib.sha256(bytes([key])).digest())
        for key in range(5)
        for part in (victim, *(random.standard_normal((count, *shape)) + share * victim))
    ]
    codes, cells = (
        np.stack([np.frombuffer(getattr(each, name), kind) for each in drawn if each]).reshape(
            5, count + 1, -1
        )
        for name, kind in (("code", np.uint8), ("cells", np.int8))
    )
    distances = np.bitwise_count(codes[:, :1] ^ codes[:, 1:]).sum(2).reshape(-1)
    stated = np.array([log10_tail(distance, *shape) for distance in range(257)])[distances]
    found = [cosines(part[:1], part[1:], shape) for part in cells]
    finer = [
        log10_tail_of_cosine(cosine, sums, *shape)
        for told, counting in found
        for cosine, sums in zip(told[0], counting[0], strict=True)
    ]
    for said in (stated, np.array(finer)):
        for level in (-1, -2, -3):
            assert np.mean(said <= level) <= 1.5 * 10**level + 0.0005
        assert np.mean(said <= log10(0.5)) > 0.05  # and it is not worth nothing


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
