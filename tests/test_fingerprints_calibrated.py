"""False alarms of fingerprints: exact among references, honest about how many it takes."""

from __future__ import annotations

from math import log10
from typing import Any

import numpy as np
import pytest
from small_reuse import owner, seeds, stranger, tuned

from assay.errors import BadData, BadOption
from assay.fingerprints import (
    FINGERPRINTS,
    Fingerprint,
    Queries,
    calibrate,
    fuse,
    references_needed,
)  # fmt: skip
from assay.running.predictors import Answers, predictor
from assay.running.predictors.answers import Array, of_labels, of_scores

RNG = np.random.default_rng(0)
ASKED = Queries(np.zeros((40, 1)))


def method(name: str, **options: Any) -> Fingerprint:
    make: Any = FINGERPRINTS[name]
    return make(**options)


PARTIAL = method("partial-correlation")
LOGITS = method("logits-on-mistakes")
LABELS = method("label-agreement")


def models(rng: np.random.Generator, count: int, own: float = 1.0) -> list[Array]:
    """Logits (40, 6) of models of one task: something in common, and something of their own."""
    common = rng.normal(size=(40, 6))
    return [common + own * rng.normal(size=(40, 6)) for _ in range(count)]


def answers(logits: list[Array]) -> list[Answers]:
    return [of_scores(each) for each in logits]


@pytest.mark.parametrize("methods", [[LABELS], [LOGITS], [PARTIAL], [LABELS, LOGITS, PARTIAL]])
def test_strangers_are_accused_as_often_as_is_said(methods: list[Fingerprint]) -> None:
    rng, found = np.random.default_rng(1), []
    for _ in range(300):
        victim, suspect, *references = answers(models(rng, 11))
        result = calibrate(methods, victim, suspect, references, ASKED, alarm=0.1)
        assert result.log10_false_alarm is not None
        found.append(10**result.log10_false_alarm)
    for level in (0.1, 0.2, 0.5):  # within three standard errors
        assert np.mean(np.array(found) <= level + 1e-9) <= level + 3 * (0.25 / 300) ** 0.5


def test_what_strangers_have_in_common_tells_nothing() -> None:
    """Good strangers are nearer to the owner than a poor copy is, but not in what is his own."""
    rng, seen = np.random.default_rng(2), {"partial": 0, "plain": 0}
    for _ in range(40):
        common, drawn = rng.normal(size=(40, 6)), rng.normal(size=(22, 40, 6))
        size = rng.uniform(0.2, 0.8, (22, 1, 1))
        size[0], size[1] = 0.5, 0.9
        victim, copy, *references = common + size * drawn
        copy += 0.35 * drawn[0]
        for name, made in (("partial", PARTIAL), ("plain", LOGITS)):
            both = answers([victim, copy])
            result = calibrate([made], *both, answers(references), ASKED, alarm=0.05)
            assert result.log10_false_alarm is not None
            seen[name] += result.log10_false_alarm <= log10(0.05)
    assert seen["partial"] > 20 > 2 * seen["plain"]


def test_partial_correlations_are_those_of_regression() -> None:
    made = method("partial-correlation", ridge=1e-9, cohort=0)
    rows = [made.represent(each, ASKED) for each in answers(models(RNG, 5))]
    found = made.closeness(rows[0], rows[1:])
    others = np.stack(rows[2:]).T
    left = [row - others @ np.linalg.lstsq(others, row)[0] for row in rows[:2]]
    cosine = left[0] @ left[1] / np.linalg.norm(left[0]) / np.linalg.norm(left[1])
    assert found[0] == pytest.approx(cosine, abs=1e-6)


def test_scaled_entries_are_z_scores_of_each_pair_among_the_pool() -> None:
    rows = RNG.random((5, 12))
    found = method("modeldiff", entries="scaled").closeness(rows[0], [*rows[1:]])
    scaled = (rows - rows[1:].mean(0)) / rows[1:].std(0)
    for value, row in zip(found, scaled[1:], strict=True):
        cosine = scaled[0] @ row / np.linalg.norm(scaled[0]) / np.linalg.norm(row)
        assert value == pytest.approx(cosine - 1)


def test_a_suspect_is_treated_as_each_reference_is() -> None:
    victim, *pool = models(RNG, 9)
    for methods in ([PARTIAL], [LOGITS, LABELS]):
        scores = [
            calibrate(methods, *answers([victim, each]),
                      answers([other for other in pool if other is not each]), ASKED).score
            for each in pool
        ]  # fmt: skip
        turned = calibrate(methods, *answers([victim, pool[3]]),
                           answers([*pool[4:], *pool[:3]]), ASKED).score  # fmt: skip
        assert turned == pytest.approx(scores[3])
        assert len({round(score or 0, 9) for score in scores}) == 8


@pytest.mark.parametrize("digits", [None, 2, 1])
@pytest.mark.parametrize("name", ["modeldiff", "sac", "partial-correlation"])
def test_who_rounds_is_accused_neither_more_nor_less(name: str, digits: int | None) -> None:
    """Ranks of the members of a pool, each as the suspect: every one once."""
    options = {"entries": "scaled"} if name == "modeldiff" else {}
    rng = np.random.default_rng(3)
    victim, *pool = answers([2 * each for each in models(rng, 9)])
    chances = []
    for place, each in enumerate(pool):
        told = each.probabilities if digits is None else np.round(each.probabilities, digits)
        others = [*pool[:place], *pool[place + 1 :]]
        found = calibrate([method(name, **options)], victim, of_scores(told), others, ASKED,
                          alarm=0.2)  # fmt: skip
        assert found.log10_false_alarm is not None
        chances.append(round(10**found.log10_false_alarm * 8))
    assert sorted(chances) == [*range(1, 9)]


def test_with_too_few_references_it_abstains() -> None:
    victim, suspect, *references = answers(models(RNG, 12))
    for count in (0, 1, 5, 10):
        result = calibrate([LOGITS], victim, suspect, references[:count], ASKED, alarm=0.05)
        assert result.log10_false_alarm is None
        assert "19" in result.why
    assert result.score is not None
    evidence = result.evidence()
    assert evidence is not None
    assert evidence.log10_false_alarm is None
    assert evidence.detail["why"] == result.why
    enough = calibrate([LOGITS], victim, victim, references[:9], ASKED, alarm=0.1)
    assert enough.log10_false_alarm == pytest.approx(-1)
    assert [references_needed(alarm) for alarm in (0.5, 0.1, 0.05, 0.01)] == [1, 9, 19, 99]


def test_what_comes_from_one_root_is_one_reference() -> None:
    victim, suspect, *references = answers(models(RNG, 12))
    roots = ["one"] * 5 + ["two"] * 5
    result = calibrate([LOGITS], victim, suspect, references, ASKED, roots=roots, alarm=0.1)
    assert (result.references, result.log10_false_alarm) == (2, None)
    copy = references[0]  # a reference that is the suspect itself outweighs its whole root
    result = calibrate([LOGITS], victim, copy, references, ASKED, roots=roots, alarm=0.4)
    assert result.log10_false_alarm is not None
    assert 10**result.log10_false_alarm >= 2 / 3 - 1e-9
    with pytest.raises(BadData, match="1 roots of 10"):
        calibrate([LOGITS], victim, suspect, references, ASKED, roots=["one"])


@pytest.mark.parametrize("made", [PARTIAL, method("partial-correlation", cohort=0),
                                  method("modeldiff", entries="scaled")])  # fmt: skip
def test_siblings_among_the_references_do_not_make_a_stranger_stand_out(made: Fingerprint) -> None:
    """They explain each other's likeness to the owner's model, and nobody explains the suspect's.

    He comes from one more root, as good as theirs: he must be the nearest as seldom as is said.
    """
    rng, found = np.random.default_rng(6), []
    roots = [str(number // 6) for number in range(30)]
    for _ in range(150):
        common = rng.normal(size=(40, 6))
        victim = common + rng.normal(size=(40, 6))
        families = [common + rng.normal(size=(40, 6)) for _ in range(6)]
        kin = [each + 0.3 * rng.normal(size=(40, 6)) for each in families[1:] for _ in range(6)]
        suspect = families[0] + 0.3 * rng.normal(size=(40, 6))
        result = calibrate([made], *answers([victim, suspect]), answers(kin), ASKED, roots=roots,
                           alarm=0.2)  # fmt: skip
        assert result.log10_false_alarm is not None
        found.append(10**result.log10_false_alarm)
    for level in (1 / 6, 1 / 3):
        assert np.mean(np.array(found) <= level + 1e-9) <= level + 3 * (level / 150) ** 0.5


def test_who_is_left_out_of_a_partial_correlation_might_as_well_not_be_there() -> None:
    made = method("partial-correlation", cohort=2)
    rows = [made.represent(each, ASKED) for each in answers(models(RNG, 8))]
    origins = ["a", "b", "b", "b", "c", "d", "c"]
    found = made.closeness(rows[0], rows[1:], origins)
    for place, origin in enumerate(origins):
        rest = [rows[1 + n] for n, other in enumerate(origins) if other != origin]
        alone = made.closeness(rows[0], [rows[1 + place], *rest])[0]
        assert found[place] == pytest.approx(alone)
    assert found != pytest.approx(made.closeness(rows[0], rows[1:]))


def test_what_cannot_be_compared_is_no_reference() -> None:
    victim, suspect, *references = answers(models(RNG, 6))
    others = [of_scores(RNG.normal(size=(40, 3))) for _ in range(30)]
    result = calibrate([LOGITS], victim, suspect, [*references, *others], ASKED)
    assert (result.references, result.log10_false_alarm) == (4, None)
    result = calibrate([LOGITS], victim, others[0], references, ASKED)
    assert (result.score, result.evidence()) == (None, None)
    assert "6 are not 3" in result.why


def test_a_suspect_that_tells_labels_is_judged_by_labels() -> None:
    victim, suspect, *references = answers(models(RNG, 12))
    top = of_labels(suspect.labels)
    assert calibrate([LABELS], victim, top, references, ASKED, alarm=0.1) == calibrate(
        [LABELS], victim, suspect, references, ASKED, alarm=0.1
    )
    assert "labels alone" in calibrate([LABELS, LOGITS], victim, top, references, ASKED).why


def test_answers_that_do_not_vary_say_nothing() -> None:
    victim, _, *references = answers(models(RNG, 22))
    flat = of_scores(np.ones((40, 6)))
    result = calibrate([LOGITS], victim, flat, references, ASKED)
    assert (result.score, result.why) == (None, "the answers do not vary")


def test_calls_that_make_no_sense_are_refused() -> None:
    victim, suspect, *references = answers(models(RNG, 22))
    with pytest.raises(BadOption, match="no method"):
        calibrate([], victim, suspect, references, ASKED)
    with pytest.raises(BadOption, match="between 0 and 1"):
        calibrate([LOGITS], victim, suspect, references, ASKED, alarm=0.0)


@pytest.mark.torch
def test_a_tuned_copy_stands_out_among_trained_strangers() -> None:
    methods = [method("modeldiff", epsilon=0.3), method("sac"), PARTIAL]
    queries = methods[0].craft(owner(), seeds())
    own, copy, *others = (
        predictor(each).ask(queries.inputs)
        for each in (owner(), tuned(), *(stranger(seed) for seed in (1, 5, 6, 7, 8)))
    )
    found = calibrate(methods, own, copy, others, queries, alarm=0.2)
    assert found.log10_false_alarm == pytest.approx(log10(1 / 6))
    innocent = calibrate(methods, own, others[0], others[1:], queries, alarm=0.2)
    assert innocent.score is not None
    assert found.score is not None
    assert innocent.score < found.score / 3
    on_suspect = method("modeldiff", crafted_on="suspect")
    with pytest.raises(BadOption, match="made on the suspect"):
        calibrate([on_suspect], own, copy, others, queries)


def test_methods_with_their_own_queries_are_one_statistic_of_a_known_false_alarm() -> None:
    rng, found = np.random.default_rng(4), []
    for _ in range(300):
        parts = []
        for _ in range(3):  # other queries, other answers of the same models
            victim, suspect, *references = answers(models(rng, 11))
            parts.append(calibrate([LOGITS], victim, suspect, references, ASKED, alarm=0.1))
        result = fuse(parts, 0.1)
        assert result.references == 9
        assert result.log10_false_alarm is not None
        found.append(10**result.log10_false_alarm)
    for level in (0.1, 0.2, 0.5):
        assert np.mean(np.array(found) <= level + 1e-9) <= level + 3 * (0.25 / 300) ** 0.5


def test_what_abstains_is_left_out_of_a_fusion() -> None:
    victim, suspect, *references = answers(models(np.random.default_rng(5), 6))
    whole = calibrate([LOGITS], victim, suspect, references, ASKED, alarm=0.2)
    fewer = calibrate([LOGITS], victim, suspect, references[:3], ASKED, alarm=0.2)
    silent = calibrate([LOGITS], victim, suspect.top(), references, ASKED, alarm=0.2)
    assert fuse([fewer, silent, whole], 0.2) == whole
    others = calibrate([LOGITS], victim, suspect, references, ASKED, roots=[*"abcd"], alarm=0.2)
    assert others.null == whole.null
    assert fuse([whole, others], 0.2) == others  # as many, but nobody says that they are the same
    assert fuse([others, whole], 0.2) == fuse([whole, others], 0.2)  # whichever stands out more
    short = fuse([whole], 0.05)
    assert short.log10_false_alarm is None
    assert short.why == "a false alarm of 0.05 takes 19 references, and there are 4"
    assert fuse([silent], 0.2).score is None
