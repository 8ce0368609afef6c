"""What every fingerprint owes: the own model is nearest, a tuned copy nearer than any stranger."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from small_reuse import (
    adapted,
    noise,
    other_stranger,
    owner,
    seeds,
    stranger,
    tuned,
)  # fmt: skip

from assay.errors import BadData, BadOption, UnfitModel
from assay.fingerprints import FINGERPRINTS, Fingerprint, Outcome, Queries, Seeds
from assay.running.examples import Examples
from assay.running.predictors import Predictor, predictor
from assay.running.predictors.answers import Array
from assay.running.predictors.limited import Limited

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")


def method(name: str, **options: Any) -> Fingerprint:
    make: Any = FINGERPRINTS[name]
    return make(**options)


VARIANTS = [
    method("modeldiff", entries="centered"),
    method("modeldiff", entries="ranked", epsilon=0.3),
    method("modeldiff", entries="scaled"),
    method("modeldiff", crafting="black-box", epsilon=0.5, steps=64),
    method("modeldiff", crafted_on="suspect"),
    method("partial-correlation", entries="directions"),
    method("partial-correlation", entries="labels", source="mistakes"),
    method("sac", source="cutmix"),
    method("sac", labels_only=True),
    method("ipguard", target="random", steps=200),
    *(method("deepjudge", metric=metric) for metric in ("robd", "nod", "nad", "lod", "lad")),
]
CHEAP: dict[str, dict[str, Any]] = {"ipguard": {"steps": 250}}
ALL = [*(method(name, **CHEAP.get(name, {})) for name in FINGERPRINTS), *VARIANTS]
ON_OWNER = [each for each in ALL if getattr(each, "crafted_on", "owner") == "owner"]
ASKED = [each for each in ON_OWNER if each.needs != "features"]
OVERFIT = [each for each in ALL if each.method != "dataset-inference"]  # that one has its own test
IN_ONE_TASK = [e for e in ALL if not type(e).across_tasks and e.needs != "features"]
ACROSS = [e for e in ALL if type(e).across_tasks]
NAMED = {"ids": repr}


@cache
def crafted(made: Fingerprint, seed: int = 0) -> Queries:
    return made.craft(owner(), seeds(), seed)


def compared(made: Fingerprint, suspect: Any) -> Outcome:
    """As ``compare`` does, with queries that are made once for all tests."""
    if made.crafted_with(owner(), suspect) is suspect:
        return made.compare(owner(), suspect, seeds())
    queries = crafted(made)
    first, second = (made.ask(predictor(model), queries) for model in (owner(), suspect))
    return made.between(first, second, queries)


def distance(made: Fingerprint, suspect: Any) -> float:
    outcome = compared(made, suspect)
    assert outcome.distance is not None, outcome.why
    assert outcome.queries > 0
    return outcome.distance


class Silent(Predictor):
    """A model that can be asked and no more."""

    def __init__(self, module: Any) -> None:
        self._model = predictor(module)

    def run(self, inputs: Array) -> Array:
        return self._model.run(inputs)


class Broken(torch.nn.Module):  # type: ignore[misc]
    """A model that answers what it likes."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = value

    def forward(self, inputs: Any) -> Any:
        return torch.full((len(inputs), 10), self.value)


@pytest.mark.parametrize("made", [e for e in ASKED if e.method != "dataset-inference"], **NAMED)
def test_those_of_one_origin_are_no_rest_for_one_another(made: Fingerprint) -> None:
    """Each is looked at as if its siblings were not in the pool, wherever it stands there."""
    queries, origins = crafted(made), ["a", "b", "b", "c", "b"]
    pool = [tuned(), stranger(1), stranger(5), owner(), Limited(predictor(stranger(1)), 1)]
    own, *rows = (
        made.represent(made.ask(predictor(model), queries), queries) for model in (owner(), *pool)
    )
    found = made.closeness(own, rows, origins)
    for place, origin in enumerate(origins):
        rest = [rows[n] for n, other in enumerate(origins) if other != origin]
        assert found[place] == pytest.approx(made.closeness(own, [rows[place], *rest])[0])
    turned = [3, 1, 4, 0, 2]
    again = made.closeness(own, [rows[n] for n in turned], [origins[n] for n in turned])
    assert again == pytest.approx(found[turned])


@pytest.mark.parametrize("made", OVERFIT, **NAMED)
def test_the_own_model_is_nearest_and_a_tuned_copy_nearer_than_strangers(made: Fingerprint) -> None:
    own, copy = distance(made, owner()), distance(made, tuned())
    others = [distance(made, stranger(seed)) for seed in (1, 5)]
    slack = 0.02 if made.method == "teacher-fingerprint" else 0  # its own pairs may fail, too
    assert -1e-9 <= own <= copy + slack
    assert copy < min(others)


@pytest.mark.parametrize("made", ALL, **NAMED)
def test_one_seed_gives_the_same_queries_and_another_others(made: Fingerprint) -> None:
    again, other = (made.craft(owner(), seeds(), seed) for seed in (0, 2))
    assert crafted(made).digest == again.digest != other.digest
    assert np.isfinite(again.inputs).all()
    assert made.compare(owner(), stranger(), seeds()) == compared(made, stranger())


@pytest.mark.parametrize("made", ALL, **NAMED)
def test_the_models_stay_as_they_are(made: Fingerprint) -> None:
    from assay.running.modules import digest

    before = [(digest(each), each.training) for each in (owner(), stranger())]
    wanted = [p.requires_grad for p in owner().parameters()]
    made.compare(owner(), stranger(), seeds())
    assert [(digest(each), each.training) for each in (owner(), stranger())] == before
    assert [p.requires_grad for p in owner().parameters()] == wanted


@pytest.mark.parametrize("made", ON_OWNER, **NAMED)
def test_labels_suffice_where_a_method_says_so_and_else_it_abstains(made: Fingerprint) -> None:
    whole, top = compared(made, stranger()), compared(made, Limited(predictor(stranger())))
    if made.needs == "labels":
        assert top == whole
    else:
        assert top.distance is None
        assert "labels alone" in top.why or "only be asked" in top.why


@pytest.mark.parametrize("made", ON_OWNER, **NAMED)
def test_of_a_suspect_that_tells_labels_it_asks_the_same(made: Fingerprint) -> None:
    by_labels = made.of_labels()
    assert by_labels.method == made.method
    assert (by_labels == made) == (by_labels.needs == made.needs)
    if by_labels != made:
        assert (made.needs, by_labels.needs) == ("scores", "labels")
        assert by_labels.craft(owner(), seeds()).digest == crafted(made).digest


@pytest.mark.parametrize("made", ALL, **NAMED)
def test_queries_that_are_made_of_the_seeds_alone_are_the_same_for_all(made: Fingerprint) -> None:
    if made.crafts == "gradients":
        assert not made.is_neutral
    else:
        others = made.craft(stranger(), seeds())
        assert (others.digest == crafted(made).digest) == made.is_neutral


@pytest.mark.parametrize("made", [e for e in ON_OWNER if e.needs == "scores"], **NAMED)
def test_scores_rounded_to_two_digits_still_tell_copies_from_strangers(made: Fingerprint) -> None:
    copy = distance(made, Limited(predictor(tuned()), 2))
    assert copy < min(distance(made, Limited(predictor(stranger(s)), 2)) for s in (1, 5))


@pytest.mark.parametrize("made", IN_ONE_TASK, **NAMED)
def test_where_classes_differ_it_abstains(made: Fingerprint) -> None:
    outcome = compared(made, adapted())
    assert outcome.distance is None
    assert "10 are not 5" in outcome.why


@pytest.mark.parametrize("made", ACROSS, **NAMED)
def test_across_tasks_what_was_adapted_is_nearer_than_a_stranger(made: Fingerprint) -> None:
    assert distance(made, adapted()) < distance(made, other_stranger())


@pytest.mark.parametrize("made", [e for e in ASKED if e in OVERFIT], **NAMED)
def test_a_softmax_at_the_end_changes_nothing(made: Fingerprint) -> None:
    given = owner(), tuned()
    softened = [torch.nn.Sequential(each, torch.nn.Softmax(1)) for each in given]
    queries = crafted(made)
    first, second, soft = (made.ask(predictor(each), queries) for each in (*given, softened[1]))
    expected = made.between(first, second, queries).distance
    assert made.between(first, soft, queries).distance == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("made", ASKED, **NAMED)
def test_a_model_that_answers_nothing_is_an_error_or_far_away(made: Fingerprint) -> None:
    queries = crafted(made)
    with pytest.raises(UnfitModel, match="not finite numbers"):
        made.ask(predictor(Broken(float("nan"))), queries)
    same = made.between(
        made.ask(predictor(owner()), queries), made.ask(predictor(Broken(1.0)), queries), queries
    )
    if made.method == "dataset-inference":
        assert same.distance is None
    elif same.distance is None:
        assert same.why == "the answers do not vary"
    else:
        assert same.distance > distance(made, tuned())


@pytest.mark.parametrize("made", ALL, **NAMED)
def test_what_a_method_needs_of_the_owner_is_said(made: Fingerprint) -> None:
    asked = Silent(owner())
    by_search = getattr(made, "crafting", "gradients") == "black-box"
    if type(made).crafts == "gradients" and not by_search:
        with pytest.raises(UnfitModel, match="gradients are needed"):
            made.craft(asked, seeds())
    else:
        assert made.craft(asked, seeds()).digest == crafted(made).digest


@pytest.mark.parametrize("made", ALL, **NAMED)
def test_seeds_that_do_not_suffice_are_named(made: Fingerprint) -> None:
    narrow = Examples(noise(20).inputs[..., 1:], np.zeros(20, int))
    with pytest.raises(BadData, match=r"cannot be run on inputs of shape|takes inputs of shape"):
        made.compare(owner(), stranger(), Seeds(narrow, narrow))
    with pytest.raises(BadData, match="several shapes"):
        made.craft(owner(), Seeds(narrow, noise(20)))
    few = Examples(noise(3).inputs, np.zeros(3, int))
    if made.needs != "features" or made.method == "cka":
        with pytest.raises(BadData, match="too few"):
            made.craft(owner(), Seeds(few, few))
    bare = Seeds(noise(50))
    if type(made).needs_labels:
        with pytest.raises(BadData, match="no labels"):
            made.craft(owner(), bare)
    if type(made).needs_trained_on:
        with pytest.raises(BadOption, match="trained on"):
            made.craft(owner(), bare)


def test_each_method_says_what_access_it_takes() -> None:
    for name in FINGERPRINTS:
        kind = FINGERPRINTS[name]
        assert kind.asks in ("labels", "scores", "features")
        assert kind.crafts in ("nothing", "answers", "gradients")
        assert kind.across_tasks in (True, False)
        assert method(name).needs == kind.asks
