"""What changing a tenth of a matrix can give it of another: more where rows are of many sizes."""

from __future__ import annotations

import numpy as np
import pytest

from assay.sketches.given import given
from assay.weights import Array

KEY = bytes(range(32))


def matrix(spread: float, shape: tuple[int, int] = (64, 200), seed: int = 0) -> Array:
    draw = np.random.default_rng(seed)
    sizes = draw.lognormal(sigma=spread, size=(shape[0], 1))
    return (draw.normal(size=shape) * sizes).astype(np.float32)


def forged(stranger: Array, victim: Array) -> float:
    """The cosine to a victim that a forger reaches who spends a tenth where it is cheapest.

    A level of what each row is given for its square, by bisection, and no row more than all.
    """
    rows = stranger.astype(np.float64)
    rows -= rows.mean(1, keepdims=True)
    norms = np.linalg.norm(rows, axis=1)
    low, high = 0.0, float(norms.max()) ** 2
    for _ in range(60):
        level = (low + high) / 2
        shares = np.minimum(level / norms**2, 1)
        within = np.linalg.norm(shares * norms) <= 0.1 * np.linalg.norm(stranger)
        low, high = (level, high) if within else (low, level)
    aim = victim - victim.mean(1, keepdims=True)
    aim *= (norms / np.linalg.norm(aim, axis=1))[:, None]
    shares = np.minimum(low / norms**2, 1)[:, None]
    made = np.where(shares == 1, aim, rows + shares * aim)
    one, other = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in (made, victim))
    one, other = (each - each.mean(0) for each in (one, other))
    return float((one * other).sum() / np.linalg.norm(one) / np.linalg.norm(other))


@pytest.mark.parametrize("shape", [(64, 200), (300, 1000), (8, 64)])
def test_rows_of_one_size_are_given_what_is_spent(shape: tuple[int, int]) -> None:
    assert given(matrix(0.0, shape), KEY) == pytest.approx(0.1, abs=0.011)


@pytest.mark.parametrize("spread", [0.0, 0.5, 1.0, 1.5, 2.0])
@pytest.mark.parametrize("seed", range(3))
def test_no_forger_reaches_much_more_than_is_said(spread: float, seed: int) -> None:
    stranger, victim = matrix(spread, seed=seed), matrix(0.3, seed=seed + 10)
    reached = forged(stranger, victim)
    noise = 3 / np.sqrt(victim.size)
    assert reached <= given(stranger, KEY) + noise
    assert reached >= 0.7 * given(stranger, KEY) - noise  # and it is not all that might be


def test_it_grows_with_the_spread_of_rows_and_not_with_scale() -> None:
    found = [given(matrix(spread), KEY) for spread in (0, 0.5, 1, 2, 4)]
    assert found == sorted(found)
    assert found[0] < 0.12
    assert found[-1] > 0.85
    assert given(1e-20 * matrix(1.0), KEY) == given(1e10 * matrix(1.0), KEY)


def test_rows_that_say_nothing_are_left_out() -> None:
    values = matrix(0.0)
    values[:32] = 3.0
    assert 0.1 <= given(values, KEY) <= 0.99
    assert given(np.ones((64, 64), np.float32), KEY) == 0.99
    values[5, 5] = np.nan
    assert given(values, KEY) == 0.99


def test_of_many_rows_a_sample_of_the_key_is_enough() -> None:
    large = matrix(1.0, (3000, 500))
    found = [given(large, bytes([key] * 32)) for key in range(8)]
    exact = [given(part, KEY) for part in np.split(large, 15)]  # 200 rows: all are looked at
    assert np.mean(found) == pytest.approx(np.mean(exact), rel=0.2)
    assert max(found) < 1.5 * min(found)
    assert given(large.reshape(3000, 20, 25), KEY) == given(large, KEY)
