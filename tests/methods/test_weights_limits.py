"""Each limit of what codes of weights may be called: just inside it, and just outside."""

from __future__ import annotations

from dataclasses import replace

import pytest
from small_codes import moved, permuted, record, tensor, tensors, turned

from assay.comparisons.weights import Weights
from assay.values import Evidence, Relation, TensorSketch

METHOD = Weights()
UNRELATED, ANCESTOR, DERIVED, SAME = (
    Relation.UNRELATED,
    Relation.COMMON_ANCESTOR,
    Relation.DERIVED,
    Relation.SAME_MODEL,
)


def compared(suspect: list[TensorSketch], source: list[TensorSketch]) -> Evidence:
    evidence = METHOD.compare(record(suspect), record(source))
    assert evidence is not None
    return evidence


def named(suspect: list[TensorSketch], source: list[TensorSketch]) -> Relation:
    return METHOD.relation(compared(suspect, source))


def apart(source: list[TensorSketch], *distances: int) -> list[TensorSketch]:
    """The first tensors at these distances, strangers in place of the others."""
    strangers = tensors(len(source) - len(distances), 500)
    near = zip(source[: len(distances)], distances, strict=True)
    return [moved(each, bits) for each, bits in near] + strangers


@pytest.mark.parametrize(("bits", "relation"), [(6, DERIVED), (7, ANCESTOR)])
def test_near_is_what_twins_are_not(bits: int, relation: Relation) -> None:
    source = tensors(4)
    assert named(apart(source, *[bits] * 4), source) is relation


@pytest.mark.parametrize(("bits", "relation"), [(16, DERIVED), (17, ANCESTOR)])
def test_near_in_other_places_is_what_twins_are_not(bits: int, relation: Relation) -> None:
    source = [tensor(seed, invariant=True) for seed in range(4)]
    assert named([permuted(each, bits) for each in source], source) is relation


@pytest.mark.parametrize(
    ("distances", "relation"),
    [
        ((1, 2, 1, 2), SAME),  # 1.5 bits of all: 8-bit numbers
        ((1, 2, 2, 2), DERIVED),
        ((0, 1, 2, 3), SAME),  # a tensor that did not change, others by 2 bits
        ((0, 0, 2, 3), SAME),
        ((1, 1, 1, 3), SAME),
    ],
)
def test_a_copy_differs_by_rounding_which_spares_no_tensor(
    distances: tuple[int, ...], relation: Relation
) -> None:
    source = tensors(4)
    assert named(apart(source, *distances), source) is relation


@pytest.mark.parametrize(("angle", "relation"), [(0.03, SAME), (0.04, DERIVED)])
def test_rounding_does_not_change_one_half_and_spare_the_other(
    angle: float, relation: Relation
) -> None:
    source = tensors(4)
    suspect = [*source[:2], *(turned(moved(each, 1), angle) for each in source[2:])]
    assert named(suspect, source) is relation


@pytest.mark.parametrize(("changed", "relation"), [(3, DERIVED), (4, SAME)])
def test_a_quarter_of_the_tensors_without_change_is_many(changed: int, relation: Relation) -> None:
    source = [tensor(99, (64, 640)), *tensors(changed)]
    suspect = [source[0], *(turned(moved(each, 3), 0.04) for each in source[1:])]
    assert named(suspect, source) is relation


@pytest.mark.parametrize(("of", "relation"), [(20, SAME), (19, DERIVED)])
def test_the_same_model_is_nearly_all_tensors_of_both(of: int, relation: Relation) -> None:
    larger = tensors(of)
    fewer = larger[:-1]
    assert named(larger, fewer) is relation
    assert named(fewer, larger) is relation
    assert named([*fewer, tensor(500)], larger) is relation


@pytest.mark.parametrize(("rows", "relation"), [(64, SAME), (65, DERIVED)])
def test_the_same_model_is_nearly_all_values_of_both(rows: int, relation: Relation) -> None:
    source = tensors(38)
    assert named([*source, tensor(500, (rows, 128))], source) is relation


def test_one_tensor_is_no_model() -> None:
    assert named(tensors(1), tensors(1)) is ANCESTOR
    assert named(tensors(2), tensors(2)) is SAME


@pytest.mark.parametrize(("permuted_ones", "relation"), [(2, SAME), (3, DERIVED)])
def test_a_model_whose_channels_moved_is_not_the_same(
    permuted_ones: int, relation: Relation
) -> None:
    source = [tensor(seed, invariant=True) for seed in range(4)]
    suspect = [permuted(each, 0) for each in source[:permuted_ones]] + source[permuted_ones:]
    assert named(suspect, source) is relation


@pytest.mark.parametrize(
    ("near", "of", "relation"),
    [(2, 4, DERIVED), (2, 5, ANCESTOR), (1, 1, ANCESTOR), (1, 2, ANCESTOR)],
)
def test_a_part_is_two_tensors_and_half_of_one_model(
    near: int, of: int, relation: Relation
) -> None:
    source = tensors(of)
    suspect = apart(source, *[6] * near)
    assert named(suspect, source) is relation
    assert named([*suspect, *tensors(9, 600)], source) is relation  # a part of a bundle
    assert named(suspect, [*source, *tensors(9, 600)]) is relation


@pytest.mark.parametrize(
    ("bits", "copies", "of", "relation"),
    [
        (2, 3, 30, DERIVED),
        (3, 3, 30, ANCESTOR),  # no copies
        (2, 3, 31, ANCESTOR),  # less than a tenth
        (2, 2, 20, ANCESTOR),  # too few
    ],
)
def test_frozen_layers_are_three_copies_and_a_tenth_of_one_model(
    bits: int, copies: int, of: int, relation: Relation
) -> None:
    source = tensors(of)
    assert named(apart(source, *[bits] * copies), source) is relation
    more = tensors(70, 700)
    assert named([*apart(source, *[bits] * copies), *more], source) is relation
    assert named(apart(source, *[bits] * copies), [*source, *more]) is relation


def test_tensors_whose_channels_moved_are_no_copies() -> None:
    source = [tensor(seed, invariant=True) for seed in range(30)]
    suspect = [*(permuted(each, 0) for each in source[:3]), *tensors(27, 500)]
    assert named(suspect, source) is ANCESTOR


@pytest.mark.parametrize(
    ("matched", "of", "relation"),
    [
        (2, 40, ANCESTOR),
        (2, 41, UNRELATED),
        (1, 1, UNRELATED),  # one layer alone comes out alike from any start
        (1, 2, UNRELATED),
    ],
)
def test_little_in_common_may_be_chance_of_a_seed(
    matched: int, of: int, relation: Relation
) -> None:
    source = tensors(of)
    suspect = apart(source, *[30] * matched)
    evidence = compared(suspect, source)
    assert evidence.log10_false_alarm is not None
    assert evidence.log10_false_alarm < -6
    assert METHOD.relation(evidence) is relation
    assert named([*suspect, *tensors(60, 600)], source) is relation
    assert named(suspect, [*source, *tensors(60, 600)]) is relation


@pytest.mark.parametrize(("learned", "relation"), [(0.25, DERIVED), (0.24, ANCESTOR)])
def test_a_random_start_is_what_twins_have_in_common(learned: float, relation: Relation) -> None:
    source = tensors(4)
    suspect = [replace(each, learned=learned) for each in apart(source, 6, 6, 6, 6)]
    assert named(suspect, source) is named(source, suspect) is relation


@pytest.mark.parametrize(("started", "relation"), [(3, DERIVED), (4, ANCESTOR)])
def test_a_quarter_of_what_is_near_is_more_than_its_start(started: int, relation: Relation) -> None:
    learned = tensor(0)
    random = [replace(each, learned=0.0) for each in tensors(started, 1)]
    source = [learned, *random]
    assert named([moved(each, 3) for each in source], source) is relation
    assert named([moved(each, 3) for each in source], [*source, *tensors(9, 600)]) is relation


def test_a_model_learned_what_its_best_reading_shows() -> None:
    source = tensors(4)
    other = [replace(each, reading="output last", learned=0.0) for each in tensors(4, 800)]
    renamed = [replace(each, name=f"w{place}") for place, each in enumerate(other)]
    assert named([*renamed, *(moved(each, 6) for each in source)], source) is DERIVED


@pytest.mark.parametrize(
    ("alarm", "relation"), [(-6.0, SAME), (-5.99, UNRELATED), (None, UNRELATED)]
)
def test_the_false_alarm_is_one_in_a_million_at_most(
    alarm: float | None, relation: Relation
) -> None:
    evidence = compared(tensors(4), tensors(4))
    assert METHOD.relation(replace(evidence, log10_false_alarm=alarm)) is relation


def test_no_model_is_surer_than_equal_bytes_and_no_tensor_than_its_floor() -> None:
    assert compared(tensors(30), tensors(30)).log10_false_alarm == -77
    alone = compared(tensors(1), tensors(1))
    assert alone.log10_false_alarm == -12
    assert alone.detail["log10_false_alarm_as_measured"] == -5


def test_the_score_is_the_cosine_that_codes_tell() -> None:
    source = tensors(4)
    assert compared(source, source).score == 1
    assert compared(apart(source, 64, 64, 64, 64), source).score == pytest.approx(
        0.5**0.5, abs=1e-4
    )
    assert compared(source[:2], source).score == 0.75  # all of one, half of the other
    assert compared(tensors(4, 500), source).score == 0


def test_the_mean_distance_is_by_size() -> None:
    source = [tensor(0, (64, 128)), tensor(1)]
    detail = compared(apart(source, 0, 3), source).detail
    assert (detail["mean"], detail["median"], detail["largest"]) == (1.0, 3, 3)
    detail = compared(apart([*source, tensor(2)], 0, 3), [*source, tensor(2)]).detail
    assert detail["mean"] == 1.0  # of what is matched
    permuted_ones = [tensor(seed, invariant=True) for seed in range(2)]
    detail = compared([permuted(each, 0) for each in permuted_ones], permuted_ones).detail
    assert (detail["mean"], detail["median"], detail["largest"]) == (None, None, None)
