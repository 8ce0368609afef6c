"""The measures of retrieval: the paper's ceiling, brute force over ties, and bad arguments."""

from collections.abc import Callable
from itertools import pairwise, permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.zoo import HNN_NET
from assay.zoo.retrieval import (
    at_k,
    average_precision,
    bit_entropy,
    distinct_codes,
    expected_gains,
    hamming,
    ndcg,
    precision_within,
)

CASES = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), min_size=1, max_size=6).filter(
    lambda case: any(gain for _, gain in case)
)


def rankings(case: list[tuple[int, int]]) -> list[list[int]]:
    """The gains in every order that the distances allow."""
    orders = (order for order in permutations(case))
    return [
        [gain for _, gain in order]
        for order in orders
        if all(a[0] <= b[0] for a, b in pairwise(order))
    ]


def plain_average_precision(gains: list[int]) -> float:
    ranks = [rank for rank, gain in enumerate(gains, 1) if gain]
    return sum(found / rank for found, rank in enumerate(ranks, 1)) / len(ranks)


def plain_ndcg(gains: list[int]) -> float:
    def dcg(ranked: list[int]) -> float:
        return sum(float(gain / np.log2(rank + 1)) for rank, gain in enumerate(ranked, 1))

    return dcg(gains) / dcg(sorted(gains, reverse=True))


def measured(case: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    distances, gains = zip(*case, strict=True)
    return np.array([distances]), np.array([gains], float)


@given(CASES)
def test_average_precision_is_the_mean_over_all_orders_of_ties(case: list[tuple[int, int]]) -> None:
    distances, gains = measured(case)
    expected = np.mean([plain_average_precision(gains) for gains in rankings(case)])
    assert average_precision(distances, gains > 0) == pytest.approx(expected)


@given(CASES)
def test_ndcg_is_the_mean_over_all_orders_of_ties(case: list[tuple[int, int]]) -> None:
    distances, gains = measured(case)
    expected = np.mean([plain_ndcg(gains) for gains in rankings(case)])
    assert ndcg(distances, gains) == pytest.approx(expected)


@given(CASES, st.integers(1, 6))
def test_measures_at_k_are_the_mean_over_all_orders_of_ties(
    case: list[tuple[int, int]], k: int
) -> None:
    distances, gains = measured(case)
    k = min(k, len(case))
    wanted = int((gains > 0).sum())
    hits = [sum(gain > 0 for gain in order[:k]) for order in rankings(case)]
    found = at_k(distances, gains > 0, k)
    assert found.precision == pytest.approx(np.mean([h / k for h in hits]))
    assert found.recall == pytest.approx(np.mean([h / wanted for h in hits]))
    f1 = [2 * (h / k) * (h / wanted) / (h / k + h / wanted) if h else 0 for h in hits]
    assert found.f1 == pytest.approx(np.mean(f1))


@given(st.integers(0, 2**32))
def test_the_order_in_which_the_database_is_listed_does_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    distances, gains = rng.integers(0, 4, (3, 20)), rng.integers(0, 3, (3, 20)).astype(float)
    gains[:, 0] = 1
    order = rng.permutation(20)
    shuffled, moved = distances[:, order], gains[:, order]
    assert ndcg(shuffled, moved) == pytest.approx(ndcg(distances, gains))
    assert average_precision(shuffled, moved > 0) == pytest.approx(
        average_precision(distances, gains > 0)
    )
    assert at_k(shuffled, moved > 0, 5).f1 == pytest.approx(at_k(distances, gains > 0, 5).f1)


def protocol() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which of the paper's 168 training graphs are of the category, the model of its 42 queries."""
    names = np.array(HNN_NET)
    queries, database = np.repeat(names, 2, 0), np.repeat(names, 8, 0)
    category = queries[:, None, 1] == database[None, :, 1]
    return category, queries[:, None, 0] == database[None, :, 0], database[:, 1]


def test_an_oracle_reaches_the_ceiling_of_the_paper_protocol_and_no_more() -> None:
    relevant, model, _ = protocol()
    assert relevant.shape == (42, 168)
    for oracle in (relevant.astype(int), relevant + model.astype(int)):
        found = at_k(-oracle, relevant, 16)
        assert found.recall == pytest.approx(32 / 42, abs=1e-15)
        assert found.precision == pytest.approx(38 / 42, abs=1e-15)
        assert found.f1 == pytest.approx((24 + 4 + 16 / 3) / 42, abs=1e-15)
    rounded = [round(value, 3) for value in (found.recall, found.precision, found.f1)]
    assert rounded == [0.762, 0.905, 0.794]  # HNN-Net's best row in Table 2


def test_no_ranking_is_above_the_ceiling_and_the_reverse_of_the_best_finds_nothing() -> None:
    relevant, _, _ = protocol()
    rng = np.random.default_rng(0)
    chance = at_k(rng.random(relevant.shape), relevant, 16)
    assert chance.f1 < 0.2
    assert at_k(relevant.astype(int), relevant, 16).precision == 0


def test_codes_that_are_all_equal_score_what_chance_does() -> None:
    relevant, model, _ = protocol()
    same = np.zeros(relevant.shape, int)
    assert at_k(same, relevant, 16).precision == pytest.approx(relevant.mean())
    assert at_k(same, relevant, 16).recall == pytest.approx(16 / 168)
    assert average_precision(same, model).mean() < 0.1


def test_only_model_level_measures_tell_a_model_from_its_category() -> None:
    relevant, model, _ = protocol()
    by_category, by_model = 1 - relevant.astype(int), 2 - relevant.astype(int) - model
    assert average_precision(by_category, relevant).mean() == 1
    assert average_precision(by_category, model).mean() < 0.7
    assert average_precision(by_model, model).mean() == 1
    gains = relevant + model.astype(float)
    assert ndcg(by_model, gains) == pytest.approx(np.ones(42))
    assert ndcg(by_category, gains).mean() < 1


def test_the_expected_gain_of_a_rank_is_the_mean_of_its_tie() -> None:
    found = expected_gains(np.array([[1, 0, 1, 2]]), np.array([[2.0, 1.0, 0.0, 5.0]]))
    assert found.tolist() == [[1, 1, 1, 5]]


def test_hamming_counts_differing_bits() -> None:
    codes = np.array([[0, 0, 1], [1, 1, 1]], bool)
    assert hamming(codes, codes[:1]).tolist() == [[0], [2]]


def test_precision_within_a_radius_counts_only_what_is_near() -> None:
    distances = np.array([[0, 2, 3], [3, 3, 3]])
    relevant = np.array([[True, False, True], [True, True, True]])
    assert precision_within(distances, relevant, 2).tolist() == [0.5, 0]


def test_collapsed_codes_are_seen() -> None:
    half = np.array([[0, 0], [0, 0], [1, 0], [1, 0]], bool)
    assert distinct_codes(half) == 2
    assert bit_entropy(half) == 0.5
    assert bit_entropy(half[:2]) == 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda d, r: at_k(d, r, 4), "k must be in 1 … 3, not 4"),
        (lambda d, r: at_k(d, r, 0), "k must be in 1 … 3, not 0"),
        (lambda d, r: at_k(d, r[:, :2], 1), "distances are"),
        (lambda d, r: average_precision(d, r & False), "query 0 has nothing relevant"),
        (lambda d, r: ndcg(d, np.array([[1.0, 0, 0], [0, 0, 0]])), "query 1 has nothing relevant"),
    ],
)
def test_what_cannot_be_measured_is_said(
    call: Callable[[np.ndarray, np.ndarray], object], message: str
) -> None:
    distances = np.array([[0, 1, 2], [0, 1, 2]])
    with pytest.raises(ValueError, match=message):
        call(distances, np.ones((2, 3), bool))
