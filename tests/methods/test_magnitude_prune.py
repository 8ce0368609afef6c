"""The smallest weights go: how many, which, and that they stay away while the rest is tuned."""

from __future__ import annotations

from typing import Any

import pytest
from small_tasks import squares, trained

from assay.derivations import DERIVATIONS
from assay.errors import BadOption, UnfitModel

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from assay.running.modules import weighted  # noqa: E402
from assay.training import Optimizer, Training  # noqa: E402

DATA = squares(200, 3)
Prune: Any = DERIVATIONS["magnitude-prune"]


def zeros(module: torch.nn.Module) -> dict[str, int]:
    return {name: int((layer.weight == 0).sum()) for name, layer in weighted(module).items()}


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_each_layer_loses_its_smallest(rate: float) -> None:
    parent = trained("vgg")
    child = Prune(rate=rate).derive(parent).module
    for name, layer in weighted(parent).items():
        pruned = child.get_submodule(name).weight
        gone = pruned == 0
        assert gone.sum() == round(rate * pruned.numel())
        assert layer.weight[gone].abs().max() <= layer.weight[~gone].abs().min()
        assert torch.equal(pruned[~gone], layer.weight[~gone])
    assert torch.equal(child.head.bias, parent.head.bias)


def test_over_the_whole_model_layers_lose_different_shares() -> None:
    derived = Prune(rate=0.6, scope="global").derive(trained("vgg"))
    sizes = {n: layer.weight.numel() for n, layer in weighted(derived.module).items()}
    found = zeros(derived.module)
    assert sum(found.values()) == round(0.6 * sum(sizes.values()))
    assert len({round(found[n] / sizes[n], 2) for n in sizes}) > 2
    left = {f"{n}.weight": sizes[n] - found[n] for n in sizes}
    assert derived.lineage.notes == {"left": left, "of": sum(sizes.values())}


def test_among_equal_weights_exactly_as_many_go() -> None:
    flat = torch.nn.Linear(10, 10)
    torch.nn.init.ones_(flat.weight)
    assert zeros(Prune(rate=0.37).derive(torch.nn.Sequential(flat)).module) == {"0": 37}


@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_what_is_gone_stays_away_while_the_rest_is_tuned(name: Any) -> None:
    tuned = Training(epochs=2, batch=32, optimizer=Optimizer(name, rate=0.01, weight_decay=0.01))
    parent = trained("vgg")
    before = zeros(Prune(rate=0.5).derive(parent).module)
    derived = Prune(rate=0.5, training=tuned).derive(parent, data=DATA)
    assert zeros(derived.module) == before
    assert not torch.equal(derived.module.head.bias, parent.head.bias)


def test_convolutions_alone() -> None:
    parent = trained("vgg")
    found = zeros(Prune(rate=0.5, layers="convolutions").derive(parent).module)
    assert found.pop("head") == 0
    assert all(found.values())
    with pytest.raises(UnfitModel, match="no convolution to prune: set layers=all"):
        Prune(layers="convolutions").derive(trained("mlp"))


@pytest.mark.parametrize("rate", [0.0, 1.0, -0.1, float("nan")])
def test_rates_outside_of_zero_and_one_are_refused(rate: float) -> None:
    with pytest.raises(BadOption, match="magnitude-prune: rate must be above 0 and below 1"):
        Prune(rate=rate)
