"""What every derivation owes: parents untouched, the same again from one seed, an honest record."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_tasks import CLASSES, SHAPE, squares, trained

from assay.derivations import DERIVATIONS, Derivation, Derived
from assay.errors import BadData, BadOption, UnfitModel
from assay.running.examples import Examples

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from assay.running.modules import accuracy, copy_of, digest, outputs  # noqa: E402

DATA, JUDGE = squares(160, 3), squares(200, 4)
SAME_FUNCTION = {"permute-neurons", "rescale-channels", "dummy-neurons"}
NOT_SEEDED = {  # no randomness
    "magnitude-prune", "channel-prune", "average", "convert", "quantize", "cluster",
}  # fmt: skip
WITHOUT_LAYERS = {"average", "convert", "distill", "extract"}  # take any model, or another student
TRAINED = ("cnn", "vgg")


def method(name: str, **options: Any) -> Derivation:
    make: Any = DERIVATIONS[name]
    return make(**options)


def parents(made: Derivation, network: str = "vgg") -> list[torch.nn.Module]:
    return [trained(network, seed) for seed in range(type(made).parents)]


def derive(name: str, network: str = "vgg", seed: int = 0, **call: Any) -> Derived:
    made = method(name)
    return made.derive(*parents(made, network), seed=seed, **{"data": DATA, **call})


@pytest.mark.parametrize("network", TRAINED)
@pytest.mark.parametrize("name", DERIVATIONS)
def test_the_parents_stay_as_they_are_and_the_outputs_keep_their_shape(
    name: str, network: str
) -> None:
    originals = parents(method(name), network)
    before = [(digest(each), each.training) for each in originals]
    wanted = [[p.requires_grad for p in each.parameters()] for each in originals]
    child = derive(name, network).module
    assert [(digest(each), each.training) for each in originals] == before
    assert [[p.requires_grad for p in each.parameters()] for each in originals] == wanted
    assert not child.training
    given = outputs(child, JUDGE.inputs)
    assert np.isfinite(given).all()
    if DERIVATIONS[name].keeps_outputs:
        assert given.shape == (len(JUDGE), CLASSES)
    own = {p.data_ptr() for each in originals for p in each.parameters()}
    assert not own & {p.data_ptr() for p in child.parameters()}


@pytest.mark.parametrize("name", DERIVATIONS)
def test_one_seed_gives_one_model_and_another_another(name: str) -> None:
    first, again, other = (derive(name, seed=seed).lineage.child for seed in (1, 1, 2))
    assert first == again
    assert (first == other) == (name in NOT_SEEDED)


@pytest.mark.parametrize("name", DERIVATIONS)
def test_the_record_says_what_was_done(name: str, tmp_path: Path) -> None:
    made = method(name)
    models = parents(made)
    derived = made.derive(*models, data=DATA, judge=JUDGE, seed=4)
    lineage = derived.lineage
    assert lineage.method == name
    assert lineage.parents == tuple(digest(each) for each in models)
    assert lineage.child == digest(derived.module)
    assert lineage.seed == 4
    assert lineage.data == {"name": "squares-3", "sha256": DATA.digest, "examples": 160}
    assert lineage.accuracy is not None
    before = round(accuracy(models[0], JUDGE), 4) if made.keeps_outputs else None  # other classes
    assert lineage.accuracy["parents"][0] == before
    assert lineage.accuracy["child"] == round(accuracy(derived.module, JUDGE), 4)
    assert lineage.accuracy["on"]["name"] == "squares-4"
    file = tmp_path / "lineage.json"
    lineage.save(file)
    stored = json.loads(file.read_text())
    assert stored == json.loads(json.dumps(lineage.to_json()))
    assert stored["options"] == json.loads(json.dumps(made.options()))


@pytest.mark.parametrize("name", sorted(SAME_FUNCTION))
def test_what_only_hides_a_model_keeps_its_function(name: str) -> None:
    for network in TRAINED:
        parent, child = trained(network), derive(name, network).module
        expected, given = outputs(parent, JUDGE.inputs), outputs(child, JUDGE.inputs)
        assert np.abs(given - expected).max() < 1e-3 * np.abs(expected).max()


@pytest.mark.parametrize("name", DERIVATIONS)
def test_a_derived_model_is_a_parent_like_any_other(name: str) -> None:
    first = derive(name).module
    made = method("noise")
    second = made.derive(first, data=DATA)
    assert second.lineage.parents == (digest(first),)
    assert digest(second.module) != digest(first)


@pytest.mark.parametrize("name", DERIVATIONS)
def test_what_a_method_needs_and_is_not_given_is_said(name: str) -> None:
    made = method(name)
    models = parents(made)
    with pytest.raises(BadOption, match=f"{name} is made from"):
        made.derive(data=DATA)
    if type(made).parents == 1:
        with pytest.raises(BadOption, match="not 2"):
            made.derive(*models, *models, data=DATA)
    if made.needs != "nothing":
        with pytest.raises(BadData, match=f"{name} needs examples"):
            made.derive(*models)
    if made.needs == "labels":
        with pytest.raises(BadData, match=f"{name} needs labels"):
            made.derive(*models, data=Examples(DATA.inputs))


@pytest.mark.parametrize("name", DERIVATIONS)
def test_a_student_is_trained_or_refused(name: str) -> None:
    made, student = method(name), trained("mlp", 7)
    if made.takes_student:
        derived = made.derive(*parents(made), data=DATA, student=student)
        assert type(derived.module[-1]) is type(student[-1])
        assert derived.lineage.student == digest(student) != derived.lineage.child
        assert derived.module.state_dict().keys() == student.state_dict().keys()
    else:
        with pytest.raises(BadOption, match="takes no student"):
            made.derive(*parents(made), data=DATA, student=student)


@pytest.mark.parametrize("name", DERIVATIONS)
def test_classes_that_do_not_fit_are_named(name: str) -> None:
    made = method(name)
    many = squares(100, 5, classes=9)
    if made.needs == "labels" and made.keeps_outputs:
        with pytest.raises(BadData, match="labels up to 8 do not fit a model of 4 outputs"):
            made.derive(*parents(made), data=many)
    else:
        assert made.derive(*parents(made), data=many).lineage.child


@pytest.mark.parametrize("name", DERIVATIONS)
def test_inputs_that_do_not_fit_are_named(name: str) -> None:
    made = method(name)
    wrong = Examples(DATA.inputs[:, :, :5, :5].repeat(3, 1), DATA.labels)
    with pytest.raises(BadData, match=r"cannot be run on inputs of shape \[\d+, 3, 5, 5\]"):
        made.derive(*parents(made), data=wrong)


@pytest.mark.parametrize("name", sorted({*DERIVATIONS} - WITHOUT_LAYERS))
def test_a_model_without_the_layers_that_a_method_works_on_is_refused(name: str) -> None:
    made = method(name)
    bare = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Softmax(1))
    with pytest.raises(UnfitModel) as caught:
        made.derive(bare, data=Examples(DATA.inputs, DATA.known_labels * 0))
    assert "\n" not in str(caught.value)


def test_examples_are_checked() -> None:
    for inputs, labels, says in (
        (np.zeros((0, *SHAPE)), None, "no examples"),
        (np.full((2, 3), np.nan), None, "not a finite number"),
        (np.zeros((2, 3)), np.zeros(3, int), r"labels of shape \[3\] for 2 inputs"),
        (np.zeros((2, 3)), np.array([0, -1]), "whole numbers from 0"),
        (np.zeros((2, 3)), np.zeros(2), "whole numbers from 0"),
    ):
        with pytest.raises(BadData, match=says):
            Examples(inputs, labels)


def test_a_copy_shares_nothing() -> None:
    module = trained("cnn")
    made = copy_of(module)
    assert digest(made) == digest(module)
    with torch.no_grad():
        next(made.parameters()).add_(1)
    assert digest(made) != digest(module)
