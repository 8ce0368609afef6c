"""Few values in each layer: which, found how, and that what was pruned stays so."""

from __future__ import annotations

from itertools import product
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_tasks import squares, trained

from assay.derivations import DERIVATIONS
from assay.errors import BadData, BadOption
from assay.formats import FORMATS, read
from assay.running.examples import Examples

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from safetensors.torch import save_file  # noqa: E402

from assay.derivations._codebooks import Array, best_means, levels_of, nearest, step_of  # noqa: E402
from assay.derivations._shared_values import Levels, Means, Nearest, Snapped  # noqa: E402
from assay.running.modules import accuracy, outputs, weights  # noqa: E402
from assay.training import Optimizer, Training  # noqa: E402

DATA, JUDGE = squares(400, 1), squares(400, 2)
SHORT = Training(3, 32, Optimizer("adam", 0.002, weight_decay=0, schedule="constant"))
TUNED = Training(1, 32, Optimizer("adam", 0.002, weight_decay=0))
Cluster: Any = DERIVATIONS["admm-cluster"]
Prune: Any = DERIVATIONS["magnitude-prune"]
NUMBERS = st.lists(
    st.floats(0.01, 9).flatmap(lambda x: st.sampled_from([x, -x])), min_size=1, max_size=40
)


def cluster(**options: Any) -> Any:
    return Cluster(**{"training": SHORT, "retraining": TUNED, **options})


def pruned(name: str = "cnn") -> torch.nn.Module:
    return Prune(rate=0.6).derive(trained(name)).module


def cost(values: Array, step: float, most: int) -> float:
    return float(((values - step * levels_of(values, step, most)) ** 2).sum())


def published(values: Array, most: int) -> float:
    """The step of the paper's code: the best of 201 within a tenth of the largest number's."""
    whole = np.abs(values).max() / most
    return min(whole * np.linspace(0.9, 1.1, 201), key=lambda step: cost(values, step, most))


@given(numbers=NUMBERS, most=st.integers(1, 8))
def test_no_step_is_better_than_the_one_that_is_found(numbers: list[float], most: int) -> None:
    """Neither the published search's nor any of a fine grid."""
    values = np.array(numbers)
    found = cost(values, step_of(values, most), most)
    assert found <= cost(values, published(values, most), most) + 1e-9
    grid = np.abs(values).max() * np.linspace(0.01, 1.2, 300)
    assert found <= min(cost(values, step, most) for step in grid) + 1e-9


@given(numbers=st.lists(st.floats(0.1, 5), min_size=1, max_size=5), most=st.integers(1, 3))
def test_no_choice_of_levels_is_better_than_the_one_that_is_found(
    numbers: list[float], most: int
) -> None:
    values = np.array(numbers)
    found = cost(values, step_of(values, most), most)
    for choice in product(range(1, most + 1), repeat=len(values)):
        levels = np.array(choice)
        step = values @ levels / (levels @ levels)
        assert found <= float(((values - step * levels) ** 2).sum()) + 1e-9


def test_a_normal_layer_loses_much_less_than_by_the_published_search() -> None:
    values = np.random.default_rng(0).normal(size=5000)
    assert cost(values, step_of(values, 4), 4) < 0.7 * cost(values, published(values, 4), 4)


def test_the_step_of_many_numbers_is_as_good_as_the_exact_one() -> None:
    values = np.random.default_rng(1).laplace(size=400_000)
    exact = step_of(values[:100_000], 16)
    assert cost(values, step_of(values, 16), 16) < 1.001 * cost(values, exact, 16)


def test_zero_is_no_level_and_signs_stay() -> None:
    assert levels_of(np.array([0.01, -0.01, 0.26, -0.9]), 0.2, 3).tolist() == [1, -1, 1, -3]
    assert step_of(np.array([0.5]), 4) == pytest.approx(0.5)
    assert step_of(np.array([]), 4) == 1


def test_means_are_the_better_of_both_starts() -> None:
    values = np.concatenate([np.random.default_rng(2).normal(size=500), [9.0, 9.1]])
    means = best_means(values, 4)
    assert len(means) == 4
    assert abs(means[nearest(values, means)] - values).max() < 3
    assert best_means(np.array([]), 4).tolist() == [0]


@pytest.mark.parametrize("kind", ["levels", "means"])
def test_the_projection_is_the_nearest_point_and_leaves_what_was_pruned(kind: Any) -> None:
    weight = torch.randn(6, 5, generator=torch.Generator().manual_seed(0))
    mask = weight.abs() > 0.3
    project = Nearest(kind, 2, mask)
    found = project(weight)
    assert (found[~mask] == 0).all()
    assert not torch.signbit(found[~mask]).any()
    values = project.codebook(weight)().detach()
    assert len(values) == 4
    gaps = (weight[mask][:, None] - values).abs()
    assert torch.allclose((weight - found)[mask].abs(), gaps.amin(1))
    assert torch.allclose(project(found), found, atol=1e-6)


def test_of_the_weights_around_each_value_the_nearest_are_taken_and_no_more() -> None:
    weight = torch.randn(40, 9, generator=torch.Generator().manual_seed(1))
    mask = weight.abs() > 0.2
    snapped = Snapped(mask, Means(torch.tensor([-1.0, -0.5, 0.5, 1.0])))
    which = snapped.codebook.nearest(weight)
    snapped.take(weight, 0.3)
    for value, center in enumerate((-1.0, -0.5, 0.5, 1.0)):
        around = mask & (which == value)
        taken = around & snapped.taken
        assert int(taken.sum()) == ceil(0.3 * int(around.sum()))
        gaps = (weight - center).abs()
        assert gaps[taken].max() <= gaps[around & ~taken].min()
    given = snapped(weight)
    assert torch.equal(given[mask & ~snapped.taken], weight[mask & ~snapped.taken])
    assert len(given[snapped.taken].unique()) == 4
    assert (given[~mask] == 0).all()


def test_a_value_s_gradient_is_the_sum_over_its_weights_and_a_step_s_that_of_levels_times_it() -> (
    None
):
    weight, pull = torch.tensor([0.9, 2.1, -1.2, 5.0]), torch.tensor([1.0, 10.0, 100.0, 1000.0])
    mask = torch.tensor([True, True, True, False])
    for codebook in (Means(torch.tensor([-1.0, 1.0])), Levels(torch.tensor(1.0), 2)):
        free = torch.nn.Parameter(weight.clone())
        snapped = Snapped(mask, codebook)
        snapped.take(free, 1.0)
        (snapped(free) * pull).sum().backward()
        assert free.grad is not None
        assert not free.grad.any()
        (gradient,) = (parameter.grad for parameter in codebook.parameters())
        wanted = [100.0, 11.0] if isinstance(codebook, Means) else 1 + 2 * 10.0 - 100
        assert gradient.tolist() == wanted


@pytest.mark.parametrize("values", ["levels", "means"])
@pytest.mark.parametrize("name", ["cnn", "gru"])
def test_each_layer_has_its_few_values_and_its_zeros(name: str, values: str) -> None:
    parent = pruned(name)
    derived = cluster(values=values, bits=(3,)).derive(parent, data=DATA, judge=JUDGE)
    assert derived.lineage.accuracy["child"] > derived.lineage.accuracy["parents"][0] - 0.1
    before = weights(parent)
    for path, parameter in weights(derived.module).items():
        weight = parameter.detach()
        assert torch.equal(weight != 0, before[path] != 0)
        found = weight[weight != 0].unique()
        assert len(found) <= 8
        if values == "levels":
            step = float(found.abs().min())
            ratios = (found.abs() / step).double()
            assert any(
                torch.allclose(ratios * n, (ratios * n).round(), atol=1e-4) for n in (1, 2, 3, 4)
            )
            assert float((found / found.abs().max()).abs().min()) >= 0.24
    assert [*derived.module.state_dict()] == [*parent.state_dict()]
    assert derived.lineage.notes["bits_per_weight"] <= 3
    assert [t["stage"][:7] for t in derived.lineage.notes["trainings"]] == [
        "drawing", "stage 1", "stage 2", "stage 3", "stage 4",
    ]  # fmt: skip


def test_bits_may_differ_by_layer() -> None:
    derived = cluster(bits=(3, 3, 3, 2, 1), training=None).derive(pruned(), data=DATA)
    distinct = [len(w[w != 0].unique()) for w in weights(derived.module).values()]
    assert all(n <= most for n, most in zip(distinct, (8, 8, 8, 4, 2), strict=True))
    assert distinct[4] == 2
    assert "residuals" not in derived.lineage.notes


def test_the_weights_come_nearer_to_their_values() -> None:
    alternation = type(cluster().admm)(rho=0.05, growth=2.0)
    long = Training(10, 8, Optimizer("adam", 0.002, weight_decay=0))
    method = cluster(bits=(2,), admm=alternation, training=long)
    found = method.derive(pruned(), data=DATA).lineage.notes["residuals"]
    for first, *_, last in found.values():
        assert last < first / 2


def test_less_is_lost_than_by_rounding_at_once() -> None:
    parent = pruned()
    own = outputs(parent, JUDGE.inputs)
    rounded = {n: Nearest("levels", 1, w != 0)(w.detach()) for n, w in weights(parent).items()}
    at_once = Prune(rate=0.6).derive(trained("cnn")).module
    for name, weight in rounded.items():
        at_once.get_parameter(name).data.copy_(weight)
    found = cluster(bits=(1,), soft_answers=0.9).derive(parent, data=DATA).module
    assert accuracy(found, JUDGE) >= accuracy(at_once, JUDGE)
    ours, theirs = (abs(outputs(m, JUDGE.inputs) - own).mean() for m in (found, at_once))
    assert ours < theirs / 1.5


def test_soft_answers_alone_take_no_labels() -> None:
    without = Examples(DATA.inputs, None)
    derived = cluster(bits=(2,), soft_answers=1.0).derive(pruned(), data=without)
    assert derived.lineage.notes["bits_per_weight"] <= 2
    with pytest.raises(BadData, match="needs labels"):
        cluster(bits=(2,)).derive(pruned(), data=without)


def test_a_clustered_model_is_small_and_the_same_when_it_is_packed(tmp_path: Path) -> None:
    derived = cluster(bits=(2,)).derive(pruned(), data=DATA)
    state = derived.module.state_dict()
    save_file({name: t.contiguous() for name, t in state.items()}, tmp_path / "a.safetensors")
    FORMATS["packed"]().write(read(tmp_path / "a.safetensors"), tmp_path / "a.packed")
    again = {name: each.read() for name, each in read(tmp_path / "a.packed").weights.items()}
    assert all(again[name].tobytes() == t.numpy().tobytes() for name, t in state.items())
    matrices = [
        each for each in read(tmp_path / "a.packed").weights.values() if len(each.shape) > 1
    ]
    assert {each.dtype for each in matrices} <= {"shared1", "shared2"}
    assert (tmp_path / "a.packed").stat().st_size < (tmp_path / "a.safetensors").stat().st_size / 5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"values": "powers"}, "values must be one of"),
        ({"bits": ()}, "bits must be 1 to 8"),
        ({"bits": (9,)}, "bits must be 1 to 8"),
        ({"soft_answers": 1.5}, "soft_answers must be 0 to 1"),
    ],
)
def test_options_that_fit_nothing_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(BadOption, match=message):
        cluster(**options)


def test_bits_that_do_not_fit_the_layers_are_refused() -> None:
    with pytest.raises(BadOption, match="bits has 2 values, and there are 5 layers"):
        cluster(bits=(3, 2)).derive(pruned(), data=DATA)
