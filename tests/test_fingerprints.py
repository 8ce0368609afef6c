"""What single fingerprints compute, beside the plain formulas; and claims that are false."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from small_reuse import digits, owner, seeds, stranger, tuned

from assay.errors import BadData, BadOption, Overspent, UnfitModel
from assay.fingerprints import FINGERPRINTS, Commitment, Fingerprint, Seeds
from assay.fingerprints._choosing import cut_mix, mistakes
from assay.fingerprints._outputs import cosine_distances, jensen_shannon, linear_cka
from assay.fingerprints._search import search
from assay.running.examples import Examples
from assay.running.predictors import Predictor, predictor
from assay.running.predictors.answers import Array, of_labels, of_scores
from assay.running.predictors.remote import Remote

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

RNG = np.random.default_rng(0)


def method(name: str, **options: Any) -> Fingerprint:
    make: Any = FINGERPRINTS[name]
    return make(**options)


# --- formulas -------------------------------------------------------------------------------------


def test_a_decision_distance_is_the_cosine_distance_of_a_pair() -> None:
    logits = RNG.normal(size=(6, 4))
    made = method("modeldiff", pairs=3)
    queries = made.craft(owner(), seeds())
    found = made.represent(of_scores(logits), queries)
    for pair in range(3):
        first, second = (row - row.mean() for row in (logits[pair], logits[pair + 3]))
        cosine = first @ second / np.sqrt((first @ first) * (second @ second))
        assert found[pair] == pytest.approx(1 - cosine)


def test_adversarial_copies_stay_near_and_are_answered_otherwise() -> None:
    from assay.running.modules import outputs

    queries = method("modeldiff", epsilon=0.3).craft(owner(), seeds())
    inputs, moved = np.split(queries.inputs, 2)
    assert np.abs(moved - inputs).max() <= 0.3 * inputs.std() + 1e-5
    assert moved.min() >= inputs.min()
    assert moved.max() <= inputs.max()
    before, after = outputs(owner(), inputs), outputs(owner(), moved)
    # away from the batch's mean, in output 0 above all: the sign as it takes effect
    assert (np.sign(after - before) == np.sign(before - before.mean(0)))[:, 0].mean() > 0.9


def test_a_search_moves_answers_apart_by_asking_alone() -> None:
    model, inputs = predictor(owner()), digits()[2].inputs[:40]
    moved = search(model, inputs, step=0.5, rounds=48, rng=np.random.default_rng(1))
    changed = (moved != inputs).reshape(40, -1).sum(1)
    assert 0 < changed.max() <= 48
    assert np.abs(moved - inputs).max() <= 0.5 + 1e-6
    before, after = (model.ask(each).probabilities for each in (inputs, moved))
    assert np.linalg.norm(before - after, axis=1).mean() > 0.05


def test_boundary_queries_are_seen_as_another_class_by_the_owner() -> None:
    made = method("ipguard", margin=1.0, count=40)
    queries = made.craft(owner(), seeds())
    given = predictor(owner()).ask(queries.inputs)
    best = np.sort(given.log_probabilities, 1)
    assert (best[:, -1] - best[:, -2] < 2).mean() > 0.9  # no class leads by more


def test_mistakes_are_mistakes() -> None:
    model = predictor(owner())
    found = mistakes(model, digits()[2], 60, np.random.default_rng(0))
    assert len(found) == 60
    assert (model.ask(found.inputs).labels != found.known_labels).all()
    own = mistakes(model, digits()[2], 10, np.random.default_rng(0)).inputs
    assert all((digits()[2].inputs == each).all((1, 2, 3)).any() for each in own)  # unmixed first


def test_a_patch_of_another_picture_is_pasted() -> None:
    zeros, ones = np.zeros((5, 1, 10, 10)), np.ones((2, 1, 10, 10))
    mixed = cut_mix(zeros, ones, 0.3, RNG)
    assert [*mixed.sum((1, 2, 3))] == [9] * 5
    assert not zeros.any()


def test_divergences_and_alignments_are_the_known_ones() -> None:
    first, second = np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]])
    assert jensen_shannon(first, second) == pytest.approx(np.log(2))
    assert jensen_shannon(first, first) == 0
    features = RNG.normal(size=(50, 4))
    turn, _ = np.linalg.qr(RNG.normal(size=(4, 4)))
    assert linear_cka(features, 3 * features @ turn + 1) == pytest.approx(1)
    assert linear_cka(features, RNG.normal(size=(50, 4))) < 0.3
    zero = np.zeros(3)
    assert [*cosine_distances(np.stack([zero, zero]), np.stack([zero, zero + 1]))] == [0, 1]


def test_zest_finds_the_parts_that_a_linear_model_looks_at() -> None:
    weights = RNG.normal(size=(64, 3))

    class Linear(Predictor):
        def run(self, inputs: Array) -> Array:
            found: Array = 1 / 3 + 1e-3 * (inputs.reshape(len(inputs), -1) @ weights)
            return found

    made = method("zest", pictures=4, grid=2)
    queries = made.craft(owner(), seeds())
    assert queries.notes["shown"][:, 0].all()
    whole = queries.inputs.reshape(4, 64, *queries.inputs.shape[1:])[:, 0]
    assert all((digits()[2].inputs == each).all((1, 2, 3)).any() for each in whole)
    assert made.represent(made.ask(Linear(), queries), queries).shape == (4, 4, 3)


def test_a_teacher_is_shown_by_pairs_outside_the_most_frequent_label() -> None:
    made = method("teacher-fingerprint")
    answers = of_labels(np.array([0, 0, 1, 2, 5, 6, 1, 3]))  # probes, then what imitates them
    pairs = made.represent(answers, made.craft(owner(), seeds()))
    assert made.distance(pairs, pairs) == 0.5
    assert np.isnan(made.distance(pairs, np.zeros((2, 4), int)))


def test_training_data_are_known_to_who_was_trained_on_them() -> None:
    from assay.running.modules import copy_of
    from assay.training import Optimizer, Training, train
    from assay.zoo.networks import build

    known, others = digits()[0].take(slice(0, 80)), digits()[1].take(slice(0, 80))
    training = Training(epochs=60, batch=16, optimizer=Optimizer("adam", rate=0.01))
    victim, innocent = (build("mlp", (1, 8, 8), 10, seed, 1.0) for seed in (0, 1))
    train(victim, known, training)
    train(innocent, others, training)
    copy = copy_of(victim)
    with torch.no_grad():
        for weight in copy.parameters():
            weight.add_(0.02 * weight.std() * torch.randn(weight.shape))
    made = method("dataset-inference", samples=80)
    own = Seeds(digits()[2], known)
    found = [made.compare(victim, each, own).distance for each in (victim, copy, innocent)]
    assert found[0] is not None
    assert found[1] is not None
    assert found[2] is not None
    assert max(found[0], found[1]) < -1.7  # Welch's t above the 5 % point
    assert found[2] > max(found[0], found[1]) + 1


def test_walks_of_one_sample_are_one_row() -> None:
    made = method("dataset-inference", samples=8, starts=2, steps=3)
    queries = made.craft(owner(), seeds())
    samples, steps, walks = queries.notes["sizes"]
    assert (samples, steps, walks) == (16, 4, 6)
    cube = queries.inputs.reshape(samples, steps, walks, -1)
    assert (cube[:, 0] == cube[:, :1, 0]).all()  # every walk begins at its sample
    directions = cube[:, 1] - cube[:, 0]
    np.testing.assert_allclose(directions, np.broadcast_to(directions[:1], directions.shape),
                               atol=1e-5)  # fmt: skip
    labels = np.zeros((samples, steps, walks), int)
    labels[3, 2:, 1] = 7
    rows = made.represent(of_labels(labels.ravel()), queries)
    assert rows[3, 1] == 2
    assert (np.delete(rows.ravel(), 3 * 6 + 1) == 4).all()


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("modeldiff", {"pairs": 1}), ("modeldiff", {"epsilon": float("nan")}),
        ("ipguard", {"rate": 0.0}), ("sac", {"patch": 1.0}), ("zest", {"masks": 16}),
        ("akh", {"count": 0}), ("deepjudge", {"steps": 0}), ("cka", {"count": 1}),
        ("label-agreement", {"count": 0}), ("logits-on-mistakes", {"count": 0}),
        ("teacher-fingerprint", {"pairs": 1}), ("partial-correlation", {"ridge": 0.0}),
        ("dataset-inference", {"samples": 3}),
    ],
)  # fmt: skip
def test_options_that_make_no_sense_are_refused(name: str, options: dict[str, Any]) -> None:
    with pytest.raises(BadOption, match=name):
        method(name, **options)


# --- claims ---------------------------------------------------------------------------------------


def test_queries_that_follow_from_a_log_stop_an_accuser_who_made_them_to_fit() -> None:
    from assay.running.modules import accuracy

    made = method("label-agreement")
    accused, innocent = predictor(stranger()), stranger()
    agreed = (
        predictor(owner()).ask(digits()[2].inputs).labels == accused.ask(digits()[2].inputs).labels
    )  # the accuser asks the stranger first, and keeps what the two agree about
    chosen = Seeds(digits()[2].take(np.flatnonzero(agreed)))
    assert made.compare(owner(), innocent, chosen).distance == 0  # the stranger looks stolen
    assert accuracy(innocent, digits()[2]) < 1

    sha256, log = "0" * 64, Commitment.to(made, "0" * 64, seeds(), "a nonce")
    queries = log.verify(log.digest, "beacon", made, owner(), seeds())
    assert queries.digest == made.craft(owner(), seeds(), log.seed("beacon")).digest
    honest = made.between(predictor(owner()).ask(queries.inputs), accused.ask(queries.inputs),
                          queries).distance  # fmt: skip
    assert honest is not None
    assert honest > 0
    with pytest.raises(BadData, match="method or seeds"):
        log.verify(log.digest, "beacon", made, owner(), chosen)
    with pytest.raises(BadData, match="not the one that was logged"):
        Commitment.to(made, sha256, chosen, "a nonce").verify(
            log.digest, "beacon", made, owner(), chosen
        )
    with pytest.raises(BadData, match="method or seeds"):
        log.verify(log.digest, "beacon", method("akh"), owner(), seeds())
    assert log.seed("beacon") != log.seed("another") != replace(log, nonce="b").seed("another")


def test_a_suspect_is_charged_for_its_queries_alone() -> None:
    suspect = predictor(tuned())
    outcome = method("sac", source="seeds", count=30).compare(owner(), suspect, seeds())
    assert (outcome.queries, suspect.asked) == (30, 30)
    assert outcome.method == "SAC(count=30, source='seeds', labels_only=False, patch=0.2)"


def test_noise_serves_as_seeds_where_there_are_no_others() -> None:
    seeds_ = Seeds(Examples(RNG.normal(size=(60, 1, 8, 8))))
    made = method("modeldiff", pairs=60)
    copy, other = (made.compare(owner(), each, seeds_).distance for each in (tuned(), stranger()))
    assert copy is not None
    assert other is not None
    assert copy < other


def test_a_suspect_behind_a_url_is_compared_within_its_budget() -> None:
    from small_servers import reply, served

    from assay.running.modules import outputs

    made = method("sac", source="seeds", count=30)
    queries = made.craft(owner(), seeds())
    with served(lambda x: reply(outputs=outputs(tuned(), x).tolist())) as url:
        far = made.between(made.ask(predictor(owner()), queries),
                           made.ask(Remote(url, budget=30), queries), queries)  # fmt: skip
        with pytest.raises(Overspent, match="budget of 29"):
            made.ask(Remote(url, batch=10, budget=29), queries)
    near = made.compare(owner(), tuned(), seeds())
    assert far.queries == 30
    assert far.distance == pytest.approx(near.distance, abs=1e-6)


# --- features, and how much is asked --------------------------------------------------------------


def test_features_of_tokens_are_averaged_over_tokens() -> None:
    from assay.fingerprints._layers import averaged, features

    class Tokens(torch.nn.Module):  # type: ignore[misc]
        """Each row of a picture is a token."""

        def __init__(self) -> None:
            super().__init__()
            self.embed, self.head = torch.nn.Linear(8, 5), torch.nn.Linear(5, 3)

        def forward(self, inputs: Any) -> Any:
            return self.head(self.embed(inputs[:, 0]).mean(1))

    model, inputs = Tokens(), RNG.normal(size=(6, 1, 8, 8)).astype(np.float32)
    found = features(model, "embed", inputs)
    rows = inputs[:, 0] @ model.embed.weight.detach().numpy().T + model.embed.bias.detach().numpy()
    assert found.shape == (6, 5)
    assert found == pytest.approx(rows.mean(1), abs=1e-5)
    maps = torch.from_numpy(RNG.normal(size=(2, 4, 3, 3)))
    assert torch.allclose(averaged(maps, torch.nn.Conv2d(1, 4, 1)), maps.mean((2, 3)))


@pytest.mark.parametrize("name", [*FINGERPRINTS])
def test_no_method_asks_more_than_it_is_told(name: str) -> None:
    limit = 5000  # dataset-inference's least is 4 samples of 1,020 queries each
    made = method(name).within(limit)
    if name == "deepjudge":
        made = method(name, count=20)
    if name == "ipguard":
        made = method(name, steps=5).within(limit)
    queries = made.craft(owner(), seeds())
    assert 0 < len(queries) <= limit
    with pytest.raises(BadOption):
        method(name).within(0)


def test_without_gradients_modeldiff_searches_and_others_do_not() -> None:
    assert repr(method("modeldiff").without_gradients()) == repr(
        method("modeldiff", crafting="black-box")
    )
    assert method("akh").without_gradients() == method("akh")
    with pytest.raises(UnfitModel, match="gradients"):
        method("ipguard").without_gradients()
