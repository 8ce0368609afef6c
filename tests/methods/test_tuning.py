"""Levels that are one tuning's, sooner and later; and what holders make of examples themselves."""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import pytest
from small_tasks import squares, trained

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from assay.errors import BadOption, UnfitModel  # noqa: E402
from assay.licenses import Grade  # noqa: E402
from assay.licenses._channels import lacking  # noqa: E402
from assay.licenses._recipes import Recipe  # noqa: E402
from assay.licenses._strengths import Strengths, long_enough, steps_of  # noqa: E402
from assay.licenses.tuning import Tuning  # noqa: E402
from assay.running.modules import copy_of, digest  # noqa: E402
from assay.training import Optimizer, Training, train  # noqa: E402

DATA, JUDGE = squares(160, 3), squares(300, 4)
STEADY = Training(12, 32, Optimizer("adam", rate=0.005, schedule="constant"))


@cache
def levels(method: Tuning) -> tuple[Grade, ...]:
    return method.grades(trained("vgg"), DATA, judge=JUDGE, seed=1)


MET = Tuning(levels=(0.8, 0.6), rate=0.5, training=STEADY)


def test_levels_are_met_by_one_pruned_model() -> None:
    whole, one, two, bare = levels(MET)
    assert digest(whole.module) == digest(trained("vgg"))
    assert 0.8 <= one.accuracy < 0.82
    assert 0.6 <= two.accuracy < 0.62
    assert bare.accuracy < 0.4 < 0.6
    assert float(one.notes["steps"]) > float(two.notes["steps"]) > 0
    assert one.notes["channels"] == two.notes["channels"] == bare.notes["channels"]
    for name, tensor in bare.module.named_parameters():
        gone = tensor == 0
        for grade in (one, two):
            assert not grade.module.get_parameter(name)[gone].any()


def test_a_strength_gives_the_same_model_again() -> None:
    found = levels(MET)
    strengths = tuple(float(grade.notes["steps"]) for grade in found[1:3])
    again = levels(Tuning(steps=strengths, rate=0.5, training=STEADY))
    assert [digest(each.module) for each in again] == [digest(each.module) for each in found]


def test_a_whole_strength_is_what_a_training_makes_of_so_many_steps() -> None:
    pruned = levels(MET)[-1].module
    (made,) = Strengths(pruned, DATA, STEADY, 1).at([5])  # an epoch of 160 in batches of 32
    other = copy_of(pruned)
    train(other, DATA, Training(1, 32, STEADY.optimizer), seed=1)
    for group, numbers in lacking(made, torch.zeros(1, 1, 8, 8)):
        assert 0 < len(numbers) <= group.size
    for name, parameter in made.named_parameters():
        stays = parameter != 0
        assert torch.equal(parameter[stays], other.get_parameter(name)[stays])


def test_a_part_of_a_step_lies_between() -> None:
    pruned = levels(MET)[-1].module
    modules = Strengths(pruned, DATA, STEADY, 1).at([3, 2.25, 2, 0])
    three, part, two, none = (dict(each.named_parameters()) for each in modules)
    for name, tensor in part.items():
        assert torch.allclose(tensor, two[name].lerp(three[name], 0.25), atol=1e-7)
        assert torch.equal(none[name], pruned.get_parameter(name))


def test_a_tuning_is_looked_at_to_its_very_end() -> None:
    pruned = levels(MET)[-1].module
    short = Training(5, 32, STEADY.optimizer)  # 25 steps, and a look at the 24th
    whole, part = Strengths(pruned, DATA, short, 1).at([25, 24.5])
    assert digest(whole) != digest(part)
    with pytest.raises(UnfitModel, match=r"ends before step 25\.5"):
        Strengths(pruned, DATA, short, 1).at([25.5])


def test_steps_may_be_named_and_rate_left_to_be_found() -> None:
    whole, *found = levels(Tuning(steps=(20, 8), training=STEADY))
    assert [grade.notes.get("steps") for grade in found] == ["20.0", "8.0", None]
    assert all(above.accuracy > below.accuracy for above, below in pairwise([whole, *found]))
    assert found[-1].accuracy <= 0.35  # near one constant answer's


def test_a_holder_with_the_owners_examples_makes_the_owners_level() -> None:
    method = Tuning(levels=(0.8, 0.6), rate=0.5, training=STEADY, tuned_by="holder")
    _, *found, bare = levels(method)
    assert method.opened(bare, 1) is None
    for grade in found:
        opened = method.opened(grade, 1)
        assert opened is not None
        assert Recipe.parse(opened.text) == opened
        made = opened.follow(bare.module, DATA)
        assert digest(made) == digest(grade.module)
    few = Recipe(13.5, 1, Training(12, 32, STEADY.optimizer)).follow(
        bare.module, JUDGE.take(slice(32))
    )
    assert digest(few) != digest(bare.module)  # of an epoch a step: more epochs than were asked for


@pytest.mark.parametrize(
    ("method", "message"),
    [
        (Tuning(levels=(0.9, 0.1), rate=0.5), "0.1 is no level: the pruned model has"),
        (Tuning(levels=(1.0,), rate=0.9, cap=1, training=Training(1, 64)), "was not reached"),
        (Tuning(steps=(1e6,), rate=0.5, training=Training(1, 64)), "ends before step 1e"),
    ],
    ids=["below", "above", "beyond"],
)
def test_a_level_that_cannot_be_is_told(method: Tuning, message: str) -> None:
    with pytest.raises(UnfitModel, match=message):
        levels(method)


def test_a_rate_that_the_cap_does_not_leave_is_told() -> None:
    with pytest.raises(BadOption, match="the cap leaves"):
        levels(Tuning(rate=0.6, cap=0.2))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"levels": (0.8, 0.9)}, "levels must be falling"),
        ({"steps": (3.0, 3.0)}, "steps must differ"),
        ({"steps": (0.0,)}, "steps must be from"),
        ({"rate": 1.5}, "rate must be from 0 to 1"),
        ({"tuned_by": "nobody"}, "tuned_by must be owner or holder"),
    ],
)
def test_options_that_make_no_sense_are_told(options: dict[str, float], message: str) -> None:
    with pytest.raises(BadOption, match=message):
        Tuning(**options)  # type: ignore[arg-type]


def test_what_no_holder_would_follow_is_not_issued() -> None:
    at_once = Training(20_000, 32)
    for options in ({"training": at_once}, {"steps": (3e5, 10.0)}):
        Tuning(**options)  # type: ignore[arg-type]  # an owner tunes as long as he likes
        with pytest.raises(BadOption, match="is more than a holder may be asked"):
            Tuning(**options, tuned_by="holder")  # type: ignore[arg-type]


@pytest.mark.parametrize(("examples", "steps"), [(64, 2), (65, 2), (66, 3), (10, 1)])
def test_steps_of_an_epoch(examples: int, steps: int) -> None:
    from assay.training._loop import Loop

    training = Training(3, 32)
    assert steps_of(training, examples) == steps
    data = squares(examples, 1)
    loop = Loop(trained("vgg"), data, training, objective(), None, 0)
    assert loop.batches == steps
    assert long_enough(training, 7, examples) == max(3, -(-7 // steps))


def objective() -> object:
    from assay.training import Objective

    return Objective()
