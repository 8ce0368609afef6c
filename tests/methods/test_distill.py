"""A student that learns a model's answers and features."""

from __future__ import annotations

from dataclasses import replace
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
DATA, JUDGE = squares(400, 1), squares(400, 2)
TRAINING = Training(epochs=12, batch=32, optimizer=Optimizer("adam", rate=0.01))
Distill: Any = DERIVATIONS["distill"]


def agreement(one: Any, other: Any) -> float:
    from assay.running.modules import outputs

    answers = (outputs(module, JUDGE.inputs).argmax(1) for module in (one, other))
    return float((next(answers) == next(answers)).mean())


@pytest.mark.parametrize(
    "options",
    [{}, {"label_share": 0.0}, {"label_share": 1.0, "feature_weight": 5.0}],
    ids=["soft answers and labels", "soft answers", "features and labels"],
)
def test_a_student_initialized_anew_answers_as_its_teacher(options: dict[str, Any]) -> None:
    teacher = trained("mlp")
    derived = Distill(training=TRAINING, **options).derive(teacher, data=DATA, judge=JUDGE)
    assert agreement(teacher, derived.module) > 0.9
    assert derived.lineage.accuracy["child"] > 0.9
    assert [*derived.module.state_dict()] == [*teacher.state_dict()]
    again = Distill(training=TRAINING, **options).derive(teacher, data=DATA)
    assert again.lineage.child == derived.lineage.child


def test_features_come_closer_with_hints_than_without() -> None:
    from assay.derivations.distill import features

    teacher = trained("mlp")
    inputs, distances = torch.from_numpy(JUDGE.inputs), []
    for weight in (0.0, 5.0):
        student = Distill(label_share=1.0, feature_weight=weight, training=TRAINING).derive(
            teacher, data=DATA
        )
        assert ("stages" in student.lineage.notes) == bool(weight)
        found = []
        for module in (teacher, student.module):
            with features(module, ["stage2"]) as kept, torch.no_grad():
                module(inputs)
            found.append(kept["stage2"])
        distances.append(float((found[0] - found[1]).square().mean()))
    assert distances[1] < 0.5 * distances[0]
    assert student.lineage.notes["stages"] == ["stage1", "stage2"]


def test_a_student_of_another_architecture_learns_without_labels_too() -> None:
    from assay.zoo.networks import build

    teacher, student = trained("cnn"), build("mlp", SHAPE, CLASSES, 3)
    before = {name: tensor.clone() for name, tensor in student.state_dict().items()}
    derived = Distill(label_share=0.0, training=TRAINING).derive(
        teacher, data=Examples(DATA.inputs), student=student
    )
    assert agreement(teacher, derived.module) > 0.6
    assert all(torch.equal(before[name], t) for name, t in student.state_dict().items())
    with pytest.raises(UnfitModel, match="equal architectures"):
        Distill(feature_weight=1.0, training=TRAINING).derive(teacher, data=DATA, student=student)


def test_a_student_does_not_begin_with_the_weights_that_its_teacher_began_with() -> None:
    from assay.zoo.networks import build

    begun = build("mlp", SHAPE, CLASSES, 0)
    still = Training(epochs=1, batch=400, optimizer=Optimizer(rate=1e-12, weight_decay=0))
    student = Distill(training=still).derive(begun, data=DATA, seed=0).module
    for one, other in zip(begun.parameters(), student.parameters(), strict=True):
        cosine = nn.functional.cosine_similarity(one.flatten(), other.flatten(), dim=0)
        assert abs(cosine.item()) < 0.5 or one.numel() < 20


def test_answers_stay_with_their_examples_where_some_are_held_out() -> None:
    teacher = trained("mlp")
    stopping = replace(TRAINING, patience=3, held_out=0.2)
    derived = Distill(label_share=0.0, training=stopping).derive(teacher, data=DATA)
    assert agreement(teacher, derived.module) > 0.9


def test_the_loss_is_that_of_the_paper() -> None:
    from assay.derivations._teaching import Imitation, soft_loss
    from assay.training import Batch

    student, teacher = np.array([[1.0, 2.0], [0.0, 3.0]]), np.array([[2.0, 0.0], [1.0, 1.0]])

    def softened(answers: Any) -> Any:
        powers = np.exp(answers / 4)
        return powers / powers.sum(1, keepdims=True)

    wanted, given = softened(teacher), softened(student)
    expected = 16 * (wanted * np.log(wanted / given)).sum(1).mean()
    tensors = [torch.from_numpy(array) for array in (student, teacher)]
    assert float(soft_loss(*tensors, 4.0)) == pytest.approx(expected)
    probabilities = [tensor.softmax(1) for tensor in tensors]  # of models that end in a softmax
    assert float(soft_loss(*probabilities, 4.0)) == pytest.approx(expected)
    batch = Batch(tensors[0], torch.tensor([1, 0]), torch.tensor([1, 0]))
    loss = Imitation(teacher[::-1], 4.0, 0.25).loss(nn.Identity(), batch)
    entropy = -np.log(np.exp(student[[0, 1], [1, 0]]) / np.exp(student).sum(1)).mean()
    assert float(loss) == pytest.approx(0.75 * expected + 0.25 * entropy)


def test_what_cannot_be_distilled_is_refused() -> None:
    for wrong in (
        {"temperature": 0.0}, {"label_share": 1.1}, {"label_share": -0.1}, {"feature_weight": -1.0},
    ):  # fmt: skip
        with pytest.raises(BadOption, match=next(iter(wrong))):
            Distill(**wrong)
    teacher = trained("cnn")
    with pytest.raises(BadData, match="labels"):
        Distill().derive(teacher, data=Examples(DATA.inputs))
    with pytest.raises(BadData, match="labels up to 4"):
        Distill().derive(teacher, data=Examples(DATA.inputs[:2], np.array([0, 4])))
    with pytest.raises(UnfitModel, match="outputs"):
        Distill().derive(teacher, data=DATA, student=nn.Sequential(nn.Flatten(), nn.Linear(64, 3)))
    with pytest.raises(UnfitModel, match="no stage"):
        Distill(feature_weight=1.0).derive(nn.Sequential(nn.Flatten(), nn.Linear(64, 4)), data=DATA)
    with pytest.raises(UnfitModel, match="classes"):
        Distill(label_share=0.0).derive(nn.Conv2d(1, 4, 3), data=DATA)
    with pytest.raises(Diverged, match="rate"):
        Distill(training=Training(optimizer=Optimizer(rate=1e6))).derive(teacher, data=DATA)


def test_the_student_of_a_quantized_model_begins_with_weights_of_its_own() -> None:
    teacher = DERIVATIONS["quantize"]().derive(trained("mlp"), data=DATA).module
    still = Training(epochs=1, batch=400, optimizer=Optimizer(rate=1e-12, weight_decay=0))
    student = Distill(training=still).derive(teacher, data=DATA).module
    assert [name for name, _ in student.named_parameters()] == [
        name for name, _ in trained("mlp").named_parameters()
    ]
    assert agreement(teacher, student) < 0.6
