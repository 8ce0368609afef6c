"""Tensors of two models matched by their codes: one to one, nearest first, each told once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations
from math import comb, log10

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_codes import SHAPE, moved, permuted, tensor, tensors

from assay.comparisons._tensor_pairs import FLOOR, Matching, Tensor, informative, left_out, matched
from assay.comparisons.weights import combined, false_alarm
from assay.sketches.nulls import log10_tail, log10_tail_invariant
from assay.values import TensorSketch, WeightSketch


def told(listed: Sequence[TensorSketch]) -> tuple[Tensor, ...]:
    return informative(WeightSketch("s", tuple(listed)))


def found(ours: Sequence[TensorSketch], theirs: Sequence[TensorSketch]) -> Matching:
    return matched(told(ours), told(theirs))


def places(matching: Matching) -> set[tuple[int, int]]:
    return {(pair.ours, pair.theirs) for pair in matching.pairs}


def copy(sketch: TensorSketch, bits: int, first: int = 0) -> TensorSketch:
    """Another weight of the same model, so many bits away."""
    return replace(moved(sketch, bits, first), name=f"{sketch.name}.{first}")


def farthest(log10_of_alarm: float) -> int:
    """The largest distance between strangers that is at most so likely."""
    return max(d for d in range(128) if log10_tail(d, *SHAPE) <= log10_of_alarm)


# What tells something


def test_tensors_of_one_model_that_no_chance_brought_so_near_are_one() -> None:
    bits = farthest(-6)
    first, other = tensors(2)
    assert len(told([first, other, copy(first, bits)])) == 2
    assert len(told([first, other, copy(first, bits + 1)])) == 3
    assert len(told([first, replace(first, name="of another shape", shape=(32, 128))])) == 2


def test_a_model_and_its_moving_average_tell_as_much_as_the_model() -> None:
    model = tensors(4)
    average = [copy(each, 20) for each in model]
    source = [moved(each, 3, 200) for each in model]
    with_average, without = found([*model, *average], source), found(model, source)
    assert [tensor.size for tensor in with_average.tensors[0]] == [4096] * 4
    assert with_average.shares(with_average.pairs) == [1.0, 1.0]
    assert false_alarm(with_average, -12) >= false_alarm(without, -12)


def test_a_weight_that_is_a_formula_in_one_reading_tells_nothing_in_any() -> None:
    one, two = tensors(2)
    formula = replace(one, reading="output last", code=None, left_out="constant rows")
    assert [each.codes[0].name for each in told([one, formula, two])] == ["w1"]
    assert left_out(WeightSketch("s", (formula, replace(formula, reading="both"), two))) == {
        "constant rows": 1
    }


def test_readings_of_one_weight_are_one_tensor_and_the_nearest_counts() -> None:
    first, other = tensors(2)
    second = replace(other, name="w0", reading="output last", learned=0.1)
    (weight,) = told([first, second])
    assert (weight.size, weight.learned) == (4096, 1.0)
    (pair,) = matched((weight,), told([moved(other, 5)])).pairs
    assert pair.distance == 5
    assert matched((weight,), told([first])).compared == ([2], [2])


# What is matched


def test_only_what_strangers_are_not_is_matched() -> None:
    first = tensor(0)
    assert len(found([first], [moved(first, farthest(-3))]).pairs) == 1
    assert found([first], [moved(first, farthest(-3) + 1)]).pairs == []


def test_what_it_takes_to_match_grows_with_what_was_compared() -> None:
    """Seen from either model, the more demanding one counts."""
    first, crowd = tensor(0), tensors(99, 100)
    bits = farthest(-3 - log10(100))
    for distance, count in ((bits, 1), (bits + 1, 0)):
        near = moved(first, distance)
        assert len(found([first], [near, *crowd]).pairs) == count
        assert len(found([near, *crowd], [first]).pairs) == count


def test_each_tensor_has_one_partner_and_the_nearest_come_first() -> None:
    source = tensors(2)
    far, near = copy(source[0], 60), copy(source[0], 50, 100)
    pairs = found([far, near], source).pairs
    assert [(pair.ours, pair.theirs, pair.distance) for pair in pairs] == [(1, 0, 50)]
    pairs = found(source, [far, near]).pairs
    assert [(pair.ours, pair.theirs, pair.distance) for pair in pairs] == [(0, 1, 50)]


def test_of_two_that_are_as_near_the_same_one_is_taken_from_either_side() -> None:
    target, stranger, other = tensors(3)
    near, as_near = copy(target, 60), copy(target, 60, 100)
    for ours in ([near, as_near], [as_near, near]):
        there, back = (
            found(*pair) for pair in ((ours, [stranger, other, target]), ([stranger, target], ours))
        )
        assert places(there) == {(0, 2)}
        assert places(back) == {(1, 0)}


def test_what_is_less_likely_goes_before_what_is_nearer() -> None:
    """A pair of small tensors may be nearer and yet more likely, or one of second codes."""
    weight = tensor(0, (24, 24), invariant=True)
    other = replace(permuted(weight, 3), name="other")
    near = moved(replace(weight, invariant=None), 60)
    assert log10_tail(60, 24, 24) > FLOOR > log10_tail_invariant(3)
    (pair,) = found([weight], [near, other]).pairs
    assert (pair.theirs, pair.distance, pair.permuted) == (1, 3, True)
    nearer = moved(replace(weight, invariant=None), 2)  # both are as sure as may be said
    (pair,) = found([weight], [nearer, other]).pairs
    assert (pair.theirs, pair.distance, pair.permuted) == (0, 2, False)


def test_codes_of_other_shapes_or_kernels_are_not_compared() -> None:
    first = tensor(0, invariant=True)
    other_kernel = replace(permuted(first, 0), places=3)
    for other in (replace(first, shape=(32, 128)), other_kernel):
        assert found([first], [other]).pairs == []
    assert [pair.permuted for pair in found([first], [permuted(first, 0)]).pairs] == [True]
    assert found([first], [first]).compared == ([2], [2])


@given(
    ours=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 90)), min_size=1, max_size=8),
    theirs=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 90)), min_size=1, max_size=8),
)
def test_which_model_is_first_plays_no_part(
    ours: list[tuple[int, int]], theirs: list[tuple[int, int]]
) -> None:
    first, second = (
        [
            replace(moved(tensor(seed), bits, start), name=str(place))
            for place, (seed, bits) in enumerate(listed)
        ]
        for start, listed in ((0, ours), (100, theirs))
    )
    there, back = found(first, second), found(second, first)
    assert places(there) == {(b, a) for a, b in places(back)}
    assert there.compared == back.compared[::-1]
    assert there.shares(there.pairs) == back.shares(back.pairs)[::-1]
    assert false_alarm(there, -12) == false_alarm(back, -12)
    assert len({a for a, _ in places(there)}) == len({b for _, b in places(there)})


def test_shares_are_of_values() -> None:
    large, small, other = tensor(0, (64, 192)), tensor(1), tensor(2)
    matching = found([large, small], [large, other])
    assert matching.shares(matching.pairs) == [0.75, 0.75]
    assert matching.shares(matching.pairs, lambda pair: 0.5) == [0.375, 0.375]
    assert found([small, large], [small]).shares([]) == [0.0, 0.0]


# The false alarm of models


def test_the_false_alarm_is_that_of_the_weaker_side() -> None:
    """Of many tensors two are easily near; of two, hardly."""
    source = tensors(2)
    suspect = [moved(each, farthest(-9)) for each in source]
    crowd = [tensor(seed, (32, 32)) for seed in range(100, 150)]
    alone = false_alarm(found(suspect, source), -12)
    assert false_alarm(found([*suspect, *crowd], source), -12) == alone  # nothing to compare with
    small = [tensor(200, (32, 32))]
    among = false_alarm(found([*suspect, *crowd], [*source, *small]), -12)
    assert among > alone
    assert among == false_alarm(found([*source, *small], [*suspect, *crowd]), -12)


def test_of_several_comparisons_each_was_a_chance() -> None:
    first, crowd = tensor(0), tensors(9, 100)
    assert false_alarm(found([first], [first]), -12) == -12
    readings = [replace(tensor(0, invariant=True), reading=reading) for reading in ("a", "b")]
    assert false_alarm(found(readings, readings[:1]), -12) == pytest.approx(-12 + log10(4))
    one_of_ten = -12 + 2  # which of them is near, and how many are
    assert false_alarm(found([first], [first, *crowd]), -12) == pytest.approx(one_of_ten)


def by_hand(tails: Sequence[float], total: int) -> float:
    """The least likely of all choices of some of the tails, over every order of them."""
    likely = [1.0]
    for order in permutations(tails):
        for k in range(1, len(order) + 1):
            likely.append(comb(total, k) * (10 ** max(order[:k])) ** k * total)
    return log10(min(likely))


@given(tails=st.lists(st.floats(-9, 0), max_size=5), more=st.integers(0, 9))
def test_combined_is_the_least_of_all_choices_times_their_number(
    tails: list[float], more: int
) -> None:
    total = len(tails) + more
    if total:
        assert combined(tails, total) == pytest.approx(by_hand(tails, total), abs=1e-6)


@given(tails=st.lists(st.floats(-20, 0), min_size=1, max_size=9), more=st.integers(0, 40))
def test_more_tensors_never_make_a_false_alarm_less_likely(tails: list[float], more: int) -> None:
    total = len(tails) + more
    assert combined(tails, total + 1) >= combined(tails, total)
    assert combined(tails[1:], total) >= combined(tails, total)


@pytest.mark.parametrize("total", [1, 2, 3, 4])
def test_combined_is_never_surer_than_all_outcomes_counted(total: int) -> None:
    """Tensors that may be near with one chance in ten, or very near with one in a thousand."""
    outcomes = {0.0: 0.9, -1.0: 0.099, -3.0: 0.001}
    chances: dict[float, float] = {}

    def count(tails: tuple[float, ...], chance: float) -> None:
        if len(tails) == total:
            said = combined([tail for tail in tails if tail], total)
            chances[said] = chances.get(said, 0) + chance
            return
        for tail, likely in outcomes.items():
            count((*tails, tail), chance * likely)

    count((), 1)
    for said in chances:
        assert sum(p for other, p in chances.items() if other <= said) <= 10**said * (1 + 1e-9)
