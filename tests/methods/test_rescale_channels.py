"""Factors that cancel out: tensors of another size, the same function."""

from __future__ import annotations

import numpy as np
import pytest
from small_tasks import SHAPE, squares

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from channel_networks import settled  # noqa: E402

from assay.derivations import DERIVATIONS  # noqa: E402
from assay.derivations.rescale_channels import RescaleChannels  # noqa: E402
from assay.errors import BadOption, UnfitModel  # noqa: E402
from assay.running.modules import outputs, weighted  # noqa: E402
from assay.zoo.networks import NETWORKS, build  # noqa: E402

nn = torch.nn
DATA = squares(40, 3)


def rows(layer: nn.Module) -> torch.Tensor:
    return layer.weight.detach().flatten(1).norm(dim=1)


@pytest.mark.parametrize("network", sorted({*NETWORKS} - {"gru", "transformer"}))
def test_every_layer_of_the_zoo_is_scaled_and_every_answer_stays(network: str) -> None:
    parent = settled(build(network, SHAPE, 4, seed=1))
    derived = RescaleChannels(strength=8).derive(parent, data=DATA, seed=5)
    expected, given = (outputs(m, DATA.inputs) for m in (parent, derived.module))
    assert np.abs(given - expected).max() < 1e-4 * np.abs(expected).max()
    assert derived.lineage.notes["left"] == []
    for name, layer in [*weighted(parent).items()][:-1]:
        ratio = rows(derived.module.get_submodule(name)) / rows(layer)
        assert ratio.max() / ratio.min() > 1.5, name


def test_attention_lets_factors_through_where_its_residual_stream_does_not() -> None:
    parent = settled(build("transformer", SHAPE, 4, seed=1))
    notes = RescaleChannels().derive(parent, data=DATA).lineage.notes
    assert {"stage2.value", "stage3.value"} <= {*notes["scaled"]}
    assert {"stage2.query", "stage2.key"} & {*notes["scaled"]}
    assert "stage2.mlp.0" in notes["left"], "GELU is not homogeneous"


def test_factors_are_even_by_logarithm_within_the_strength() -> None:
    parent = nn.Sequential(nn.Flatten(), nn.Linear(64, 2000), nn.ReLU(), nn.Linear(2000, 4))
    child = RescaleChannels(strength=5).derive(parent, data=DATA).module
    factors = torch.log(rows(child[1]) / rows(parent[1])) / np.log(5)
    assert -1 <= factors.min() < -0.99
    assert 0.99 < factors.max() <= 1.0001
    assert abs(float(factors.mean())) < 0.05
    assert abs(float(factors.std()) - 3**-0.5) < 0.02


@pytest.mark.parametrize("activation", [nn.ReLU6, nn.GELU, nn.Tanh, nn.Hardswish])
def test_an_activation_that_lets_no_factor_through_is_seen(activation: type[nn.Module]) -> None:
    layers = [nn.Conv2d(1, 6, 3), activation(), nn.Conv2d(6, 5, 3), nn.ReLU()]
    parent = nn.Sequential(*layers, nn.Flatten(), nn.Linear(80, 4))
    notes = RescaleChannels().derive(parent, data=DATA).lineage.notes
    assert notes["scaled"] == ["2"]
    assert notes["left"] == ["0"]
    with pytest.raises(UnfitModel, match="no channels that can be scaled"):
        RescaleChannels().derive(nn.Sequential(*layers[:3], nn.Flatten()), data=DATA)


def test_a_batch_normalization_hides_a_factor_before_itself() -> None:
    layers = [nn.Conv2d(1, 6, 3), nn.BatchNorm2d(6), nn.Sigmoid(), nn.Conv2d(6, 5, 3)]
    parent = settled(nn.Sequential(*layers, nn.Flatten()))
    derived = RescaleChannels().derive(parent, data=DATA)
    assert derived.lineage.notes["scaled"] == ["0"]
    assert not torch.allclose(derived.module[1].running_var, parent[1].running_var, rtol=0.1)
    assert derived.lineage.notes["difference"] < 1e-5


@pytest.mark.parametrize("strength", [1, 0, -2, 1000, float("nan")])
def test_strengths_that_are_none(strength: float) -> None:
    with pytest.raises(BadOption, match="strength must be above 1 and below 1000"):
        RescaleChannels(strength=strength)


@pytest.mark.parametrize("network", NETWORKS)
def test_disguises_stack(network: str) -> None:
    parent = child = settled(build(network, SHAPE, 4, seed=1))
    for name in ("dummy-neurons", "permute-neurons", "rescale-channels", "dummy-neurons"):
        if (network, name) != ("gru", "rescale-channels"):  # gates let no factor through
            child = DERIVATIONS[name]().derive(child, data=DATA, seed=2).module
    expected, given = (outputs(m, DATA.inputs) for m in (parent, child))
    assert np.abs(given - expected).max() < 1e-4 * np.abs(expected).max()
