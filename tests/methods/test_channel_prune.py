"""Channels that matter least go, and what is left still fits together."""

from __future__ import annotations

import numpy as np
import pytest
from small_tasks import SHAPE, squares, trained

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from channel_networks import GROUPS, made, settled  # noqa: E402
from channel_networks import SHAPE as COLORED  # noqa: E402

from assay.derivations.channel_prune import ChannelPrune  # noqa: E402
from assay.errors import BadData, BadOption, UnfitModel  # noqa: E402
from assay.running.examples import Examples  # noqa: E402
from assay.running.modules import outputs  # noqa: E402
from assay.training import Optimizer, Training  # noqa: E402
from assay.zoo.networks import NETWORKS, build  # noqa: E402

nn = torch.nn
DATA, JUDGE = squares(160, 3), squares(200, 4)
SHORT = Training(epochs=2, batch=32, optimizer=Optimizer("adam", rate=0.003))


@pytest.mark.parametrize("network", NETWORKS)
def test_the_zoo_is_narrowed(network: str) -> None:
    parent = settled(build(network, SHAPE, 4, seed=1))
    derived = ChannelPrune(rate=0.4).derive(parent, data=DATA)
    before, after = derived.lineage.notes["before"], derived.lineage.notes["after"]
    assert after["parameters"] == sum(p.numel() for p in derived.module.parameters())
    assert 0.2 * before["parameters"] < after["parameters"] < 0.9 * before["parameters"]
    assert after["multiply_adds"] < 0.9 * before["multiply_adds"]
    for name, size in after["channels"].items():
        layer = derived.module.get_submodule(name)
        assert size == (layer.hidden_size if isinstance(layer, nn.GRU) else len(layer.weight)) > 0
    assert outputs(derived.module, DATA.inputs).shape == (160, 4)


@pytest.mark.parametrize("network", GROUPS, ids=lambda network: network.__name__)
def test_channels_that_go_together_go_together(network: type[nn.Module]) -> None:
    data = Examples(np.random.default_rng(0).normal(size=(40, *COLORED)))
    derived = ChannelPrune(rate=0.4, importance="l1").derive(made(network), data=data)
    after = derived.lineage.notes["after"]["channels"]
    assert after.keys() == GROUPS[network].keys() - {"lstm"}, "an LSTM has one size for all layers"
    assert sum(after.values()) < sum(
        size for name, size in GROUPS[network].items() if name in after
    )


def scored(*gammas: tuple[float, ...]) -> nn.Sequential:
    """Convolutions whose normalizations have these scales."""
    layers: list[nn.Module] = []
    width = 1
    for gamma in gammas:
        norm = nn.BatchNorm2d(len(gamma))
        norm.weight.data = torch.tensor(gamma)
        layers += [nn.Conv2d(width, len(gamma), 3, padding=1), norm, nn.ReLU()]
        width = len(gamma)
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(width * 64, 4)).eval()


def test_the_smallest_scales_of_all_layers_go() -> None:
    parent = scored((0.5, -0.1, 0.9, 0.2), (0.05, 0.6, 0.3, -0.7))
    child = ChannelPrune(rate=0.5).derive(parent, data=DATA).module
    assert child[1].weight.tolist() == pytest.approx([0.5, 0.9])
    assert child[4].weight.tolist() == pytest.approx([0.6, -0.7])
    assert torch.equal(child[3].weight, parent[3].weight[[1, 3]][:, [0, 2]])
    assert torch.equal(child[7].weight, parent[7].weight.view(4, 4, 64)[:, [1, 3]].flatten(1))


def test_no_layer_is_emptied_or_loses_more_than_its_cap() -> None:
    parent = scored((0.01,) * 8, (0.5, 0.6, 0.7, 0.8))
    child = ChannelPrune(rate=0.66, cap=0.99).derive(parent, data=DATA).module
    assert (len(child[1].weight), len(child[4].weight)) == (1, 3)
    child = ChannelPrune(rate=0.66, cap=0.5).derive(parent, data=DATA).module
    assert (len(child[1].weight), len(child[4].weight)) == (4, 2)


def test_channels_that_do_nothing_are_found_and_their_loss_is_none() -> None:
    parent = scored((0.5, 0.1, 0.9, 0.2), (0.05, 0.6, 0.3, 0.7))
    for norm, gone in ((parent[1], [1, 3]), (parent[4], [0, 2])):
        norm.weight.data[gone] = 0
    derived = ChannelPrune(rate=0.5).derive(parent, data=DATA)
    expected, given = (outputs(m, JUDGE.inputs) for m in (parent, derived.module))
    assert np.abs(given - expected).max() < 1e-4 * np.abs(expected).max()


def test_rows_say_it_where_there_is_no_normalization() -> None:
    parent = nn.Sequential(nn.Flatten(), nn.Linear(64, 6), nn.ReLU(), nn.Linear(6, 4)).eval()
    with torch.no_grad():
        parent[1].weight.mul_(torch.tensor([1, 0.1, 2, 0.3, 3, 0.2])[:, None])
    child = ChannelPrune(rate=0.5).derive(parent, data=DATA).module
    assert torch.equal(child[1].weight, parent[1].weight[[0, 2, 4]])
    with pytest.raises(UnfitModel, match="no hidden layer has a batch normalization"):
        ChannelPrune(importance="gamma").derive(parent, data=DATA)


def test_tuning_brings_the_accuracy_back() -> None:
    pruned = ChannelPrune(rate=0.5).derive(trained("vgg"), data=DATA, judge=JUDGE)
    tuned = ChannelPrune(rate=0.5, training=SHORT).derive(trained("vgg"), data=DATA, judge=JUDGE)
    assert tuned.lineage.accuracy["child"] > max(pruned.lineage.accuracy["child"], 0.7)
    assert [each["stage"] for each in tuned.lineage.notes["trainings"]] == ["tuning what is left"]


def test_sparsity_brings_scales_near_zero_before() -> None:
    training = Training(epochs=4, batch=32, optimizer=Optimizer("adam", rate=0.02))

    def size(sparsity: float) -> float:
        made_of_it = ChannelPrune(rate=0.3, sparsity=sparsity, training=training)
        derived = made_of_it.derive(trained("vgg"), data=DATA)
        stages = [each["stage"] for each in derived.lineage.notes["trainings"]]
        assert stages == ["making channels sparse", "tuning what is left"]
        norms = [m for m in derived.module.modules() if isinstance(m, nn.BatchNorm2d)]
        return float(torch.cat([norm.weight.detach() for norm in norms]).abs().mean())

    assert size(1.0) < 0.9 * size(1e-9)


def test_options_that_fit_nothing() -> None:
    for options, says in (
        ({"rate": 0}, "rate must be above 0 and below 1"),
        ({"rate": 1}, "rate must be above 0 and below 1"),
        ({"rate": float("nan")}, "rate must be"),
        ({"cap": 1.5}, "cap must be above 0 and below 1"),
        ({"importance": "size"}, "importance must be one of"),
        ({"sparsity": -1, "training": SHORT}, "sparsity must be 0 or more"),
        ({"sparsity": 1e-4}, "sparsity needs a training"),
    ):
        with pytest.raises(BadOption, match=says):
            ChannelPrune(**options)
    with pytest.raises(BadData, match="needs labels"):
        ChannelPrune(training=SHORT).derive(trained("cnn"), data=Examples(DATA.inputs))
