"""Averages, noise and relabeled heads: exactly what they say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from small_tasks import squares, trained

from assay.derivations import DERIVATIONS
from assay.errors import BadOption, UnfitModel

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from assay.running.modules import outputs, weighted  # noqa: E402

DATA = squares(100, 3)
Average: Any = DERIVATIONS["average"]
Noise: Any = DERIVATIONS["noise"]
Relabel: Any = DERIVATIONS["relabel-head"]


def test_an_average_is_the_weighted_mean() -> None:
    parents = [trained("vgg", seed) for seed in range(3)]
    child = Average(shares=(0.5, 0.3, 0.2)).derive(*parents).module.state_dict()
    states = [each.state_dict() for each in parents]
    for name, value in child.items():
        wanted = sum(
            s * each[name].double() for s, each in zip((0.5, 0.3, 0.2), states, strict=True)
        )
        torch.testing.assert_close(value.double(), wanted, rtol=1e-5, atol=1e-6)


def test_with_examples_the_running_statistics_are_those_of_the_average() -> None:
    parents = [trained("vgg", seed) for seed in range(2)]
    derived = Average().derive(*parents, data=DATA)
    seen: list[torch.Tensor] = []
    first = derived.module.stage1[0].register_forward_hook(lambda m, i, o: seen.append(o))
    outputs(derived.module, DATA.inputs, batch=len(DATA))
    first.remove()
    norm = derived.module.stage1[1]
    batches = [seen[0][:64], seen[0][64:]]
    means = torch.stack([each.mean((0, 2, 3)) for each in batches]).mean(0)
    torch.testing.assert_close(norm.running_mean, means, rtol=1e-4, atol=1e-5)
    assert norm.momentum == 0.1
    assert not norm.training


def test_strangers_architectures_and_wrong_shares_are_refused() -> None:
    with pytest.raises(UnfitModel, match="model 2 has another architecture: only one of them has"):
        Average().derive(trained("vgg"), trained("mlp"))
    with pytest.raises(BadOption, match=r"3 shares for 2 models"):
        Average(shares=(0.2, 0.3, 0.5)).derive(trained("mlp"), trained("mlp", 1))
    with pytest.raises(BadOption, match="shares must add up to 1"):
        Average(shares=(0.5, 0.6))


def test_noise_is_as_strong_as_it_says() -> None:
    parent = trained("vgg")
    child = Noise(strength=0.1).derive(parent).module
    for name, layer in weighted(parent).items():
        change = child.get_submodule(name).weight - layer.weight
        relative = change.square().mean().sqrt() / layer.weight.square().mean().sqrt()
        assert relative.item() == pytest.approx(
            0.1, rel=0.35 if layer.weight.numel() < 200 else 0.1
        )
    with pytest.raises(BadOption, match="strength must be above 0"):
        Noise(strength=0.0)


def test_a_relabeled_head_gives_the_same_answers_in_another_order() -> None:
    for seed in range(6):
        derived = Relabel().derive(trained("cnn"), seed=seed)
        order = derived.lineage.notes["classes"]
        assert sorted(order) == [0, 1, 2, 3] != order
        expected = outputs(trained("cnn"), DATA.inputs)[:, order]
        assert np.array_equal(outputs(derived.module, DATA.inputs), expected)


def test_a_head_of_one_output_cannot_be_relabeled() -> None:
    with pytest.raises(UnfitModel, match="nothing to permute"):
        Relabel().derive(torch.nn.Sequential(torch.nn.Linear(3, 1)))
