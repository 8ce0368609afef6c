"""The disguises of the benchmark: what keeps a function keeps it, and check sees through some."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from make_docs import disguise_cell
from small_tasks import CLASSES, squares, trained

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from assay.running.modules import outputs  # noqa: E402

ROOT = Path(__file__).parents[1]
BENCHMARK = ROOT / "benchmarks" / "disguises"
DATA = squares(200, 3)


@pytest.fixture
def networks(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(BENCHMARK)
    return import_module("of_networks")


@pytest.fixture
def tensors(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(BENCHMARK)
    return import_module("of_tensors")


def state() -> dict[str, np.ndarray]:
    return {name: value.numpy() for name, value in trained("vgg").state_dict().items()}


def assert_answers_alike(parent: torch.nn.Module, child: torch.nn.Module) -> None:
    wanted, given = outputs(parent, DATA.inputs), outputs(child, DATA.inputs)
    assert np.abs(given - wanted).max() < 1e-4 * np.abs(wanted).max()


@pytest.mark.parametrize("name", ["vgg", "resnet", "mobilenet"])
def test_a_folded_batch_norm_is_gone_and_the_answers_stay(networks: Any, name: str) -> None:
    parent = trained(name)
    child = networks.folded(parent, DATA)
    assert not any(isinstance(part, torch.nn.BatchNorm2d) for part in child.modules())
    assert_answers_alike(parent, child)


def test_what_has_no_batch_norm_is_not_folded(networks: Any) -> None:
    with pytest.raises(networks.UnfitModel, match="no batch normalization"):
        networks.folded(trained("mlp"), DATA)


@pytest.mark.parametrize(
    ("name", "turned"), [("transformer", "stage3.mlp.0.weight"), ("mobilenet", "stage5.0.weight")]
)
def test_a_rotated_stream_has_other_weights_and_the_same_answers(
    networks: Any, name: str, turned: str
) -> None:
    parent = trained(name)
    child = networks.rotated(parent, DATA, 0)
    assert_answers_alike(parent, child)
    before, after = (each.get_parameter(turned).flatten() for each in (parent, child))
    assert torch.cosine_similarity(before, after, 0).abs() < 0.5


def test_what_has_no_residual_stream_is_not_rotated(networks: Any) -> None:
    with pytest.raises(networks.UnfitModel, match="no residual stream"):
        networks.rotated(trained("vgg"), DATA, 0)


@pytest.mark.parametrize("name", ["mlp", "vgg", "resnet", "mobilenet", "transformer"])
def test_a_deeper_network_has_its_blocks_twice(networks: Any, name: str) -> None:
    parent = trained(name)
    child = networks.deepened(parent, name)
    for block in networks.REPEATED[name]:
        first, second = (child.get_submodule(f"{block}.{n}").state_dict() for n in (0, 1))
        for key, value in parent.get_submodule(block).state_dict().items():
            assert torch.equal(first[key], value)
            assert torch.equal(second[key], value)
    assert outputs(child, DATA.inputs[:2]).shape == (2, CLASSES)


def test_tuning_ends_at_the_cosine(networks: Any) -> None:
    parent = trained("mlp")
    child = networks.tuned_to(parent, squares(networks.STEP, 5), 0.95, 0)
    assert 0.85 < networks.cosine(parent, child) <= 0.95
    assert networks.cosine(parent, parent) == pytest.approx(1)


def test_half_of_the_layers_stay_and_the_others_begin_anew(tensors: Any) -> None:
    before = state()
    after = tensors.first_half(before, 0)
    names = tensors.layers(before)
    assert len(names) == 7
    for name, value in before.items():
        kept = names.index(tensors.layer(name)) < 4 if tensors.layer(name) in names else None
        if kept is not None:
            assert np.array_equal(after[name], value) == kept, name
        assert after[name].shape == value.shape


def test_a_larger_model_has_the_backbone_and_four_times_as_many_values(tensors: Any) -> None:
    before = state()
    after = tensors.in_a_larger_model(before, 0)
    body = {name: value for name, value in before.items() if not name.startswith("head")}
    for name, value in body.items():
        assert np.array_equal(after[f"backbone.{name}"], value)
    assert "backbone.head.weight" not in after
    matrices = [value for value in before.values() if value.ndim > 1]
    neck = sum(value.size for name, value in after.items() if name.startswith("neck."))
    assert neck == 4 * sum(value.size for value in matrices)


def test_an_adapter_adds_half_a_norm_of_low_rank(tensors: Any) -> None:
    before = state()
    after = tensors.with_adapter(before, 0)
    added = after["stage3.3.weight"] - before["stage3.3.weight"]
    assert np.linalg.matrix_rank(added.reshape(len(added), -1), tol=1e-4) == tensors.RANK
    norms = np.linalg.norm(added), np.linalg.norm(before["stage3.3.weight"])
    assert norms[0] == pytest.approx(tensors.STRENGTH * norms[1], rel=1e-4)


def test_a_new_head_has_other_classes_and_halves_have_16_bits(tensors: Any) -> None:
    before = state()
    after = tensors.new_head(before, 0)
    assert after["head.weight"].shape == (tensors.CLASSES, before["head.weight"].shape[1])
    changed = {name for name, value in after.items() if value is not before[name]}
    assert changed == {"head.weight", "head.bias"}
    types = {value.dtype for value in tensors.half_precision(before).values()}
    assert types == {np.dtype(np.float16), np.dtype(np.int64)}  # of counters


def test_a_small_run_finds_the_parent_and_accuses_no_stranger() -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    child = subprocess.run(
        [sys.executable, "benchmarks/disguises/run.py", "--small"],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert child.returncode == 0, child.stderr
    rows = {row["disguise"]: row for row in map(json.loads, child.stdout.splitlines())}
    assert rows["fp16"]["relation"] == "same-model"
    assert rows["low-rank adapter merged"]["relation"] == "common-ancestor"
    assert rows["neurons permuted"]["relation"] in {"common-ancestor", "derived"}
    assert "batch normalization" in rows["batch norm folded"].pop("why")
    tried = [row for row in rows.values() if "relation" in row]
    assert len(tried) == 4
    assert all(row["log10_false_alarm"] <= -6 for row in tried)
    assert [row["accused"] for row in tried] == [[]] * 4
    assert {row["strangers"] for row in tried} == {2}


def test_the_matrix_shows_what_is_missed() -> None:
    def row(relation: str, alarm: float | None) -> dict[str, Any]:
        return {"relation": relation, "log10_false_alarm": alarm}

    derived, missed = row("derived", -34.2), row("unrelated", None)
    assert disguise_cell([]) == "–"
    assert disguise_cell([derived, row("derived", -12.4)]) == "derived -12"
    assert disguise_cell([derived, missed, missed]) == "1 derived, 2 **missed** -34"
    assert disguise_cell([missed]) == "**missed**"


def test_the_results_are_of_these_disguises_and_accuse_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(BENCHMARK)
    known = import_module("children").DISGUISES
    results = json.loads((BENCHMARK / "results.json").read_text())
    assert {row["disguise"] for row in results["rows"]} == {*known}
    assert results["accused"] == sum(len(row.get("accused", [])) for row in results["rows"]) == 0
