"""Merges of models: each way is what its paper's formula says, element by element."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from small_tasks import trained

from assay.derivations import DERIVATIONS
from assay.errors import BadOption

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

Average: Any = DERIVATIONS["average"]


def states(module: torch.nn.Module) -> dict[str, np.ndarray]:
    return {name: value.double().numpy() for name, value in module.state_dict().items()}


def networks() -> list[torch.nn.Module]:
    return [trained("vgg", seed) for seed in range(3)]


def running(name: str) -> bool:
    return "running" in name


def naive_ties(
    base: np.ndarray, ends: list[np.ndarray], density: float, scale: float
) -> np.ndarray:
    """A loop over the places, as the paper tells it."""
    trimmed = []
    for end in ends:
        difference = end - base
        kept = np.argsort(-np.abs(difference))[: round(density * len(base))]
        trimmed.append(np.where(np.isin(np.arange(len(base)), kept), difference, 0))
    merged = base.copy()
    for place in range(len(base)):
        values = [each[place] for each in trimmed]
        sign = np.sign(sum(values))
        agreeing = [value for value in values if value and np.sign(value) == sign]
        if agreeing:
            merged[place] += scale * sum(agreeing) / len(agreeing)
    return merged


@pytest.mark.parametrize("share", [0.5, 0.2])
def test_slerp_keeps_to_the_arc_between_two_tensors(share: float) -> None:
    first, second = networks()[:2]
    merge = Average(kind="slerp", shares=(1 - share, share))
    child = states(merge.derive(first, second).module)
    a, b = states(first), states(second)
    for name, value in child.items():
        cosine = (
            a[name].ravel() @ b[name].ravel() / np.linalg.norm(a[name]) / np.linalg.norm(b[name])
        )
        if running(name) or cosine > 0.9995:
            wanted = (1 - share) * a[name] + share * b[name]
        else:
            angle = np.arccos(cosine)
            wanted = np.sin((1 - share) * angle) * a[name] + np.sin(share * angle) * b[name]
            wanted /= np.sin(angle)
        np.testing.assert_allclose(value, wanted, rtol=1e-4, atol=1e-6, err_msg=name)


def test_slerp_of_a_model_with_itself_is_the_model() -> None:
    parent = trained("vgg")
    child = states(Average(kind="slerp").derive(parent, parent).module)
    for name, value in states(parent).items():
        np.testing.assert_allclose(child[name], value, rtol=1e-6)


@pytest.mark.parametrize(("density", "scale"), [(0.2, 1.0), (0.7, 0.4), (1.0, 1.0)])
def test_ties_trims_elects_signs_and_averages_what_agrees(density: float, scale: float) -> None:
    base, *others = networks()
    child = Average(kind="ties", density=density, scale=scale).derive(base, *others).module
    names = [name for name, _ in base.named_parameters()]

    def flat(module: torch.nn.Module) -> np.ndarray:
        state = module.state_dict()  # differences in the numbers' own type: of equal ones no order
        return np.concatenate([state[name].numpy().ravel() for name in names])

    wanted = naive_ties(flat(base), [flat(each) for each in others], density, scale)
    np.testing.assert_allclose(flat(child), wanted, rtol=1e-4, atol=1e-6)
    one, two, merged = (states(each) for each in (*others, child))
    for name in filter(running, merged):  # of the base nothing
        np.testing.assert_allclose(merged[name], (one[name] + two[name]) / 2, rtol=1e-5, atol=1e-6)


def test_ties_of_one_difference_is_the_model_that_has_it() -> None:
    base, other = networks()[:2]
    child = Average(kind="ties", density=1.0, shares=(0.0, 1.0)).derive(base, base, other).module
    for name, value in states(other).items():
        np.testing.assert_allclose(states(child)[name], value, rtol=1e-4, atol=1e-6, err_msg=name)


def test_a_weight_of_two_names_is_merged_once() -> None:
    def tied(seed: int) -> torch.nn.Module:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            layers = torch.nn.Linear(8, 8), torch.nn.Linear(8, 8)
        layers[1].weight = layers[0].weight
        return torch.nn.Sequential(*layers).eval()

    models = [tied(seed) for seed in range(3)]
    child = Average(kind="ties", density=1.0).derive(*models).module
    base, one, two = (each[0].weight for each in models)
    signs = (one - base).sign() == (two - base).sign()
    torch.testing.assert_close(child[0].weight[signs], ((one + two) / 2)[signs])
    assert child[0].weight is child[1].weight


def test_a_merge_says_which_models_it_takes() -> None:
    models = networks()
    with pytest.raises(BadOption, match="slerp is between 2 models, not 3"):
        Average(kind="slerp").derive(*models)
    with pytest.raises(BadOption, match="ties is made from the base and 2 or more"):
        Average(kind="ties").derive(*models[:2])
    with pytest.raises(BadOption, match="3 shares for 2 models"):
        Average(kind="ties", shares=(0.2, 0.3, 0.5)).derive(*models)
    with pytest.raises(BadOption, match="shares of slerp must be 0 or more"):
        Average(kind="slerp", shares=(-0.5, 1.5))
    with pytest.raises(BadOption, match="kind must be one of"):
        Average(kind="sum")
    for density in (0, 1.1):
        with pytest.raises(BadOption, match="density must be above 0"):
            Average(kind="ties", density=density)
    with pytest.raises(BadOption, match="scale must be 0 or more"):
        Average(kind="ties", scale=-1)
