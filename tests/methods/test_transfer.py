"""A new head for other classes: what is trained, and what stays."""

from __future__ import annotations

from typing import Any

import pytest
from small_tasks import squares, trained

from assay.derivations import DERIVATIONS
from assay.errors import BadOption

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from assay.running.modules import outputs  # noqa: E402
from assay.training import Optimizer, Training  # noqa: E402

OTHER = squares(300, 5, classes=6)
Transfer: Any = DERIVATIONS["transfer"]
SHORT = Training(epochs=1, batch=32, optimizer=Optimizer(rate=0.01))


@pytest.mark.parametrize("tune", [0.1, 0.5, 1.0])
@pytest.mark.parametrize("name", ["vgg", "gru", "transformer"])
def test_the_last_tensors_are_tuned_and_the_others_are_the_parents(name: str, tune: float) -> None:
    parent = trained(name)
    derived = Transfer(tune=tune, training=SHORT).derive(parent, data=OTHER)
    names = [n for n, _ in parent.named_parameters()]
    before = dict(parent.named_parameters())
    same = {
        n
        for n, p in derived.module.named_parameters()
        if p.shape == before[n].shape and torch.equal(p, before[n])
    }
    count = max(int(len(names) * tune), 2)
    assert derived.lineage.notes["tensors"] == {"tuned": count, "of": len(names)}
    assert same == {*names[:-count]}
    assert outputs(derived.module, OTHER.inputs[:3]).shape == (3, 6)


def test_statistics_of_tensors_that_are_not_tuned_move_or_are_kept() -> None:
    parent = trained("vgg")
    moving, keeping = (
        Transfer(tune=0.1, statistics=what, training=SHORT).derive(parent, data=OTHER).module
        for what in ("move", "keep")
    )
    name = "stage1.1.running_mean"
    assert torch.equal(keeping.state_dict()[name], parent.state_dict()[name])
    assert not torch.equal(moving.state_dict()[name], parent.state_dict()[name])


def test_a_head_that_is_a_convolution_is_replaced_by_one() -> None:
    parent = torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3), torch.nn.ReLU(), torch.nn.Conv2d(4, 3, 6), torch.nn.Flatten()
    )
    child = Transfer(training=SHORT).derive(parent, data=OTHER).module
    assert child[2].weight.shape == (6, 4, 6, 6)
    assert parent[2].weight.shape == (3, 4, 6, 6)


def test_the_seed_decides_the_new_head() -> None:
    frozen = Transfer(tune=0.1, statistics="keep", training=SHORT)
    first, again, other = (
        frozen.derive(trained("mlp"), data=OTHER, seed=seed).module.head.weight
        for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("tune", [0.0, 1.5, float("nan")])
def test_shares_that_are_none_are_refused(tune: float) -> None:
    with pytest.raises(BadOption, match="tune must be above 0 and at most 1"):
        Transfer(tune=tune)
