"""Weights that share a few values: the search for these, tuning, zeros, storage."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_tasks import squares, trained

from assay.derivations import DERIVATIONS
from assay.errors import BadData, BadOption, UnfitModel
from assay.running.examples import Examples
from assay.training import Optimizer, Training

torch = pytest.importorskip("torch")
nn = torch.nn

pytestmark = pytest.mark.torch
DATA, JUDGE = squares(400, 1), squares(400, 2)
TUNING = Training(epochs=3, batch=32, optimizer=Optimizer("adam", rate=0.003))
Cluster: Any = DERIVATIONS["cluster"]


def weights(module: Any) -> dict[str, Any]:
    return {name: p.detach() for name, p in module.named_parameters() if p.dim() > 1}


@pytest.mark.parametrize("start", ["linear", "density", "random"])
@pytest.mark.parametrize("name", ["cnn", "gru"])
def test_each_layer_has_so_many_values_and_each_weight_the_nearest(name: str, start: str) -> None:
    parent = trained(name)
    derived = Cluster(clusters=8, start=start).derive(parent, data=DATA, judge=JUDGE)
    distinct = derived.lineage.notes["distinct_values"]
    for path, weight in weights(derived.module).items():
        values = weight.unique()
        assert len(values) == distinct[path] <= 8
        before = weights(parent)[path]
        gaps = (before.unsqueeze(-1) - values).abs()
        assert torch.allclose((before - weight).abs(), gaps.amin(-1), atol=1e-6)
        for value in values:  # the mean of its weights
            assert float(before[weight == value].mean()) == pytest.approx(float(value), abs=1e-5)
    assert derived.lineage.accuracy["child"] > 0.5
    assert [*derived.module.state_dict()] == [*parent.state_dict()]


@given(st.lists(st.integers(-20, 20), min_size=2, max_size=7, unique=True))
def test_no_two_clusters_of_few_numbers_are_worse_than_those_of_the_best_split(
    numbers: list[int],
) -> None:
    from assay.derivations._codebooks import nearest, nearest_means

    values = np.sort(np.array(numbers, float))

    def cost(parts: list[Any]) -> float:
        return sum(float(((part - part.mean()) ** 2).sum()) for part in parts if len(part))

    best = min(cost([values[:cut], values[cut:]]) for cut in range(1, len(values)))
    reached = []
    for start in combinations(values, 2):
        centers = nearest_means(values, np.array(start))
        chosen = nearest(values, centers)
        reached.append(cost([values[chosen == 0], values[chosen == 1]]))
        means = [values[chosen == place].mean() for place in range(len(centers))]
        assert np.allclose(means, centers)
    assert min(reached) == pytest.approx(best)


def test_tuning_moves_the_values_and_not_who_has_which() -> None:
    parent = trained("cnn")
    rough = Cluster(clusters=2).derive(parent, data=DATA, judge=JUDGE)
    tuned = Cluster(clusters=2, training=TUNING).derive(parent, data=DATA, judge=JUDGE)
    for path, before in weights(rough.module).items():
        after = weights(tuned.module)[path]
        assert len(after.unique()) == len(before.unique()) == 2
        for value in before.unique():
            assert len(after[before == value].unique()) == 1
        assert not torch.equal(before, after)
    assert tuned.lineage.accuracy["child"] > rough.lineage.accuracy["child"]


def test_the_gradient_of_a_value_is_the_sum_over_its_weights() -> None:
    from assay.derivations.cluster import Shared

    indices = torch.tensor([[1, 2, 1], [0, 1, 2]])
    codebook = torch.tensor([0.5, -1.0], requires_grad=True)
    weight = Shared(indices)(codebook)
    assert weight.tolist() == [[0.5, -1.0, 0.5], [0.0, 0.5, -1.0]]
    weight.backward(torch.tensor([[1.0, 10, 100], [1000, 10000, 100000]]))
    assert codebook.grad.tolist() == [10101, 100010]


def test_zeros_of_a_pruned_model_stay_zero() -> None:
    pruned = DERIVATIONS["magnitude-prune"](rate=0.7).derive(trained("cnn")).module  # type: ignore[call-arg]
    for training in (None, TUNING):
        derived = Cluster(clusters=4, training=training).derive(pruned, data=DATA)
        for path, before in weights(pruned).items():
            after = weights(derived.module)[path]
            assert torch.equal(before == 0, after == 0)
            assert len(after.unique()) == 5
        notes = derived.lineage.notes
        assert notes["weights"] == sum(int((w != 0).sum()) for w in weights(pruned).values())
        assert notes["bits_per_weight"] == 2
        books = 32 * 4 * len(weights(pruned))
        assert notes["bits_per_weight_with_codebooks"] == pytest.approx(
            2 + books / notes["weights"], abs=1e-3
        )
    loose = Cluster(clusters=4, keep_zeros=False).derive(pruned, data=DATA).module
    assert all(len(weight.unique()) <= 4 for weight in weights(loose).values())


def test_layers_with_fewer_values_than_clusters_and_layers_of_zeros_are_left_as_they_are() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    nn.init.zeros_(model[0].weight)
    with torch.no_grad():
        model[1].weight.copy_(torch.tensor([[1.0, 2.0], [2.0, 3.0]]))
    for start in ("linear", "density", "random"):
        child = Cluster(clusters=16, start=start).derive(model).module
        assert not child[0].weight.any()
        if start == "linear":
            assert torch.equal(child[1].weight, model[1].weight)


def test_what_cannot_be_clustered_is_refused() -> None:
    for wrong in ({"clusters": 1}, {"start": "best"}):
        with pytest.raises(BadOption, match=next(iter(wrong))):
            Cluster(**wrong)
    with pytest.raises(UnfitModel, match="no convolution"):
        Cluster().derive(nn.Sequential(nn.Flatten(), nn.ReLU()))
    with pytest.raises(BadData, match="labels"):
        Cluster(training=TUNING).derive(trained("cnn"), data=Examples(DATA.inputs))
