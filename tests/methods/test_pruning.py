"""Levels that lack channels: which, how many, and that nothing of them is left."""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from small_tasks import SHAPE, squares, trained

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from assay.errors import BadOption, UnfitModel  # noqa: E402
from assay.licenses import Grade  # noqa: E402
from assay.licenses.pruning import Pruning  # noqa: E402
from assay.running.modules import accuracy, copy_of, digest, outputs  # noqa: E402
from assay.training import Optimizer, Training  # noqa: E402
from assay.zoo.networks import build  # noqa: E402

nn = torch.nn
DATA, JUDGE = squares(160, 3), squares(300, 4)
PLAIN = Pruning(levels=(0.9, 0.7, 0.5), recalibrate=False)  # the others take a while


@cache
def levels(method: Pruning, network: str = "vgg") -> tuple[Grade, ...]:
    return method.grades(trained(network), DATA, judge=JUDGE)


def test_levels_have_the_accuracies_that_were_asked_for() -> None:
    whole, *between, bare = levels(PLAIN)
    assert [grade.accuracy for grade in between] == pytest.approx([0.9, 0.7, 0.5], abs=0.01)
    assert whole.accuracy == accuracy(trained("vgg"), JUDGE)
    chance = np.bincount(JUDGE.known_labels).max() / len(JUDGE)
    assert bare.accuracy <= chance + 0.02


def test_what_a_level_lacks_is_zero_in_it_and_in_all_below() -> None:
    found = levels(PLAIN)
    states = [grade.module.state_dict() for grade in found]
    for above, below in pairwise(states):
        for name, tensor in below.items():
            lacking = tensor != above[name]
            bits = tensor[lacking].numpy().view(np.uint32)
            assert not bits.any(), name  # no sign of what was there is left
    gone = [sum(int((t == 0).sum()) for t in state.values()) for state in states]
    assert gone == sorted({*gone})


def test_the_largest_scales_go_first_and_no_layer_loses_more_than_the_cap() -> None:
    _, *found = levels(Pruning(rates=(0.05, 0.2, 0.4), cap=0.5))
    scales = {
        name: part.weight.detach().abs()
        for name, part in trained("vgg").named_modules()
        if isinstance(part, nn.BatchNorm2d)
    }
    total = sum(map(len, scales.values()))
    for rate, grade in zip((0.05, 0.2, 0.4), found, strict=True):
        gone = {n: grade.module.get_submodule(n).weight == 0 for n in scales}
        assert sum(int(each.sum()) for each in gone.values()) == round(rate * total)
        smallest = min(float(scales[n][each].min()) for n, each in gone.items() if each.any())
        for name, each in gone.items():
            assert int(each.sum()) <= len(each) // 2
            if int(each.sum()) < len(each) // 2:
                assert float(scales[name][~each].max()) <= smallest
        assert grade.notes["channels"] == f"{total - round(rate * total)} of {total}"


def test_a_level_computes_what_a_network_without_the_channels_does() -> None:
    _, one, bare = levels(Pruning(rates=(0.2, 0.5)))
    assert bare.notes["parameters"] < one.notes["parameters"]
    assert bare.notes["multiply_adds"] < one.notes["multiply_adds"]
    own = sum(parameter.numel() for parameter in trained("vgg").parameters())
    assert one.notes["parameters"] < own == sum(p.numel() for p in one.module.parameters())


def test_statistics_are_taken_anew_where_that_is_asked_for() -> None:
    plain, anew = (
        levels(Pruning(rates=(0.1, 0.5), recalibrate=each))[1].module for each in (False, True)
    )
    for (name, one), two in zip(
        plain.state_dict().items(), anew.state_dict().values(), strict=True
    ):
        if "running" not in name:
            assert torch.equal(one, two)
        elif "stage1.1" not in name:
            assert not torch.equal(one, two)
            assert torch.equal(one == 0, two == 0)
    assert accuracy(anew, JUDGE) > accuracy(plain, JUDGE)


SHORT = Training(epochs=1, batch=32, optimizer=Optimizer("adam", rate=0.001))


def test_an_owner_may_tune_each_level() -> None:
    _, *plain, bare = levels(Pruning(rates=(0.2, 0.3, 0.5)))
    whole, *tuned, last = levels(Pruning(rates=(0.2, 0.3, 0.5), training=SHORT))
    assert digest(whole.module) == digest(trained("vgg"))
    assert digest(last.module) == digest(bare.module)  # who has no key gets nothing tuned
    for before, after in zip(plain, tuned, strict=True):
        assert after.notes["untuned"] == f"{before.accuracy:.4f}"
        assert after.accuracy > before.accuracy + 0.05
        for name, tensor in before.module.named_parameters():
            assert not after.module.get_parameter(name)[tensor == 0].any()


def test_levels_are_searched_as_they_are_tuned() -> None:
    longer = Training(epochs=5, batch=32, optimizer=Optimizer("adam", rate=0.005))
    _, found, bare = levels(Pruning(levels=(0.8,), tolerance=0.09, training=longer))
    assert found.accuracy == pytest.approx(0.8, abs=0.09)
    assert float(found.notes["untuned"]) < 0.4  # the published rule: it was near chance before
    assert bare.accuracy < 0.35
    with pytest.raises(UnfitModel, match=r"of what is near chance training makes 0\.\d+: set"):
        levels(Pruning(levels=(0.9,), training=SHORT))


def test_what_is_lacking_stays_zero_whatever_the_activation() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(1, 6, 3), nn.BatchNorm2d(6), nn.Sigmoid(), nn.Flatten(), nn.Linear(216, 4)
    ).eval()
    made = Pruning(rates=(0.34, 0.5), training=SHORT).grades(module, DATA, judge=JUDGE)[1].module
    gone = made[1].weight == 0
    assert int(gone.sum()) == 2
    assert not made[4].weight.reshape(4, 6, 36)[:, gone].any()
    assert made[4].weight.reshape(4, 6, 36)[:, ~gone].all()


def test_a_network_without_scales_is_refused() -> None:
    with pytest.raises(UnfitModel, match="no hidden layer has a batch normalization"):
        levels(Pruning(), "cnn")


def test_weights_that_have_two_names_stay_whole() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Conv2d(1, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)
            self.norm, self.other = nn.BatchNorm2d(8), nn.BatchNorm2d(8)
            self.again = self.b
            self.head = nn.Linear(8, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.norm(self.a(x)).relu()
            return self.head(self.other(self.b(x)).relu().mean((2, 3)))

    with pytest.raises(UnfitModel, match="no hidden"):
        Pruning().grades(Tied().eval(), DATA, judge=JUDGE)


def test_a_level_above_the_model_itself_is_told() -> None:
    weak = copy_of(build("vgg", SHAPE, 4, 1, 0.5))
    before = outputs(weak, JUDGE.inputs[:4])
    with pytest.raises(BadOption, match=r"level 1 is to have 0\.92, and the model itself has"):
        Pruning().grades(weak, DATA, judge=JUDGE)
    assert np.array_equal(outputs(weak, JUDGE.inputs[:4]), before)


def test_a_cap_that_leaves_too_much_is_told() -> None:
    with pytest.raises(UnfitModel, match="larger cap"):
        levels(Pruning(levels=(0.9,), cap=0.1, recalibrate=False))
    with pytest.raises(BadOption, match="the cap leaves"):
        levels(Pruning(rates=(0.1, 0.6), cap=0.2))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"levels": (0.9, 0.95)}, "levels must be falling"),
        ({"levels": (92.0,)}, "levels must be from 0 to 1"),
        ({"rates": (0.2, 0.1)}, "rates must be rising"),
        ({"cap": 2.0}, "cap must be from 0 to 1"),
        ({"tolerance": float("nan")}, "tolerance must be"),
    ],
)
def test_options_that_make_no_sense_are_told(options: dict[str, float], message: str) -> None:
    with pytest.raises(BadOption, match=message):
        Pruning(**options)  # type: ignore[arg-type]
