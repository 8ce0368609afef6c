"""A model stolen by asking it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from small_tasks import CLASSES, SHAPE, squares, trained

from assay.derivations import DERIVATIONS
from assay.errors import BadData, BadOption, Diverged, UnfitModel
from assay.running.examples import Examples
from assay.training import Optimizer, Training

torch = pytest.importorskip("torch")
nn = torch.nn

pytestmark = pytest.mark.torch
QUERIES = Examples(squares(400, 3).inputs, name="unlabeled")
JUDGE = squares(400, 2)
TRAINING = Training(epochs=12, batch=32, optimizer=Optimizer("adam", rate=0.01))
Extract: Any = DERIVATIONS["extract"]


class Counted(nn.Module):
    """A victim that counts how many inputs it is asked about."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = trained("cnn")
        self.register_buffer("asked", torch.zeros((), dtype=torch.int64))

    def forward(self, inputs: Any) -> Any:
        self.asked += len(inputs)
        return self.inner(inputs)


def agreement(one: Any, other: Any) -> float:
    from assay.running.modules import outputs

    answers = (outputs(module, JUDGE.inputs).argmax(1) for module in (one, other))
    return float((next(answers) == next(answers)).mean())


@pytest.mark.parametrize("queries", ["given", "adversarial"])
@pytest.mark.parametrize("answers", ["soft", "hard"])
def test_a_student_answers_as_the_victim_it_asked(answers: str, queries: str) -> None:
    victim = trained("mlp")
    method = Extract(answers=answers, queries=queries, training=TRAINING)
    derived = method.derive(victim, data=QUERIES, judge=JUDGE)
    assert agreement(victim, derived.module) > 0.9
    notes = derived.lineage.notes
    assert notes["queries"] == (400 if queries == "given" else 800)
    assert notes["agreement"] > 0.9
    assert [each["stage"] for each in notes["trainings"]] == [
        "extraction", "adversarial",
    ][: notes["queries"] // 400]  # fmt: skip


def test_another_architecture_can_be_the_student() -> None:
    from assay.zoo.networks import build

    victim, student = trained("cnn"), build("mlp", SHAPE, CLASSES, 3)
    derived = Extract(training=TRAINING).derive(victim, data=QUERIES, student=student)
    assert agreement(victim, derived.module) > 0.6
    assert [*derived.module.state_dict()] == [*student.state_dict()]


def test_noise_teaches_more_than_nothing() -> None:
    victim = trained("mlp")
    derived = Extract(queries="noise", budget=1000, training=TRAINING).derive(
        victim, data=QUERIES.take(slice(0, 10))
    )
    assert derived.lineage.notes["queries"] == 1000
    assert agreement(victim, derived.module) > 0.8  # by chance: 0.25


@pytest.mark.parametrize("shape", [(7,), (2, 9), (1, 8, 8), (3, 5, 6), (1, 4, 4, 4)])
def test_noise_has_the_shape_and_the_range_of_the_examples(shape: tuple[int, ...]) -> None:
    from assay.derivations.extract import smooth_noise

    like = np.random.default_rng(0).uniform(-2, 5, (10, *shape)).astype(np.float32)
    noise = smooth_noise(like, 300, seed=1)
    assert noise.shape == (300, *shape)
    assert like.min() <= noise.min() < -1.5
    assert 4.5 < noise.max() <= like.max()
    assert np.array_equal(noise, smooth_noise(like, 300, seed=1))


def test_noise_is_smooth() -> None:
    from assay.derivations.extract import smooth_noise

    noise = smooth_noise(np.random.default_rng(0).uniform(0, 1, (2, 1, 28, 28)), 100, seed=1)
    mixed = np.random.default_rng(1).permuted(noise, axis=-1)
    assert np.abs(np.diff(noise)).mean() < 0.5 * np.abs(np.diff(mixed)).mean()


def test_adversarial_inputs_stay_near_and_fool_the_model_they_are_made_on() -> None:
    from assay.derivations.extract import RADIUS, adversarial
    from assay.running.modules import outputs

    module, inputs = trained("cnn"), JUDGE.inputs
    made = adversarial(module, inputs, JUDGE.known_labels)
    assert abs(made - inputs).max() <= RADIUS * np.ptp(inputs) * 1.001
    assert inputs.min() <= made.min() <= made.max() <= inputs.max()
    hit, missed = (outputs(module, x).argmax(1) == JUDGE.labels for x in (inputs, made))
    assert missed.mean() < hit.mean() - 0.02


@pytest.mark.parametrize("queries", ["given", "adversarial", "noise"])
def test_the_victim_is_asked_as_often_as_noted_and_no_more_than_the_budget(queries: str) -> None:
    from assay.derivations import Work

    victim = Counted().eval()
    training = Training(epochs=1, batch=32)
    work = Work((victim,), QUERIES, trained("mlp"), seed=1)
    Extract(queries=queries, budget=101, training=training).run(work)
    assert 100 <= work.notes["queries"] <= 101
    assert int(victim.asked) == work.notes["queries"] + 2  # to see which outputs it has


def test_only_answers_decide_the_student() -> None:
    """The same function with other weights gives the same student."""
    victim = trained("mlp")
    other = DERIVATIONS["permute-neurons"]().derive(victim, data=QUERIES).module
    assert not torch.equal(victim[1][0].weight, other[1][0].weight)
    method = Extract(answers="hard", training=Training(epochs=1))
    one, two = (method.derive(each, data=QUERIES) for each in (victim, other))
    assert one.lineage.parents != two.lineage.parents
    assert one.lineage.child == two.lineage.child


def test_what_cannot_be_extracted_is_refused() -> None:
    for wrong in (
        {"answers": "some"}, {"queries": "none"}, {"temperature": 0.0}, {"budget": -1},
    ):  # fmt: skip
        with pytest.raises(BadOption, match=next(iter(wrong))):
            Extract(**wrong)
    victim = trained("cnn")
    with pytest.raises(BadData, match="needs examples"):
        Extract().derive(victim)
    with pytest.raises(BadOption, match="budget"):
        Extract(queries="adversarial", budget=1).derive(victim, data=QUERIES)
    with pytest.raises(UnfitModel, match="outputs"):
        Extract().derive(
            victim, data=QUERIES, student=nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
        )
    with pytest.raises(Diverged, match="rate"):
        Extract(training=Training(optimizer=Optimizer(rate=1e6))).derive(victim, data=QUERIES)
    tokens = Examples(np.zeros((4, 5), np.int64))
    reader = nn.Sequential(nn.Embedding(9, 4), nn.Flatten(), nn.Linear(20, 2))
    with pytest.raises(BadOption, match="real-valued"):
        Extract(queries="noise").derive(reader, data=tokens)
