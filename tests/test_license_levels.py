"""Searching nested sets by what accuracy they leave."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import UnfitModel
from assay.licenses._level_search import LevelSearch


def search(weights: list[float]) -> LevelSearch:
    """Accuracy falls by each one's weight."""
    return LevelSearch(len(weights), lambda taken: max(0.1, 1 - sum(weights[n] for n in taken)))


def test_the_highest_in_rank_go_first() -> None:
    found = search([0.05] * 20)
    assert found.near(0.8, 0.01) == (0, 1, 2, 3)
    assert found.near(0.6, 0.01, (0, 1, 2, 3)) == tuple(range(8))
    assert found.first(3, (7,)) == (0, 1, 2, 7)
    assert found.first(50) == tuple(range(20))


def test_where_one_would_be_too_much_smaller_ones_follow() -> None:
    found = search([0.07, 0.07, 0.07, 0.07, 0.02, 0.02, 0.02])
    taken = found.near(0.82, 0.005)
    assert taken == (0, 1, 4, 5)
    assert found.accuracy(taken) == pytest.approx(0.82)


def test_a_level_that_cannot_be_met_is_told_with_the_nearest() -> None:
    with pytest.raises(UnfitModel, match=r"within 0\.01 of 0\.75 was found: the nearest has 0\.8"):
        search([0.2, 0.2, 0.2]).near(0.75, 0.01)


def test_what_is_lacking_without_a_key_brings_it_to_the_limit() -> None:
    found = search([0.1] * 20)
    assert found.at_most(0.25, (0, 5)) == (0, 1, 2, 3, 4, 5, 6, 7)
    assert found.at_most(0.95, (3,)) == (3,)
    with pytest.raises(UnfitModel, match=r"0\.7000 at the least.*larger cap"):
        search([0.1] * 3).at_most(0.11)


def test_each_set_is_asked_for_once() -> None:
    asked = []

    def accuracy(taken: tuple[int, ...]) -> float:
        asked.append(taken)
        return 1 - 0.01 * len(taken)

    found = LevelSearch(60, accuracy)
    assert len(found.near(0.7, 0.01)) == 30
    found.near(0.7, 0.01)
    assert len(asked) == len({*asked})


@given(st.lists(st.floats(0.0001, 0.02), min_size=150, max_size=200))
def test_levels_are_nested_and_near(weights: list[float]) -> None:
    found, taken = search(weights), ()
    try:
        for target in (0.9, 0.8, 0.7):
            more = found.near(target, 0.01, taken)
            assert {*taken} <= {*more}
            assert abs(found.accuracy(more) - target) <= 0.01
            taken = more
    except UnfitModel:
        assert 1 - sum(weights) > target - 0.01  # all together are too few
