"""Groups of channels: found in every network, changed without a change of the function."""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import assay

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from channel_networks import GROUPS, MIXED, SHAPE, Left, Recurrent, Residual, made, settled  # noqa: E402

from assay.errors import BadData, UnfitModel  # noqa: E402
from assay.running.channels import (  # noqa: E402
    Group,
    by_layer,
    narrow,
    others,
    permute,
    reordering,
    scale,
    silence,
    widen,
)
from assay.running.find_channels import find_channels  # noqa: E402
from assay.running.modules import copy_of, digest  # noqa: E402
from assay.running.trial import Trial, all_answers, sift  # noqa: E402
from assay.zoo.networks import NETWORKS, build  # noqa: E402

nn = torch.nn
EXAMPLE = torch.from_numpy(np.random.default_rng(0).normal(size=(2, *SHAPE)).astype(np.float32))


def answers(module: nn.Module) -> torch.Tensor:
    with torch.no_grad():
        inputs = EXAMPLE.to(next(module.parameters()).dtype)
        return torch.cat([each.flatten() for each in all_answers(module, inputs)])


def assert_same_function(module: nn.Module, other: nn.Module) -> None:
    expected = answers(module)
    assert (answers(other) - expected).abs().max() < 1e-5 * expected.abs().max()


def shuffled(module: nn.Module, groups: tuple[Group, ...]) -> nn.Module:
    made_of_it = copy_of(module)
    for place, group in enumerate(groups):
        permute(made_of_it, group, reordering(group.size, np.random.default_rng(place)))
    return made_of_it


@pytest.mark.parametrize("kind", GROUPS, ids=lambda kind: kind.__name__)
def test_every_way_that_channels_go_together_is_followed(kind: type[nn.Module]) -> None:
    module = made(kind)
    found = find_channels(module, EXAMPLE).groups
    assert by_layer((group, group.size) for group in found) == GROUPS[kind]
    other = shuffled(module, found)
    assert_same_function(module, other)
    for group in found:
        for name in group.layers:
            tensor = "weight_hh_l1" if name == "lstm" else "weight"
            before, after = (getattr(m.get_submodule(name), tensor) for m in (module, other))
            assert not torch.equal(before, after)


@pytest.mark.parametrize("network", NETWORKS)
def test_of_the_zoo_only_the_head_keeps_its_channels(network: str) -> None:
    module = settled(build(network, (1, 8, 8), 5, seed=0))
    example = EXAMPLE[:, :1]
    found = find_channels(module, example)
    assert others(module, (name for group in found.groups for name in group.between)) == []
    assert not any("head" in name for group in found.groups for name in group.between)
    norms = sum(isinstance(part, nn.BatchNorm2d) for part in module.modules())
    assert len(found.normalized) == norms
    expected, given = (all_answers(m, example)[0] for m in (module, shuffled(module, found.groups)))
    assert (given - expected).abs().max() < 1e-5 * expected.abs().max()


def test_the_module_is_left_as_it_was_and_nothing_is_said(
    capfd: pytest.CaptureFixture[str],
) -> None:
    module = made(Left)
    module.c.weight.requires_grad_(False)
    module.b.train()
    before = digest(module)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("error")
        find_channels(module, EXAMPLE)
        assert not torch.is_grad_enabled()
    assert digest(module) == before
    assert module.b.training
    assert not module.a.training
    assert [name for name, p in module.named_parameters() if not p.requires_grad] == ["c.weight"]
    assert not any(part._forward_hooks for part in module.modules())
    assert all(p.grad is None for p in module.parameters())
    assert capfd.readouterr() == ("", "")


def test_torchvision_is_not_needed() -> None:
    code = (
        "import sys; sys.modules['torchvision'] = None\n"
        "import assay.running.find_channels, assay.derivations.channel_prune"
    )
    path = str(Path(assay.__file__).parents[1])
    subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": path}, check=True)


@settings(max_examples=15)
@given(
    width=st.integers(2, 9),
    inner=st.lists(st.integers(2, 9), max_size=3).map(tuple),
    joined=st.integers(2, 5),
    normalized=st.booleans(),
    seed=st.integers(0, 99),
)
def test_residual_networks(
    width: int, inner: tuple[int, ...], joined: int, normalized: bool, seed: int
) -> None:
    torch.manual_seed(seed)
    module = settled(Residual(width, inner, joined, normalized), seed)
    found = find_channels(module, EXAMPLE).groups
    assert sorted(group.size for group in found) == sorted([width, *inner, joined, MIXED])
    assert_same_function(module, shuffled(module, found))
    scaled = copy_of(module).double()
    random = np.random.default_rng(seed)
    for group in found:
        scale(scaled, group, np.exp(random.uniform(-2, 2, group.size)))
    assert_same_function(copy_of(module).double(), scaled)
    fewer, silent = copy_of(module), copy_of(module)
    kept = [(group, np.sort(random.permutation(group.size)[:-1])) for group in found]
    narrow(fewer, kept)
    silence(silent, kept)
    assert_same_function(silent, fewer)
    assert all(now < then for now, then in zip(sizes(fewer), sizes(module), strict=True))


def sizes(module: nn.Module) -> list[int]:
    return [
        parameter.numel() for name, parameter in module.named_parameters() if "head.b" not in name
    ]


@pytest.mark.parametrize(
    "kind", [n for n in GROUPS if n is not Recurrent], ids=lambda kind: kind.__name__
)
def test_channels_that_nothing_reads_are_added_one_group_after_the_other(
    kind: type[nn.Module],
) -> None:
    module = made(kind)
    wider = copy_of(module)
    left = [*find_channels(module, EXAMPLE).groups]
    while left:
        now, orders = widen(
            wider,
            left[0],
            lambda member, old: torch.cat([old, old[:2] * (member.role != "column")]),
        )
        assert now.size == left[0].size + 2
        permute(wider, now, reordering(now.size, np.random.default_rng(0)))
        left = [group.moved(orders) for group in left[1:]]
    assert_same_function(module, wider)
    again = by_layer((group, group.size) for group in find_channels(wider, EXAMPLE).groups)
    assert again == {
        name: size + 2 * sum(name in g.layers for g in find_channels(module, EXAMPLE).groups)
        for name, size in GROUPS[kind].items()
    }


def test_a_branch_that_is_silent_as_yet_is_followed_all_the_same() -> None:
    module = build("resnet", (1, 8, 8), 5, seed=0).eval()
    nn.init.zeros_(module.stage2.norm2.weight)
    nn.init.zeros_(module.stage2.norm2.bias)
    found = find_channels(module, EXAMPLE[:, :1]).groups
    assert "stage2.conv1" in {name for group in found for name in group.layers}
    nn.init.ones_(module.stage2.norm2.weight)
    expected, given = (all_answers(m, EXAMPLE[:, :1])[0] for m in (module, shuffled(module, found)))
    assert (given - expected).abs().max() < 1e-5 * expected.abs().max()


def test_what_has_no_hidden_channels_is_refused() -> None:
    for module in (nn.Linear(8, 3), nn.Flatten(), nn.GRU(8, 4)):
        with pytest.raises(UnfitModel, match="no hidden channels"):
            find_channels(module.eval(), EXAMPLE[:, 0])
    with pytest.raises(BadData, match=r"cannot be run on inputs of shape \[2, 8, 8\]"):
        find_channels(made(Left), EXAMPLE[:, 0])


def test_a_trial_sees_an_activation_that_the_examples_do_not_reach() -> None:
    module = nn.Sequential(nn.Flatten(), nn.Linear(192, 8), nn.ReLU6(), nn.Linear(8, 3)).eval()
    (group,) = find_channels(module, 0.01 * EXAMPLE).groups
    trial = Trial(module, 0.01 * EXAMPLE)
    assert trial.keeps(lambda m: permute(m, group, reordering(8, np.random.default_rng(0))))
    assert not trial.keeps(lambda m: scale(m, group, np.full(8, 2.0)))
    assert trial.keeps(lambda m: None), "the change before was undone"


def test_where_the_answers_tell_nothing_no_group_is_believed() -> None:
    layers = [nn.Flatten(), nn.Linear(192, 8), nn.ReLU(), nn.Linear(8, 3), nn.Softmax(1)]
    module = nn.Sequential(*layers).eval()
    assert len(find_channels(module, EXAMPLE).groups) == 1
    with torch.no_grad():
        module[3].weight.mul_(1e6)
    with pytest.raises(UnfitModel, match="no hidden channels"):
        find_channels(module, EXAMPLE)


def test_a_module_that_stays_in_float32_is_tried_in_float32() -> None:
    class Casting(nn.Sequential):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x.float())

    module = Casting(nn.Flatten(), nn.Linear(192, 8), nn.ReLU(), nn.Linear(8, 3)).eval()
    (group,) = find_channels(module, EXAMPLE).groups
    assert group.layers == ("1",)


def test_sifting_finds_what_passes() -> None:
    asked: list[int] = []

    def passes(items: list[int]) -> bool:
        asked.append(len(items))
        return not {3, 7} & {*items}

    assert sift([*range(16)], passes) == [n for n in range(16) if n not in (3, 7)]
    assert len(asked) < 16
    assert sift([], passes) == []


def test_no_channel_of_a_reordering_stays() -> None:
    for size in range(2, 40):
        order = reordering(size, np.random.default_rng(size))
        assert sorted(order) == [*range(size)]
        assert (order != np.arange(size)).all()
