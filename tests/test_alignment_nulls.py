"""What an alignment is worth: never more than measured, with what was searched counted."""

from __future__ import annotations

from itertools import permutations
from math import factorial, log10

import numpy as np
import pytest

from assay.alignment.assignment import assigned
from assay.alignment.matrices import canonical, equilibrated, kernels
from assay.alignment.nulls import (
    beyond,
    free_values,
    free_values_of,
    log10_orders,
    log10_tail,
)
from assay.alignment.orders import Order, Orders
from assay.alignment.search import judged


def normal(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def test_the_tail_holds_for_independent_matrices() -> None:
    pairs = [[canonical(normal(2 * n + k, 6, 5, 1)) for k in (0, 1)] for n in range(1500)]
    tails = np.array([log10_tail(float(np.vdot(a, b)), free_values_of(a, b)) for a, b in pairs])
    for level in (-0.5, -1, -1.5):
        assert (tails <= level).mean() <= 10**level
    assert tails.min() < -1  # and it says something


def test_what_was_tried_is_part_of_what_an_alignment_is_worth() -> None:
    source = normal(0, 12, 20, 1)
    suspect = source + 0.8 * normal(1, 12, 20, 1)
    places = np.arange(12), np.arange(20)
    plain = judged(suspect, source, *places, 0.0).log10_false_alarm
    assert judged(suspect, source, *places, 3.0).log10_false_alarm == pytest.approx(plain + 3)
    assert judged(suspect, source, *places, borrowed=True).log10_false_alarm > plain
    assert beyond(0.05) < 0 < beyond(0.2) < 0.2


def test_the_tail_holds_for_the_best_of_all_orders() -> None:
    """Every order of five rows is tried: the search is as good as any can be."""
    orders = [np.array(order) for order in permutations(range(5))]
    best = []
    for seed in range(400):
        one, other = (canonical(normal(2 * seed + n, 5, 12, 1)) for n in (0, 1))
        best.append(max(float(np.vdot(one[order], other)) for order in orders))
    tried = log10_orders([(5, 5)])
    free = (5 - 1) * (12 - 1)
    tails = np.array([log10_tail(value, free, tried) for value in best])
    for level in (-0.5, -1, -1.5):
        assert (tails <= level).mean() <= 10**level
    unaware = np.array([log10_tail(value, free, 0.0) for value in best])
    assert (unaware <= -1).mean() > 0.5  # what would be claimed if the search were forgotten


def test_orders_are_counted() -> None:
    assert log10_orders([]) == 0
    assert log10_orders([(5, 5)]) == pytest.approx(log10(factorial(5)))
    assert log10_orders([(3, 5), (5, 3)]) == pytest.approx(2 * log10(60))
    assert log10_orders([(1, 7)]) == pytest.approx(log10(7))


def test_the_tail_falls_with_the_correlation_and_rises_with_what_was_searched() -> None:
    tails = [log10_tail(value / 10, 100, 2.0) for value in range(11)]
    assert tails == sorted(tails, reverse=True)
    assert tails[0] == log10_tail(-0.5, 100) == 0
    assert np.isfinite(tails[-1])
    assert log10_tail(0.9, 100, 3.0) == pytest.approx(log10_tail(0.9, 100, 0.0) + 3.0)


def test_a_few_values_that_tower_over_all_others_are_worth_as_few() -> None:
    one, other = normal(0, 64, 64, 1), normal(1, 64, 64, 1)
    for each in (one, other):
        each[3, :5] = 200
    places = np.arange(64), np.arange(64)
    found = judged(one, other, *places)
    assert found.plain > 0.9
    assert found.log10_false_alarm > -3


def test_channels_that_all_share_a_few_directions_are_worth_less() -> None:
    shared = normal(0, 2, 40)
    one, other = (kernels(normal(n, 30, 2) @ shared) for n in (1, 2))
    assert free_values_of(canonical(one), canonical(other)) < 30 * 3
    apart = [[canonical(normal(n + k, 30, 40, 1)) for k in (0, 9)] for n in (1, 2)]
    free = [free_values_of(*pair) for pair in apart]
    assert min(free) > 0.8 * free_values(30, 40)
    assert max(free) <= free_values(30, 40)


def test_scales_of_rows_and_columns_leave_no_trace() -> None:
    matrix = normal(0, 12, 9, 4)
    down, across = np.exp(normal(1, 12)), np.exp(normal(2, 9))
    changed = matrix * down[:, None, None] * across[:, None]
    np.testing.assert_allclose(equilibrated(changed), equilibrated(matrix), rtol=1e-3, atol=1e-4)
    squares = np.square(equilibrated(matrix)).mean(2)
    np.testing.assert_allclose(squares.mean(0), 1, rtol=1e-3)
    np.testing.assert_allclose(squares.mean(1), 1, rtol=1e-3)


def naive(similarity: np.ndarray) -> np.ndarray:
    """The best pair, again and again."""
    left, found = similarity.copy(), np.full(len(similarity), -1)
    for _ in range(min(similarity.shape)):
        row, column = np.unravel_index(left.argmax(), left.shape)
        found[row] = column
        left[row], left[:, column] = -np.inf, -np.inf
    return found


@pytest.mark.parametrize("shape", [(7, 7), (5, 9), (9, 5), (1, 1)])
def test_the_assignment_is_the_greedy_one(shape: tuple[int, int]) -> None:
    for seed in range(20):
        similarity = normal(seed, *shape)
        np.testing.assert_array_equal(assigned(similarity), naive(similarity))


def test_an_order_is_not_offered_to_whom_had_a_part_in_it() -> None:
    orders = Orders()
    order = Order(np.array([2, 0, 1]), 3, frozenset({"own"}))
    orders.add(("own", 0), order)
    assert [one.index.tolist() for one in orders.fitting(3, 3, "own")] == [[0, 1, 2]]
    assert [one.index.tolist() for one in orders.fitting(3, 3, "other")] == [[0, 1, 2], [2, 0, 1]]
    spread = [one.index.tolist() for one in orders.fitting(6, 6, "other")]
    assert spread == [[0, 1, 2, 3, 4, 5], [4, 5, 0, 1, 2, 3], [2, 0, 1, 5, 3, 4]]
    assert orders.fitting(4, 3, "other") == []
