"""Levels that lack slices of kernels: which, how many, and that nothing of them is left."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from small_tasks import SHAPE, squares, trained

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from assay.errors import BadOption, UnfitModel  # noqa: E402
from assay.licenses import Grade, Work  # noqa: E402
from assay.licenses._gates import Gates  # noqa: E402
from assay.licenses._slices import Select, Slices  # noqa: E402
from assay.licenses.selective_encryption import SelectiveEncryption  # noqa: E402
from assay.running.modules import accuracy, copy_of, digest, weights  # noqa: E402
from assay.training import Optimizer, Training  # noqa: E402
from assay.zoo.networks import build  # noqa: E402

nn = torch.nn
DATA, JUDGE = squares(160, 3), squares(300, 4)
FIXED = SelectiveEncryption(permissions=(0.75, 0.5), share=0.5, select="magnitude")


@cache
def levels(method: SelectiveEncryption = FIXED, network: str = "vgg", seed: int = 0) -> Any:
    return method.grades(trained(network), DATA, judge=JUDGE, seed=seed)


def lacking(grade: Grade, network: str = "vgg") -> dict[str, Any]:
    """Which slices of each convolution are others than the original's, (o, i)."""
    own = trained(network).state_dict()
    return {
        name: (weight.detach() != own[name]).flatten(2).any(2)
        for name, weight in weights(grade.module).items()
        if weight.dim() == 4
    }


def test_levels_have_the_accuracies_that_were_asked_for() -> None:
    method = SelectiveEncryption(levels=(0.9, 0.6), select="magnitude")
    whole, *between, bare = levels(method)
    assert digest(whole.module) == digest(trained("vgg"))
    assert [grade.accuracy for grade in between] == pytest.approx([0.9, 0.6], abs=0.01)
    chance = np.bincount(JUDGE.known_labels).max() / len(JUDGE)
    assert bare.accuracy <= chance + 0.02
    assert accuracy(bare.module, JUDGE) == bare.accuracy
    assert float(bare.notes["zeroed"]) <= chance + 0.02  # also of who knows the places


def test_a_level_has_what_the_next_has_and_the_first_in_rank_of_the_encrypted() -> None:
    _, *found = levels()
    slices = ranked("magnitude")
    count = slices.first(0.5)
    gone = [int(sum(each.sum() for each in lacking(grade).values())) for grade in found]
    assert gone == [count - int(0.75 * count), count - int(0.5 * count), count]
    for above, below in pairwise(found):
        lower = lacking(below)
        for name, each in lacking(above).items():
            assert not (each & ~lower[name]).any()
    for grade in found[:-1]:  # what who knows the places puts there, it has already
        for name, each in lacking(grade).items():
            assert not grade.module.get_parameter(name).detach()[each].any()
    names = list(slices.weights)
    for rank in range(count - gone[1]):  # which both levels have
        flat = lacking(found[1])[names[slices.place[rank]]].flatten()
        assert not flat[slices.row[rank]]
    left, of = found[1].notes["slices"].split(" of ")
    assert (int(left), int(of)) == (slices.total - gone[1], slices.total)


def ranked(select: Select, gates: Gates | None = None, layers: tuple[int, ...] = ()) -> Slices:
    return Slices(Work(copy_of(trained("vgg")), DATA, JUDGE), select, layers, gates or Gates())


def test_no_true_value_of_an_encrypted_slice_is_left_anywhere() -> None:
    bare, own = levels()[-1], trained("vgg").state_dict()
    held = np.concatenate([t.numpy().ravel() for t in bare.module.state_dict().values()])
    for name, each in lacking(bare).items():
        assert each.sum() >= each.numel() // 2
        true = own[name][each].numpy()
        assert np.isin(true, held).sum() <= 3  # as two numbers of 32 bits may be the same
        changed = bare.module.get_parameter(name).detach()[each]
        kept = own[name][~each]
        assert not (changed == own[name][each]).any()  # of a slice, not one value stays
        assert float(changed.std()) == pytest.approx(float(kept.std()), rel=0.4)
        drawn = np.corrcoef(changed.numpy().ravel(), true.ravel())[0, 1]
        assert abs(drawn) < 5 / np.sqrt(true.size)


def test_the_noise_follows_from_what_all_may_see() -> None:
    """Other values in the encrypted slices, and the distributable is the same."""
    first, other = levels()[-1], copy_of(trained("vgg"))
    with torch.no_grad():
        for name, each in lacking(first).items():  # larger ones: the same rank, larger means
            weight = other.get_parameter(name)
            weight[each] = weight[each] * 2
    found = FIXED.grades(other, DATA, judge=JUDGE)[-1].module
    assert digest(found) == digest(first.module)


def test_one_seed_gives_one_noise_and_another_another() -> None:
    again = FIXED.grades(trained("vgg"), DATA, judge=JUDGE)
    assert [digest(g.module) for g in again] == [digest(g.module) for g in levels()]
    others = levels(seed=1)[-1]
    for name, each in lacking(others).items():
        assert torch.equal(each, lacking(levels()[-1])[name])
        assert not (
            others.module.get_parameter(name)[each] == levels()[-1].module.get_parameter(name)[each]
        ).any()


def test_gates_tell_slices_that_matter_from_those_that_do_not() -> None:
    """Channels that are switched off behind a layer: their gates feel nothing but the penalty."""
    module = copy_of(trained("vgg"))
    with torch.no_grad():
        module.stage1[1].weight[2:] = 0
    before = digest(module)
    short = Training(3, 32, Optimizer("sgd", 20.0, weight_decay=0.0))
    found = Gates(1e-4, short).learned(module, "stage1.0.weight", DATA, 0)[:, 0]
    assert found.shape == (8,)
    assert np.ptp(found[2:]) < 1e-3 < np.abs(found[:2] - found[2:].mean()).min()
    assert found[2:].mean() < 1 < found.max()
    assert digest(module) == before
    closed = Gates(1.0, short).learned(module, "stage1.0.weight", DATA, 0)[:, 0]
    assert closed[2:].max() < -1 < found[2:].min()  # a penalty shuts them


def test_gates_take_fewer_than_chance_does() -> None:
    quick = Gates(training=Training(4, 32, Optimizer("sgd", 20.0, weight_decay=0.0)))
    left = {}
    for select, gates in (("gates", quick), ("random", None)):
        slices = ranked(select, gates)  # type: ignore[arg-type]
        counts = [slices.first(share) for share in (0.05, 0.1, 0.15)]
        left[select] = np.mean([slices.accuracy(np.arange(c), noise=True) for c in counts])
    assert left["gates"] < left["random"] - 0.05


def test_each_way_of_selecting_has_its_order() -> None:
    def first(select: Select) -> Any:
        slices = ranked(select, layers=(2,))
        (flat,) = slices.weights.values()
        return flat.numpy(), slices.row

    flat, rows = first("magnitude")
    means = np.abs(flat.mean(1))
    assert (np.diff(means[rows]) <= 0).all()
    assert (np.diff(means[first("smallest")[1]]) >= 0).all()
    apart = np.linalg.norm(flat - flat.mean(0), axis=1)
    assert (np.diff(apart[first("average")[1]]) >= 0).all()
    assert len({*first("random")[1].tolist()}) == len(flat) - 2


def test_only_the_layers_that_are_named_lack_any() -> None:
    made = levels(SelectiveEncryption(levels=(), share=0.3, select="random", layers=(1, 3)))[-1]
    assert [bool(each.any()) for each in lacking(made).values()] == [False, True] * 2 + [False] * 2


def test_networks_without_normalization_have_levels_too() -> None:
    method = SelectiveEncryption(levels=(0.8,), select="magnitude")
    found = levels(method, "cnn")
    assert found[1].accuracy == pytest.approx(0.8, abs=0.01)
    assert found[-1].accuracy < 0.35


def test_a_network_without_convolutions_and_shared_weights_are_refused() -> None:
    with pytest.raises(UnfitModel, match="no convolution"):
        levels(FIXED, "mlp")

    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two = nn.Conv2d(1, 4, 3), nn.Conv2d(1, 4, 3)
            self.two.weight = self.one.weight

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.two(x).mean((2, 3))

    with pytest.raises(UnfitModel, match="are one weight"):
        FIXED.grades(Tied(), DATA, judge=JUDGE)


def test_levels_that_the_model_has_not_are_told() -> None:
    weak = build("vgg", SHAPE, 4, 1, 0.5)
    with pytest.raises(BadOption, match=r"level 1 is to have 0\.92, and the model itself has"):
        SelectiveEncryption(share=0.1, select="random").grades(weak, DATA, judge=JUDGE)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"levels": (0.9, 0.95)}, "levels must be falling"),
        ({"permissions": (0.5, 0.5)}, "permissions must be falling"),
        ({"permissions": (1.5,)}, "permissions must be from 0 to 1"),
        ({"share": -0.1}, "share must be from 0 to 1"),
    ],
)
def test_options_that_make_no_sense_are_told(options: dict[str, Any], message: str) -> None:
    with pytest.raises(BadOption, match=message):
        SelectiveEncryption(**options)
    with pytest.raises(BadOption, match="layers must be from 0 to 5, not 6"):
        levels(SelectiveEncryption(layers=(0, 6)))
    with pytest.raises(BadOption, match=r"gates\.penalty must be 0 or more"):
        Gates(penalty=-1.0)
