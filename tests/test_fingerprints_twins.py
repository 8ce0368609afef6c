"""Twins of the owner's model: exact whatever the suspect is; cohorts: nobody stands out by kind."""

from __future__ import annotations

from math import log10
from typing import Any

import numpy as np
import pytest

from assay.errors import BadOption
from assay.fingerprints import FINGERPRINTS, Fingerprint, Queries, among_twins, calibrate
from assay.running.predictors import Answers
from assay.running.predictors.answers import Array, of_scores

ASKED = Queries(np.zeros((60, 1)))
SHAPE = (60, 5)


def method(name: str, **options: Any) -> Fingerprint:
    make: Any = FINGERPRINTS[name]
    return make(**options)


PARTIAL = method("partial-correlation")
BY_LABELS = method("partial-correlation", entries="labels")
LABELS = method("label-agreement")


def answers(*logits: Array) -> list[Answers]:
    return [of_scores(each) for each in logits]


def parts(rng: np.random.Generator, count: int) -> Array:
    return rng.normal(size=(count, *SHAPE))


@pytest.mark.parametrize("methods", [[PARTIAL], [BY_LABELS], [LABELS, PARTIAL]])
def test_who_shares_data_and_recipe_is_accused_as_seldom_as_is_said(
    methods: list[Fingerprint],
) -> None:
    """References do not have what owner, twins and suspect have in common: they would accuse."""
    rng, found, by_others = np.random.default_rng(0), [], 0
    for _ in range(200):
        task, recipe = parts(rng, 2)
        owner, *twins = answers(*(task + recipe + parts(rng, 10)))
        (suspect,) = answers(task + recipe + parts(rng, 1)[0])
        others = answers(*(task + parts(rng, 9)))
        result = among_twins(methods, owner, suspect, twins, ASKED, references=others, alarm=0.1)
        assert result.log10_false_alarm is not None
        assert (result.references, len(result.null)) == (9, 9)
        found.append(10**result.log10_false_alarm)
        told = calibrate(methods, owner, suspect, others, ASKED, alarm=0.1).log10_false_alarm
        by_others += told is not None and told <= log10(0.1) + 1e-9
    for level in (0.1, 0.2, 0.5):  # within three standard errors
        assert np.mean(np.array(found) <= level + 1e-9) <= level + 3 * (0.25 / 200) ** 0.5
    assert by_others > 120


@pytest.mark.parametrize("made", [PARTIAL, BY_LABELS])
def test_who_learned_from_the_owner_is_nearer_to_it_than_to_its_twins(made: Fingerprint) -> None:
    rng, seen = np.random.default_rng(1), 0
    for _ in range(30):
        task, recipe = parts(rng, 2)
        own = parts(rng, 20)
        owner, *twins = answers(*(task + recipe + own))
        (thief,) = answers(task + 0.5 * recipe + 0.7 * own[0] + 0.8 * parts(rng, 1)[0])
        result = among_twins([made], owner, thief, twins, ASKED, alarm=0.05)
        seen += result.log10_false_alarm == pytest.approx(log10(0.05))
    assert seen >= 24


def test_a_thief_of_another_kind_is_compared_with_the_owners_cohort() -> None:
    """Plainly all of the owner's kind come before a thief that is of another."""
    rng, seen = np.random.default_rng(2), {0: 0, 5: 0}
    for _ in range(30):
        task, own_kind, other_kind = parts(rng, 3)
        owner, *same = task + own_kind + 0.7 * parts(rng, 8)
        others = [*(task + other_kind + 0.7 * parts(rng, 13))]
        thief = others.pop() + 0.4 * (owner - task - own_kind)
        both = answers(owner, thief)
        for cohort in seen:
            made = method("partial-correlation", cohort=cohort)
            told = calibrate([made], *both, answers(*same, *others), ASKED, alarm=0.06)
            assert told.log10_false_alarm is not None
            seen[cohort] += told.log10_false_alarm <= log10(0.06)
    assert seen[5] >= 15
    assert seen[5] >= 2 * seen[0]


def test_the_owner_and_its_twins_are_treated_alike() -> None:
    rng = np.random.default_rng(3)
    task, suspect, *own = parts(rng, 8)
    family = [task + each for each in own]
    ranks = []
    for place, each in enumerate(family):
        others = answers(*family[:place], *family[place + 1 :])
        result = among_twins([PARTIAL], *answers(each, task + suspect), others, ASKED, alarm=0.2)
        assert result.log10_false_alarm is not None
        ranks.append(round(10**result.log10_false_alarm * 6))
    assert sorted(ranks) == [*range(1, 7)]


def test_who_is_as_near_as_the_last_of_a_cohort_is_in_it_whoever_comes_first() -> None:
    """Agreement of few labels is often equal; the owner's model is the first of the pool."""
    rng = np.random.default_rng(7)
    made = method("partial-correlation", entries="labels", cohort=3)
    for _ in range(5):
        rows = [rng.integers(0, 3, 24) for _ in range(10)]
        turned = [*range(1, 9), 0]
        found = made.closeness(rows[9], rows[:9])
        again = made.closeness(rows[9], [rows[each] for each in turned])
        assert again == pytest.approx(found[turned])


def test_labels_of_a_suspect_suffice() -> None:
    rng = np.random.default_rng(4)
    task, *own = parts(rng, 9)
    owner, suspect, *twins = answers(*(task + each for each in own))
    assert BY_LABELS.needs == "labels"
    assert PARTIAL.of_labels() == BY_LABELS
    whole = among_twins([BY_LABELS], owner, suspect, twins, ASKED, alarm=0.2)
    assert among_twins([BY_LABELS], owner, suspect.top(), twins, ASKED, alarm=0.2) == whole
    abstains = among_twins([PARTIAL], owner, suspect.top(), twins, ASKED, alarm=0.2)
    assert (abstains.score, abstains.log10_false_alarm) == (None, None)
    assert "labels alone" in abstains.why


def test_too_few_twins_and_queries_of_the_owners_model_are_refused() -> None:
    rng = np.random.default_rng(5)
    owner, suspect, *twins = answers(*parts(rng, 12))
    result = among_twins([PARTIAL], owner, suspect, twins, ASKED)
    assert result.log10_false_alarm is None
    assert result.score is not None
    assert result.why == "a false alarm of 0.01 takes 99 twins, and there are 10"
    few = among_twins([PARTIAL], owner, suspect, twins[:1], ASKED)
    assert (few.score, few.why) == (None, "1 twins can be compared, and it takes 99")
    flat = of_scores(np.ones(SHAPE))
    assert among_twins([PARTIAL], owner, flat, twins, ASKED).why == "the answers do not vary"
    for made in (method("akh"), method("partial-correlation", source="mistakes"), method("sac")):
        with pytest.raises(BadOption, match="set it apart from its twins"):
            among_twins([made], owner, suspect, twins, ASKED)
    with pytest.raises(BadOption, match="no method"):
        among_twins([], owner, suspect, twins, ASKED)


def test_a_model_in_two_files_is_one_twin_and_one_reference() -> None:
    """Else whoever copies a twin has the owner's rank stand for more than it is."""
    rng = np.random.default_rng(4)
    task, recipe = parts(rng, 2)
    owner, *twins = answers(*(task + recipe + parts(rng, 5)))
    (suspect,) = answers(task + recipe + parts(rng, 1)[0])
    once = among_twins([PARTIAL], owner, suspect, twins, ASKED, alarm=0.2)
    assert once.references == 4
    assert among_twins([PARTIAL], owner, suspect, [*twins, *twins], ASKED, alarm=0.2) == once
    short = among_twins([PARTIAL], owner, suspect, twins[:1] * 9, ASKED, alarm=0.2)
    assert (short.references, short.log10_false_alarm) == (1, None)
    known = calibrate([BY_LABELS], owner, suspect, [*twins, *twins], ASKED, alarm=0.2)
    assert (known.references, known.among) == (4, ("0", "1", "2", "3"))
