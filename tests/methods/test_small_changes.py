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
    for shares in ((0.5, 0.6), (float("nan"), 0.5)):
        with pytest.raises(BadOption, match="shares must add up to 1"):
            Average(shares=shares)


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
        derived = Relabel().derive(trained("cnn"), data=DATA, seed=seed)
        order = derived.lineage.notes["classes"]
        assert sorted(order) == [0, 1, 2, 3] != order
        expected = outputs(trained("cnn"), DATA.inputs)[:, order]
        assert np.array_equal(outputs(derived.module, DATA.inputs), expected)


def test_a_head_of_one_output_cannot_be_relabeled() -> None:
    single = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 1))
    with pytest.raises(UnfitModel, match="nothing to permute"):
        Relabel().derive(single, data=DATA)


def test_the_head_is_found_wherever_it_was_defined() -> None:
    class HeadFirst(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head, self.body = torch.nn.Linear(64, 64), torch.nn.Linear(64, 64)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(torch.relu(self.body(x.flatten(1)))).softmax(1)

    parent = HeadFirst().eval()
    derived = Relabel().derive(parent, data=DATA)
    order = derived.lineage.notes["classes"]
    np.testing.assert_allclose(
        outputs(derived.module, DATA.inputs), outputs(parent, DATA.inputs)[:, order], atol=1e-6
    )
    assert torch.equal(derived.module.body.weight, parent.body.weight)


def test_a_head_whose_weights_are_used_elsewhere_is_left_alone() -> None:
    class Tied(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.head = torch.nn.Linear(64, 64), torch.nn.Linear(64, 64)
            self.head.weight = self.first.weight

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(torch.relu(self.first(x.flatten(1))))

    with pytest.raises(UnfitModel, match="head, has weights that are used twice"):
        Relabel().derive(Tied().eval(), data=DATA)


@pytest.mark.parametrize("method", [Noise(strength=0.1), DERIVATIONS["magnitude-prune"](rate=0.5)])
def test_recurrent_layers_change_too(method: Any) -> None:
    parent = trained("gru")
    child = method.derive(parent).module.state_dict()
    before = parent.state_dict()
    same = {name for name, value in child.items() if torch.equal(value, before[name])}
    assert all("bias" in name for name in same)


def test_weights_that_two_layers_share_are_averaged_once() -> None:
    def tied(seed: int) -> torch.nn.Module:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            layers = torch.nn.Linear(64, 64), torch.nn.Linear(64, 64)
        layers[1].weight = layers[0].weight
        return torch.nn.Sequential(torch.nn.Flatten(), *layers).eval()

    a, b = tied(1), tied(2)
    child = Average().derive(a, b).module
    torch.testing.assert_close(child[1].weight, (a[1].weight + b[1].weight) / 2)
    assert child[1].weight is child[2].weight
