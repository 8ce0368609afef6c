"""Constant-weight marks: exact codes, pruning outlived as planned, words that are never guessed."""

from __future__ import annotations

from itertools import combinations
from math import comb
from pathlib import Path

import numpy as np
import pytest
from small_marks import PAYLOAD, at_rate, changed, key_for, method, pruned, stranger, weight
from small_tasks import squares, trained

from assay.errors import BadOption, UnfitModel
from assay.watermarks import TAG, verify
from assay.watermarks._code import Code, decoded, encoded, number_of, picked, word_of
from assay.watermarks._levels import Levels, places, spots
from assay.watermarks._tails import log10_binomial, log10_tail, overlaps, summed
from assay.weights.sites import projected

MESSAGE = bytes(range(40, 60))
BITS = (64, 128, 256)
RATES = (0.3, 0.7, 0.9, 0.95)


def test_words_and_numbers_are_one_to_one() -> None:
    for length, ones in ((8, 3), (10, 4), (12, 5), (6, 1)):
        words = [word_of(number, length, ones) for number in range(comb(length, ones))]
        assert all(word.sum() == ones for word in words)
        assert len({word.tobytes() for word in words}) == comb(length, ones)
        assert [number_of(word) for word in words] == [*range(comb(length, ones))]
    large = 2**238 + 12345
    assert number_of(word_of(large, 1024, 40)) == large


@pytest.mark.parametrize("code", [Code(), Code(13, 3), Code(256, 1, 2.0)], ids=repr)
def test_lost_and_wrong_blocks_are_corrected_up_to_the_plan(code: Code) -> None:
    blocks = code.blocks(len(MESSAGE))
    clean = encoded(MESSAGE, code.length, code.ones, blocks) * 1.0
    spare = blocks - len(MESSAGE)

    def said(magnitudes: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> bytes | None:
        return decoded(magnitudes, code.ones, len(MESSAGE), MESSAGE.__eq__)

    lost, beyond, wrong = clean.copy(), clean.copy(), clean.copy()
    lost[:spare] = 0
    beyond[: spare + 1] = 0
    wrong[: spare // 2] = np.roll(wrong[: spare // 2], 1, axis=1)
    assert said(clean) == said(lost) == said(wrong) == MESSAGE
    assert said(beyond) is None
    random = np.random.default_rng(0).random(clean.shape)
    assert decoded(random, code.ones, len(MESSAGE), lambda word: False) is None


def test_what_is_zero_or_tied_is_not_picked() -> None:
    """An order among equal ones would favor some words: those of binarized networks."""
    sizes = np.array([[0.0, 3, 0, 0], [1, 2, 2, 2], [0, 0, 0, 0]])
    assert picked(sizes, 2).sum(1).tolist() == [1, 0, 0]


def test_tails_are_those_of_all_cases() -> None:
    length, ones = 7, 3
    mine = {0, 1, 2}
    counts = [0, 0, 0, 0]
    for other in combinations(range(length), ones):
        counts[len(mine & set(other))] += 1
    assert overlaps(length, ones, 3) == tuple(counts)
    two = summed(length, ones, ((3, 2),))
    assert two == tuple(np.convolve(counts, counts))
    mixed = summed(length, ones, ((1, 1), (3, 1)))
    assert mixed == tuple(np.convolve(overlaps(length, ones, 1), counts))
    assert log10_tail(counts, 0) == 0
    assert 10 ** log10_tail(counts, 3) == pytest.approx(1 / comb(7, 3))
    assert 10 ** log10_binomial(8, 10) == pytest.approx(56 / 1024)
    assert 10 ** log10_binomial(1, 3, 10) == pytest.approx(1 - 0.9**3)


def test_places_are_the_keys_and_each_once() -> None:
    made, model = method("constant-weight"), stranger()
    one, other = (next(places(key_for(made, model, n))) for n in (0, 1))
    assert len(np.unique(one)) == one.size
    assert one.max() < model["hidden.weight"].size
    assert len(np.intersect1d(one, other)) < 0.2 * one.size
    assert np.array_equal(one, next(places(key_for(made, model, 0))))
    payload = key_for(made, model, 0, bytes(8))
    assert np.array_equal(one, next(places(payload)))  # the secret alone decides
    assert not np.array_equal(spots(payload)[0].ones, spots(key_for(made, model))[0].ones)


def test_what_is_within_its_bounds_stays_and_signs_are_kept() -> None:
    values = np.array([-5.0, -0.1, 0.0, 0.1, 5.0])
    ones = np.array([True, True, True, False, False])
    bounds = np.array([2.0, 2.0, 2.0, 1.0, 1.0])
    assert projected(values, ones, bounds).tolist() == [-5.0, -2.0, 2.0, 0.1, 1.0]


@pytest.mark.parametrize("host", ["hidden.weight", "body.weight"])
@pytest.mark.parametrize("bits", BITS)
def test_no_bit_is_wrong_below_the_planned_rate(host: str, bits: int) -> None:
    rng = np.random.default_rng(bits)
    model = {
        "hidden.weight": weight("hidden.weight", rng.standard_t(6, (160, 192)) / 14),
        "body.weight": weight("body.weight", rng.standard_t(6, (64, 48, 3, 3)) / 20),
    }
    made = method("constant-weight", survive=0.95, margin=1.0, hosts=(host,))
    for number in range(3):
        key = key_for(made, model, number, rng.bytes(bits // 8))
        marked = made.mark(model, key)
        law = marked.notes["hosts"][0]["outlives"]["layer"]
        assert law >= 0.95
        for rate in RATES:
            suspect = changed(marked.weights, at_rate(rate))
            assert made.detect(suspect, key).score == 1.0
            assert made.payload(suspect, key) == key.payload
        just_below, just_above = (
            made.detect(changed(marked.weights, at_rate(law + step)), key).score
            for step in (-2e-4, 2e-3)
        )
        assert just_below == 1.0 > just_above


def test_a_whole_model_is_pruned_up_to_the_planned_rate_too() -> None:
    model = stranger()
    model = {n: weight(n, w.read() * (4 if n == "body.weight" else 1)) for n, w in model.items()}
    made = method("constant-weight", survive=0.9, margin=1.0)
    key = key_for(made, model)
    marked = made.mark(model, key)
    assert marked.notes["hosts"][0]["outlives"]["model"] >= 0.9
    matrices = [w.read().reshape(-1) for w in marked.weights.values() if len(w.shape) > 1]
    least = np.quantile(np.abs(np.concatenate(matrices)), 0.9)
    suspect = changed(marked.weights, lambda values: np.where(np.abs(values) < least, 0, values))
    assert made.payload(suspect, key) == PAYLOAD


def test_what_is_pruned_beyond_is_lost_and_never_misread() -> None:
    made, model = method("constant-weight", margin=1.0, survive=0.8), stranger()
    key = key_for(made, model)
    marked = made.mark(model, key).weights
    for rate in (0.97, 0.99, 0.999, 1.0):
        said = made.payload(changed(marked, at_rate(rate)), key)
        assert said in (None, PAYLOAD)
    assert said is None
    for noise in (0.5, 1, 2, 4):
        rng = np.random.default_rng(3)
        noisy = changed(
            marked, lambda v, n=noise, r=rng: v + r.normal(0, n * v.std() + 1e-9, v.shape)
        )
        assert made.payload(noisy, key) in (None, PAYLOAD)


def test_a_larger_margin_outlives_more_noise() -> None:
    model, scores = stranger(), []
    for margin in (1.0, 2.0, 3.0):
        made = method("constant-weight", margin=margin)
        key = key_for(made, model)
        marked = made.mark(model, key).weights
        rng = np.random.default_rng(5)
        spread = float(model["hidden.weight"].read().std())
        noisy = changed(marked, lambda v, r=rng, s=spread: v + r.normal(0, s, v.shape))
        found = verify(noisy, key, controls=5)
        assert found.log10_false_alarm is not None
        assert found.log10_false_alarm < -6
        scores.append(found.score)
    assert scores == sorted(scores)
    assert scores[-1] > 0.95 > scores[0]


def test_the_loss_of_one_of_two_hosts_is_corrected() -> None:
    rng = np.random.default_rng(1)
    model = {n: weight(n, rng.normal(size=(80, 100))) for n in ("a", "b", "c")}
    made = method("constant-weight", hosts=("a", "c"))
    key = key_for(made, model)
    marked = dict(made.mark(model, key).weights)
    assert not np.array_equal(marked["a"].read(), model["a"].read())
    assert marked["b"].read is model["b"].read
    marked["c"] = weight("c", rng.normal(size=(80, 100)))
    assert made.payload(marked, key) == PAYLOAD
    assert 0.5 <= made.detect(marked, key).score < 0.7


def test_no_two_of_the_raised_weights_stand_at_one_value() -> None:
    made, model = method("constant-weight"), stranger()
    key = key_for(made, model)
    values = np.abs(made.mark(model, key).weights["hidden.weight"].read()).reshape(-1)
    (spot,) = spots(key)
    raised = values[spot.places[spot.ones]]
    assert len(np.unique(raised.round(6))) > 0.95 * raised.size


@pytest.mark.parametrize("rate", [0.5, 0.9])
def test_a_payload_survives_reorder_and_scale_with_the_original(rate: float) -> None:
    made, model = method("constant-weight"), stranger()
    key = key_for(made, model)
    marked = made.mark(model, key).weights
    rng = np.random.default_rng(2)
    rows, columns = rng.permutation(80), rng.permutation(192)
    scales = rng.uniform(0.3, 3, (80, 1))
    hidden = pruned(marked["hidden.weight"].read(), rate)
    moved = {
        **marked,
        "hidden.weight": weight("hidden.weight", (hidden * scales)[rows][:, columns]),
        "head.weight": weight("head.weight", (marked["head.weight"].read() / scales.T)[:, rows]),
    }
    assert verify(moved, key, controls=5).detail["payload"] is None
    found = verify(moved, key, original=marked, controls=5)
    assert (found.detail["payload"], found.detail["readings"]) == (PAYLOAD.hex(), 2)
    assert found.detail["read"] == "aligned with the original"


def test_a_plan_says_what_a_mark_becomes() -> None:
    made, model = method("constant-weight", survive=0.9, margin=1.5), stranger()
    planned = made.plan(model, 64)
    assert planned["positions"] == 24 * planned["blocks"] == 24 * 3 * (8 + TAG)
    assert planned["ones"] == 2 * planned["blocks"]
    assert planned["blocks_lost"] == 2 * (8 + TAG) == 2 * planned["blocks_wrong"]
    (host,) = planned["hosts"]
    key = key_for(made, model)
    (noted,) = made.mark(model, key).notes["hosts"]
    assert (host["name"], host["high"]) == ("hidden.weight", noted["high"])
    assert host["outlives"]["layer"] >= 0.9
    assert host["outlives"]["layer"] - noted["outlives"]["layer"] < 0.01
    bounds = spots(key)[0].bounds(Levels(host["low"], host["high"]))
    assert bounds[spots(key)[0].ones].min() >= host["high"]
    assert bounds[~spots(key)[0].ones].max() <= host["low"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"survive": 1.0}, "survive"),
        ({"survive": 0.4}, "quiet must be below"),
        ({"margin": 0.5}, "margin must be 1"),
        ({"hinge": -1.0}, "hinge"),
        ({"hinge": float("nan")}, "hinge"),
    ],
)
def test_options_that_do_not_fit_are_named(options: dict[str, float], says: str) -> None:
    with pytest.raises(BadOption, match=says):
        method("constant-weight", **options)


def test_codes_and_hosts_that_do_not_fit_are_named() -> None:
    for made, says in (
        (lambda: Code(20, 2), "fewer than 256"),
        (lambda: Code(24, 0), "fewer"),
        (lambda: Code(redundancy=0.5), "redundancy"),
        (lambda: Code(quiet=1.0), "quiet"),
        (lambda: Code().blocks(100), "255 at most"),
    ):
        with pytest.raises(BadOption, match=says):
            made()
    model = stranger()
    with pytest.raises(UnfitModel, match="the largest are: hidden"):
        key_for(method("constant-weight", hosts=("none",)), model)
    with pytest.raises(UnfitModel, match="has 800 weights"):
        key_for(method("constant-weight", hosts=("head.weight",)), model)
    made = method("constant-weight")
    with pytest.raises(UnfitModel, match="zero already"):
        made.mark(changed(model, at_rate(0.99)), key_for(made, model))


@pytest.mark.torch
def test_the_hinge_draws_the_mark_there_and_a_killed_tuning_goes_on(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from assay.running.modules import digest
    from assay.training import Optimizer, Progress, Training
    from assay.watermarks._marking import weights_of
    from assay.watermarks._pulling import Pull

    model, data = trained("vgg"), squares(96, 3)
    training = Training(epochs=2, batch=32, optimizer=Optimizer(rate=0.01))
    made = method("constant-weight", hinge=20.0, training=training)
    key = key_for(made, model)
    whole = made.mark(model, key, data=data, seed=2).module

    def stop(progress: Progress) -> None:
        if progress.epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        made.mark(model, key, data=data, seed=2, checkpoint=tmp_path, progress=stop)
    again = made.mark(model, key, data=data, seed=2, checkpoint=tmp_path).module
    assert whole is not None
    assert again is not None
    assert digest(whole) == digest(again)
    assert made.detect(weights_of(whole), key).score == 1.0
    pull = Pull(made, model, key)
    other = Pull(method("constant-weight", hinge=1.0, training=training), model, key)
    assert repr(pull) != repr(other)
    with torch.no_grad():
        before, after = (
            sum(each.hinge(module.get_parameter(each.name)).item() for each in pull.spots)
            for module in (model, whole)
        )
    assert after < 0.05 * before
